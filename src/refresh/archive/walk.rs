//! A walk over the archive in the order of first sight: each item with the tags and digests that a config gives it,
//! beside those that it has.
//!
//! While one batch is judged on all cores, the next one is read, and the caller may store the one before.

use crate::classifier::{Classifier, ItemText};
use crate::model::{
    Correction, DigestName, ItemId, StoredText, StoryId, TagMatch, TagName, TagOrigin, Timestamp, corrected,
};
use crate::refresh::{Surroundings, Watch};
use crate::store::{ReadTx, Store, StoreError, StoredTag};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Items of one batch: so many are written before it is asked whether a visit waits.
const BATCH_ITEMS: usize = 1_000;
/// Items of the first batches, which tell how many digests an item is in.
const FIRST_ITEMS: usize = 100;
/// Entries of digests that a batch may have.
const BATCH_ENTRIES: usize = 50_000;

/// What the caller wants to know of the tags: evidence takes time to gather and to write down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Names,
    Evidence,
}

/// The walk, at its place.
pub(super) struct Walk {
    store: Arc<Store>,
    watch: Arc<Watch>,
    clock: fn() -> Timestamp,
    asked: Asked,
    /// Items of the batch to be read next, by what the one before has shown.
    batch_items: usize,
    next: JoinHandle<Result<ReadBatch, StoreError>>,
}

/// Items as stored.
struct ReadBatch {
    items: Vec<StoredText>,
    tags: HashMap<ItemId, Vec<StoredTag>>,
    corrections: BTreeMap<ItemId, Vec<Correction>>,
    digests: HashMap<StoryId, BTreeSet<DigestName>>,
    story_sizes: HashMap<StoryId, u64>,
    transactions: u64,
}

/// Items of one batch as judged.
pub(super) struct Batch {
    pub items: Vec<Judged>,
    pub first: ItemId,
    pub last: ItemId,
    /// What they were judged by.
    pub now: Timestamp,
    pub corrections: BTreeMap<ItemId, Vec<Correction>>,
    /// The digests that the stories of the items are in; stories in none are left out.
    digests: HashMap<StoryId, BTreeSet<DigestName>>,
    /// How many items the stories had.
    pub story_sizes: HashMap<StoryId, u64>,
    /// How many transactions there had been before the batch was read.
    pub transactions: u64,
}

/// What is still asked of an item once it is judged: its text is not, and many judged items wait to be stored.
#[derive(Clone)]
pub(super) struct Head {
    pub id: ItemId,
    pub story_id: StoryId,
    pub title: String,
    pub link: Option<String>,
    pub first_seen_at: Timestamp,
    pub changed_at: Timestamp,
    pub ordered_at: Timestamp,
}

/// An item with what the config makes of it.
pub(super) struct Judged {
    pub item: Head,
    /// The tags that it has, by name.
    pub stored: Vec<StoredTag>,
    /// The tags that it should have, by name: what the rules found, corrected by hand. Without their evidence where
    /// only names were asked for.
    pub tags: Vec<StoredTag>,
    pub digests: Vec<DigestName>,
}

impl Walk {
    /// Starts with the item after `after`.
    pub fn start(around: &Surroundings, after: ItemId, asked: Asked) -> Self {
        let (store, watch) = (Arc::clone(&around.store), Arc::clone(&around.watch));
        let next = read_ahead(&store, after, FIRST_ITEMS);
        Self { store, watch, clock: around.clock, asked, batch_items: FIRST_ITEMS, next }
    }

    /// The next batch; `None` at the end of the archive.
    pub async fn next(&mut self) -> Result<Option<Batch>, StoreError> {
        let ended = |error| StoreError::Other(format!("the walk over the archive ended by a panic: {error}"));
        let read = (&mut self.next).await.map_err(ended)??;
        let Some(last) = read.items.last().map(|item| item.id) else {
            // Asked again, it is still at the end.
            self.next = read_ahead(&self.store, ItemId(i64::MAX), self.batch_items);
            return Ok(None);
        };
        self.next = read_ahead(&self.store, last, self.batch_items);
        let (watch, asked, now) = (Arc::clone(&self.watch), self.asked, (self.clock)());
        let judged = tokio::task::spawn_blocking(move || judge(read, &watch, asked, now));
        let batch = judged.await.map_err(ended)?;
        let entries: usize = batch.items.iter().map(|judged| judged.digests.len()).sum();
        self.batch_items = (BATCH_ENTRIES * batch.items.len() / entries.max(1)).clamp(1, BATCH_ITEMS);
        Ok(Some(batch))
    }
}

/// What was read ahead is of no use to anyone.
impl Drop for Walk {
    fn drop(&mut self) {
        self.next.abort();
    }
}

fn read_ahead(store: &Arc<Store>, after: ItemId, limit: usize) -> JoinHandle<Result<ReadBatch, StoreError>> {
    let store = Arc::clone(store);
    tokio::spawn(async move {
        let transactions = store.transactions();
        store.read(move |tx| read(tx, after, limit, transactions)).await
    })
}

fn read(tx: &ReadTx<'_>, after: ItemId, limit: usize, transactions: u64) -> Result<ReadBatch, StoreError> {
    let items = tx.texts_after(after, limit)?;
    let first = items.first().map_or(after, |item| item.id);
    let last = items.last().map_or(after, |item| item.id);
    let stories: Vec<StoryId> = items.iter().map(|item| item.story_id).collect();
    Ok(ReadBatch {
        tags: tx.stored_tags_between(first, last)?,
        corrections: tx.corrections_between(first, last)?,
        digests: tx.digests_of_stories(&stories)?,
        story_sizes: tx.story_sizes(&stories)?,
        transactions,
        items,
    })
}

