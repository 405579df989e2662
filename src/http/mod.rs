//! Serving: feeds, pages, API, metrics. Reads, formats, answers; never fetches.

mod conditional;
mod guard;
mod negotiation;
mod patience;
mod representation;
mod server;

pub use server::{Limits, serve};
