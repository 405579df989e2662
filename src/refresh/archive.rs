//! The archive under the rules and digests of a config: bringing it in line, telling what that would change,
//! and what a curator decides for one item.
//!
//! Old items enter a digest in their own place in time, and no issue but the one to come of the period
//! that they were first seen in, so that no subscriber sees a burst.

mod difference;
mod walk;

pub use difference::{Difference, Differences, Named, difference};

use super::Surroundings;
use crate::classifier::ItemText;
use crate::model::{DigestName, Item, ItemId, Story, StoryId, TagName, Timestamp};
use crate::refresh::Watch;
use crate::store::{StoreError, WriteTx};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use walk::{Batch, Judged, Walk};

/// Items after which the place of a run is recorded even though none of them changed.
const ITEMS_PER_RECORD: usize = 20_000;

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
/// Idempotent and resumable: batches in the order of first sight, each one transaction that also records how far
/// it got. A batch in which nothing changes writes nothing.
///
/// # Errors
/// The store failed; the batches before that stand.
pub async fn retag(around: &Surroundings, mut proceed: impl FnMut(Retagged) -> bool) -> Result<Retagged, StoreError> {
    let rules_hash = around.watch.hash();
    let start = rules_hash.clone();
    let after = around.store.read(move |tx| tx.retagged_until(&start)).await?;
    let mut walk = Walk::start(around, after);
    let mut total = Retagged::default();
    let mut since_record = 0;
    while let Some(batch) = walk.next().await? {
        let (items, last) = (batch.items.len(), batch.last);
        since_record += items;
        total.items += items;
        if batch.is_changed() || since_record >= ITEMS_PER_RECORD {
            let (watch, hash, now) = (Arc::clone(&around.watch), rules_hash.clone(), walk.now);
            let done = around.store.write(move |tx| {
                let done = store(tx, &batch, &watch, now)?;
                tx.set_retagged_until(&hash, last)?;
                Ok(done)
            });
            total = total.and(done.await?);
            since_record = 0;
        }
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

/// Stores what a curator decided on a tag of an item (`None`: nothing any more), and what follows from it for the
/// item's tags and its story's digests. Returns the item as it is now; `None` when there is no such item.
///
/// # Errors
/// The store failed; nothing is changed.
pub fn correct(
    tx: &WriteTx<'_>,
    id: ItemId,
    tag: &TagName,
    present: Option<bool>,
    watch: &Watch,
    now: Timestamp,
) -> Result<Option<Item>, StoreError> {
    let Some(item) = tx.as_read().item(id)? else { return Ok(None) };
    tx.correct_tag(id, tag, present, now)?;
    let found = watch.classifier.classify(&ItemText::from_item(&item), now);
    tx.set_tags(id, &found, now)?;
    let (entered, left) = place(tx, item.story_id, watch, now)?;
    let corrected = tx.as_read().item(id)?;
    if entered + left == 0 && corrected.as_ref().is_some_and(|corrected| corrected.tags != item.tags) {
        tx.story_changed(item.story_id, now)?;
    }
    Ok(corrected)
}

/// Tags an item anew and puts its story where it now belongs, after the item's text has changed.
pub(super) fn judge_anew(tx: &WriteTx<'_>, id: ItemId, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
    let Some(item) = tx.as_read().item(id)? else { return Ok(()) };
    tx.set_tags(id, &watch.classifier.classify(&ItemText::from_item(&item), now), now)?;
    tx.story_changed(item.story_id, now)?;
    place(tx, item.story_id, watch, now).map(drop)
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

/// Writes what a batch changes, and nothing else.
fn store(tx: &WriteTx<'_>, batch: &Batch, watch: &Watch, now: Timestamp) -> Result<Retagged, StoreError> {
    let mut done = Retagged::default();
    let mut stories: BTreeMap<StoryId, bool> = batch.misplaced_stories().map(|story| (story, false)).collect();
    for judged in batch.items.iter().filter(|judged| judged.is_changed()) {
        if !is_as_read(tx, judged)? {
            continue;
        }
        tx.set_tags(judged.item.id, &judged.found, now)?;
        let renamed = judged.has_other_tags();
        done.changed += usize::from(renamed);
        *stories.entry(judged.item.story_id).or_insert(false) |= renamed;
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

/// Whether the item is what was judged: a visit may have edited it meanwhile, and then has tagged it as it is now;
/// retention may have removed it.
fn is_as_read(tx: &WriteTx<'_>, judged: &Judged) -> Result<bool, StoreError> {
    Ok(tx.item_changed_at(judged.item.id)? == Some(judged.item.changed_at))
}

/// Puts a story into exactly the digests that one of its items fits. Returns how many it entered and left.
fn place(tx: &WriteTx<'_>, story: StoryId, watch: &Watch, now: Timestamp) -> Result<(usize, usize), StoreError> {
    let Some(story) = tx.as_read().story(story)? else { return Ok((0, 0)) };
    let fits: BTreeSet<DigestName> = story.items.iter().flat_map(|item| watch.digests_of_item(item, now)).collect();
    let present: BTreeSet<DigestName> = tx.digests_of(story.id)?.into_iter().collect();
    let mut entered = 0;
    for digest in fits.difference(&present) {
        let had_its_cut = had_its_cut(tx, digest, &story)?;
        entered += usize::from(tx.enter_digest(digest, story.id, story.first().ordered_at(), had_its_cut, now)?);
    }
    let mut left = 0;
    for digest in present.difference(&fits) {
        left += usize::from(tx.leave_digest(digest, story.id, now)?);
    }
    Ok((entered, left))
}

/// Whether the issue that the story would have been in is cut: then it is in the digest, but in no issue.
fn had_its_cut(tx: &WriteTx<'_>, digest: &DigestName, story: &Story) -> Result<bool, StoreError> {
    let cut_until_at = tx.as_read().cut_until_at(digest)?;
    Ok(cut_until_at.is_none_or(|until| story.items.iter().all(|item| item.first_seen_at < until)))
}
