//! The interval policy: when a feed is checked next, and why, in plain words.
//!
//! Pure: what the visit brought, what the server and the document ask for, and `now` come in as values; so does
//! chance. It knows no store and no network. The order of precedence is one sentence: what a server
//! asks for is a lower bound on everything, the operator's interval comes next, the feed's own rhythm fills
//! what is left open.

use super::cron;
use crate::config::Interval;
use crate::model::{Timestamp, WAIT_CEILING};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Unit};

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// The share of a document that may be new at a visit: less than half, so that one visit can fail.
const NEW_SHARE: f64 = 0.4;
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
    /// Somebody asked for a longer wait than [`WAIT_CEILING`].
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
    let reason = if cut {
        format!("{reason}; the longer wait that was asked for is cut to {}", words(WAIT_CEILING))
    } else {
        reason
    };
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
        Some(mean.unwrap_or(HOUR).max(silence)).filter(SignedDuration::is_positive)
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
        seconds => format!("{} d", seconds.saturating_add(43_200) / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Tuesday, half past seven GMT.
    const NOW: &str = "2026-11-24T07:30:00Z";
    const ZONE: &TimeZone = &TimeZone::UTC;
    const GOOD: Ended = Ended::Good { has_validators: true };

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn input(interval: &Interval) -> PolicyInput<'_> {
        PolicyInput {
            now: now(),
            interval,
            min_interval: SignedDuration::from_mins(15),
            max_interval: DAY,
            time_zone: ZONE,
            ended: GOOD,
            asked: Asked::default(),
            rhythm: &[],
            harvest: None,
            last_overflow_at: None,
            chance: 0.5,
        }
    }

    fn fixed(seconds: i64) -> Interval {
        Interval::Fixed(SignedDuration::from_secs(seconds))
    }

    fn wait(input: &PolicyInput) -> i64 {
        next_check(input).at.expect("it is checked again").duration_since(input.now).as_secs()
    }

    /// Items at these many minutes before now.
    fn rhythm(minutes: &[i64]) -> Vec<Timestamp> {
        minutes.iter().map(|minutes| now() - SignedDuration::from_mins(*minutes)).collect()
    }

    fn every(minutes: i64) -> Vec<Timestamp> {
        rhythm(&(1..20).map(|n| n * minutes).collect::<Vec<_>>())
    }

    const MINUTE: i64 = 60;
    const HOUR_S: i64 = 3600;
    const DAY_S: i64 = 24 * HOUR_S;

    #[test]
    fn a_fixed_interval_is_kept_to_the_second() {
        let two_seconds = fixed(2);
        let mut input = input(&two_seconds);
        input.min_interval = SignedDuration::from_secs(2);
        for chance in [0.0, 0.99] {
            input.chance = chance;
            for has_validators in [true, false] {
                input.ended = Ended::Good { has_validators };
                assert_eq!(wait(&input), 2);
            }
        }
        assert_eq!(next_check(&input).reason, "every 2 s as configured");
    }

    #[test]
    fn adaptive_follows_the_feeds_rhythm_within_bounds() {
        let check = |rhythm: &[Timestamp], expected_s: i64| {
            let input = PolicyInput { rhythm, ..input(&Interval::Adaptive) };
            assert_eq!(wait(&input), expected_s, "{}", next_check(&input).reason);
        };
        check(&[], HOUR_S);
        check(&every(5), 15 * MINUTE);
        check(&every(20), 20 * MINUTE);
        check(&every(59), 59 * MINUTE);
        check(&every(90), HOUR_S);
        check(&every(8 * 60), 4 * HOUR_S);
        check(&every(7 * 24 * 60), DAY_S);
    }

    #[test]
    fn a_silent_feed_slows_down_and_a_burst_is_one_event() {
        let check = |minutes: &[i64], expected_s: i64| {
            let rhythm = rhythm(minutes);
            assert_eq!(wait(&PolicyInput { rhythm: &rhythm, ..input(&Interval::Adaptive) }), expected_s, "{minutes:?}");
        };
        check(&[60 * 24 * 30, 60 * 24 * 30 + 10], DAY_S);
        check(&[60 * 48, 60 * 48 + 10], 6 * HOUR_S);
        check(&[10; 30], HOUR_S);
        check(&[0; 30], HOUR_S);
        let tomorrow = [now() + SignedDuration::from_hours(24)];
        assert_eq!(wait(&PolicyInput { rhythm: &tomorrow, ..input(&Interval::Adaptive) }), HOUR_S);
    }

    #[test]
    fn adaptive_intervals_drift_apart_by_a_tenth_and_never_below_the_minimum() {
        let rhythm = every(8 * 60);
        let mut input = PolicyInput { rhythm: &rhythm, ..input(&Interval::Adaptive) };
        input.chance = 0.0;
        assert_eq!(wait(&input), 4 * HOUR_S * 9 / 10);
        input.chance = 0.999_999;
        assert!(wait(&input) > 4 * HOUR_S * 109 / 100);
        let (busy, chance) = (every(1), 0.0);
        assert_eq!(wait(&PolicyInput { rhythm: &busy, chance, ..input }), 15 * MINUTE);
    }

    #[test]
    fn p12_without_validators_once_a_day_unless_the_window_is_short() {
        let ended = Ended::Good { has_validators: false };
        let check = |minutes: i64, listed: usize, expected_s: std::ops::RangeInclusive<i64>| {
            let rhythm = every(minutes);
            let harvest = Some(Harvest { since_last: DAY, new: 0, listed });
            let waited = wait(&PolicyInput { rhythm: &rhythm, ended, harvest, ..input(&Interval::Adaptive) });
            assert!(expected_s.contains(&waited), "every {minutes} min, {listed} listed: {waited} s");
        };
        check(8 * 60, 20, DAY_S..=DAY_S * 11 / 10);
        check(60, 20, 10 * HOUR_S..=11 * HOUR_S);
        check(2, 20, HOUR_S..=HOUR_S * 11 / 10);
        assert!(wait(&PolicyInput { ended, ..input(&Interval::Adaptive) }) >= DAY_S);
    }

    #[test]
    fn p13_p20_the_longest_of_all_that_is_asked_for_wins() {
        let ten_minutes = fixed(10 * MINUTE);
        let check = |asked: Asked, expected_s: i64, word: &str| {
            let next = next_check(&PolicyInput { asked, ..input(&ten_minutes) });
            let waited = next.at.unwrap().duration_since(now()).as_secs();
            assert_eq!(waited, expected_s, "{asked:?}");
            assert!(next.reason.contains(word), "{}", next.reason);
        };
        let s = |seconds| Some(SignedDuration::from_secs(seconds));
        check(Asked::default(), 15 * MINUTE, "min_interval");
        check(Asked { fresh_for: s(43_200), ..Asked::default() }, 43_200, "fresh");
        check(Asked { fresh_for: s(0), ttl_s: Some(0), ..Asked::default() }, 15 * MINUTE, "min_interval");
        check(Asked { ttl_s: Some(180 * 60), ..Asked::default() }, 180 * MINUTE, "ttl");
        check(
            Asked { fresh_for: s(60), ttl_s: Some(7200), retry_after: s(9000), ..Asked::default() },
            9000,
            "left alone",
        );
    }

    #[test]
    fn p17_no_one_but_the_operator_makes_a_feed_sleep_longer_than_a_week() {
        let interval = fixed(60);
        let asked = Asked { ttl_s: Some(1_000_000_000), ..Asked::default() };
        let next = next_check(&PolicyInput { asked, ..input(&interval) });
        assert_eq!(next.at.unwrap().duration_since(now()), WAIT_CEILING);
        assert!(next.cut && next.reason.contains("cut to 7 d"), "{}", next.reason);
        let asked = Asked { fresh_for: Some(WAIT_CEILING), cut: true, ..Asked::default() };
        assert!(next_check(&PolicyInput { asked, ..input(&interval) }).cut);
        let month = fixed(30 * DAY_S);
        assert_eq!(wait(&input(&month)), 30 * DAY_S);
    }

    #[test]
    fn p19_skipped_hours_and_days_are_left_out() {
        let hourly = fixed(HOUR_S);
        let check = |skip_hours: u32, skip_days: u8, expected: &str| {
            let asked = Asked { skip_hours, skip_days, ..Asked::default() };
            let next = next_check(&PolicyInput { asked, ..input(&hourly) });
            assert_eq!(next.at, Some(expected.parse().unwrap()), "{}", next.reason);
        };
        check(0, 0, "2026-11-24T08:30:00Z");
        check(1 << 8, 0, "2026-11-24T09:00:00Z");
        check(1 << 7, 0, "2026-11-24T08:30:00Z");
        check(0b111 << 8, 0, "2026-11-24T11:00:00Z");
        check(0, 1 << 1, "2026-11-25T00:00:00Z");
        check(1, 1 << 1, "2026-11-25T01:00:00Z");
        check(0, 0b111_1110, "2026-11-30T00:00:00Z");
        check((1 << 24) - 1, 0, "2026-11-24T08:30:00Z");
        check(0, 0b111_1111, "2026-11-24T08:30:00Z");
        let asked = Asked { skip_days: 0b111_1111, ..Asked::default() };
        assert!(next_check(&PolicyInput { asked, ..input(&hourly) }).reason.contains("ignored"));
    }

    #[test]
    fn p21_p22_a_server_that_wants_peace_gets_it() {
        let ten_minutes = fixed(10 * MINUTE);
        let check = |failure_count, retry_after_s: Option<i64>, fresh_for_s: Option<i64>, expected_s| {
            let seconds = |seconds: Option<i64>| seconds.map(SignedDuration::from_secs);
            let asked =
                Asked { retry_after: seconds(retry_after_s), fresh_for: seconds(fresh_for_s), ..Asked::default() };
            let ended = Ended::RetryLater { failure_count };
            assert_eq!(wait(&PolicyInput { ended, asked, ..input(&ten_minutes) }), expected_s);
        };
        check(1, Some(7200), None, 7200);
        check(5, Some(7200), None, 7200);
        check(1, Some(60), None, 15 * MINUTE);
        check(1, Some(60), Some(172_800), 172_800);
        for (failure_count, hours) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 24), (90, 24)] {
            check(failure_count, None, None, hours * HOUR_S);
        }
    }

    #[test]
    fn p24_failures_back_off_by_doubling_up_to_the_maximum() {
        let two_seconds = fixed(2);
        let check = |failure_count, expected_s| {
            let mut input = input(&two_seconds);
            input.ended = Ended::Failed { failure_count };
            input.min_interval = SignedDuration::from_secs(2);
            assert_eq!(wait(&input), expected_s, "{failure_count}");
        };
        for (failure_count, expected_s) in [(1, 4), (2, 8), (3, 16), (10, 2048), (16, DAY_S), (u32::MAX, DAY_S)] {
            check(failure_count, expected_s);
        }
        for (chance, expected_s) in [(0.0, 850), (0.999_999_999, 1149)] {
            let interval = fixed(500);
            let ended = Ended::Failed { failure_count: 1 };
            let min_interval = SignedDuration::from_secs(1);
            assert_eq!(wait(&PolicyInput { min_interval, ended, chance, ..input(&interval) }), expected_s);
        }
    }

    #[test]
    fn p25_a_failing_adaptive_feed_begins_with_its_own_pace_or_an_hour() {
        let check = |minutes: i64, failure_count, expected_s| {
            let (rhythm, ended) = (every(minutes), Ended::Failed { failure_count });
            assert_eq!(wait(&PolicyInput { rhythm: &rhythm, ended, ..input(&Interval::Adaptive) }), expected_s);
        };
        check(24 * 60, 1, 2 * HOUR_S);
        check(20, 1, 40 * MINUTE);
        check(20, 10, DAY_S);
        let asked = Asked { fresh_for: Some(WAIT_CEILING), ..Asked::default() };
        let ended = Ended::Failed { failure_count: 1 };
        assert_eq!(wait(&PolicyInput { ended, asked, ..input(&Interval::Adaptive) }), DAY_S, "an error's max-age");
    }

    #[test]
    fn p26_a_feed_that_is_gone_is_asked_once_more_a_day_later() {
        let interval = fixed(60);
        let gone = |confirmed| PolicyInput { ended: Ended::Gone { confirmed }, ..input(&interval) };
        assert!(wait(&gone(false)) >= DAY_S);
        assert_eq!(next_check(&gone(true)).at, None);
    }

    #[test]
    fn an_overflowing_window_is_caught_within_three_visits_and_kept() {
        for window_minutes in [31, 60, 240, 600] {
            let mut since_last = DAY;
            let mut last_overflow_at = None;
            let mut waits = Vec::new();
            for _ in 0..8 {
                let listed = 20;
                let gap_minutes = since_last.as_secs() / 60;
                let new = usize::try_from((listed * gap_minutes / window_minutes).min(listed)).unwrap();
                let harvest = Some(Harvest { since_last, new, listed: 20 });
                if new == 20 {
                    last_overflow_at = Some(now());
                }
                // What the store shows of such a feed: the few items that were not missed, widely apart.
                let rhythm = every(24 * 60);
                let input = PolicyInput { rhythm: &rhythm, harvest, last_overflow_at, ..input(&Interval::Adaptive) };
                since_last = SignedDuration::from_secs(wait(&input));
                waits.push(since_last.as_secs() / 60);
            }
            let caught = waits.iter().position(|wait| *wait * 2 < window_minutes).unwrap();
            assert!(caught < 3, "window {window_minutes} min: waits {waits:?} min");
            assert!(waits[3..].iter().all(|wait| *wait <= window_minutes * 3 / 4), "{window_minutes}: {waits:?}");
        }
    }

    #[test]
    fn an_overflow_does_not_override_the_operator() {
        let hourly = fixed(HOUR_S);
        let harvest = Some(Harvest { since_last: HOUR, new: 20, listed: 20 });
        assert_eq!(wait(&PolicyInput { harvest, ..input(&hourly) }), HOUR_S);
    }

    #[test]
    fn cron_fires_by_its_pattern_but_not_before_what_is_asked_for() {
        let cron = Interval::Cron("0 0 */2 * * *".to_owned());
        let check = |asked: Asked, ended, expected: &str| {
            let next = next_check(&PolicyInput { ended, asked, ..input(&cron) });
            assert_eq!(next.at, Some(expected.parse().unwrap()), "{}", next.reason);
            assert!(next.reason.contains("0 0 */2 * * *"), "{}", next.reason);
        };
        check(Asked::default(), GOOD, "2026-11-24T08:00:00Z");
        let fresh = Asked { fresh_for: Some(SignedDuration::from_hours(3)), ..Asked::default() };
        check(fresh, GOOD, "2026-11-24T12:00:00Z");
        let just = Asked { retry_after: Some(SignedDuration::from_mins(30)), ..Asked::default() };
        check(just, GOOD, "2026-11-24T08:00:00Z");
        check(Asked::default(), Ended::Failed { failure_count: 3 }, "2026-11-24T10:00:00Z");
    }

    #[test]
    fn nothing_panics_at_the_ends_of_time() {
        let long = Interval::Fixed(SignedDuration::MAX);
        for interval in [&long, &Interval::Adaptive] {
            for at in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
                let rhythm = [Timestamp::MAX, Timestamp::MIN];
                for ended in [GOOD, Ended::Failed { failure_count: u32::MAX }, Ended::RetryLater { failure_count: 0 }] {
                    let asked = Asked { ttl_s: Some(u64::MAX), skip_hours: 0x7f_ffff, ..Asked::default() };
                    let harvest =
                        Some(Harvest { since_last: SignedDuration::MIN, new: usize::MAX, listed: usize::MAX });
                    let base = input(interval);
                    next_check(&PolicyInput { now: at, rhythm: &rhythm, ended, asked, harvest, ..base });
                }
            }
        }
    }
}
