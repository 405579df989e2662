//! The interval policy: when a feed is checked next, and why, in plain words.
//!
//! Pure: what the visit brought, what the server and the document ask for, and `now` come in as values; so does
//! chance. It knows no store and no network. The order of precedence is one sentence: what a server
//! asks for is a lower bound on everything, the operator's interval comes next, the feed's own rhythm fills
//! what is left open.

use super::cron;
use crate::config::Interval;
use crate::model::Timestamp;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Unit};

/// The longest wait that a server or document may impose on us.
pub const CEILING: SignedDuration = SignedDuration::from_hours(7 * 24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long an overflow is remembered: meanwhile the interval grows twofold at most.
const OVERFLOW_MEMORY: SignedDuration = SignedDuration::from_hours(7 * 24);

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
    Good { has_validators: bool },
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
    /// A header asked for more than [`CEILING`] and was cut when it was read.
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
    /// Somebody asked for a longer wait than [`CEILING`].
    pub cut: bool,
}

/// Decides when to come back.
pub fn next_check(input: &PolicyInput) -> NextCheck {
    let asked = input.asked_waits();
    let own = match input.ended {
        Ended::Good { .. } => input.regular(),
        Ended::Failed { failure_count } => input.back_off(failure_count),
        Ended::RetryLater { failure_count } => input.pause(failure_count),
        Ended::Gone { confirmed: true } => return NextCheck { at: None, reason: GONE.to_owned(), cut: false },
        Ended::Gone { confirmed: false } => {
            Wait::new(DAY, "the server says that the feed is gone; it is asked once more to be sure")
        }
    };
    let cut = asked.iter().any(|wait| wait.cut) || input.asked.cut;
    let minimum = Wait::new(input.min_interval, "`min_interval`");
    // Of equal waits the first gives the reason: our own, then what was asked for.
    let longest =
        std::iter::once(own).chain(asked).chain([minimum]).reduce(|a, b| if b.length > a.length { b } else { a });
    let Wait { length, reason, .. } = longest.expect("there is at least the minimum");
    let at = input.now.saturating_add(length).unwrap_or(Timestamp::MAX);
    let (at, reason) = input.at_cron(at, reason);
    let (at, reason) = input.out_of_skipped(at, reason);
    let reason =
        if cut { format!("{reason}; the longer wait that was asked for is cut to {}", words(CEILING)) } else { reason };
    NextCheck { at: Some(at), reason, cut }
}

const GONE: &str = "the server says that the feed is gone for good; `veille poll --force` asks again";

/// A wait and why.
#[derive(Debug, Clone, PartialEq)]
struct Wait {
    length: SignedDuration,
    reason: String,
    cut: bool,
}

impl Wait {
    fn new(length: SignedDuration, reason: impl Into<String>) -> Self {
        Self { length, reason: reason.into(), cut: false }
    }

