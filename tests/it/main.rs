//! Black-box tests: through the binary, over HTTP, against a scripted origin and a real SQLite file.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod architecture;
mod config;
mod exporting;
mod fetching;
mod issues;
mod publishing;
mod reading;
mod serving;
mod stories;
mod support;
mod validity;
