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

/// Claims feeds for visits that are about to begin.
///
/// # Errors
/// The store failed; then nobody should be asked for what cannot be stored.
pub async fn claim(around: &Surroundings, feeds: &[FeedId]) -> Result<(), StoreError> {
    let feeds = feeds.to_vec();
    let read = around.store.read(move |tx| {
        let known =
            |feed: FeedId| Ok::<_, StoreError>(tx.feed_record(feed)?.zip(Some(tx.item_times(feed, RHYTHM_ITEMS)?)));
        // A record that cannot be read is told of by its own visit, and keeps no other from its own.
        Ok(feeds.into_iter().filter_map(|feed| known(feed).ok().flatten()).collect::<Vec<_>>())
    });
    let known = read.await?;
    let now = (around.clock)();
    let mut claims = Vec::new();
    for (before, rhythm) in known {
        let Some(settings) = around.watch.feed(&before.configured_url) else { continue };
        let mut record = before.clone();
        schedule(&mut record, &before, VisitEnd::Begun, &rhythm, settings, &around.watch.settings, now);
        claims.extend(record.next_check_at.map(|at| (record.id, at)));
    }
    around.store.write_repeatable(move |tx| tx.postpone(&claims, REASON)).await
}