    /// A wait that somebody else imposes.
    fn imposed(length: SignedDuration, reason: &str) -> Self {
        Self { length: length.min(CEILING), reason: reason.to_owned(), cut: length > CEILING }
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
    fn regular(&self) -> Wait {
        match self.interval {
            Interval::Fixed(interval) => Wait::new(*interval, format!("every {} as configured", words(*interval))),
            // The pattern says when; this only keeps it from the instant that was just served.
            Interval::Cron(_) => Wait::new(SignedDuration::ZERO, ""),
            Interval::Adaptive => self.adaptive(),
        }
    }

    /// From the feed's own rhythm, within the bounds.
    fn adaptive(&self) -> Wait {
        let gap = self.gap();
        let mut wait = match gap {
            Some(gap) if gap < HOUR => Wait::new(gap, format!("its items come every {}", words(gap))),
            Some(gap) => Wait::new((gap / 2).max(HOUR), format!("its items come every {}", words(gap))),
            None => Wait::new(HOUR, "its rhythm is not known yet"),
        };
        wait.length = self.jittered(wait.length.clamp(self.min_interval, self.max_interval), 0.1);
        if self.ended == (Ended::Good { has_validators: false }) {
            wait = self.without_validators(wait);
        }
        match self.window_bound() {
            Some(bound) if bound.length < wait.length => bound,
            _ => wait,
        }
    }

    /// The server cannot tell us that nothing changed, so each visit costs it the whole document: once a day, unless
    /// the document would hold less than two days' items by then.
    fn without_validators(&self, wait: Wait) -> Wait {
        let listed = self.harvest.map_or(0, |harvest| harvest.listed);
        let window = self.gap().filter(|_| listed > 1).map(|gap| gap * i32::try_from(listed).unwrap_or(i32::MAX));
        let pace = window.map_or(DAY, |window| (window / 2).clamp(HOUR, DAY)).min(self.max_interval);
        if pace <= wait.length {
            return wait;
        }
        let reason = "the server names no ETag or Last-Modified, so every visit costs it the whole document";
        Wait::new(self.jittered_up(pace), reason)
    }

    /// The longest wait after which less than half of the document should be new.
    ///
    /// A document whose every item is new has perhaps lost some: a quarter of the time, so that a window 48 times
    /// shorter than the interval is caught in three visits.
    fn window_bound(&self) -> Option<Wait> {
        let Harvest { since_last, new, listed } = self.harvest?;
        let count = |items: usize| f64::from(u32::try_from(items).unwrap_or(u32::MAX));
        let (length, reason) = if listed >= 2 && new >= listed {
            (since_last / 4, "every item of the document was new, so some may have been missed")
        } else if new * 5 > listed * 2 {
            (since_last.mul_f64(0.4 * count(listed) / count(new)), "much of the document was new")
        } else if self.last_overflow_at.is_some_and(|at| self.now.duration_since(at) < OVERFLOW_MEMORY) {
            ((since_last * 2).max(HOUR), "items may have been missed lately")
        } else {
            return None;
        };
        Some(Wait::new(length.clamp(self.min_interval, self.max_interval), reason))
    }

    /// The mean time between the newest items; a feed that has fallen silent slows down bit by bit.
    fn gap(&self) -> Option<SignedDuration> {
        let mut times = self.rhythm.to_vec();
        // Items that appear at one stroke are one event.
        times.dedup();
        let newest = *times.first()?;
        let silence = self.now.duration_since(newest).max(SignedDuration::ZERO) / 4;
        let oldest = times.last().filter(|_| times.len() > 1);
        let mean = oldest
            .map(|oldest| newest.duration_since(*oldest).abs() / i32::try_from(times.len() - 1).unwrap_or(i32::MAX));
        Some(mean.unwrap_or_default().max(silence)).filter(|gap| gap.is_positive())
    }

    /// `interval · 2ⁿ`, at most `max_interval`.
    fn back_off(&self, failure_count: u32) -> Wait {
        let base = match self.interval {
            Interval::Fixed(interval) => *interval,
            Interval::Cron(_) => self.min_interval,
            Interval::Adaptive => self.gap().unwrap_or(HOUR).clamp(self.min_interval, self.max_interval).min(HOUR),
        };
        let longest = self.max_interval.max(base);
        let doubled = doubled(base, failure_count).min(longest);
        let times = if failure_count > 1 { format!("{failure_count} times in a row") } else { "once".to_owned() };
        let reason = format!("it failed {times}; the pause doubles each time, up to {}", words(longest));
        Wait::new(self.jittered(doubled, 0.15).min(longest), reason)
    }

    /// After a 429 or 503: what it asks for, else an hour that doubles.
    fn pause(&self, failure_count: u32) -> Wait {
        let regular = self.regular().length.max(self.min_interval);
        if self.asked.retry_after.is_some() {
            return Wait::new(regular, "its regular pace is slower than what the server asks for");
        }
        let length = doubled(HOUR, failure_count.saturating_sub(1)).min(self.max_interval.max(HOUR));
        Wait::new(length.max(regular), "the server asked for fewer requests without saying when to come back")
    }

    fn at_cron(&self, earliest: Timestamp, reason: String) -> (Timestamp, String) {
        let Interval::Cron(pattern) = self.interval else { return (earliest, reason) };
        // One nanosecond earlier, so that an instant that may be used is.
        let after = earliest.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(earliest).max(self.now);
        match cron::next_after(pattern, self.time_zone, after) {
            Some(at) if at.duration_since(earliest) > HOUR || reason == "`min_interval`" || reason.is_empty() => {
                (at, format!("by its schedule `{pattern}`"))
            }
            Some(at) => (at, format!("by its schedule `{pattern}`: {reason}")),
            None => (earliest, reason),
        }
    }

    /// The next instant outside the hours and days (GMT) that the document asks to skip.
    fn out_of_skipped(&self, at: Timestamp, reason: String) -> (Timestamp, String) {
        const ALL_HOURS: u32 = (1 << 24) - 1;
        const ALL_DAYS: u8 = (1 << 7) - 1;
        let Asked { skip_hours, skip_days, .. } = self.asked;
        if skip_hours & ALL_HOURS == ALL_HOURS || skip_days & ALL_DAYS == ALL_DAYS {
            return (at, format!("{reason}; the document asks to skip all hours or all days, which is ignored"));
        }
        let skipped = |at: Timestamp| {
            let wall = TimeZone::UTC.to_datetime(at);
            let day = wall.weekday().to_monday_zero_offset();
            skip_hours & (1 << wall.hour()) != 0 || skip_days & (1 << day) != 0
        };
        let mut moved = at;
        // At most six days and a night lie between two hours that may be used.
        for _ in 0..8 * 24 {
            if !skipped(moved) {
                break;
            }
            let into_hour = moved.as_second().rem_euclid(3600);
            moved = Timestamp::from_second(moved.as_second() - into_hour + 3600).unwrap_or(moved);
        }
        if moved == at {
            (at, reason)
        } else {
            (moved, "the document asks to skip the hours before (skipHours, skipDays)".to_owned())
        }
    }

    /// `length` ± `spread`, so that feeds that were due together drift apart.
    fn jittered(&self, length: SignedDuration, spread: f64) -> SignedDuration {
        length.mul_f64(1.0 - spread + 2.0 * spread * self.chance).max(self.min_interval)
    }

    /// The same, never shorter.
    fn jittered_up(&self, length: SignedDuration) -> SignedDuration {
        length.mul_f64(1.0 + 0.1 * self.chance)
    }
}

/// `base · 2ⁿ`, far beyond any bound before it overflows.
fn doubled(base: SignedDuration, n: u32) -> SignedDuration {
    base.saturating_mul(1 << n.min(20))
}

/// A duration in the largest units that say enough: `2 s`, `15 min`, `3 h`, `2 d`.
fn words(length: SignedDuration) -> String {
    let rounded = |unit| length.round(unit).unwrap_or(length);
    match length.as_secs() {
        ..1 => format!("{} ms", length.as_millis()),
        1..120 => format!("{} s", length.as_secs()),
        120..7200 => format!("{} min", rounded(Unit::Minute).as_secs() / 60),
        7200..172_800 => format!("{} h", rounded(Unit::Hour).as_secs() / 3600),
        seconds => format!("{} d", (seconds + 43_200) / 86_400),
    }
}
