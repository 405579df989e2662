//! The interval policy: when a feed is checked next, and why, in plain words.
//!
//! Pure: what the visit brought, what the server and the document ask for, and `now` come in as values; so does
//! chance. It knows no store and no network. The order of precedence is one sentence: what a server
//! asks for is a lower bound on everything, the operator's interval comes next, the feed's own rhythm fills
//! what is left open.

use super::adaptive::HOUR;
use super::cron;
use crate::config::Interval;
use crate::model::{Timestamp, WAIT_CEILING};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Unit};

/// How long after a 410 the feed is asked once more.
const CONFIRM_GONE: SignedDuration = SignedDuration::from_hours(24);

/// All that the next check depends on.
#[derive(Debug, Clone)]
pub struct PolicyInput<'p> {
    pub now: Timestamp,
    /// The feed's own, else the default.
    pub interval: &'p Interval,
    pub min_interval: SignedDuration,
    pub max_interval: SignedDuration,
    pub time_zone: &'p TimeZone,
    pub ended: Ended,
    /// Whether the next request can be conditional, as far as is known. If not, it costs the server the whole document.
    pub is_conditional: bool,
    pub asked: Asked,
    /// When the newest items appeared, newest first; a few dozen suffice.
    pub rhythm: &'p [Timestamp],
    /// What the last good answer brought; `None` on the first.
    pub harvest: Option<Harvest>,
    pub last_overflow_at: Option<Timestamp>,
    /// Evenly distributed in `0.0..1.0`.
    pub chance: f64,
}

/// How the visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A document that could be read, or its 304.
    Good,
    /// `failure_count` in a row, this one included.
    Failed { failure_count: u32 },
    /// 429, or 503 with Retry-After.
    RetryLater { failure_count: u32 },
    /// 410; `confirmed` when it was so already at the visit before.
    Gone { confirmed: bool },
}

/// What the server and the document ask for, as waits from now on. Nothing is `None` or zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// From max-age or Expires.
    pub fresh_for: Option<SignedDuration>,
    pub retry_after: Option<SignedDuration>,
    /// From ttl and sy:*, the longer of them.
    pub ttl_s: Option<u64>,
    /// Bit `h` set: not in hour `h` GMT.
    pub skip_hours: u32,
    /// Bit `d` set: not on day `d` GMT; 0 is Monday.
    pub skip_days: u8,
    /// A header asked for more than [`WAIT_CEILING`] and was cut when it was read.
    pub cut: bool,
}

/// How much of a document was new, and how long after the last good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Harvest {
    pub since_last: SignedDuration,
    pub new: usize,
    /// Items listed; both are 0 after a 304.
    pub listed: usize,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextCheck {
    /// `None`: not again, until the operator says so.
    pub at: Option<Timestamp>,
    /// Completes "next check at …: ".
    pub reason: String,
}

/// Decides when to come back.
pub fn next_check(input: &PolicyInput) -> NextCheck {
    let asked = input.asked_waits();
    let own = match input.ended {
        Ended::Good => input.regular(),
        Ended::Failed { failure_count } => input.back_off(failure_count),
        Ended::RetryLater { failure_count } => input.pause(failure_count),
        Ended::Gone { confirmed: true } => return NextCheck { at: None, reason: GONE.to_owned() },
        Ended::Gone { confirmed: false } => {
            Wait::new(CONFIRM_GONE, "the server says that the feed is gone; it is asked once more to be sure")
        }
    };
    let cut = asked.iter().any(|wait| wait.cut) || input.asked.cut;
    let minimum = Wait::new(input.min_interval, MINIMUM);
    // Of equal waits the first gives the reason: our own, then what was asked for.
    let longest =
        std::iter::once(own).chain(asked).chain([minimum]).reduce(|a, b| if b.length > a.length { b } else { a });
    let Wait { length, reason, .. } = longest.expect("there is at least the minimum");
    let at = input.now.saturating_add(length).unwrap_or(Timestamp::MAX);
    let (at, reason) = input.at_cron(at, reason);
    let (at, reason) = input.out_of_skipped(at, reason);
    let reason = if cut {
        format!("{reason}; the longer wait that was asked for is cut to {}", words(WAIT_CEILING))
    } else {
        reason
    };
    NextCheck { at: Some(at), reason }
}

