//! Placing what a document brought: into stories, the store and the digests, within one transaction.

use super::articles::is_teaser;
use super::{UpdatePlan, Watch};
use crate::classifier::ItemText;
use crate::digest::story_entry_id;
use crate::model::{
    DigestName, FeedRecord, Item, ItemContent, ItemId, ItemKey, LinkHash, NewItem, StoryId, TagMatch, TagName,
    Timestamp, corrected, ordered_at,
};
use crate::store::{StoreError, StoredSignature, WriteTx};
use crate::stories::{self, RecentItems, Signature, Teller};
use jiff::SignedDuration;
use std::collections::HashMap;

/// How old an item of a feed's first document may be and still be news.
const NEWS: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How late a feed may tell of news: longer than any wait between two visits, shorter than what an archive goes back.
const LATE: SignedDuration = SignedDuration::from_hours(48);

/// What a document brought, with all that could be said of it outside the transaction.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub added: Vec<(ItemKey, Arrival)>,
    pub changed: Vec<(ItemId, Arrival)>,
    pub pruned: Vec<ItemKey>,
    /// The feed's first document: what is old in it is archive, not news.
    pub is_first: bool,
}

impl Arrivals {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.pruned.is_empty()
    }
}

/// An item with its tags by the rules, the digests that follow from them, and its signature.
#[derive(Debug)]
pub(super) struct Arrival {
    item: NewItem,
    tags: Vec<TagMatch>,
    digests: Vec<DigestName>,
    signature: Signature,
    /// Of the signature.
    bands: Vec<u32>,
    /// For the index; `None` when they follow later.
    words: Option<String>,
    /// Its page is to be read: the feed gives only a teaser.
    wants_article: bool,
}

/// What rules and digests make of an item: its tags and where it belongs.
type Verdict = (Vec<TagMatch>, Vec<DigestName>);

impl Arrivals {
    /// Classifies what is new or changed. Takes time in proportion to it, so not to be run in the transaction.
    ///
    /// The words of a feed's first document, most of which is archive, are left to whoever keeps the index: they are a
    /// fifth of what storing its items would cost, and nobody waits for them.
    pub(super) fn classify(
        plan: UpdatePlan,
        is_first: bool,
        record: &FeedRecord,
        watch: &Watch,
        now: Timestamp,
    ) -> Self {
        let arrival = |item: NewItem| Arrival::classify(item, record, watch, !is_first, now);
        Self {
            added: plan.added.into_iter().map(|(key, item)| (key, arrival(item))).collect(),
            changed: plan.changed.into_iter().map(|(id, item)| (id, arrival(item))).collect(),
            pruned: plan.pruned,
            is_first,
        }
    }

    pub(super) fn store(
        &self,
        tx: &WriteTx<'_>,
        record: &FeedRecord,
        watch: &Watch,
        recent: &mut RecentItems,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Ids grow in the order of first sight, so the oldest goes in first; without dates that is the one listed last.
        let mut added: Vec<_> = self.added.iter().rev().collect();
        added.sort_by_key(|(_, arrival)| arrival.ordered_at(now));
        let first = if self.is_first { Some(self.told_before(tx)?) } else { None };
        for (key, arrival) in added {
            arrival.add(tx, record, key, first.as_ref(), recent, now)?;
        }
        for (id, arrival) in &self.changed {
            arrival.change(tx, record, *id, watch, now)?;
        }
        tx.keep_tombstones(record.id, &self.pruned, now)
    }

    /// By their links, the stories in it that feeds which have left the config told: somebody may have written another
    /// address for one of them.
    fn told_before(&self, tx: &WriteTx<'_>) -> Result<HashMap<ItemKey, StoryId>, StoreError> {
        let links: Vec<&ItemKey> =
            self.added.iter().filter_map(|(_, arrival)| arrival.item.keys.link.as_ref()).collect();
        tx.as_read().stories_of_removed_feeds(&links)
    }
}

impl Arrival {
    fn classify(item: NewItem, record: &FeedRecord, watch: &Watch, with_words: bool, now: Timestamp) -> Self {
        let text = item_text(&item.content, record, now);
        let (tags, words) = if with_words {
            let (tags, words) = watch.classifier().classify_with_words(&text, now);
            (tags, Some(words))
        } else {
            (watch.classifier().classify(&text, now), None)
        };
        let names: Vec<TagName> = tags.iter().map(|tag| tag.tag.clone()).collect();
        let digests = watch.digests_for(&text, &names, now);
        let signature = Signature::of(&item.content.title, body(&item.content));
        let bands = signature.bands();
        let wants_article =
            watch.feed(&record.configured_url).is_some_and(|feed| feed.full_text) && is_teaser(&item.content);
        Self { item, tags, digests, signature, bands, words, wants_article }
    }

