//! A refresh: one visit to one feed, from due to stored.
//!
//! The only place that sequences the stages: fetch, read, plan, classify, place, store. Each stage is a
//! value in and a value out; all that a visit changes is written in one transaction.

pub mod archive;
mod articles;
mod begin;
mod desk;
pub mod discovery;
mod outcome;
mod place;
mod plan;
pub mod push;
mod timing;
mod visit;
mod watch;

pub use begin::{Beginning, Holds, Known, begin, claim};
pub use desk::Desk;
pub use plan::{UpdatePlan, plan};
pub use visit::{News, Outcome, Surroundings, Visit, refresh};
pub use watch::{CompiledDigest, Watch};
