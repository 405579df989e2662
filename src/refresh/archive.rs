//! The archive under the rules and digests of a config: bringing it in line, telling what that would change,
//! and what a curator decides for one item.
//!
//! Old items enter a digest in their own place in time, and no issue but the one to come of the period
//! that they were first seen in, so that no subscriber sees a burst.

mod apply;
mod difference;
mod walk;

pub use difference::{Difference, Differences, Named, difference};

use super::Surroundings;
use crate::classifier::ItemText;
use crate::model::{Item, ItemId, TagName, Timestamp, corrected};
use crate::refresh::Watch;
use crate::store::{StoreError, WriteTx};
use apply::{Placing, apply};
use std::sync::Arc;
use walk::{Asked, Batch, Walk};

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
/// it got. A batch in which nothing changes writes nothing. While one batch is stored, the next one is judged.
///
/// # Errors
/// The store failed; the batches before that stand.
pub async fn retag(around: &Surroundings, proceed: impl FnMut(Retagged) -> bool) -> Result<Retagged, StoreError> {
    around.store.expect_many_changes(true).await?;
    let total = run(around, proceed).await;
    around.store.expect_many_changes(false).await?;
    total
}

async fn run(around: &Surroundings, mut proceed: impl FnMut(Retagged) -> bool) -> Result<Retagged, StoreError> {
    let rules_hash = around.watch.hash();
    let start = rules_hash.clone();
    let after = around.store.read(move |tx| tx.retagged_until(&start)).await?;
    let mut walk = Walk::start(around, after, Asked::Evidence);
    let mut total = Retagged::default();
    let mut since_record = 0;
    let mut next = walk.next().await?;
    while let Some(batch) = next {
        since_record += batch.items.len();
        let is_due = batch.is_changed() || since_record >= ITEMS_PER_RECORD;
        let (done, judged) = tokio::join!(store(around, &rules_hash, batch, is_due), walk.next());
        total = total.and(done?);
        next = judged?;
        if is_due {
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

/// Stores what a batch changes and how far the run has come with it, if that is due.
async fn store(around: &Surroundings, rules_hash: &str, batch: Batch, is_due: bool) -> Result<Retagged, StoreError> {
    let looked_at = Retagged { items: batch.items.len(), ..Retagged::default() };
    if !is_due {
        return Ok(looked_at);
    }
    let (watch, hash) = (Arc::clone(&around.watch), rules_hash.to_owned());
    let done = around.store.write(move |tx| {
        let done = apply(tx, &batch, &watch)?;
        tx.set_retagged_until(&hash, batch.last)?;
        Ok(done)
    });
    Ok(looked_at.and(done.await?))
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
    let corrections = tx.as_read().corrections(id)?;
    let found = watch.classifier.classify(&ItemText { corrections: &corrections, ..ItemText::from_item(&item) }, now);
    tx.set_tags(id, &corrected(found, &corrections), now)?;
    let (entered, left) = Placing::new(tx, watch, now).place(item.story_id)?;
    let corrected = tx.as_read().item(id)?;
    if entered + left == 0 && corrected.as_ref().is_some_and(|corrected| corrected.tags != item.tags) {
        tx.story_changed(item.story_id, now)?;
    }
    Ok(corrected)
}

/// Tags an item anew and puts its story where it now belongs, after the item's text has changed.
pub(super) fn judge_anew(tx: &WriteTx<'_>, id: ItemId, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
    let Some(item) = tx.as_read().item(id)? else { return Ok(()) };
    let corrections = tx.as_read().corrections(id)?;
    let found = watch.classifier.classify(&ItemText { corrections: &corrections, ..ItemText::from_item(&item) }, now);
    tx.set_tags(id, &corrected(found, &corrections), now)?;
    tx.story_changed(item.story_id, now)?;
    Placing::new(tx, watch, now).place(item.story_id).map(drop)
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
