//! Feeds: what we poll, and how each of them is doing.

use crate::model::{FeedCondition, Timestamp, without_query};
use jiff::SignedDuration;
use serde::Serialize;
use url::Url;

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

/// A feed as the config has it: what the store writes down.
#[derive(Debug, Clone)]
pub struct ConfiguredFeed {
    pub url: String,
    pub title: Option<String>,
    pub groups: Vec<String>,
    pub language: Option<String>,
    pub enabled: bool,
    /// When a feed that is new to the store is first refreshed.
    pub first_check_at: Timestamp,
}

/// Which rung of the identity ladder tells a feed's items apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemIdentity {
    Guid,
    Link,
    Content,
}

/// The longest wait that a server or a document may impose on us. No feed sleeps for ever because of
/// one odd header; publishers do ask for two days and more.
pub const WAIT_CEILING: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What an address told us with its last good answer, to be stored with the items of that answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The address that issued the validators; they are never sent to another.
    pub url: Url,
    pub validators: Validators,
    /// The freshness lifetime it gave; a 304 that names none renews this one.
    pub lifetime: Option<SignedDuration>,
}

/// The permanent redirect that a feed has been showing lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectMemory {
    pub target: Url,
    pub first_seen_at: Timestamp,
    /// Visits that ended with a parseable feed (or its 304) behind this same target.
    pub answers: u32,
}

/// All that is known of one feed between two visits. A refresh reads it, and writes back what it
/// has become; title, groups and language come from the config and stay.
#[derive(Debug, Clone)]
pub struct FeedRecord {
    pub id: FeedId,
    /// The feed's identity: its URL as first configured.
    pub url: String,
    /// Where it is now, when a permanent redirect was adopted or the config lists it elsewhere than at first.
    pub fetch_url: Option<String>,
    /// Its URL in the config: `url`, until the operator lists it elsewhere.
    pub configured_url: String,
    pub configured_title: Option<String>,
    pub title: Option<String>,
    pub site_url: Option<String>,
    pub language: Option<String>,
    pub groups: Vec<String>,
    pub state: FeedState,
    pub item_identity: ItemIdentity,
    pub next_check_at: Option<Timestamp>,
    pub next_check_reason: String,
    pub last_refresh_at: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    pub last_new_item_at: Option<Timestamp>,
    pub last_status: Option<u16>,
    pub fresh_until_at: Option<Timestamp>,
    pub retry_after_at: Option<Timestamp>,
    /// The last answer asked for a longer wait than we grant.
    pub wait_was_cut: bool,
    /// From ttl and sy:*, in seconds.
    pub ttl_s: Option<u64>,
    /// Bit `h` set: not in hour `h` GMT.
    pub skip_hours: u32,
    /// Bit `d` set: not on day `d`; 0 is Monday.
    pub skip_days: u8,
    pub failure_count: u32,
    pub failing_since_at: Option<Timestamp>,
    pub last_error: Option<String>,
    pub overflow_count: u32,
    pub last_overflow_at: Option<Timestamp>,
    /// Since when the markup of its documents is broken; the beginning of time when it always was.
    pub broken_since_at: Option<Timestamp>,
    pub redirect: Option<RedirectMemory>,
    /// Until when its hub is relied upon to deliver what is new.
    pub delivered_until_at: Option<Timestamp>,
    /// What each address on the way said with its last good answer.
    pub remembered: Vec<Remembered>,
}

impl FeedRecord {
    /// Where to ask for it.
    #[must_use]
    pub fn address(&self) -> &str {
        self.fetch_url.as_deref().unwrap_or(&self.url)
    }

    /// What to call it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.configured_title.as_deref().or(self.title.as_deref()).unwrap_or_else(|| without_query(&self.url))
    }

    /// What its turn in a queue needs of it.
    #[must_use]
    pub fn into_due(self) -> DueFeed {
        DueFeed {
            id: self.id,
            address: self.fetch_url.unwrap_or(self.url),
            configured_url: self.configured_url,
            skip_hours: self.skip_hours,
            skip_days: self.skip_days,
        }
    }
}

/// A feed that is due, and what says whether it may be asked now.
#[derive(Debug, Clone)]
pub struct DueFeed {
    pub id: FeedId,
    /// Where to ask for it.
    pub address: String,
    pub configured_url: String,
    /// As in [`FeedRecord`].
    pub skip_hours: u32,
    pub skip_days: u8,
}

/// One feed's health, as shown by `veille feeds`, `/feeds` and `/api/v1/feeds`.
#[derive(Debug, Clone, Serialize)]
pub struct FeedHealth {
    pub id: FeedId,
    /// The feed's identity: the URL as first configured.
    pub url: String,
    /// Where it is fetched from now, when a permanent redirect was adopted.
    pub fetch_url: Option<String>,
    /// Its URL in the config: `url`, until the operator lists it elsewhere.
    pub configured_url: String,
    /// What its site names in its place, since it is missing; for the operator to take or leave.
    pub offered_url: Option<String>,
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
    /// When it last brought something new.
    pub last_new_item_at: Option<Timestamp>,
    /// Times that a whole document was new, so that items may have been missed.
    pub overflow_count: u32,
    pub last_overflow_at: Option<Timestamp>,
    pub items: u64,
    pub items_last_week: u64,
}

/// What to call a feed: by its configured or own title, else by its address.
#[must_use]
pub fn feed_title(title: Option<String>, url: &str) -> String {
    title.unwrap_or_else(|| without_query(url).to_owned())
}

impl FeedHealth {
    /// As whoever does not run veille is told it.
    #[must_use]
    pub fn for_all(self) -> Self {
        let told = |url: String| without_query(&url).to_owned();
        Self {
            url: told(self.url),
            fetch_url: self.fetch_url.map(told),
            configured_url: told(self.configured_url),
            offered_url: self.offered_url.map(told),
            ..self
        }
    }

    /// Whether it is ended, or fails. What the config no longer has polled does neither, whatever came of its last visit.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        match self.state {
            FeedState::Active => self.failure_count > 0,
            FeedState::Gone => true,
            FeedState::Duplicate | FeedState::Disabled | FeedState::Removed => false,
        }
    }

    /// Where a permanent redirect leads, as long as the config has another address.
    #[must_use]
    pub fn moved_to(&self) -> Option<&str> {
        self.fetch_url.as_deref().filter(|url| *url != self.configured_url)
    }

    /// What notices follow from.
    #[must_use]
    pub fn condition(&self) -> FeedCondition {
        FeedCondition {
            id: self.id,
            url: self.url.clone(),
            title: self.title.clone(),
            state: self.state,
            moved_to: self.moved_to().map(str::to_owned),
            next_check_at: self.next_check_at,
            last_refresh_at: self.last_refresh_at,
            last_success_at: self.last_success_at,
            last_new_item_at: self.last_new_item_at,
            last_overflow_at: self.last_overflow_at,
            failure_count: self.failure_count,
            failing_since_at: self.failing_since_at,
            last_error: self.last_error.clone(),
        }
    }
}
