//! The scheduler: which feed is refreshed when, and what happens at set times.
//!
//! What is due lives in the store; [`queue`] decides who is next within the limits, [`due`] keeps visits
//! going; the calendar rings for what the zone's clock says.

mod by_hand;
mod calendar;
mod cutter;
pub mod due;
mod journal;
mod overdue;
pub mod queue;
mod reviewer;

pub use by_hand::{Declined, declined};
pub use calendar::{Bells, Calendar};
pub use cutter::cut_due_issues;
pub use due::TakeSurroundings;
pub use overdue::spread_overdue;
pub use reviewer::review_feeds;
