//! The calendar of a periodic digest: at which instants its issues are cut, and what each is called.
//!
//! Cuts are wall-clock times of the service's zone. A time that a zone skips happens when the skip
//! ends; one that it repeats happens the first time. So cuts strictly increase, every instant lies
//! in exactly one period, and a date gives exactly one cut, whatever the clocks do.

use crate::model::{Schedule, Timestamp};
use chrono::{TimeZone as _, Utc};
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, ToSpan as _};

/// Most periods that one call of [`Calendar::due_periods`] returns. A daily digest reaches it after
/// three years asleep; the caller asks again from the end of the last one.
pub const PERIODS_PER_CALL: usize = 1_000;

/// A schedule that cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cron pattern `{pattern}`: {reason}; write six fields, seconds first, like `0 0 8 * * Mon`")]
pub struct BadSchedule {
    pattern: String,
    reason: String,
}

/// What an issue covers: from one cut to the next, the end excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// `2026-11-24`, `2026-W48`, `2026-11`, or the cut's instant. Unique within a digest, over changes of its
    /// schedule too; a change of zone may repeat one: then [`Period::name_by_end`] is the name.
    pub name: String,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl Period {
    /// The name of an irregular period, which no other can have: ends increase.
    #[must_use]
    pub fn name_by_end(&self) -> String {
        self.ends_at.to_string()
    }
}

/// A schedule in a time zone.
#[derive(Debug, Clone)]
pub struct Calendar {
    rhythm: Rhythm,
    time_zone: TimeZone,
}

/// A schedule as a sequence of slots.
#[derive(Debug, Clone)]
enum Rhythm {
    Day { at: Time },
    Week { on: Weekday, at: Time },
    Month { day: i8, at: Time },
    Cron(Box<croner::Cron>),
}

impl Calendar {
    /// # Errors
    /// A cron pattern that does not parse, or that has not six fields.
    pub fn new(schedule: &Schedule, time_zone: TimeZone) -> Result<Self, BadSchedule> {
        let rhythm = match schedule {
            Schedule::Day { at } => Rhythm::Day { at: *at },
            Schedule::Week { on, at } => Rhythm::Week { on: *on, at: *at },
            Schedule::Month { day, at } => Rhythm::Month { day: *day, at: *at },
            Schedule::Cron(pattern) => Rhythm::Cron(Box::new(parse_cron(pattern)?)),
        };
        Ok(Self { rhythm, time_zone })
    }

    /// The periods that have ended by `now` and were not cut yet, oldest first, each starting where the
    /// one before ended; at most [`PERIODS_PER_CALL`].
    ///
    /// `last_cut_end_at` is the end of the last period cut, or, for a digest without one, when the digest
    /// began; without either, only the last period that ended is due. A period that starts off the
    /// schedule (the digest's first, or the first after a change of schedule or zone) is as short as it
    /// has to be and is named by its end, so that it cannot take the name of a regular one.
    #[must_use]
    pub fn due_periods(&self, last_cut_end_at: Option<Timestamp>, now: Timestamp) -> Vec<Period> {
        let Some(mut starts_at) = last_cut_end_at.or_else(|| self.start_of_last_period(now)) else { return Vec::new() };
        let mut periods = Vec::new();
        while periods.len() < PERIODS_PER_CALL {
            let Some(ends_at) = self.next_cut_at(starts_at).filter(|end| *end <= now) else { break };
            periods.push(Period { name: self.name(starts_at, ends_at), starts_at, ends_at });
            starts_at = ends_at;
        }
        periods
    }

    /// Until when issues count as cut at `now`: until when they were, unless the clock has been set back over a cut since.
    /// Then what a clock ahead has cut is over, and the cuts to come are those after `now`.
    #[must_use]
    pub fn cut_until_at(&self, last_cut_end_at: Timestamp, now: Timestamp) -> Timestamp {
        let was_set_back = self.next_cut_at(now).is_some_and(|next| last_cut_end_at > next);
        let resumed = || self.last_slot(now).map(|slot| self.instant(slot));
        was_set_back.then(resumed).flatten().unwrap_or(last_cut_end_at)
    }

    /// The first cut after `now`; `None` when there is none (a cron pattern for 30 February).
    #[must_use]
    pub fn next_cut_at(&self, now: Timestamp) -> Option<Timestamp> {
        let mut slot = self.rhythm.slot_after(self.time_zone.to_datetime(now))?;
        // Slots of a repeated hour already happened the first time round; some of a skipped one fall together.
        while self.instant(slot) <= now {
            slot = self.rhythm.slot_after(slot)?;
        }
        Some(self.instant(slot))
    }

    fn start_of_last_period(&self, now: Timestamp) -> Option<Timestamp> {
        let end = self.instant(self.last_slot(now)?);
        let before = end.checked_sub(SignedDuration::from_nanos(1)).ok()?;
        Some(self.instant(self.last_slot(before)?))
    }

    /// The last slot whose instant is not after `now`.
    fn last_slot(&self, now: Timestamp) -> Option<DateTime> {
        // In the second pass of a repeated hour, slots later on the dial are in the past already. No zone ever repeated more than a day.
        let mut slot = self.rhythm.slot_before(self.time_zone.to_datetime(now).checked_add(1.day()).ok()?)?;
        while self.instant(slot) > now {
            slot = self.rhythm.slot_before(slot)?;
        }
        Some(slot)
    }

