//! The archive of a digest (RFC 5005 section 4): which of its documents are complete, and their order.
//!
//! A part holds the entries of one month, at most as many as a document has, in the order in which they entered.
//! An entry's place is given when it enters, so a part, once full or its month over, gains nothing any more.

use std::fmt;
use std::str::FromStr;

/// One document of an archive, named `2026-11-1` for the first part of that month.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ArchivePart {
    /// `2026-11`, in UTC.
    pub month: String,
    /// Counts from 1.
    pub number: u64,
}

impl fmt::Display for ArchivePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.month, self.number)
    }
}

/// A name that no part has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPart;

impl FromStr for ArchivePart {
    type Err = NoPart;

    fn from_str(name: &str) -> Result<Self, NoPart> {
        let (month, number) = name.rsplit_once('-').ok_or(NoPart)?;
        let number = number.parse().map_err(|_| NoPart)?;
        let part = Self { month: month.to_owned(), number };
        // Only the one way to write it: `+1` and `01` are numbers too.
        if part.to_string() == name { Ok(part) } else { Err(NoPart) }
    }
}

/// The complete parts, oldest first, of a digest into which so many entries came in each `month`, oldest first.
///
/// The last month may not be over: of it only full parts are complete.
#[must_use]
pub fn archive_parts(entries_a_month: &[(String, u64)], entries_a_part: u64) -> Vec<ArchivePart> {
    let mut parts = Vec::new();
    for (index, (month, entries)) in entries_a_month.iter().enumerate() {
        let is_over = index + 1 < entries_a_month.len();
        let complete = if is_over { entries.div_ceil(entries_a_part) } else { entries / entries_a_part };
        parts.extend((1..=complete).map(|number| ArchivePart { month: month.clone(), number }));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(months: &[(&str, u64)]) -> Vec<String> {
        let months: Vec<(String, u64)> = months.iter().map(|(month, count)| ((*month).to_owned(), *count)).collect();
        archive_parts(&months, 10).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_part_is_complete_when_it_is_full_or_its_month_is_over() {
        assert_eq!(names(&[]), [""; 0]);
        assert_eq!(names(&[("2026-11", 9)]), [""; 0]);
        assert_eq!(names(&[("2026-11", 25)]), ["2026-11-1", "2026-11-2"]);
        assert_eq!(names(&[("2026-09", 12), ("2026-11", 10)]), ["2026-09-1", "2026-09-2", "2026-11-1"]);
    }

    #[test]
    fn more_entries_only_add_parts() {
        let mut before = Vec::new();
        for entries in 0..60 {
            let now = names(&[("2026-10", 7), ("2026-11", entries)]);
            assert!(now.starts_with(&before), "{now:?} after {before:?}");
            before = now;
        }
    }

    #[test]
    fn a_part_has_one_name() {
        assert_eq!("2026-11-12".parse(), Ok(ArchivePart { month: "2026-11".into(), number: 12 }));
        for name in ["", "1", "2026-11-01", "2026-11-+1", "2026-11-x"] {
            assert_eq!(name.parse::<ArchivePart>(), Err(NoPart), "{name}");
        }
    }
}
