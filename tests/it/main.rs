//! Black-box tests: through the binary, over HTTP, against a scripted origin and a real SQLite file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]
#![allow(clippy::assigning_clones, clippy::unnecessary_debug_formatting, reason = "tests are read, not measured")]

mod architecture;
mod archive;
mod articles;
mod commands;
mod config;
mod corpus;
mod demo;
mod durability;
mod entries;
mod exporting;
mod feed_health;
mod fetching;
mod guarding;
mod headlines;
mod hostile;
mod identity;
mod issues;
mod mailing;
mod moving;
mod mutation;
mod outputs;
mod pacing;
mod polling;
mod publishing;
mod readers;
mod reading;
mod rule_references;
mod service;
mod serving;
mod spine;
mod stories;
mod subscribing;
mod support;
mod upstream;
mod validity;
mod workbench;
