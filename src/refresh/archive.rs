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
use crate::model::{Item, ItemId, StoryId, TagName, Timestamp, corrected};
use crate::refresh::Watch;
use crate::store::{StoreError, WriteTx};
use apply::{Entering, Placing, apply};
use std::collections::VecDeque;
use std::sync::Arc;
use walk::{Asked, Batch, Walk};

/// Items after which the place of a run is recorded even though none of them changed.
const ITEMS_PER_RECORD: usize = 20_000;
/// Items of the batches that share a transaction while nobody else wants to write. The same pages of indexes change with
/// each of them: the more share a commit, the fewer are written twice.
const ITEMS_PER_COMMIT: usize = 8_000;
/// Entries of digests among them, which are all in memory until they are written.
const ENTRIES_PER_COMMIT: usize = 200_000;

/// What a run over the archive did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Retagged {
    pub items: usize,
    /// Items whose tags are not what they were.
    pub changed: usize,
    pub entered: usize,
    pub left: usize,
}

/// Applies rules and digests to every stored item. `proceed` is asked now and then, with what is done so far; `false`
/// stops, and the next run goes on from there.
///
/// Idempotent and resumable: batches in the order of first sight, some in one transaction that also records how far
/// it got. Where nothing changes nothing is written. While some batches are stored, the next ones are judged.
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
    // Asked before anything is read: as long as it stays, nobody else has changed what was.
    let others_version = around.store.write_in_bulk(|tx, _, _| tx.others_version()).await?;
    let after = around.store.read(move |tx| tx.retagged_until(&start)).await?;
    let mut walk = Walk::start(around, after, Asked::Evidence);
    let mut total = Retagged::default();
    let mut since_record = 0;
    let mut next = gather(&mut walk).await?;
    while let Some(gathered) = next {
        since_record += gathered.items;
        total.items += gathered.items;
        let is_due = !gathered.changed.is_empty() || since_record >= ITEMS_PER_RECORD;
        let stored = async {
            if is_due { store(around, &rules_hash, gathered, others_version).await } else { Ok(Retagged::default()) }
        };
        let (done, judged) = tokio::join!(stored, gather(&mut walk));
        total = total.and(done?);
        next = judged?;
        if is_due {
            since_record = 0;
        }
        if !proceed(total) {
            return Ok(total);
        }
    }
    let (digests, rules) = (around.watch.configured_digests(), around.watch.rules_hash().to_owned());
    around
        .store
        .write(move |tx| {
            // Done: the next run, whenever it is asked for, begins at the beginning again.
            tx.set_retagged_until(&rules_hash, ItemId(0))?;
            tx.rules_followed(&rules)?;
            digests.iter().try_for_each(|digest| tx.members_computed(&digest.name, &digest.rule_hash))
        })
        .await?;
    Ok(total)
}

/// Batches that follow each other.
struct Gathered {
    items: usize,
    last: ItemId,
    /// Those in which there is something to write.
    changed: VecDeque<Batch>,
}

/// The next few batches; `None` at the end of the archive.
async fn gather(walk: &mut Walk) -> Result<Option<Gathered>, StoreError> {
    let mut gathered = Gathered { items: 0, last: ItemId(0), changed: VecDeque::new() };
    let mut entries = 0;
    while gathered.items < ITEMS_PER_COMMIT && entries < ENTRIES_PER_COMMIT {
        let Some(batch) = walk.next().await? else { break };
        gathered.items += batch.items.len();
        gathered.last = batch.last;
        if batch.is_changed() {
            entries += batch.items.iter().map(|judged| judged.digests.len()).sum::<usize>();
            gathered.changed.push_back(batch);
        }
    }
    Ok((gathered.items > 0).then_some(gathered))
}

/// Stores what batches change and how far the run has come with them: in one transaction, or in more when others wait
/// to write. `others_version`: what it was before the run.
async fn store(
    around: &Surroundings,
    rules_hash: &str,
    gathered: Gathered,
    others_version: i64,
) -> Result<Retagged, StoreError> {
    let Gathered { last, changed: mut left, .. } = gathered;
    let mut total = Retagged::default();
    loop {
        let (watch, hash) = (Arc::clone(&around.watch), rules_hash.to_owned());
        let stored = around.store.write_in_bulk(move |tx, others_wait, transactions| {
            let (mut done, mut until) = (Retagged::default(), last);
            let alone = tx.others_version()? == others_version;
            while let Some(batch) = left.pop_front() {
                done = done.and(apply(tx, &batch, &watch, alone.then_some(transactions))?);
                if !left.is_empty() && others_wait() {
                    until = batch.last;
                    break;
                }
            }
            tx.set_retagged_until(&hash, until)?;
            Ok((done, left))
        });
        let (done, rest) = stored.await?;
        total = total.and(done);
        if rest.is_empty() {
            return Ok(total);
        }
        left = rest;
    }
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
    tag_anew(tx, &item, watch, now)?;
    let corrected = tx.as_read().item(id)?;
    if corrected.as_ref().is_some_and(|corrected| corrected.tags != item.tags) {
        tx.story_changed(item.story_id, now)?;
    }
    place(tx, item.story_id, watch, now)?;
    Ok(corrected)
}

/// Tags an item anew and puts its story where it now belongs, after the item's text has changed.
pub(super) fn judge_anew(tx: &WriteTx<'_>, id: ItemId, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
    let Some(item) = tx.as_read().item(id)? else { return Ok(()) };
    tag_anew(tx, &item, watch, now)?;
    tx.story_changed(item.story_id, now)?;
    place(tx, item.story_id, watch, now)
}

fn tag_anew(tx: &WriteTx<'_>, item: &Item, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
    let corrections = tx.as_read().corrections(item.id)?;
    let text = ItemText { corrections: &corrections, ..ItemText::from_item(item) };
    tx.set_tags(item.id, &corrected(watch.classifier().classify(&text, now), &corrections), now)
}

fn place(tx: &WriteTx<'_>, story: StoryId, watch: &Watch, now: Timestamp) -> Result<(), StoreError> {
    let mut placing = Placing::new(tx, watch, now);
    placing.place(story, Entering::AsNews)?;
    placing.carry_out().map(drop)
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
