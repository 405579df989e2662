//! The pace of a feed that nobody set: its own rhythm, within the bounds.
//!
//! Pure. It balances two wishes, to see news soon and to cost the publisher little, and puts one thing before both:
//! that the feed's window does not slide past us.

use super::hours::Hours;
use super::policy::{Harvest, PolicyInput, Wait, words};
use crate::model::Timestamp;
use jiff::SignedDuration;

pub(super) const HOUR: SignedDuration = SignedDuration::from_hours(1);
pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Of the square root: a feed with an item a day is asked ten times a day, one with an item a week four times.
const PACE_UNIT: SignedDuration = SignedDuration::from_mins(15);
/// The share of a document that may be new at a visit: less than half, so that one visit can fail.
const NEW_SHARE: f64 = 0.4;
/// How long an overflow is remembered: meanwhile the interval grows twofold at most.
const OVERFLOW_MEMORY: SignedDuration = SignedDuration::from_hours(7 * 24);

impl PolicyInput<'_> {
    /// From the feed's own rhythm, within the bounds.
    pub(super) fn adaptive(&self) -> Wait {
        let gap = self.gap();
        let mut wait = match gap {
            // What comes more often than hourly comes at all hours.
            Some(gap) if gap < HOUR => Wait::new(gap, format!("its items come every {}", words(gap))),
            Some(gap) => {
                let even = pace(gap).clamp(self.min_interval, self.max_interval);
                let length = Hours::of(&self.events()).wait(even, self.now).max(HOUR);
                Wait::new(length, format!("its items come every {}, and the hour of the day counts", words(gap)))
            }
            None => Wait::new(HOUR, "its rhythm is not known yet"),
        };
        let pace = wait.length.clamp(self.min_interval, self.max_interval);
        // Not even chance brings it below an hour, where the feed's pace does not demand it.
        wait.length = self.jittered(pace, 0.1).max(pace.min(HOUR));
        if !self.is_conditional {
            wait = self.without_validators(wait);
        }
        // A whole document is asked for more than once a day only where items were lost otherwise.
        let may_shorten = self.is_conditional || self.last_overflow_at.is_some();
        match self.window_bound().filter(|_| may_shorten) {
            Some(bound) if bound.length < wait.length => bound,
            _ => wait,
        }
    }

    /// The server cannot tell us that nothing changed, so each visit costs it the whole document: once a day, unless
    /// that has lost items before and the document would hold less than two days' items by then.
    fn without_validators(&self, wait: Wait) -> Wait {
        let listed = self.harvest.map_or(0, |harvest| harvest.listed);
        let gap = self.gap().filter(|_| listed > 1 && self.last_overflow_at.is_some());
        let window = gap.map(|gap| gap * i32::try_from(listed).unwrap_or(i32::MAX));
        let pace = window.map_or(DAY, |window| (window / 2).clamp(HOUR, DAY)).min(self.max_interval);
        if pace <= wait.length {
            return wait;
        }
        let reason = "the server names no ETag or Last-Modified, so every visit costs it the whole document";
        Wait::new(self.jittered_up(pace), reason)
    }

    /// The longest wait after which less than half of the document should be new.
    ///
    /// A document whose every item is new has perhaps lost some: then a fifth of the time, so that three visits
    /// lead from a day to twelve minutes.
    fn window_bound(&self) -> Option<Wait> {
        let Harvest { since_last, new, listed } = self.harvest?;
        if listed >= 2 && new >= listed {
            return Some(
                self.bound(since_last / 5, "every item of the document was new, so some may have been missed"),
            );
        }
        let count = |items: usize| f64::from(u32::try_from(items).unwrap_or(u32::MAX));
        let fitting = if new == 0 { f64::INFINITY } else { NEW_SHARE * count(listed) / count(new) };
        let lately = self.last_overflow_at.is_some_and(|at| self.now.duration_since(at) < OVERFLOW_MEMORY);
        match fitting {
            ..1.0 => Some(self.bound(since_last.mul_f64(fitting), "much of the document was new")),
            _ if lately => Some(self.bound(since_last.mul_f64(fitting.min(2.0)), "items may have been missed lately")),
            _ => None,
        }
    }

    fn bound(&self, length: SignedDuration, reason: &str) -> Wait {
        Wait::new(length.clamp(self.min_interval, self.max_interval), reason)
    }

    /// Instants at which something appeared: items that come at one stroke are one event.
    fn events(&self) -> Vec<Timestamp> {
        let mut times = self.rhythm.to_vec();
        times.dedup();
        times
    }

    /// The mean time between the newest items; a feed that has fallen silent slows down bit by bit.
    pub(super) fn gap(&self) -> Option<SignedDuration> {
        let times = self.events();
        let newest = *times.first()?;
        let silence = self.now.duration_since(newest).max(SignedDuration::ZERO) / 4;
        let oldest = times.last().filter(|_| times.len() > 1);
        let mean = oldest
            .map(|oldest| newest.duration_since(*oldest).abs() / i32::try_from(times.len() - 1).unwrap_or(i32::MAX));
        Some(mean.unwrap_or(HOUR).max(silence)).filter(SignedDuration::is_positive)
    }
}

/// How long to wait for a feed whose items come every `gap`.
///
/// Over many feeds the least delay of an item for a number of requests is had when each waits in proportion to the
/// square root of its gap. Below an hour only where the feed's pace demands it, since publishers count more than one
/// conditional request an hour as rude.
pub(super) fn pace(gap: SignedDuration) -> SignedDuration {
    if gap < HOUR {
        return gap;
    }
    let root_s = (gap.as_secs_f64() * PACE_UNIT.as_secs_f64()).sqrt();
    SignedDuration::try_from_secs_f64(root_s).unwrap_or(DAY).max(HOUR)
}
