//! Black-box tests: one binary, a module an area.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod serving;
