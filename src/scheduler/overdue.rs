//! After a night off, or a clock that jumped: what has become due meanwhile comes bit by bit, and no feed sleeps by the
//! clock that was.
//!
//! What is moved is read in the transaction that moves it: a visit that was claimed a moment before keeps its claim.

use crate::model::{FeedId, Timestamp, WAIT_CEILING, host_of};
use crate::pace::{self, Due};
use crate::store::{Store, StoreError, WriteTx};
use jiff::SignedDuration;

/// Spreads the feeds that are overdue at `now`: after a start, a reload, a long sleep.
///
/// # Errors
/// The store failed.
pub async fn spread_overdue(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    store.write(move |tx| spread(tx, now)).await
}

fn spread(tx: &WriteTx<'_>, now: Timestamp) -> Result<(), StoreError> {
    let mut overdue = tx.as_read().next_checks()?;
    overdue.retain(|(_, _, at, _)| at.is_none_or(|at| at <= now));
    if overdue.len() < 2 {
        return Ok(());
    }
    let hosts: Vec<String> = overdue.iter().map(|(_, address, ..)| host_of(address)).collect();
    let due: Vec<Due<'_>> = hosts
        .iter()
        .zip(&overdue)
        .map(|(host, (.., at, is_new))| Due { host, due_at: at.filter(|_| !is_new) })
        .collect();
    let times = pace::spread(&due, now);
    let checks: Vec<(FeedId, Timestamp)> = overdue.iter().map(|(feed, ..)| *feed).zip(times).collect();
    reschedule(tx, &checks, now, "overdue: spread so that no storm comes of it")
}

/// Gives the feeds that were visited by a clock that has since been set back the wait that they were given then, from now on.
///
/// # Errors
/// The store failed.
pub(super) async fn wake_oversleeping(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    store.write(move |tx| wake(tx, now)).await
}

fn wake(tx: &WriteTx<'_>, now: Timestamp) -> Result<(), StoreError> {
    let horizon = now.saturating_add(pace::SLEEP_MAX).unwrap_or(Timestamp::MAX);
    let at = |wait: SignedDuration| now.saturating_add(wait.min(WAIT_CEILING)).unwrap_or(Timestamp::MAX);
    let asleep = tx.as_read().oversleeping_feeds(now, horizon)?;
    let checks: Vec<(FeedId, Timestamp)> = asleep.into_iter().map(|(feed, wait)| (feed, at(wait))).collect();
    reschedule(tx, &checks, now, "the clock was set back: its usual wait, from then on")
}

fn reschedule(
    tx: &WriteTx<'_>,
    checks: &[(FeedId, Timestamp)],
    now: Timestamp,
    reason: &str,
) -> Result<(), StoreError> {
    let ceiling = now.saturating_add(WAIT_CEILING).unwrap_or(Timestamp::MAX);
    tx.reschedule(checks, ceiling, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConfiguredFeed;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_feed_that_is_claimed_meanwhile_keeps_its_claim() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(directory.path()).expect("opens");
        let now: Timestamp = "2026-11-24T07:00:00Z".parse().expect("an instant");
        let feed = |number: i64| ConfiguredFeed {
            url: format!("https://news.example/{number}"),
            title: None,
            groups: Vec::new(),
            language: None,
            enabled: true,
            first_check_at: now,
        };
        let feeds: Vec<ConfiguredFeed> = (1..=3).map(feed).collect();
        store.write(move |tx| tx.sync_feeds(&feeds)).await.expect("stored");
        let (go, wait) = mpsc::channel();
        let hold = store.write(move |_| wait.recv().map_err(|_| StoreError::Closed));
        let claim = now + SignedDuration::from_hours(1);
        let claimed = store.write(move |tx| tx.postpone(&[(FeedId(1), claim)], "claimed"));
        let release = async {
            // The reader has looked by then, if it looks at all.
            store.read(|tx| tx.next_checks()).await.expect("read");
            store.read(|tx| tx.next_checks()).await.expect("read");
            go.send(()).expect("the writer waits");
        };
        let (held, claimed, spread, ()) = tokio::join!(hold, claimed, spread_overdue(&store, now), release);
        held.and(claimed).and(spread).expect("stored");
        let next: Vec<_> = store.read(|tx| tx.next_checks()).await.expect("read");
        let next: Vec<_> = next.into_iter().map(|(feed, _, at, _)| (feed, at)).collect();
        assert!(next.contains(&(FeedId(1), Some(claim))), "{next:?}");
    }
}