    /// `first`: the item is of its feed's first document, and these are the stories that were told before, by link.
    fn add(
        &self,
        tx: &WriteTx<'_>,
        record: &FeedRecord,
        key: &ItemKey,
        first: Option<&HashMap<ItemKey, StoryId>>,
        recent: &mut RecentItems,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ordered_at = self.ordered_at(now);
        let told_before = || first?.get(self.item.keys.link.as_ref()?).copied();
        let joined = self.story_to_join(record, recent, now).or_else(told_before);
        let story = match joined {
            Some(story) => story,
            None => tx.begin_story(&story_entry_id(&record.url, key), now)?,
        };
        let id = tx.insert_item(record.id, key, &self.item, story, self.words.as_deref(), now)?;
        let kept = StoredSignature {
            story_id: story,
            feed_id: record.id,
            ordered_at,
            first_seen_at: now,
            link: self.link(),
            signature: self.signature.as_bytes().to_vec(),
        };
        tx.save_signature(id, &kept)?;
        let (link, signature) = (self.link(), &self.signature);
        recent.add(Teller { story_id: story, feed_id: record.id, ordered_at, link, signature }, &self.bands, now);
        if !self.tags.is_empty() {
            tx.set_tags(id, &self.tags, now)?;
        }
        if joined.is_some() {
            tx.story_changed(story, now)?;
        }
        // What a new feed brings from its past takes its own place in time and waits for no issue.
        let is_archive = first.is_some() && now.duration_since(ordered_at) > NEWS;
        for digest in &self.digests {
            let place = if first.is_some() { ordered_at } else { place_in(tx, digest, ordered_at, now)? };
            if tx.enter_digest(digest, story, place, is_archive, now)? {
                tx.tell_of_entry(digest, story, now)?;
            }
        }
        if self.wants_article && !is_archive {
            tx.want_article(id, now)?;
        }
        Ok(())
    }

    fn change(
        &self,
        tx: &WriteTx<'_>,
        record: &FeedRecord,
        id: ItemId,
        watch: &Watch,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        tx.update_item(id, &self.item, now)?;
        let Some(item) = tx.as_read().item(id)? else { return Ok(()) };
        let judged_anew = self.as_kept(tx, record, &item, watch, now)?;
        let (tags, digests) = match &judged_anew {
            Some((tags, digests)) => (tags, digests),
            None => (&self.tags, &self.digests),
        };
        tx.set_tags(id, tags, now)?;
        tx.story_changed(item.story_id, now)?;
        for digest in digests {
            let place = place_in(tx, digest, item.ordered_at(), now)?;
            if tx.enter_digest(digest, item.story_id, place, false, now)? {
                tx.tell_of_entry(digest, item.story_id, now)?;
            }
        }
        Self::leave_others(tx, &item, digests, now)
    }

    /// Tags and digests of an edited item as it is kept, where they may be others than those of what arrived: a curator
    /// has decided on it, or the first claim of when it was published stays.
    fn as_kept(
        &self,
        tx: &WriteTx<'_>,
        record: &FeedRecord,
        item: &Item,
        watch: &Watch,
        now: Timestamp,
    ) -> Result<Option<Verdict>, StoreError> {
        let corrections = tx.as_read().corrections(item.id)?;
        let arrived = item_text(&self.item.content, record, now);
        if corrections.is_empty() && arrived.published_at == Some(item.ordered_at()) {
            return Ok(None);
        }
        let kept = ItemText { published_at: Some(item.ordered_at()), corrections: &corrections, ..arrived };
        let tags = corrected(watch.classifier().classify(&kept, now), &corrections);
        let names: Vec<TagName> = tags.iter().map(|tag| tag.tag.clone()).collect();
        let digests = watch.digests_for(&kept, &names, now);
        Ok(Some((tags, digests)))
    }

    /// An item alone in its story takes it out of the digests that it no longer fits. Where others tell
    /// the story too, it stays: they may be why it is there.
    fn leave_others(tx: &WriteTx<'_>, item: &Item, fits: &[DigestName], now: Timestamp) -> Result<(), StoreError> {
        let story = tx.as_read().story(item.story_id)?;
        if story.is_some_and(|story| story.items.len() > 1) {
            return Ok(());
        }
        for digest in tx.digests_of(item.story_id)?.iter().filter(|digest| !fits.contains(digest)) {
            tx.leave_digest(digest, item.story_id, now)?;
        }
        Ok(())
    }

    fn story_to_join(&self, record: &FeedRecord, recent: &RecentItems, now: Timestamp) -> Option<StoryId> {
        let ordered_at = self.ordered_at(now);
        let candidates = recent.alike(ordered_at, self.link(), &self.bands);
        stories::join(&stories::Arrival { feed_id: record.id, ordered_at, signature: &self.signature }, &candidates)
    }

    fn link(&self) -> Option<LinkHash> {
        self.item.keys.link.as_ref().and_then(ItemKey::link_hash)
    }

    pub(super) fn ordered_at(&self, now: Timestamp) -> Timestamp {
        ordered_at(self.item.content.published_at.or(self.item.content.updated_at), now)
    }
}

/// Where a story that enters a digest stands among the entries: before all others, however late its feed told of it, since
/// whoever polls the digest sees no more than the first of them. What is too old to be news stands where it belongs by date.
pub(super) fn place_in(
    tx: &WriteTx<'_>,
    digest: &DigestName,
    ordered_at: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    if now.duration_since(ordered_at) > LATE {
        return Ok(ordered_at);
    }
    // A clock that was ahead must not keep later news behind what came then.
    let newest = tx.as_read().newest_place(digest)?;
    Ok(newest.map_or(now, |newest| newest.max(now)))
}

/// What the classifier sees of an item that is not stored yet.
fn item_text<'a>(content: &'a ItemContent, record: &'a FeedRecord, now: Timestamp) -> ItemText<'a> {
    ItemText {
        title: &content.title,
        summary: &content.summary,
        content: &content.content_text,
        authors: &content.authors,
        categories: &content.categories,
        url: content.link.as_deref().unwrap_or_default(),
        feed_title: record.name(),
        feed_url: &record.url,
        groups: &record.groups,
        language: content.language.as_deref().or(record.language.as_deref()),
        published_at: Some(ordered_at(content.published_at.or(content.updated_at), now)),
        tags: &[],
        corrections: &[],
    }
}

/// The longer of the texts: what tells most of the news.
fn body(content: &ItemContent) -> &str {
    if content.content_text.is_empty() { &content.summary } else { &content.content_text }
}
