//! When a feed's cron pattern fires next, in the service's time zone.
//!
//! Pure. A pattern is a statement about the clock on the wall. Where that clock jumps ahead, what would have fired in
//! the gap fires after it; where it goes back, patterns that repeat within the day go on through the
//! repeated hour, and a fixed time of day fires once.

use crate::model::Timestamp;
use croner::{Cron, JobType, parser::CronParser, parser::Seconds};
use jiff::SignedDuration;
use jiff::tz::{Offset, TimeZone};

/// The first instant after `at` that `pattern` (six fields, seconds first) names in `zone`; `None` when it
/// cannot be read or never fires, which a valid config excludes.
pub fn next_after(pattern: &str, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let cron = CronParser::builder().seconds(Seconds::Required).build().parse(pattern).ok()?;
    let before = zone.to_offset(at);
    let candidate = fires_after(&cron, before, at)?;
    let Some(change) = zone.following(at).next().filter(|change| change.timestamp() <= candidate) else {
        return Some(candidate);
    };
    let (changed_at, after) = (change.timestamp(), change.offset());
    let shift = SignedDuration::from_secs(i64::from(after.seconds() - before.seconds()));
    if candidate < changed_at + shift {
        // It falls into the gap: by the old clock, which is as long after the jump as it was meant to be before.
        return Some(candidate);
    }
    let repeated = if cron.determine_job_type() == JobType::FixedTime {
        shift.min(SignedDuration::ZERO)
    } else {
        SignedDuration::ZERO
    };
    fires_after(&cron, after, changed_at - repeated - SignedDuration::from_secs(1))
}

/// As if the clock on the wall always had this offset.
fn fires_after(cron: &Cron, offset: Offset, at: Timestamp) -> Option<Timestamp> {
    let offset_s = i64::from(offset.seconds());
    let wall = chrono::DateTime::from_timestamp(at.as_second() + offset_s, 0)?;
    let next = cron.find_next_occurrence(&wall, false).ok()?;
    Timestamp::from_second(next.timestamp() - offset_s).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next three instants, as local times of Paris.
    fn check(pattern: &str, after: &str, expected: [&str; 3]) {
        let zone = TimeZone::get("Europe/Paris").unwrap();
        let mut at: Timestamp = after.parse().unwrap();
        for expected in expected {
            at = next_after(pattern, &zone, at).unwrap_or_else(|| panic!("{pattern} fires"));
            assert_eq!(
                zone.to_datetime(at).strftime("%m-%d %H:%M:%S").to_string() + &format!(" {}", zone.to_offset(at)),
                expected
            );
        }
    }

    #[test]
    fn patterns_fire_by_the_zones_clock() {
        check(
            "0 */30 8-18 * * Mon-Fri",
            "2026-11-27T17:10:00Z",
            ["11-27 18:30:00 +01", "11-30 08:00:00 +01", "11-30 08:30:00 +01"],
        );
        check(
            "*/2 * * * * *",
            "2026-11-27T17:10:00.5Z",
            ["11-27 18:10:02 +01", "11-27 18:10:04 +01", "11-27 18:10:06 +01"],
        );
    }

    #[test]
    fn a_time_in_the_gap_of_spring_fires_after_it() {
        check(
            "0 30 2 * * *",
            "2026-03-28T12:00:00Z",
            ["03-29 03:30:00 +02", "03-30 02:30:00 +02", "03-31 02:30:00 +02"],
        );
        check(
            "0 0 10 * * *",
            "2026-03-28T12:00:00Z",
            ["03-29 10:00:00 +02", "03-30 10:00:00 +02", "03-31 10:00:00 +02"],
        );
        check(
            "0 */30 * * * *",
            "2026-03-29T00:10:00Z",
            ["03-29 01:30:00 +01", "03-29 03:00:00 +02", "03-29 03:30:00 +02"],
        );
    }

    #[test]
    fn the_repeated_hour_of_autumn_repeats_patterns_but_not_a_time_of_day() {
        check(
            "0 30 2 * * *",
            "2026-10-24T12:00:00Z",
            ["10-25 02:30:00 +02", "10-26 02:30:00 +01", "10-27 02:30:00 +01"],
        );
        check(
            "0 0 10 * * *",
            "2026-10-24T12:00:00Z",
            ["10-25 10:00:00 +01", "10-26 10:00:00 +01", "10-27 10:00:00 +01"],
        );
        check(
            "0 30 * * * *",
            "2026-10-25T00:00:00Z",
            ["10-25 02:30:00 +02", "10-25 02:30:00 +01", "10-25 03:30:00 +01"],
        );
    }

    #[test]
    fn what_never_fires_or_cannot_be_read_is_none() {
        let now: Timestamp = "2026-11-24T07:00:00Z".parse().unwrap();
        assert_eq!(next_after("*/5 * * * *", &TimeZone::UTC, now), None);
        assert_eq!(next_after("nonsense", &TimeZone::UTC, now), None);
    }
}