    /// When a slot happens. Monotone: a later slot never has an earlier instant.
    fn instant(&self, slot: DateTime) -> Timestamp {
        let ambiguous = self.time_zone.to_ambiguous_timestamp(slot);
        let is_skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let instant = ambiguous.compatible().unwrap_or(Timestamp::MAX);
        if !is_skipped {
            return instant;
        }
        // "Compatible" lands as far after the gap as the slot is inside it: step back to where the gap ends.
        let next = instant.checked_add(SignedDuration::from_nanos(1)).unwrap_or(instant);
        self.time_zone.preceding(next).next().map_or(instant, |transition| transition.timestamp())
    }

    /// A regular period is named by the day, week or month that holds most of it; unique, for a digest
    /// keeps to one rule and each date has one slot.
    fn name(&self, starts_at: Timestamp, ends_at: Timestamp) -> String {
        if let Rhythm::Cron(_) = &self.rhythm {
            // Before the slots are sought: of a cut a second, a day's worth is stepped through to find the last one.
            return ends_at.to_string();
        }
        let start = self.last_slot(starts_at).filter(|slot| self.instant(*slot) == starts_at);
        let (Some(start), Some(end)) = (start, self.last_slot(ends_at)) else { return ends_at.to_string() };
        let noon = Time::constant(12, 0, 0, 0);
        match &self.rhythm {
            Rhythm::Day { at } => (if *at < noon { start } else { end }).date().to_string(),
            Rhythm::Week { on, at } => {
                let is_early = (on.to_monday_zero_offset(), *at) < (3, noon);
                let week = (if is_early { start } else { end }).date().iso_week_date();
                format!("{:04}-W{:02}", week.year(), week.week())
            }
            Rhythm::Month { day, .. } => {
                let date = (if *day <= 15 { start } else { end }).date();
                format!("{:04}-{:02}", date.year(), date.month())
            }
            Rhythm::Cron(_) => ends_at.to_string(),
        }
    }
}

impl Rhythm {
    /// The first slot later than `time` on the dial.
    fn slot_after(&self, time: DateTime) -> Option<DateTime> {
        match self {
            Rhythm::Cron(cron) => to_civil(cron.find_next_occurrence(&to_chrono(time)?, false).ok()?),
            Rhythm::Day { at } | Rhythm::Week { at, .. } | Rhythm::Month { at, .. } => {
                std::iter::successors(Some(time.date()), |date| date.tomorrow().ok())
                    .filter(|date| self.has_slot_on(*date))
                    .map(|date| date.to_datetime(*at))
                    .find(|slot| *slot > time)
            }
        }
    }

    /// The last slot earlier than `time` on the dial.
    fn slot_before(&self, time: DateTime) -> Option<DateTime> {
        match self {
            Rhythm::Cron(cron) => {
                // The search ignores fractions of a second, so it starts at the next whole one.
                let whole = time.checked_add(999_999_999.nanoseconds()).ok()?;
                to_civil(cron.find_previous_occurrence(&to_chrono(whole)?, false).ok()?)
            }
            Rhythm::Day { at } | Rhythm::Week { at, .. } | Rhythm::Month { at, .. } => {
                std::iter::successors(Some(time.date()), |date| date.yesterday().ok())
                    .filter(|date| self.has_slot_on(*date))
                    .map(|date| date.to_datetime(*at))
                    .find(|slot| *slot < time)
            }
        }
    }

    fn has_slot_on(&self, date: Date) -> bool {
        match self {
            Rhythm::Day { .. } | Rhythm::Cron(_) => true,
            Rhythm::Week { on, .. } => date.weekday() == *on,
            Rhythm::Month { day, .. } => date.day() == (*day).min(date.days_in_month()),
        }
    }
}

/// Cron patterns are searched on the dial, not in the zone: the dial is what the pattern speaks of,
/// and the zone's skips and repeats are then treated alike for every schedule.
fn parse_cron(pattern: &str) -> Result<croner::Cron, BadSchedule> {
    let parser = croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Required).build();
    parser.parse(pattern).map_err(|error| BadSchedule { pattern: pattern.to_owned(), reason: error.to_string() })
}

fn to_chrono(time: DateTime) -> Option<chrono::DateTime<Utc>> {
    let date = (i32::from(time.year()), time.month().unsigned_abs().into(), time.day().unsigned_abs().into());
    let clock = [time.hour(), time.minute(), time.second()].map(|part| u32::from(part.unsigned_abs()));
    Utc.with_ymd_and_hms(date.0, date.1, date.2, clock[0], clock[1], clock[2]).single()
}

fn to_civil(time: chrono::DateTime<Utc>) -> Option<DateTime> {
    // The calendars of both crates are proleptic Gregorian: seconds since 1970 as if in UTC say the same dial.
    Some(TimeZone::UTC.to_datetime(Timestamp::from_second(time.timestamp()).ok()?))
}

#[cfg(test)]
mod tests;
