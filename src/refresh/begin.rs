//! How visits begin: what the store knows of their feeds, read for all that begin together, and the daemon's claim.
//!
//! A claim notes, before a feed is asked, when it would be asked next if nothing were heard of the visit. So a process that
//! dies in the middle of a visit costs no origin a second request within an interval, however often it is started again.

use super::Surroundings;
use super::timing::{VisitEnd, schedule};
use crate::model::{FeedId, FeedRecord, Timestamp};
use crate::store::{ReadTx, StoreError};
use std::sync::Arc;

/// Newest items whose instants tell a feed's rhythm.
const RHYTHM_ITEMS: u32 = 60;

const REASON: &str = "a visit has begun; should it be cut short, the feed is asked again then";

/// What the store knows of a feed when a visit to it begins.
#[derive(Debug)]
pub struct Known {
    pub(super) record: FeedRecord,
    /// When its newest items appeared, newest first.
    pub(super) rhythm: Vec<Timestamp>,
    /// Hosts that asked to be left alone, and until when.
    pub(super) held_hosts: Arc<[(String, Timestamp)]>,
}

/// A feed to visit; `None` when it has left the store, an error when its record cannot be read, which concerns no other.
pub type Beginning = (FeedId, Result<Option<Known>, StoreError>);

/// Which hosts are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// All that asked for it.
    All,
    /// Those that named a time (Retry-After): the operator lifts our own pauses.
    Asked,
}

impl Holds {
    /// The hosts, and until when.
    ///
    /// # Errors
    /// The store failed.
    pub fn read(self, tx: &ReadTx<'_>, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        match self {
            Self::All => tx.held_hosts(now),
            Self::Asked => tx.hosts_with_retry_after(now),
        }
    }
}

/// Reads what is known of feeds whose visits are about to begin.
///
/// # Errors
/// The store failed.
pub async fn begin(around: &Surroundings, feeds: Vec<FeedId>, holds: Holds) -> Result<Vec<Beginning>, StoreError> {
    let now = (around.clock)();
    let read = around.store.read(move |tx| {
        let held_hosts: Arc<[_]> = holds.read(tx, now)?.into();
        let known = |feed| {
            let Some(record) = tx.feed_record(feed)? else { return Ok(None) };
            let rhythm = tx.item_times(feed, RHYTHM_ITEMS)?;
            Ok(Some(Known { record, rhythm, held_hosts: Arc::clone(&held_hosts) }))
        };
        Ok(feeds.into_iter().map(|feed| (feed, known(feed))).collect())
    });
    read.await
}

/// Claims feeds for visits that are about to begin.
///
/// # Errors
/// The store failed; then nobody should be asked for what cannot be stored.
pub async fn claim(around: &Surroundings, beginnings: &[Beginning]) -> Result<(), StoreError> {
    let now = (around.clock)();
    let mut claims = Vec::new();
    for Known { record: before, rhythm, .. } in beginnings.iter().filter_map(|(_, known)| known.as_ref().ok()?.as_ref())
    {
        let Some(settings) = around.watch.feed(&before.configured_url) else { continue };
        let mut record = before.clone();
        schedule(&mut record, before, VisitEnd::Begun, rhythm, settings, &around.watch.settings, now);
        claims.extend(record.next_check_at.map(|at| (record.id, at)));
    }
    around.store.write_repeatable(move |tx| tx.postpone(&claims, REASON)).await
}
