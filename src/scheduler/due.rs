//! The due loop: takes what is due from the store, starts visits within the limits, and never loses one.

use super::journal::Journal;
use super::overdue::{spread_overdue, wake_oversleeping};
use super::queue::{DueQueue, Limits, Turn};
use crate::config::FetchSettings;
use crate::model::{DueFeed, FeedId, Timestamp, WAIT_CEILING, host_of};
use crate::pace;
use crate::refresh::{self, Beginning, Holds, Surroundings, Visit, Watch};
use crate::store::{StoreError, UnreadableFeed};
use jiff::SignedDuration;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// The shortest sleep between two looks at what is due: feeds that come due meanwhile are claimed together.
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);
/// The longest sleep: a wall clock that jumps, or another process's write, is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How long visits in flight may take to end when the daemon stops; what is dropped then is fetched
/// again when its claim ends, with the old validators.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// Looks are a second apart; when so much more of the clock has passed, the machine has slept, or the clock has jumped.
const LONG_SLEEP: SignedDuration = SignedDuration::from_mins(1);
/// A visit that could not be stored is made again, but no origin pays for our full disk.
const AFTER_STORE_FAILURE: Duration = Duration::from_mins(1);
/// A visit that died by a panic would die so again.
const AFTER_PANIC: Duration = Duration::from_hours(1);

/// Gives each visit its surroundings: the watch of the moment.
pub type TakeSurroundings = Arc<dyn Fn() -> Surroundings + Send + Sync>;

/// Visits under way, and the queue they come from.
struct Visits {
    around: TakeSurroundings,
    /// Whether the store is told before a feed is asked, so that not even a kill leads to a second request at once.
    claims: bool,
    /// Which hosts are left alone.
    heeds: Holds,
    queue: DueQueue,
    running: JoinSet<Result<Option<Visit>, StoreError>>,
    feeds: HashMap<Id, FeedId>,
    /// Feeds that are due by the store, which could not be told otherwise.
    postponed: HashMap<FeedId, Instant>,
    /// Hosts that asked to be left alone. Kept by the monotonic clock: a wall clock that jumps ahead cuts no wait short.
    holds: HashMap<String, Instant>,
    /// When the store was last asked what is due, by the wall clock; at first when this began.
    looked_at: Timestamp,
    has_looked: bool,
    /// Nothing can be stored: no visit is started before then.
    paused_until: Option<Instant>,
    journal: Journal,
}

/// A visit's task that has ended, or died.
type EndedTask = Result<(Id, Result<Option<Visit>, StoreError>), tokio::task::JoinError>;

/// A feed that is not asked before then, since its host asked to be left alone.
pub type HeldBack = (FeedId, Timestamp);

const HELD_REASON: &str =
    "another feed of its host was told to come later (429 or 503), which speaks for the whole host";

/// Visits feeds as they become due until told to stop. `tick` is called in each round: proof of life.
pub async fn run(around: TakeSurroundings, wake: &Notify, stop: &CancellationToken, mut tick: impl FnMut(Timestamp)) {
    let mut visits = Visits::new(around, true, Holds::All);
    let mut look_at = Instant::now();
    while !stop.is_cancelled() {
        tick(((visits.around)().clock)());
        visits.journal.turn_page(Instant::now());
        if look_at <= Instant::now() {
            look_at = visits.offer_due().await;
        }
        let resume_at = visits.start_turns().await.unwrap_or_else(|error| visits.pause(&error));
        tokio::select! {
            () = sleep_until(resume_at.map_or(look_at, |at| at.min(look_at))) => {}
            () = wake.notified() => look_at = Instant::now(),
            Some(ended) = visits.running.join_next_with_id() => {
                for visit in visits.ended(ended).into_iter().flatten() { visits.heed(&visit); }
            }
            () = stop.cancelled() => {}
        }
    }
    visits.stop().await;
}

/// Visits these feeds once, within the limits, and hands each visit to `report` as it ends, or why there was none.
/// Returns the feeds that were held back, since their host asked to be left alone as `heeds` says.
///
/// # Errors
/// The store failed. All visits that had ended were reported.
pub async fn visit_once(
    around: TakeSurroundings,
    feeds: Vec<DueFeed>,
    heeds: Holds,
    stop: &CancellationToken,
    mut report: impl FnMut(Result<Visit, UnreadableFeed>),
) -> Result<Vec<HeldBack>, StoreError> {
    let Surroundings { store, watch, clock, .. } = around();
    let wall = clock();
    let mut visits = Visits::new(around, false, heeds);
    visits.recall_holds(store.read(move |tx| heeds.read(tx, wall)).await?, wall);
    let mut held = Vec::new();
    for feed in feeds {
        let host = host_key(&watch, &feed.configured_url, &feed.address);
        match visits.held_until(&host, wall) {
            Some(until) => held.push((feed.id, until)),
            None => visits.queue.offer(feed.id, &host),
        }
    }
    while !visits.queue.is_empty() && !stop.is_cancelled() {
        let resume_at = visits.start_turns().await?.unwrap_or_else(|| Instant::now() + LONGEST_SLEEP);
        tokio::select! {
            () = sleep_until(resume_at) => {}
            Some(ended) = visits.running.join_next_with_id() => {
                let mut failed = Ok(());
                for visit in visits.ended(ended) {
                    match visit {
                        Ok(visit) => {
                            held.extend(visits.heed(&visit));
                            report(Ok(visit));
                        }
                        Err(StoreError::Feed(unreadable)) => report(Err(unreadable)),
                        Err(error) => failed = Err(error),
                    }
                }
                failed?;
            }
            () = stop.cancelled() => {}
        }
    }
    visits.stop().await;
    let postponed = held.clone();
    store.write(move |tx| tx.postpone(&postponed, HELD_REASON)).await?;
    Ok(held)
}

