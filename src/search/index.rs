//! Keeping the index of words up to date.

use crate::classifier::{ItemText, index_words};
use crate::store::{Store, StoreError};

/// Items in one transaction: visits wait for it.
const BATCH_ITEMS: usize = 1_000;

/// Puts what is new and what was edited into the index of words. `proceed` is asked after each batch, with how many items
/// are done; `false` stops. Returns how many were done.
///
/// # Errors
/// The store failed; the batches before that stand.
pub async fn index_items(store: &Store, mut proceed: impl FnMut(usize) -> bool) -> Result<usize, StoreError> {
    let mut done = 0;
    while store.read(|tx| tx.has_unindexed_items()).await? {
        done += store.write(|tx| tx.index_items(BATCH_ITEMS, |text| index_words(&ItemText::from_stored(text)))).await?;
        if !proceed(done) {
            break;
        }
    }
    Ok(done)
}
