//! The value types that the stages hand to each other, in the words of the glossary.
//!
//! Pure: no clock, no I/O, no SQL, no HTTP. A type here says what something *is*; what is done
//! with it lives in the stage that does it. Instants are [`Timestamp`]s whose names end in `_at`;
//! durations carry their unit in the name or are `jiff::SignedDuration`.

mod delivery;
mod digest;
mod feed;
mod host;
mod item;
mod needed;
mod notice;
mod private_key;
mod publication;
mod story;
mod subscription;
mod tag;

pub use delivery::{
    ConfiguredOutput, Delivery, DeliveryId, OutputHealth, OutputId, OutputKind, SubscriptionRequest, Told,
};
pub use digest::{
    ArchivePart, ConfiguredDigest, DOCUMENT_STORIES, DigestKind, DigestName, DigestSpec, GroupBy, ISSUE_STORIES, Issue,
    IssueId, Membership, PendingEntry, Schedule,
};
pub use feed::{
    ConfiguredFeed, DueFeed, FeedHealth, FeedId, FeedRecord, FeedState, ItemIdentity, RedirectMemory, Remembered,
    Validators, WAIT_CEILING, feed_title,
};
pub use host::{WithoutQuery, host_of, host_of_url, without_queries, without_query};
pub use item::{
    ContentHash, Enclosure, FeedNames, Item, ItemContent, ItemId, ItemKey, ItemKeys, KnownItem, LinkHash, NewItem,
    StoredText, ordered_at,
};
pub use jiff::Timestamp;
pub use needed::Needed;
pub use notice::{FEED_HEALTH, FeedCondition, Notice, NoticeKind, OpenNotice};
pub use private_key::PrivateKey;
pub use publication::{EntryLink, EntrySource, FeedAddresses, PublishedCategory, PublishedEntry, PublishedFeed};
pub use story::{EntryId, Story, StoryId};
pub use subscription::{EndedSubscription, HubDelivery, LEASE, Subscription, SubscriptionState, lease_ends};
pub use tag::{Correction, Evidence, Field, TagMatch, TagName, TagOrigin, corrected};
