//! Retagging: bringing the archive in line with the rules and digests of the config in force.
//!
//! Idempotent and resumable: batches in the order of first sight, each one transaction that also
//! records how far it got. Old items enter a digest in their own place in time, and not in an issue
//! to come, so that no subscriber sees a burst.

use super::Surroundings;
use crate::classifier::ItemText;
use crate::model::{DigestName, Item, ItemId, StoryId, TagMatch, Timestamp};
use crate::refresh::Watch;
use crate::store::{StoreError, WriteTx};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Items in one transaction: long enough to be fast, short enough that a visit does not wait for it.
const BATCH_ITEMS: usize = 500;

/// What a run over the archive did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Retagged {
    pub items: usize,
    /// Items whose tags are not what they were.
    pub changed: usize,
    pub entered: usize,
    pub left: usize,
}

/// Applies rules and digests to every stored item. `proceed` is asked after each batch, with what is
/// done so far; `false` stops, and the next run goes on from there.
///
/// # Errors
/// The store failed; the batches before that stand.
pub async fn retag(around: &Surroundings, mut proceed: impl FnMut(Retagged) -> bool) -> Result<Retagged, StoreError> {
    let rules_hash = around.watch.hash();
    let start = rules_hash.clone();
    let mut after = around.store.read(move |tx| tx.retagged_until(&start)).await?;
    let mut total = Retagged::default();
    loop {
        let items = around.store.read(move |tx| tx.items_after(after, BATCH_ITEMS)).await?;
        let Some(last) = items.last().map(|item| item.id) else { break };
        let (watch, now) = (Arc::clone(&around.watch), (around.clock)());
        let batch = tokio::task::spawn_blocking(move || classify(items, &watch, now))
            .await
            .map_err(|error| StoreError::Other(format!("retagging ended by a panic: {error}")))?;
        let (watch, hash) = (Arc::clone(&around.watch), rules_hash.clone());
        let done = around
            .store
            .write(move |tx| {
                let done = store(tx, &batch, &watch, now)?;
                tx.set_retagged_until(&hash, last)?;
                Ok(done)
            })
            .await?;
        after = last;
        total = total.and(done);
        if !proceed(total) {
            return Ok(total);
        }
    }
    let digests = around.watch.configured_digests();
    around
        .store
        .write(move |tx| {
            // Done: the next run, whenever it is asked for, begins at the beginning again.
            tx.set_retagged_until(&rules_hash, ItemId(0))?;
            digests.iter().try_for_each(|digest| tx.members_computed(&digest.name, &digest.rule_hash))
        })
        .await?;
    Ok(total)
}

impl Retagged {
    fn and(self, more: Self) -> Self {
        Self {
            items: self.items + more.items,
            changed: self.changed + more.changed,
            entered: self.entered + more.entered,
            left: self.left + more.left,
        }
    }
}

fn classify(items: Vec<Item>, watch: &Watch, now: Timestamp) -> Vec<(Item, Vec<TagMatch>)> {
    items
        .into_iter()
        .map(|item| {
            let tags = watch.classifier.classify(&ItemText::from_item(&item), now);
            (item, tags)
        })
        .collect()
}

fn store(
    tx: &WriteTx<'_>,
    batch: &[(Item, Vec<TagMatch>)],
    watch: &Watch,
    now: Timestamp,
) -> Result<Retagged, StoreError> {
    let mut done = Retagged { items: batch.len(), ..Retagged::default() };
    let mut stories = BTreeMap::new();
    for (item, tags) in batch {
        let kept = tx.set_tags(item.id, tags, now)?;
        let changed = kept.iter().ne(item.tags.iter().map(|tag| &tag.tag));
        done.changed += usize::from(changed);
        *stories.entry(item.story_id).or_insert(false) |= changed;
    }
    for (story, changed) in stories {
        let (entered, left) = place(tx, story, watch, now)?;
        if changed && entered + left == 0 {
            tx.story_changed(story, now)?;
        }
        done.entered += entered;
        done.left += left;
    }
    Ok(done)
}

/// Puts a story into exactly the digests that one of its items fits. Returns how many it entered and left.
fn place(tx: &WriteTx<'_>, story: StoryId, watch: &Watch, now: Timestamp) -> Result<(usize, usize), StoreError> {
    let Some(story) = tx.as_read().story(story)? else { return Ok((0, 0)) };
    let fits: BTreeSet<DigestName> = story.items.iter().flat_map(|item| watch.digests_of_item(item, now)).collect();
    let (mut entered, mut left) = (0, 0);
    for digest in &fits {
        entered += usize::from(tx.enter_digest(digest, story.id, story.first().ordered_at(), true, now)?);
    }
    for digest in tx.digests_of(story.id)?.iter().filter(|digest| !fits.contains(*digest)) {
        left += usize::from(tx.leave_digest(digest, story.id, now)?);
    }
    Ok((entered, left))
}
