//! The black-box tests: one binary, a module for each area.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod config;
