//! The pace of a feed that fails, or whose server wants peace.
//!
//! Pure. Every failure doubles the wait, whatever kind of failure it was; the first success ends it.

use super::adaptive::{DAY, HOUR, pace};
use super::policy::{PolicyInput, Wait, words};
use crate::config::Interval;
use jiff::SignedDuration;

impl PolicyInput<'_> {
    /// `interval · 2ⁿ`, at most `max_interval`.
    pub(super) fn back_off(&self, failure_count: u32) -> Wait {
        let base = match self.interval {
            Interval::Fixed(interval) => *interval,
            Interval::Cron(_) => self.min_interval,
            // Never sooner than when it is well.
            Interval::Adaptive if !self.is_conditional => DAY.min(self.max_interval),
            Interval::Adaptive => self.gap().map_or(HOUR, pace).clamp(self.min_interval, self.max_interval),
        };
        let longest = self.max_interval.max(base);
        let doubled = doubled(base, failure_count).min(longest);
        let times = if failure_count > 1 { format!("{failure_count} times in a row") } else { "once".to_owned() };
        let reason = format!("it failed {times}; the pause doubles each time, up to {}", words(longest));
        Wait::new(self.jittered(doubled, 0.15).min(longest), reason)
    }

    /// After a 429 or 503: what it asks for, else an hour that doubles.
    pub(super) fn pause(&self, failure_count: u32) -> Wait {
        let regular = self.regular().length.max(self.min_interval);
        if self.asked.retry_after.is_some() {
            return Wait::new(regular, "its regular pace is slower than what the server asks for");
        }
        let length = doubled(HOUR, failure_count.saturating_sub(1)).min(self.max_interval.max(HOUR));
        Wait::new(length.max(regular), "the server asked for fewer requests without saying when to come back")
    }
}

/// `base · 2ⁿ`, far beyond any bound before it overflows.
fn doubled(base: SignedDuration, n: u32) -> SignedDuration {
    base.saturating_mul(1 << n.min(20))
}
