//! Comparisons: `published>=2025-01-28`, `age<7d`, `words>300`.

use crate::model::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan};
use std::fmt;

/// A comparison of something about an item with a fixed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Comparison {
    /// The publisher's claim against a day, month, year or instant `from..until`; never holds for an item without a claim.
    Published { op: CompareOp, from: Timestamp, until: Timestamp, written: String },
    /// Time since publication; never holds for an item without a claim.
    Age { op: CompareOp, than: SignedDuration, written: String },
    /// Words of title, summary and content together; two characters of an unspaced script count as one.
    Words { op: CompareOp, than: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl CompareOp {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            CompareOp::Less => "<",
            CompareOp::LessOrEqual => "<=",
            CompareOp::Equal => "=",
            CompareOp::GreaterOrEqual => ">=",
            CompareOp::Greater => ">",
        }
    }

    /// The operator that `text` begins with.
    pub(super) fn at_start(text: &str) -> Option<CompareOp> {
        use CompareOp::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
        [LessOrEqual, GreaterOrEqual, Less, Greater, Equal].into_iter().find(|op| text.starts_with(op.as_str()))
    }

    /// A sign of another language that `text` begins with, and what is written for it: perhaps a NOT, and the operator.
    pub(super) fn foreign_at_start(text: &str) -> Option<(&'static str, &'static str, CompareOp)> {
        use CompareOp::{Equal, GreaterOrEqual, LessOrEqual};
        let signs = [("≤", "", LessOrEqual), ("≥", "", GreaterOrEqual), ("≠", "NOT ", Equal), ("!=", "NOT ", Equal)];
        signs.into_iter().find(|(sign, ..)| text.starts_with(sign))
    }

    fn holds<T: PartialOrd + Copy>(self, left: T, right: T) -> bool {
        match self {
            CompareOp::Less => left < right,
            CompareOp::LessOrEqual => left <= right,
            CompareOp::Equal => left == right,
            CompareOp::GreaterOrEqual => left >= right,
            CompareOp::Greater => left > right,
        }
    }
}

impl Comparison {
    /// The comparisons there are.
    pub(super) const SUBJECTS: [&'static str; 3] = ["published", "age", "words"];

    /// Reads `subject op value`; the error says what is wrong with the value.
    pub(super) fn read(subject: &str, op: CompareOp, value: &str) -> Result<Comparison, String> {
        match subject {
            "published" => {
                let (from, until) = read_period(value).ok_or_else(|| {
                    format!("`{value}` is not a date; write a day, month or year like 2025-01-28, 2025-01, 2025, or an instant like 2025-01-28T09:00:00Z")
                })?;
                Ok(Comparison::Published { op, from, until, written: value.to_string() })
            }
            "age" if op == CompareOp::Equal => Err("an age is never exactly that; compare with `<` or `>`".to_string()),
            "age" => {
                let than = read_duration(value).ok_or_else(|| {
                    format!("`{value}` is not a duration; write a number with s, m, h, d, w or y, like 7d or 36h")
                })?;
                Ok(Comparison::Age { op, than, written: value.to_string() })
            }
            _ => {
                let than =
                    value.parse().map_err(|_| format!("`{value}` is not a number of words; write digits, like 300"))?;
                match (op, than) {
                    (CompareOp::Less, 0) => {
                        return Err("this never holds: no item has fewer words than none".to_string());
                    }
                    (CompareOp::GreaterOrEqual, 0) => return Err("this holds for every item".to_string()),
                    _ => {}
                }
                Ok(Comparison::Words { op, than })
            }
        }
    }

    /// Whether it holds for an item published at `published_at` with `words` words, seen from `now`.
    #[must_use]
    pub fn holds(&self, published_at: Option<Timestamp>, words: u64, now: Timestamp) -> bool {
        match self {
            Comparison::Published { op, from, until, .. } => published_at.is_some_and(|at| match op {
                CompareOp::Less => at < *from,
                CompareOp::LessOrEqual => at < *until,
                CompareOp::Equal => at >= *from && at < *until,
                CompareOp::GreaterOrEqual => at >= *from,
                CompareOp::Greater => at >= *until,
            }),
            Comparison::Age { op, than, .. } => published_at.is_some_and(|at| op.holds(now.duration_since(at), *than)),
            Comparison::Words { op, than } => op.holds(words, *than),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Comparison::Published { op, written, .. } => write!(f, "published{}{written}", op.as_str()),
            Comparison::Age { op, written, .. } => write!(f, "age{}{written}", op.as_str()),
            Comparison::Words { op, than } => write!(f, "words{}{than}", op.as_str()),
        }
    }
}

/// The period that a date means, in UTC: an instant is the nanosecond it names.
fn read_period(text: &str) -> Option<(Timestamp, Timestamp)> {
    if text.contains('T') || text.contains('t') {
        let at: Timestamp = text.parse().ok()?;
        return Some((at, at.checked_add(1.nanosecond()).ok()?));
    }
    let mut parts = text.split('-');
    let year = parts.next().filter(|year| year.len() == 4)?;
    let (month, day) = (parts.next(), parts.next());
    if parts.next().is_some() {
        return None;
    }
    let number = |part: Option<&str>| part.map_or(Some(1), |part| (part.len() == 2).then(|| part.parse().ok())?);
    let first = Date::new(year.parse().ok()?, number(month)?, number(day)?).ok()?;
    let length = if day.is_some() {
        1.day()
    } else if month.is_some() {
        1.month()
    } else {
        1.year()
    };
    let start_of = |date: Date| TimeZone::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok();
    Some((start_of(first)?, start_of(first.checked_add(length).ok()?)?))
}

/// `7d`, `36h`, `1d12h`; a year is 365 days.
fn read_duration(text: &str) -> Option<SignedDuration> {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|&at| at > 0)?;
        let number: i64 = rest[..digits].parse().ok()?;
        let unit = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| at + digits);
        let seconds = match &rest[digits..unit] {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            "y" => 365 * 86_400,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(seconds)?)?;
        rest = &rest[unit..];
    }
    (!text.is_empty()).then(|| SignedDuration::from_secs(total))
}
