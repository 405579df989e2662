//! A claim: before a feed is asked, the store notes when it would be asked next if nothing were heard of the visit.
//!
//! So a process that dies in the middle of a visit costs no origin a second request within an interval, however often it
//! is started again.

use super::Surroundings;
use super::timing::{VisitEnd, schedule};
use super::visit::RHYTHM_ITEMS;
use crate::model::FeedId;
use crate::store::StoreError;

const REASON: &str = "a visit has begun; should it be cut short, the feed is asked again then";

/// Claims a feed for a visit that is about to begin.
///
/// # Errors
/// The store failed; then nobody should be asked for what cannot be stored.
pub async fn claim(around: &Surroundings, feed: FeedId) -> Result<(), StoreError> {
    let known = around
        .store
        .read(move |tx| match tx.feed_record(feed)? {
            Some(record) => Ok(Some((record, tx.item_times(feed, RHYTHM_ITEMS)?))),
            None => Ok(None),
        })
        .await?;
    let Some((before, rhythm)) = known else { return Ok(()) };
    let Some(settings) = around.watch.feed(&before.configured_url) else { return Ok(()) };
    let mut record = before.clone();
    let now = (around.clock)();
    schedule(&mut record, &before, VisitEnd::Begun, &rhythm, settings, &around.watch.settings, now);
    let Some(at) = record.next_check_at else { return Ok(()) };
    around.store.write_repeatable(move |tx| tx.postpone(&[(feed, at)], REASON)).await
}
