//! Keeping the index of words up to date.

use crate::classifier::{ItemText, index_words};
use crate::model::{ItemId, StoredText, Timestamp};
use crate::store::{Store, StoreError};

/// Items in one transaction: visits wait for it.
const BATCH_ITEMS: usize = 1_000;
/// Items read at a time. Each thread that reads keeps in its part of the heap what it once held.
const READ_ITEMS: usize = 100;

/// Puts what the index of words lacks into it: what new feeds brought, what was edited, what an older version left.
/// `proceed` is asked after each batch, with how many items are done; `false` stops. Returns how many were done.
///
/// # Errors
/// The store failed; the batches before that stand.
pub async fn index_items(store: &Store, mut proceed: impl FnMut(usize) -> bool) -> Result<usize, StoreError> {
    let mut done = 0;
    let mut batch = words_after(store, ItemId(0)).await?;
    while let Some(&(last, ..)) = batch.last() {
        done += batch.len();
        let proceed = proceed(done);
        // The words of the next batch are read while this one is written.
        let (next, written) = tokio::join!(
            async { if proceed { words_after(store, last).await } else { Ok(Vec::new()) } },
            store.write_at_length(move |tx, _| tx.index_words(&batch)),
        );
        written?;
        batch = next?;
    }
    Ok(done)
}

/// The words of the first items after `after` that the index lacks, with when each had last changed.
async fn words_after(store: &Store, after: ItemId) -> Result<Vec<(ItemId, Timestamp, String)>, StoreError> {
    let words_of = |text: &StoredText| index_words(&ItemText::from_stored(text));
    let mut words: Vec<(ItemId, Timestamp, String)> = Vec::new();
    while words.len() < BATCH_ITEMS {
        let after = words.last().map_or(after, |&(last, ..)| last);
        let more = store.read(move |tx| tx.unindexed_words(after, READ_ITEMS, words_of)).await?;
        let is_last = more.len() < READ_ITEMS;
        words.extend(more);
        if is_last {
            break;
        }
    }
    Ok(words)
}
