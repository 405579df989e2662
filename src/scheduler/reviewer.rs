//! Reviewing the feeds: what has become of them since the last look, told to the operator.

use crate::digest::notice_entry_id;
use crate::model::Timestamp;
use crate::notices::{self, Known};
use crate::store::{Store, StoreError};

/// Gives the notices that are due and ends those that are over. Twice changes nothing.
///
/// # Errors
/// The store failed.
pub async fn review_feeds(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let (feeds, known) = store
        .read(|tx| {
            let known = Known { open: tx.open_notices()?, last_outage_ended_at: tx.last_outage_ended_at()? };
            Ok((tx.feed_conditions()?, known))
        })
        .await?;
    let review = notices::review(&feeds, &known, notice_entry_id, now);
    if review == notices::Review::default() {
        return Ok(());
    }
    store.write(move |tx| tx.save_notices(&review.begun, &review.ended, now)).await
}
