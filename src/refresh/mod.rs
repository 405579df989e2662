//! A refresh: one visit to one feed, from due to stored.

mod plan;

pub use plan::{UpdatePlan, plan};
