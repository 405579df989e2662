//! veille keeps watch over technology news.
//!
//! The pipeline: feeds are *scheduled* when due, *fetched* with manners, *read* whatever they send,
//! *planned* against what is known, *classified* by rules that explain themselves, gathered into
//! *stories*, *stored* in one transaction, published as *digests* and *served*.

pub mod app;
pub mod classifier;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod demo;
pub mod digest;
pub mod export;
pub mod feed;
pub mod fetch;
pub mod http;
pub mod model;
pub mod notices;
pub mod pace;
pub mod query;
pub mod refresh;
pub mod scheduler;
pub mod search;
pub mod service;
pub mod store;
pub mod stories;
mod threads;
