//! Placing what a document brought: into stories, the store and the digests, within one transaction.

use super::articles::is_teaser;
use super::{UpdatePlan, Watch};
use crate::classifier::ItemText;
use crate::digest::story_entry_id;
use crate::model::{
    DigestName, FeedRecord, Item, ItemContent, ItemId, ItemKey, NewItem, StoryId, TagMatch, TagName, Timestamp,
    ordered_at,
};
use crate::store::{StoreError, StoryCandidate, WriteTx};
use crate::stories::{self, Candidate, Signature};
use jiff::SignedDuration;

/// How old an item of a feed's first document may be and still be news.
const NEWS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a document brought, with all that could be said of it outside the transaction.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub added: Vec<(ItemKey, Arrival)>,
    pub changed: Vec<(ItemId, Arrival)>,
    pub pruned: Vec<ItemKey>,
    /// The feed's first document: what is old in it is archive, not news.
    pub is_first: bool,
}

/// An item with its tags by the rules, the digests that follow from them, and its signature.
#[derive(Debug)]
pub(super) struct Arrival {
    item: NewItem,
    tags: Vec<TagMatch>,
    digests: Vec<DigestName>,
    signature: Signature,
    /// Its page is to be read: the feed gives only a teaser.
    wants_article: bool,
}

impl Arrivals {
    /// Classifies what is new or changed. Takes time in proportion to it, so not to be run in the transaction.
    pub(super) fn classify(
        plan: UpdatePlan,
        is_first: bool,
        record: &FeedRecord,
        watch: &Watch,
        now: Timestamp,
    ) -> Self {
        let arrival = |item: NewItem| Arrival::classify(item, record, watch, now);
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
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // A document lists its newest item first; ids grow in the order of first sight, so the oldest goes in first.
        for (key, arrival) in self.added.iter().rev() {
            arrival.add(tx, record, key, self.is_first, now)?;
        }
        for (id, arrival) in &self.changed {
            arrival.change(tx, record, *id, watch, now)?;
        }
        tx.keep_tombstones(record.id, &self.pruned, now)
    }
}

impl Arrival {
    fn classify(item: NewItem, record: &FeedRecord, watch: &Watch, now: Timestamp) -> Self {
        let text = item_text(&item.content, record, now);
        let tags = watch.classifier.classify(&text, now);
        let names: Vec<TagName> = tags.iter().map(|tag| tag.tag.clone()).collect();
        let digests = watch.digests_for(&text, &names, now);
        let signature = Signature::of(&item.content.title, body(&item.content));
        let wants_article = watch.feed(&record.url).is_some_and(|feed| feed.full_text) && is_teaser(&item.content);
        Self { item, tags, digests, signature, wants_article }
    }

    fn add(
        &self,
        tx: &WriteTx<'_>,
        record: &FeedRecord,
        key: &ItemKey,
        is_first: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let joined = self.story_to_join(tx, record, now)?;
        let story = match joined {
            Some(story) => story,
            None => tx.story_with_entry_id(&story_entry_id(&record.url, key), now)?,
        };
        let id = tx.insert_item(record.id, key, &self.item, story, now)?;
        tx.save_signature(id, &self.signature.to_bytes(), &self.signature.bands())?;
        tx.set_tags(id, &self.tags, now)?;
        if joined.is_some() {
            tx.story_changed(story, now)?;
        }
        let ordered_at = self.ordered_at(now);
        // What a new feed brings from its past takes its own place in time and waits for no issue.
        let is_archive = is_first && now.duration_since(ordered_at) > NEWS;
        if self.wants_article && !is_archive {
            tx.want_article(id, now)?;
        }
        self.digests.iter().try_for_each(|digest| tx.enter_digest(digest, story, ordered_at, is_archive, now).map(drop))
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
        let tags = tx.set_tags(id, &self.tags, now)?;
        let corrected = tags.iter().ne(self.tags.iter().map(|tag| &tag.tag));
        let of_all_tags = corrected.then(|| watch.digests_for(&item_text(&self.item.content, record, now), &tags, now));
        let digests = of_all_tags.as_ref().unwrap_or(&self.digests);
        let Some(item) = tx.as_read().item(id)? else { return Ok(()) };
        tx.story_changed(item.story_id, now)?;
        digests
            .iter()
            .try_for_each(|digest| tx.enter_digest(digest, item.story_id, item.ordered_at(), false, now).map(drop))?;
        Self::leave_others(tx, &item, digests, now)
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

    fn story_to_join(
        &self,
        tx: &WriteTx<'_>,
        record: &FeedRecord,
        now: Timestamp,
    ) -> Result<Option<StoryId>, StoreError> {
        let since = now.checked_sub(stories::WINDOW).unwrap_or(Timestamp::MIN);
        let found = tx.as_read().story_candidates(&self.signature.bands(), self.item.keys.link.as_ref(), since)?;
        let candidates: Vec<Candidate> = found.iter().map(candidate).collect();
        let arrival =
            stories::Arrival { feed_id: record.id, ordered_at: self.ordered_at(now), signature: &self.signature };
        Ok(stories::join(&arrival, &candidates))
    }

    pub(super) fn ordered_at(&self, now: Timestamp) -> Timestamp {
        ordered_at(self.item.content.published_at.or(self.item.content.updated_at), now)
    }
}

fn candidate(found: &StoryCandidate) -> Candidate {
    Candidate {
        story_id: found.story_id,
        feed_id: found.feed_id,
        ordered_at: found.ordered_at,
        signature: found.signature.as_deref().and_then(Signature::from_bytes),
        same_link: found.same_link,
    }
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
    }
}

/// The longer of the texts: what tells most of the news.
fn body(content: &ItemContent) -> &str {
    if content.content_text.is_empty() { &content.summary } else { &content.content_text }
}
