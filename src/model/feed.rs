//! Feeds: what we poll, and how each of them is doing.

use crate::model::Timestamp;
use serde::Serialize;

/// Row number of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct FeedId(pub i64);

/// `ETag` and Last-Modified exactly as received, one set from one answer (RFC 9110 section 8.8).
///
/// They belong to the URL that issued them and are never sent to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validators {
    pub etag: Option<Vec<u8>>,
    pub last_modified: Option<Vec<u8>>,
}

impl Validators {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What we do with a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Polled when due.
    Active,
    /// The publisher answered 410; not polled until the operator says so.
    Gone,
    /// It leads to the same address as another feed, which is polled in its place.
    Duplicate,
    /// `enabled = false` in the config.
    Disabled,
    /// No longer in the config; its items stay.
    Removed,
}

/// One feed's health, as shown by `veille feeds`, `/feeds` and `/api/v1/feeds`.
#[derive(Debug, Clone, Serialize)]
pub struct FeedHealth {
    pub id: FeedId,
    /// The feed's identity: the URL as first configured.
    pub url: String,
    /// Where it is fetched from now, when a permanent redirect was adopted.
    pub fetch_url: Option<String>,
    pub title: String,
    pub site_url: Option<String>,
    pub language: Option<String>,
    pub groups: Vec<String>,
    pub state: FeedState,
    pub last_refresh_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub next_check_at: Option<Timestamp>,
    /// Why `next_check_at` is what it is, in plain words.
    pub next_check_reason: String,
    /// HTTP status of the last answer.
    pub last_status: Option<u16>,
    /// Refreshes failed in a row.
    pub failure_count: u32,
    pub last_error: Option<String>,
    /// Since when it has been failing.
    pub failing_since_at: Option<Timestamp>,
    /// Times that a whole document was new, so that items may have been missed.
    pub overflow_count: u32,
    pub items: u64,
    pub items_last_week: u64,
}
