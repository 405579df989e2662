//! What the black-box tests stand on.

#![allow(dead_code, reason = "each area of the tests uses its own part")]

pub mod app;
pub mod namespace;
pub mod origin;
pub mod politeness;
pub mod polled;
