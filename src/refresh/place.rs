//! Placing what a document brought: into stories, the store and the digests, within one transaction.

use super::articles::is_teaser;
use super::{UpdatePlan, Watch};
use crate::classifier::ItemText;
use crate::digest::{Seen, seen, story_entry_id};
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
/// Old items of a document, the newest of them, that are sought in what was told before: a list of years is not, for each is
/// sought in each feed.
const SOUGHT_MAX: usize = 100;

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
        let document = self.document(tx, &added, now)?;
        for (key, arrival) in added {
            arrival.add(tx, record, key, &document, recent, now)?;
        }
        for (id, arrival) in &self.changed {
            arrival.change(tx, record, *id, watch, now)?;
        }
        tx.keep_tombstones(record.id, &self.pruned, now)
    }

    /// What is to be known of the added items, which are in the order of their dates.
    fn document(
        &self,
        tx: &WriteTx<'_>,
        added: &[&(ItemKey, Arrival)],
        now: Timestamp,
    ) -> Result<Document, StoreError> {
        let mut document = Document { is_first: self.is_first, ..Document::default() };
        if self.is_first {
            let links = links(added.iter().map(|(_, arrival)| arrival));
            document.told_by_removed_feeds = tx.as_read().stories_of_removed_feeds(&links)?;
        }
        let remembered_since = now.checked_sub(stories::WINDOW).unwrap_or(Timestamp::MIN);
        let newest_first = added.iter().rev().map(|(_, arrival)| arrival);
        let old = newest_first.filter(|arrival| arrival.ordered_at(now) < remembered_since);
        let old = links(old.take(SOUGHT_MAX));
        if !old.is_empty() && tx.as_read().has_items_before(remembered_since)? {
            document.told_long_ago = tx.as_read().stories_by_link(&old)?;
        }
        Ok(document)
    }
}

fn links<'a>(arrivals: impl Iterator<Item = &'a Arrival>) -> Vec<ItemKey> {
    arrivals.filter_map(|arrival| arrival.item.keys.link.clone()).collect()
}

/// What items come in, and the stories that are told already, by link, beside those that are remembered of late.
#[derive(Debug, Default)]
struct Document {
    /// The feed's first.
    is_first: bool,
    /// For the first document of a feed: somebody may have written another address for one that has left the config.
    told_by_removed_feeds: HashMap<ItemKey, StoryId>,
    /// With where they stand in time: a planet takes a site up, a section lists what another did, a new feed goes back far.
    told_long_ago: HashMap<ItemKey, Vec<(StoryId, Timestamp)>>,
}

impl Document {
    fn told_before(&self, link: &ItemKey, ordered_at: Timestamp) -> Option<StoryId> {
        let long_ago = self.told_long_ago.get(link).into_iter().flatten();
        let mut same = long_ago.filter(|(_, told_at)| stories::is_in_window(*told_at, ordered_at));
        same.next().map(|(story, _)| *story).or_else(|| self.told_by_removed_feeds.get(link).copied())
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

    fn add(
        &self,
        tx: &WriteTx<'_>,
        record: &FeedRecord,
        key: &ItemKey,
        document: &Document,
        recent: &mut RecentItems,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ordered_at = self.ordered_at(now);
        let told_before = || document.told_before(self.item.keys.link.as_ref()?, ordered_at);
        let of_late = self.story_to_join(record, recent, now);
        let joined = of_late.or_else(told_before);
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
        if of_late.is_some() {
            tx.story_changed(story, now)?;
        } else if joined.is_some() {
            tx.shown_otherwise(story, now)?;
        }
        // What a new feed brings from its past takes its own place in time and waits for no issue.
        let is_archive = document.is_first && now.duration_since(ordered_at) > NEWS;
        for digest in &self.digests {
            let place = if document.is_first { ordered_at } else { place_in(tx, digest, ordered_at, now)? };
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
        let Some(before) = tx.as_read().story_of(id)? else { return Ok(()) };
        tx.update_item(id, &self.item, now)?;
        let Some(item) = tx.as_read().item(id)? else { return Ok(()) };
        let judged_anew = self.as_kept(tx, record, &item, watch, now)?;
        let (tags, digests) = match &judged_anew {
            Some((tags, digests)) => (tags, digests),
            None => (&self.tags, &self.digests),
        };
        tx.set_tags(id, tags, now)?;
        let after = tx.as_read().story(before.id)?;
        match after.map_or(Seen::Everywhere, |after| seen(&before, &after)) {
            Seen::Everywhere => tx.story_changed(item.story_id, now)?,
            Seen::InEntries => tx.changed_in_streams(item.story_id, now)?,
            Seen::InDocuments => tx.shown_otherwise(item.story_id, now)?,
            Seen::Nowhere => {}
        }
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
