//! The scheduler: which feed is refreshed when, and what happens at set times.
//!
//! What is due lives in the store; [`queue`] decides who is next within the limits; the calendar rings
//! for what the zone's clock says.

mod calendar;
mod clock;
pub mod queue;

pub use calendar::{Bells, Calendar};
pub use clock::Clock;
