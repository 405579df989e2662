//! Notices: what the operator is told of feeds.

use crate::model::{EntryId, FeedId, FeedState, Timestamp};
use serde::Serialize;

/// The name of the digest that publishes notices; no other may have it.
pub const FEED_HEALTH: &str = "feed-health";

/// What a notice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    Failing,
    Gone,
    Moved,
    /// Well, but without a new item for long.
    Stale,
    /// Items came and went between two visits.
    Overflowing,
    /// Well again, after the operator was told that it was not.
    Recovered,
    /// Many feeds began to fail at once: one notice for all of them.
    Outage,
}

impl NoticeKind {
    pub const ALL: [Self; 7] =
        [Self::Failing, Self::Gone, Self::Moved, Self::Stale, Self::Overflowing, Self::Recovered, Self::Outage];

    /// As the store and ids have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Moved => "moved",
            Self::Stale => "stale",
            Self::Overflowing => "overflowing",
            Self::Recovered => "recovered",
            Self::Outage => "outage",
        }
    }
}

/// A notice in the words of when it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// `None`: of many feeds at once.
    pub feed: Option<FeedId>,
    pub kind: NoticeKind,
    pub entry_id: EntryId,
    /// Since when it is so.
    pub started_at: Timestamp,
    pub noted_at: Timestamp,
    /// `None`: it lasts.
    pub ended_at: Option<Timestamp>,
    pub title: String,
    /// What is the matter, since when, when it is tried next, and what to do.
    pub advice: String,
}

/// A notice that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenNotice {
    /// Row number.
    pub id: i64,
    pub feed: Option<FeedId>,
    pub kind: NoticeKind,
    pub started_at: Timestamp,
}

/// What a feed's notices follow from.
#[derive(Debug, Clone)]
pub struct FeedCondition {
    pub id: FeedId,
    /// The feed's identity: the URL as first configured.
    pub url: String,
    pub title: String,
    pub state: FeedState,
    /// Where a permanent redirect leads, as long as the config has another address.
    pub moved_to: Option<String>,
    pub next_check_at: Option<Timestamp>,
    pub last_refresh_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub last_new_item_at: Option<Timestamp>,
    pub last_overflow_at: Option<Timestamp>,
    pub failure_count: u32,
    pub failing_since_at: Option<Timestamp>,
    pub last_error: Option<String>,
}
