//! Items: one story from one feed, as claimed by its publisher and as kept by us.

use crate::model::{FeedId, ItemIdentity, StoryId, TagMatch, Timestamp};
use serde::Serialize;
use std::num::NonZeroI64;
use std::sync::Arc;

/// Row number of an item; also the order in which items were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ItemId(pub i64);

/// Our identity of an item within its feed. Stable over edits of the item, re-parsing and moves of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ItemKey(pub String);

impl ItemKey {
    /// Of a key that a link gave, what tells it from those of other links.
    #[must_use]
    pub fn link_hash(&self) -> Option<LinkHash> {
        LinkHash::new(i64::from_str_radix(self.0.strip_prefix("l-")?.get(..15)?, 16).ok()?)
    }
}

/// The first 60 bits of a canonical link's key: what finds the items of late that have the same link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkHash(NonZeroI64);

impl LinkHash {
    /// `None` for 0, which no link has.
    #[must_use]
    pub fn new(hash: i64) -> Option<Self> {
        NonZeroI64::new(hash).map(Self)
    }

    #[must_use]
    pub fn get(self) -> i64 {
        self.0.get()
    }
}

/// Hash of all that a publisher can edit; a change of it makes an item *changed*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash(pub [u8; 16]);

/// The rungs of the identity ladder for one item. Each rung that exists is a key of its own; which
/// one is used is the feed's policy (a feed with unstable guids is identified by link).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemKeys {
    /// From the guid as sent; when a document repeats one guid on different items, from guid and link together.
    pub guid: Option<ItemKey>,
    /// From the canonical link; absent when several items of the document share it.
    pub link: Option<ItemKey>,
    /// From title and text: always there.
    pub content: ItemKey,
}

impl ItemKeys {
    /// Every rung that exists.
    pub fn all(&self) -> impl Iterator<Item = &ItemKey> {
        self.guid.iter().chain(&self.link).chain(std::iter::once(&self.content))
    }

    /// The key under a feed's policy, falling down the ladder where a rung is missing.
    #[must_use]
    pub fn under(&self, identity: ItemIdentity) -> &ItemKey {
        let (guid, link) = (self.guid.as_ref(), self.link.as_ref());
        match identity {
            ItemIdentity::Guid => guid.or(link),
            ItemIdentity::Link => link,
            ItemIdentity::Content => None,
        }
        .unwrap_or(&self.content)
    }
}

/// What is known of a stored item when its feed is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownItem {
    pub id: ItemId,
    pub key: ItemKey,
    pub link_key: Option<ItemKey>,
    pub content_key: ItemKey,
    pub content_hash: ContentHash,
    pub title: String,
    pub published_at: Option<Timestamp>,
}

/// A file that an item announces (RSS `enclosure`, Atom `rel=enclosure`, JSON Feed `attachments`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Enclosure {
    pub url: String,
    #[serde(rename = "type")]
    pub media_type: Option<String>,
    /// Size in bytes as claimed.
    pub length: Option<u64>,
}

/// What the publisher says of an item, cleaned: safe HTML, plain text, absolute links, sane dates.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItemContent {
    /// The publisher's id exactly as sent.
    pub guid: Option<String>,
    pub link: Option<String>,
    /// Plain text, one line.
    pub title: String,
    pub authors: Vec<String>,
    /// The publisher's claim; may be missing, or wrong.
    pub published_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// The publisher's labels.
    pub categories: Vec<String>,
    /// Plain text; a line break ends a block.
    pub summary: String,
    /// Sanitised HTML with absolute links.
    pub content_html: String,
    /// Plain text of the content; a line break ends a block. Empty when the item has only a summary.
    pub content_text: String,
    pub enclosures: Vec<Enclosure>,
    /// BCP 47 tag as declared by item or feed.
    pub language: Option<String>,
}

/// An item as it arrives from a document, before we know whether we have it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    pub keys: ItemKeys,
    pub content_hash: ContentHash,
    pub content: ItemContent,
}

/// An item as kept in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: ItemId,
    pub feed_id: FeedId,
    pub key: ItemKey,
    pub content: ItemContent,
    /// Our clock when the item first arrived.
    pub first_seen_at: Timestamp,
    /// When the item's content last changed by our clock; `first_seen_at` when it never did.
    pub changed_at: Timestamp,
    pub story_id: StoryId,
    /// What we call the item's feed, as [`feed_title`](crate::model::feed_title) has it.
    pub feed_title: String,
    /// The feed's identity: its URL as first configured.
    pub feed_url: String,
    /// The site that the feed belongs to, if it says so.
    pub site_url: Option<String>,
    /// The feed's groups.
    pub groups: Vec<String>,
    pub tags: Vec<TagMatch>,
}

/// A stored item as queries look at it: its texts and where it comes from, without what only a reader needs.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredText {
    pub id: ItemId,
    pub story_id: StoryId,
    pub title: String,
    pub link: Option<String>,
    pub summary: String,
    pub content_text: String,
    pub authors: Vec<String>,
    pub categories: Vec<String>,
    /// As declared by the item itself; the feed's is in `feed`.
    pub language: Option<String>,
    pub first_seen_at: Timestamp,
    pub changed_at: Timestamp,
    /// See [`Item::ordered_at`].
    pub ordered_at: Timestamp,
    /// Shared by the items of a feed that are read together.
    pub feed: Arc<FeedNames>,
}

/// What queries look at of an item's feed.
#[derive(Debug, PartialEq)]
pub struct FeedNames {
    /// As [`feed_title`](crate::model::feed_title) has it.
    pub title: String,
    /// The feed's identity: its URL as first configured.
    pub url: String,
    pub language: Option<String>,
    pub groups: Vec<String>,
}

impl Item {
    /// The instant to sort and show an item by: the publisher's claim where it is credible, else ours.
    ///
    /// A claim later than our first sight is from a wrong clock or a scheduled post; taken at its
    /// word it would sit on top for as long as it is ahead. `min` keeps order stable over refreshes.
    /// A claim from before the web's first feeds (1999) is a default value, not a date.
    #[must_use]
    pub fn ordered_at(&self) -> Timestamp {
        ordered_at(self.content.published_at.or(self.content.updated_at), self.first_seen_at)
    }
}

/// See [`Item::ordered_at`].
#[must_use]
pub fn ordered_at(claimed_at: Option<Timestamp>, first_seen_at: Timestamp) -> Timestamp {
    const FIRST_FEEDS_AT: Timestamp = Timestamp::constant(915_148_800, 0); // 1999-01-01T00:00:00Z
    match claimed_at {
        Some(at) if at >= FIRST_FEEDS_AT => at.min(first_seen_at),
        _ => first_seen_at,
    }
}
