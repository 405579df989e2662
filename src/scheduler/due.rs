//! The due loop: takes what is due from the store, starts visits within the limits, and never loses one.

use super::queue::{DueQueue, Limits, Turn};
use crate::config::FetchSettings;
use crate::model::{FeedId, FeedRecord, Timestamp};
use crate::refresh::{self, Surroundings, Visit};
use crate::store::StoreError;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use url::Url;

/// The longest sleep: a wall clock that jumps, or another process's write, is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How long visits in flight may take to end when the daemon stops; what is dropped then is fetched
/// again at the next start, with the old validators.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// A visit that could not be stored is made again, but no origin pays for our full disk.
const AFTER_STORE_FAILURE: Duration = Duration::from_mins(1);
/// A visit that died by a panic would die so again.
const AFTER_PANIC: Duration = Duration::from_hours(1);

/// Gives each visit its surroundings: the watch of the moment.
pub type TakeSurroundings = Arc<dyn Fn() -> Surroundings + Send + Sync>;

/// Visits under way, and the queue they come from.
struct Visits {
    around: TakeSurroundings,
    queue: DueQueue,
    running: JoinSet<Result<Option<Visit>, StoreError>>,
    feeds: HashMap<Id, FeedId>,
    /// Feeds that are due by the store, which could not be told otherwise.
    postponed: HashMap<FeedId, Instant>,
}

/// Visits feeds as they become due until told to stop. `tick` is called in each round: proof of life.
pub async fn run(around: TakeSurroundings, wake: &Notify, stop: &CancellationToken, mut tick: impl FnMut(Timestamp)) {
    let mut visits = Visits::new(around);
    let mut look_at = Instant::now();
    while !stop.is_cancelled() {
        tick(((visits.around)().clock)());
        if look_at <= Instant::now() {
            look_at = visits.offer_due().await;
        }
        let resume_at = visits.start_turns().map_or(look_at, |at| at.min(look_at));
        tokio::select! {
            () = sleep_until(resume_at) => {}
            () = wake.notified() => look_at = Instant::now(),
            Some(ended) = visits.running.join_next_with_id() => { visits.ended(ended); }
            () = stop.cancelled() => {}
        }
    }
    visits.stop().await;
}

/// Visits these feeds once, within the limits, and hands each visit to `report` as it ends.
///
/// # Errors
/// The store failed.
pub async fn visit_once(
    around: TakeSurroundings,
    feeds: &[FeedRecord],
    stop: &CancellationToken,
    mut report: impl FnMut(Visit),
) -> Result<(), StoreError> {
    let mut visits = Visits::new(around);
    for feed in feeds {
        visits.queue.offer(feed.id, &host_of(feed.address()));
    }
    while !visits.queue.is_empty() && !stop.is_cancelled() {
        let resume_at = visits.start_turns().unwrap_or_else(|| Instant::now() + LONGEST_SLEEP);
        tokio::select! {
            () = sleep_until(resume_at) => {}
            Some(ended) = visits.running.join_next_with_id() => {
                if let Some(visit) = visits.ended(ended) { report(visit?); }
            }
            () = stop.cancelled() => {}
        }
    }
    visits.stop().await;
    Ok(())
}

impl Visits {
    fn new(around: TakeSurroundings) -> Self {
        let limits = limits(&around().watch.settings.fetch);
        let (running, feeds, postponed) = (JoinSet::new(), HashMap::new(), HashMap::new());
        Self { around, queue: DueQueue::new(limits), running, feeds, postponed }
    }

    /// Queues what is due, and tells when to look again.
    async fn offer_due(&mut self) -> Instant {
        let around = (self.around)();
        let (now, wall) = (Instant::now(), (around.clock)());
        self.queue.set_limits(limits(&around.watch.settings.fetch));
        self.postponed.retain(|_, until| *until > now);
        let read = around.store.read(move |tx| Ok((tx.due_feeds(wall)?, tx.next_due_after(wall)?))).await;
        match read {
            Ok((due, next)) => {
                for (feed, address) in due.iter().filter(|(feed, _)| !self.postponed.contains_key(feed)) {
                    self.queue.offer(*feed, &host_of(address));
                }
                now + next.map_or(LONGEST_SLEEP, |at| until(at, wall).min(LONGEST_SLEEP))
            }
            Err(error) => {
                tracing::error!(%error, "what is due cannot be read");
                now + LONGEST_SLEEP
            }
        }
    }

    /// Starts what may start now, and tells when something more may.
    fn start_turns(&mut self) -> Option<Instant> {
        loop {
            match self.queue.next(Instant::now()) {
                Turn::Start(feed) => {
                    let around = (self.around)();
                    let task = self.running.spawn(async move { refresh::refresh(&around, feed).await });
                    self.feeds.insert(task.id(), feed);
                }
                Turn::WaitUntil(at) => return Some(at),
                Turn::Wait => return None,
            }
        }
    }

    /// Gives the place of an ended visit to the next one.
    fn ended(
        &mut self,
        ended: Result<(Id, Result<Option<Visit>, StoreError>), tokio::task::JoinError>,
    ) -> Option<Result<Visit, StoreError>> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let now = Instant::now();
        let feed = self.feeds.remove(&id).expect("every task was entered when it was started");
        self.queue.finished(feed, now);
        match ended {
            Ok((_, Ok(visit))) => visit.map(Ok),
            Ok((_, Err(error))) => {
                tracing::error!(feed.id = feed.0, %error, "a visit could not be stored; it is made again in a minute");
                self.postponed.insert(feed, now + AFTER_STORE_FAILURE);
                Some(Err(error))
            }
            Err(panic) => {
                tracing::error!(feed.id = feed.0, %panic, "a visit ended by a panic; this is a defect, please report it");
                self.postponed.insert(feed, now + AFTER_PANIC);
                None
            }
        }
    }

    async fn stop(mut self) {
        let drained = timeout(STOP_GRACE, async { while self.running.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::info!(
                visits = self.running.len(),
                "dropped visits in flight; they are made again at the next start"
            );
        }
        self.running.shutdown().await;
    }
}

fn limits(fetch: &FetchSettings) -> Limits {
    Limits {
        concurrency: fetch.concurrency,
        per_host: fetch.per_host,
        per_host_gap: fetch.per_host_gap.map(|gap| gap.unsigned_abs()),
    }
}

fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

/// Host and port, in one spelling: what limits are counted by.
#[must_use]
pub fn host_of(address: &str) -> String {
    let Ok(url) = Url::parse(address) else { return address.to_owned() };
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}
