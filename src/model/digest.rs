//! Digests: the feeds that we publish.

use crate::model::{EntryId, StoryId, Timestamp};
use serde::Serialize;

/// A digest's name as configured; part of its addresses, so lower-case letters, digits, `-`, `_`, `.` only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct DigestName(pub String);

/// How an issue's stories are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    Tag,
    Feed,
    #[default]
    None,
}

/// When a periodic digest is cut, in the service's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Each day at this wall-clock time.
    Day { at: jiff::civil::Time },
    /// Each week on this day.
    Week { on: jiff::civil::Weekday, at: jiff::civil::Time },
    /// Each month on this day, or on the last one of a shorter month.
    Month { day: i8, at: jiff::civil::Time },
    /// Six fields, seconds first.
    Cron(String),
}

/// Stream: an entry per story. Periodic: an entry per issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DigestKind {
    Stream,
    Periodic { schedule: Schedule, group_by: GroupBy, empty_issues: bool },
}

impl DigestKind {
    /// How the stories of its issues are arranged.
    #[must_use]
    pub fn group_by(&self) -> GroupBy {
        match self {
            Self::Periodic { group_by, .. } => *group_by,
            Self::Stream => GroupBy::None,
        }
    }
}

/// A digest as configured, without its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestSpec {
    pub name: DigestName,
    pub title: String,
    pub description: Option<String>,
    pub kind: DigestKind,
    /// Served only under a secret path.
    pub private: bool,
    /// Most entries in one document.
    pub limit: usize,
}

/// A digest as the store keeps it.
#[derive(Debug, Clone)]
pub struct ConfiguredDigest {
    pub name: DigestName,
    pub title: String,
    /// The query as written.
    pub query: String,
    /// Of the query and of every rule that it refers to: when it changes, membership is computed anew.
    pub rule_hash: String,
    pub periodic: bool,
    /// Most entries in one document.
    pub limit: usize,
}

/// A full document of a digest's archive: the entries between two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArchivePart {
    /// Counts from 1, the oldest; stands in its address.
    pub number: u64,
    /// The last place of the part before it: a sequence in a stream, the number of an issue in a periodic digest.
    pub after: i64,
    /// Its own last place.
    pub until: i64,
}

/// A story's place in a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub story_id: StoryId,
    pub entry_id: EntryId,
    /// The order in which stories entered; never reused.
    pub sequence: i64,
    pub entered_at: Timestamp,
    /// When what the entry shows last changed: a new source, an edit, another tag.
    pub updated_at: Timestamp,
}

/// A story that waits for the next issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingEntry {
    pub sequence: i64,
    pub entered_at: Timestamp,
}

/// Stories that an issue lists where it is sent, as an entry or a mail: its page has them all. Mail servers take some ten
/// megabytes, and nobody reads more.
pub const ISSUE_STORIES: u32 = 500;

/// Stories that the issues of one document list, the first of them apart: readers refuse documents of many megabytes.
pub const DOCUMENT_STORIES: u32 = 2_000;

/// Row number of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct IssueId(pub i64);

/// One issue of a periodic digest: what entered between two cuts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub id: IssueId,
    /// Names the period: `2026-11-24`, `2026-W48`, `2026-11`, or the cut's instant for a cron schedule.
    pub period: String,
    pub entry_id: EntryId,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub cut_at: Timestamp,
    pub updated_at: Timestamp,
    pub story_count: u64,
}

impl Issue {
    /// How many stories it lists where it is sent.
    #[must_use]
    pub fn listed(&self) -> u64 {
        self.story_count.min(ISSUE_STORIES.into())
    }
}
