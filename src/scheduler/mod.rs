//! The scheduler: which feed is refreshed when, and what happens at set times.
//!
//! What is due lives in the store; [`policy`] decides when a feed is due next; [`queue`] decides who is next within the limits; the calendar rings
//! for what the zone's clock says.

mod calendar;
mod clock;
mod cron;
pub mod policy;
pub mod queue;
pub mod spread;

pub use calendar::{Bells, Calendar};
pub use clock::Clock;
