//! A walk over the archive in the order of first sight: each item with the tags and digests that a config gives it,
//! beside those that it has.
//!
//! While one batch is judged on all cores, the next one is read.

use crate::classifier::ItemText;
use crate::model::{DigestName, Item, ItemId, StoryId, TagMatch, TagName, Timestamp, corrected};
use crate::refresh::{Surroundings, Watch};
use crate::store::{ReadTx, Store, StoreError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Items in one transaction: long enough to be fast, short enough that a visit does not wait for it.
const BATCH_ITEMS: usize = 500;

/// The walk, at its place.
pub(super) struct Walk {
    store: Arc<Store>,
    watch: Arc<Watch>,
    clock: fn() -> Timestamp,
    /// What the batch that was given last was judged by.
    pub now: Timestamp,
    next: JoinHandle<Result<ReadBatch, StoreError>>,
}

/// Items as stored.
struct ReadBatch {
    items: Vec<Item>,
    corrections: HashMap<ItemId, Vec<(TagName, bool)>>,
    digests: HashMap<StoryId, BTreeSet<DigestName>>,
}

/// Items of one batch as judged.
pub(super) struct Batch {
    pub items: Vec<Judged>,
    pub last: ItemId,
    /// The digests that the stories of the items are in; stories in none are left out.
    pub digests: HashMap<StoryId, BTreeSet<DigestName>>,
}

/// An item with what the config makes of it.
pub(super) struct Judged {
    pub item: Item,
    /// What the rules found.
    pub found: Vec<TagMatch>,
    /// What the item should have: what was found, corrected by hand. By name.
    pub tags: Vec<TagMatch>,
    pub digests: Vec<DigestName>,
}

impl Walk {
    /// Starts with the item after `after`.
    pub fn start(around: &Surroundings, after: ItemId) -> Self {
        let (store, watch) = (Arc::clone(&around.store), Arc::clone(&around.watch));
        let next = read_ahead(&store, after);
        Self { store, watch, clock: around.clock, now: (around.clock)(), next }
    }

    /// The next batch; `None` at the end of the archive.
    pub async fn next(&mut self) -> Result<Option<Batch>, StoreError> {
        let ended = |error| StoreError::Other(format!("the walk over the archive ended by a panic: {error}"));
        let read = (&mut self.next).await.map_err(ended)??;
        let Some(last) = read.items.last().map(|item| item.id) else { return Ok(None) };
        self.next = read_ahead(&self.store, last);
        self.now = (self.clock)();
        let (watch, now) = (Arc::clone(&self.watch), self.now);
        let judged = tokio::task::spawn_blocking(move || judge(read, last, &watch, now));
        judged.await.map(Some).map_err(ended)
    }
}

/// What was read ahead is of no use to anyone.
impl Drop for Walk {
    fn drop(&mut self) {
        self.next.abort();
    }
}

fn read_ahead(store: &Arc<Store>, after: ItemId) -> JoinHandle<Result<ReadBatch, StoreError>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.read(move |tx| read(tx, after)).await })
}

fn read(tx: &ReadTx<'_>, after: ItemId) -> Result<ReadBatch, StoreError> {
    let items = tx.items_after(after, BATCH_ITEMS)?;
    let corrections = match (items.first(), items.last()) {
        (Some(first), Some(last)) => tx.corrections_between(first.id, last.id)?,
        _ => HashMap::new(),
    };
    let stories: Vec<StoryId> = items.iter().map(|item| item.story_id).collect();
    Ok(ReadBatch { items, corrections, digests: tx.digests_of_stories(&stories)? })
}

fn judge(read: ReadBatch, last: ItemId, watch: &Watch, now: Timestamp) -> Batch {
    let ReadBatch { mut items, corrections, digests } = read;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(cores).max(1);
    let mut shares = Vec::new();
    while !items.is_empty() {
        shares.push(items.drain(..share.min(items.len())).collect::<Vec<_>>());
    }
    let corrections = &corrections;
    let one = |item: Item| {
        let decided = corrections.get(&item.id).map(Vec::as_slice).unwrap_or_default();
        Judged::new(item, decided, watch, now)
    };
    let items = std::thread::scope(|scope| {
        let workers: Vec<_> =
            shares.into_iter().map(|share| scope.spawn(|| share.into_iter().map(one).collect::<Vec<_>>())).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    Batch { items, last, digests }
}

impl Judged {
    fn new(item: Item, corrections: &[(TagName, bool)], watch: &Watch, now: Timestamp) -> Self {
        let text = ItemText::from_item(&item);
        let found = watch.classifier.classify(&text, now);
        let tags = corrected(found.clone(), corrections);
        let names: Vec<TagName> = tags.iter().map(|tag| tag.tag.clone()).collect();
        let digests = watch.digests_for(&text, &names, now);
        Self { item, found, tags, digests }
    }

    /// Whether tags or their evidence are not what is stored.
    pub fn is_changed(&self) -> bool {
        self.tags != self.item.tags
    }

    /// Whether the item gains or loses a tag.
    pub fn has_other_tags(&self) -> bool {
        self.tags.iter().map(|tag| &tag.tag).ne(self.item.tags.iter().map(|tag| &tag.tag))
    }
}

impl Batch {
    /// Whether anything is to be written.
    pub fn is_changed(&self) -> bool {
        self.items.iter().any(Judged::is_changed) || self.misplaced_stories().next().is_some()
    }

    /// Stories that are not in exactly the digests that their items of this batch fit. One that has items elsewhere
    /// may be right as it is; whoever places it looks at all of them.
    pub fn misplaced_stories(&self) -> impl Iterator<Item = StoryId> {
        let mut fits: BTreeMap<StoryId, BTreeSet<&DigestName>> = BTreeMap::new();
        for judged in &self.items {
            fits.entry(judged.item.story_id).or_default().extend(&judged.digests);
        }
        fits.into_iter()
            .filter(|(story, fits)| !self.digests_of(*story).eq(fits.iter().copied()))
            .map(|(story, _)| story)
    }

    /// The digests that a story is in, by name.
    pub fn digests_of(&self, story: StoryId) -> impl Iterator<Item = &DigestName> {
        self.digests.get(&story).into_iter().flatten()
    }
}