fn judge(read: ReadBatch, watch: &Watch, asked: Asked, now: Timestamp) -> Batch {
    let ReadBatch { items, mut tags, corrections, digests, story_sizes, transactions } = read;
    let ends = |item: Option<&StoredText>| item.map_or(ItemId(0), |item| item.id);
    let (first, last) = (ends(items.first()), ends(items.last()));
    let with_tags = |item: StoredText| {
        let stored = tags.remove(&item.id).unwrap_or_default();
        (item, stored)
    };
    let mut items: Vec<(StoredText, Vec<StoredTag>)> = items.into_iter().map(with_tags).collect();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(cores).max(1);
    let mut shares = Vec::new();
    while !items.is_empty() {
        shares.push(items.drain(..share.min(items.len())).collect::<Vec<_>>());
    }
    let one = |(item, stored): (StoredText, Vec<StoredTag>)| {
        let decided = corrections.get(&item.id).map(Vec::as_slice).unwrap_or_default();
        Judged::new(item, stored, decided, watch, asked, now)
    };
    let items = std::thread::scope(|scope| {
        let workers: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(|| share.into_iter().map(one).collect::<Vec<_>>())).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    Batch { items, first, last, now, corrections, digests, story_sizes, transactions }
}

impl Judged {
    fn new(
        item: StoredText,
        stored: Vec<StoredTag>,
        corrections: &[Correction],
        watch: &Watch,
        asked: Asked,
        now: Timestamp,
    ) -> Self {
        let text = ItemText { corrections, ..under_config(&item, watch) };
        let found = match asked {
            Asked::Evidence => watch.classifier().classify(&text, now),
            Asked::Names => by_name(watch.classifier(), &text, now),
        };
        let tags = corrected(found, corrections);
        let names: Vec<TagName> = tags.iter().map(|tag| tag.tag.clone()).collect();
        let digests = watch.digests_for(&text, &names, now);
        Self { stored, tags: tags.iter().map(StoredTag::from).collect(), digests, item: Head::from(item) }
    }

    /// Whether tags or their evidence are not what is stored.
    pub fn is_changed(&self) -> bool {
        self.tags != self.stored
    }

    /// Whether the item gains or loses a tag.
    pub fn has_other_tags(&self) -> bool {
        self.tags.iter().map(|tag| &tag.tag).ne(self.stored.iter().map(|tag| &tag.tag))
    }
}

impl From<StoredText> for Head {
    fn from(item: StoredText) -> Self {
        let StoredText { id, story_id, title, link, first_seen_at, changed_at, ordered_at, .. } = item;
        Self { id, story_id, title, link, first_seen_at, changed_at, ordered_at }
    }
}

/// An item as queries see it under a config that the store may not have heard of.
fn under_config<'a>(item: &'a StoredText, watch: &'a Watch) -> ItemText<'a> {
    let text = ItemText::from_stored(item);
    let Some(feed) = watch.feed(&item.feed.url) else { return text };
    ItemText {
        feed_title: feed.title.as_deref().unwrap_or(text.feed_title),
        groups: &feed.groups,
        language: item.language.as_deref().or(feed.language.as_deref()).or(text.language),
        ..text
    }
}

/// What the rules find, for those who look at the names alone.
fn by_name(classifier: &Classifier, text: &ItemText<'_>, now: Timestamp) -> Vec<TagMatch> {
    let bare = |tag: &TagName| TagMatch {
        tag: tag.clone(),
        score: 1.0,
        rule_hash: String::new(),
        origin: TagOrigin::Rule,
        evidence: Vec::new(),
    };
    classifier.tags(text, now).into_iter().map(bare).collect()
}

/// The items of a batch that tell one story.
pub(super) struct JudgedStory<'a> {
    pub id: StoryId,
    /// Oldest first.
    pub items: Vec<&'a Judged>,
    /// The digests that the items fit.
    pub fits: BTreeSet<&'a DigestName>,
    /// The digests that the story is in.
    pub present: BTreeSet<&'a DigestName>,
}

impl Batch {
    /// Whether anything is to be written.
    pub fn is_changed(&self) -> bool {
        self.items.iter().any(Judged::is_changed) || self.stories().any(|story| story.is_misplaced())
    }

    pub fn stories(&self) -> impl Iterator<Item = JudgedStory<'_>> {
        let mut by_story: BTreeMap<StoryId, Vec<&Judged>> = BTreeMap::new();
        for judged in &self.items {
            by_story.entry(judged.item.story_id).or_default().push(judged);
        }
        by_story.into_iter().map(|(id, items)| JudgedStory {
            id,
            fits: items.iter().flat_map(|judged| &judged.digests).collect(),
            present: self.digests.get(&id).into_iter().flatten().collect(),
            items,
        })
    }
}

impl JudgedStory<'_> {
    /// Whether anything is to be written.
    pub fn is_changed(&self) -> bool {
        self.is_misplaced() || self.items.iter().any(|judged| judged.is_changed())
    }

    /// Whether there is a digest that the story is in and fits still.
    pub fn stays(&self) -> bool {
        !self.fits.is_disjoint(&self.present)
    }

    /// Whether the story is not in exactly the digests that its items of this batch fit. One that has items elsewhere
    /// may be right as it is; whoever places it looks at all of them.
    pub fn is_misplaced(&self) -> bool {
        self.fits != self.present
    }
}