/// Why there is a least wait; beside a schedule it goes without saying.
const MINIMUM: &str = "`min_interval`";
const GONE: &str = "the server says that the feed is gone for good; `veille poll --force` asks again";

/// A wait and why.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wait {
    pub(super) length: SignedDuration,
    pub(super) reason: String,
    cut: bool,
}

impl Wait {
    pub(super) fn new(length: SignedDuration, reason: impl Into<String>) -> Self {
        Self { length, reason: reason.into(), cut: false }
    }

    /// A wait that somebody else imposes.
    fn imposed(length: SignedDuration, reason: &str) -> Self {
        Self { length: length.min(WAIT_CEILING), reason: reason.to_owned(), cut: length > WAIT_CEILING }
    }
}

impl PolicyInput<'_> {
    /// What the server and the document ask for.
    fn asked_waits(&self) -> Vec<Wait> {
        let Asked { fresh_for, retry_after, ttl_s, .. } = self.asked;
        // An error page's max-age is often a cache's default for a year: it does not outlast our own longest back-off.
        let fresh_for = match self.ended {
            Ended::Failed { .. } => fresh_for.map(|wait| wait.min(self.max_interval)),
            _ => fresh_for,
        };
        let ttl = ttl_s.map(|ttl_s| SignedDuration::from_secs(i64::try_from(ttl_s).unwrap_or(i64::MAX)));
        [
            (fresh_for, "the server says that its answer stays fresh until then"),
            (retry_after, "the server asked to be left alone until then"),
            (ttl, "the document asks for it (ttl or sy:updatePeriod)"),
        ]
        .into_iter()
        .filter_map(|(wait, reason)| Some(Wait::imposed(wait?, reason)))
        .collect()
    }

    /// The pace of a feed that is well.
    pub(super) fn regular(&self) -> Wait {
        match self.interval {
            Interval::Fixed(interval) => Wait::new(*interval, format!("every {} as configured", words(*interval))),
            // The pattern says when; this only keeps it from the instant that was just served.
            Interval::Cron(_) => Wait::new(SignedDuration::ZERO, ""),
            Interval::Adaptive => self.adaptive(),
        }
    }

    fn at_cron(&self, earliest: Timestamp, reason: String) -> (Timestamp, String) {
        let Interval::Cron(pattern) = self.interval else { return (earliest, reason) };
        // One nanosecond earlier, so that an instant that may be used is.
        let after = earliest.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(earliest).max(self.now);
        match cron::next_after(pattern, self.time_zone, after) {
            Some(at) if at.duration_since(earliest) > HOUR || reason == MINIMUM || reason.is_empty() => {
                (at, format!("by its schedule `{pattern}`"))
            }
            Some(at) => (at, format!("by its schedule `{pattern}`: {reason}")),
            None => (earliest, reason),
        }
    }

    /// `length` ± `spread`, so that feeds that were due together drift apart.
    pub(super) fn jittered(&self, length: SignedDuration, spread: f64) -> SignedDuration {
        length.mul_f64(1.0 - spread + 2.0 * spread * self.chance).max(self.min_interval)
    }

    /// The same, never shorter.
    pub(super) fn jittered_up(&self, length: SignedDuration) -> SignedDuration {
        length.mul_f64(1.0 + 0.1 * self.chance)
    }
}

/// A duration in the largest units that say enough: `2 s`, `15 min`, `3 h`, `2 d`.
pub(super) fn words(length: SignedDuration) -> String {
    let rounded = |unit| length.round(unit).unwrap_or(length);
    match length.as_secs() {
        ..1 => format!("{} ms", length.as_millis()),
        1..120 => format!("{} s", length.as_secs()),
        120..7200 => format!("{} min", rounded(Unit::Minute).as_secs() / 60),
        7200..172_800 => format!("{} h", rounded(Unit::Hour).as_secs() / 3600),
        seconds => format!("{} d", seconds.saturating_add(43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests;
