//! After a night off, or a clock that jumped: what has become due meanwhile comes bit by bit, and no feed sleeps by the
//! clock that was.

use crate::model::{FeedId, Timestamp, WAIT_CEILING, host_of};
use crate::pace::{self, Due};
use crate::store::{Store, StoreError};

/// Spreads the feeds that are overdue at `now`: after a start, a reload, a long sleep.
///
/// # Errors
/// The store failed.
pub async fn spread_overdue(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let next_checks = store.read(|tx| tx.next_checks()).await?;
    let overdue: Vec<_> = next_checks.into_iter().filter(|(_, _, at, _)| at.is_none_or(|at| at <= now)).collect();
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
    reschedule(store, checks, now, "overdue: spread so that no storm comes of it").await
}

/// Gives the feeds that were visited by a clock that has since been set back the wait that they were given then, from now on.
///
/// # Errors
/// The store failed.
pub(super) async fn wake_oversleeping(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let horizon = now.saturating_add(pace::SLEEP_MAX).unwrap_or(Timestamp::MAX);
    let asleep = store.read(move |tx| tx.oversleeping_feeds(now, horizon)).await?;
    if asleep.is_empty() {
        return Ok(());
    }
    let at = |wait: jiff::SignedDuration| now.saturating_add(wait.min(WAIT_CEILING)).unwrap_or(Timestamp::MAX);
    let checks = asleep.into_iter().map(|(feed, wait)| (feed, at(wait))).collect();
    reschedule(store, checks, now, "the clock was set back: its usual wait, from then on").await
}

async fn reschedule(
    store: &Store,
    checks: Vec<(FeedId, Timestamp)>,
    now: Timestamp,
    reason: &'static str,
) -> Result<(), StoreError> {
    let ceiling = now.saturating_add(WAIT_CEILING).unwrap_or(Timestamp::MAX);
    store.write(move |tx| tx.reschedule(&checks, ceiling, reason)).await
}