impl Visits {
    fn new(around: TakeSurroundings, claims: bool, heeds: Holds) -> Self {
        let Surroundings { watch, clock, .. } = around();
        let (limits, looked_at) = (limits(&watch.settings.fetch), clock());
        Self {
            around,
            claims,
            heeds,
            queue: DueQueue::new(limits),
            running: JoinSet::new(),
            feeds: HashMap::new(),
            postponed: HashMap::new(),
            holds: HashMap::new(),
            looked_at,
            has_looked: false,
            paused_until: None,
            journal: Journal::default(),
        }
    }

    /// Queues what is due, and tells when to look again.
    async fn offer_due(&mut self) -> Instant {
        let around = (self.around)();
        let (now, wall) = (Instant::now(), (around.clock)());
        self.queue.set_limits(limits(&around.watch.settings.fetch));
        self.postponed.retain(|_, until| *until > now);
        if let Err(error) = self.follow_clock(&around, wall).await {
            tracing::error!(%error, "feeds could not be rescheduled by the clock as it is now");
        }
        let heeds = self.heeds;
        let read = around
            .store
            .read(move |tx| Ok((tx.due_feeds(wall)?, tx.next_due_after(wall)?, heeds.read(tx, wall)?)))
            .await;
        match read {
            Ok((due, next, held)) => {
                self.recall_holds(held, wall);
                let (mut held, mut skipped) = (Vec::new(), Vec::new());
                for DueFeed { id, address, configured_url, skip_hours, skip_days } in due {
                    let host = host_key(&around.watch, &configured_url, &address);
                    let may_be_asked_at = pace::after_skipped(wall, skip_hours, skip_days);
                    match self.held_until(&host, wall) {
                        _ if self.postponed.contains_key(&id) => {}
                        Some(until) => held.push((id, until)),
                        // It was due before the hours that the document asks to skip, and has waited into them.
                        None if may_be_asked_at > wall => skipped.push((id, may_be_asked_at)),
                        None => self.queue.offer(id, &host),
                    }
                }
                self.postpone(&around, held, HELD_REASON).await;
                self.postpone(&around, skipped, pace::SKIPPED).await;
                now + next.map_or(LONGEST_SLEEP, |at| until(at, wall).clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
            }
            Err(error) => {
                tracing::error!(%error, "what is due cannot be read");
                now + LONGEST_SLEEP
            }
        }
    }

    /// After a sleep of the machine or a jump of its clock nothing comes at one stroke, and nothing waits for a time that
    /// was never meant.
    async fn follow_clock(&mut self, around: &Surroundings, wall: Timestamp) -> Result<(), StoreError> {
        let before = std::mem::replace(&mut self.looked_at, wall);
        let is_first = !std::mem::replace(&mut self.has_looked, true);
        let has_slept = wall.duration_since(before) > LONG_SLEEP;
        if has_slept {
            tracing::info!("the machine slept, or its clock was set forward: what is overdue is spread");
        }
        // What was spread at the start was so by the clock of then.
        if has_slept || is_first {
            spread_overdue(&around.store, wall).await?;
        }
        if is_first || wall < before {
            wake_oversleeping(&around.store, wall).await?;
        }
        Ok(())
    }

    /// What the store knows of held hosts; what this process has seen itself goes by its own clock.
    fn recall_holds(&mut self, held: Vec<(String, Timestamp)>, wall: Timestamp) {
        let now = Instant::now();
        self.holds.retain(|_, until| *until > now);
        for (host, held_until) in held {
            self.holds.entry(host).or_insert_with(|| now + wait_until(held_until, wall));
        }
    }

    fn held_until(&self, host: &str, wall: Timestamp) -> Option<Timestamp> {
        let wait = self.holds.get(host)?.checked_duration_since(Instant::now())?;
        Some(wall.saturating_add(SignedDuration::try_from(wait).unwrap_or(WAIT_CEILING)).unwrap_or(Timestamp::MAX))
    }

    /// A visit that was told to come later speaks for every feed of its host: those that wait are held back.
    fn heed(&mut self, visit: &Visit) -> Vec<HeldBack> {
        let Some((host, until)) = &visit.host_held else { return Vec::new() };
        let wall = ((self.around)().clock)();
        let until_instant = Instant::now() + wait_until(*until, wall);
        let hold = self.holds.entry(host.clone()).or_insert(until_instant);
        *hold = (*hold).max(until_instant);
        self.queue.withdraw(host).into_iter().map(|feed| (feed, *until)).collect()
    }

    async fn postpone(&mut self, around: &Surroundings, feeds: Vec<HeldBack>, reason: &'static str) {
        if feeds.is_empty() {
            return;
        }
        let ids: Vec<FeedId> = feeds.iter().map(|(feed, _)| *feed).collect();
        if let Err(error) = around.store.write(move |tx| tx.postpone(&feeds, reason)).await {
            tracing::error!(%error, "feeds that may not be asked yet could not be rescheduled; they are looked at again in a minute");
            let until = Instant::now() + AFTER_STORE_FAILURE;
            self.postponed.extend(ids.into_iter().map(|feed| (feed, until)));
        }
    }

    /// Starts what may start now, and tells when something more may.
    async fn start_turns(&mut self) -> Result<Option<Instant>, StoreError> {
        self.paused_until = self.paused_until.filter(|until| *until > Instant::now());
        if self.paused_until.is_some() {
            return Ok(self.paused_until);
        }
        let mut chosen = Vec::new();
        let resume_at = loop {
            match self.queue.next(Instant::now()) {
                Turn::Start(feed) => chosen.push(feed),
                Turn::WaitUntil(at) => break Some(at),
                Turn::Wait => break None,
            }
        };
        if !chosen.is_empty() {
            let begun = self.begin(chosen.clone()).await.inspect_err(|_| {
                let now = Instant::now();
                chosen.into_iter().for_each(|feed| self.queue.finished(feed, now));
            });
            begun?.into_iter().for_each(|beginning| self.visit(beginning));
        }
        Ok(resume_at)
    }

    async fn begin(&self, feeds: Vec<FeedId>) -> Result<Vec<Beginning>, StoreError> {
        let around = (self.around)();
        let beginnings = refresh::begin(&around, feeds, self.heeds).await?;
        if self.claims {
            refresh::claim(&around, &beginnings).await?;
        }
        Ok(beginnings)
    }

    fn visit(&mut self, (feed, known): Beginning) {
        self.queue.begun(feed, Instant::now());
        let around = (self.around)();
        let task = self.running.spawn(async move {
            let Some(known) = known? else { return Ok(None) };
            refresh::refresh(&around, known).await
        });
        self.feeds.insert(task.id(), feed);
    }

    /// Nobody is asked for what cannot be stored, until then.
    fn pause(&mut self, error: &StoreError) -> Option<Instant> {
        if self.paused_until.is_none() {
            tracing::error!(%error, "no visit can be stored; no feed is asked for a minute");
        }
        self.paused_until = Some(Instant::now() + AFTER_STORE_FAILURE);
        self.paused_until
    }

    /// The visits that have ended, of which one is at hand: those that were stored together end together, and what comes in
    /// their places begins together.
    fn ended(&mut self, first: EndedTask) -> Vec<Result<Visit, StoreError>> {
        let mut visits = Vec::new();
        let mut next = Some(first);
        while let Some(ended) = next {
            visits.extend(self.conclude(ended));
            next = self.running.try_join_next_with_id();
        }
        visits
    }

    /// Gives the place of an ended visit to the next one.
    fn conclude(&mut self, ended: EndedTask) -> Option<Result<Visit, StoreError>> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let now = Instant::now();
        let feed = self.feeds.remove(&id).expect("every task was entered when it was started");
        self.queue.finished(feed, now);
        match ended {
            Ok((_, Ok(visit))) => {
                visit.iter().for_each(|visit| self.journal.write(visit, now));
                visit.map(Ok)
            }
            Ok((_, Err(error))) if error.is_passing() => {
                self.pause(&error);
                Some(Err(error))
            }
            Ok((_, Err(error))) => {
                tracing::error!(feed.id = feed.0, %error, "a visit could not be stored; it is made again in its own time");
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
                "dropped visits in flight; they are made again in their own time"
            );
        }
        self.running.shutdown().await;
        self.journal.close();
    }
}

/// What a feed shares its limits with: all feeds of its host and port, unless the operator takes it out.
fn host_key(watch: &Watch, configured_url: &str, address: &str) -> String {
    let is_alone = watch.feed(configured_url).is_some_and(|feed| !feed.host_limits);
    if is_alone { address.to_owned() } else { host_of(address) }
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

/// The same, within what a server may impose on us, should the clock have been set back.
fn wait_until(at: Timestamp, now: Timestamp) -> Duration {
    until(at, now).min(WAIT_CEILING.unsigned_abs())
}
