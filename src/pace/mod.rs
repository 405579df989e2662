//! Pace: when to come back to a feed, and why, in plain words.
//!
//! Pure: the answer of the visit, what server and document ask for, `now` and chance come in as values.
//! It knows no store and no network.

mod adaptive;
mod back_off;
mod cron;
mod hours;
mod policy;
mod skipped;
mod spread;

pub use policy::{Asked, Ended, Harvest, NextCheck, PolicyInput, next_check};
pub use skipped::{SKIPPED, after_skipped};
pub use spread::{Due, SLEEP_MAX, spread};
