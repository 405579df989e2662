//! The hours and days that a document asks to leave out (RSS 2.0 skipHours, skipDays), in GMT.

use super::policy::PolicyInput;
use crate::model::Timestamp;
use crate::pace::Asked;
use jiff::tz::TimeZone;

const ALL_HOURS: u32 = (1 << 24) - 1;
const ALL_DAYS: u8 = (1 << 7) - 1;

impl PolicyInput<'_> {
    /// The next instant outside the hours and days (GMT) that the document asks to skip.
    pub(super) fn out_of_skipped(&self, at: Timestamp, reason: String) -> (Timestamp, String) {
        let Asked { skip_hours, skip_days, .. } = self.asked;
        if skips_all(skip_hours, skip_days) {
            return (at, format!("{reason}; the document asks to skip all hours or all days, which is ignored"));
        }
        let moved = after_skipped(at, skip_hours, skip_days);
        if moved == at { (at, reason) } else { (moved, SKIPPED.to_owned()) }
    }
}

/// Why a check was moved out of them.
pub const SKIPPED: &str = "the document asks to skip the hours before (skipHours, skipDays)";

fn skips_all(skip_hours: u32, skip_days: u8) -> bool {
    skip_hours & ALL_HOURS == ALL_HOURS || skip_days & ALL_DAYS == ALL_DAYS
}

/// The first instant from `at` on outside these hours (bit `h`) and days (bit `d`, 0 is Monday), GMT; `at` itself where
/// all of them are listed, which means nothing.
#[must_use]
pub fn after_skipped(at: Timestamp, skip_hours: u32, skip_days: u8) -> Timestamp {
    if (skip_hours, skip_days) == (0, 0) || skips_all(skip_hours, skip_days) {
        return at;
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
    moved
}
