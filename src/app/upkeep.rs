//! What happens beside polling and serving: issues, retention, retagging, the watchdog.

use super::{AFTER_STORE_FAILURE, Daemon};
use crate::config::RetentionSettings;
use crate::model::Timestamp;
use crate::refresh::{Surroundings, archive, discovery, push};
use crate::scheduler::{Bells, cut_due_issues, review_feeds};
use crate::search;
use crate::store::{Store, StoreError};
use crate::stories;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Items removed in one transaction.
const PRUNE_BATCH: usize = 500;
/// Where more are removed, as after another `keep_items`, the pages that all batches change are kept in memory meanwhile.
const MANY_ITEMS: usize = 10_000;
/// Sites that are asked in an hour where their missing feeds went.
const SITES_AN_HOUR: u32 = 20;
/// How long the record of a delivery that ended is kept.
const DELIVERIES_KEPT: jiff::SignedDuration = jiff::SignedDuration::from_hours(90 * 24);
/// A feed that names a hub is subscribed to within so long.
const HUBS_ASKED_EVERY: Duration = Duration::from_secs(2);
/// The index of words gathers what came for so long: many items at once cost less.
const INDEX_PAUSE: Duration = Duration::from_secs(10);

/// Retention, and what keeps the database small and fast, until told to stop.
///
/// # Errors
/// The store failed; what was removed before that is gone.
pub async fn maintain(
    store: &Store,
    retention: &RetentionSettings,
    now: Timestamp,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    let before = |keep| now.checked_sub(keep).unwrap_or(Timestamp::MIN);
    let untagged_before = before(retention.keep_items);
    let tagged_before = before(retention.keep_tagged_items.unwrap_or(retention.keep_items));
    let issues_before = before(retention.keep_issues.unwrap_or(retention.keep_items));
    let news_before = before(stories::WINDOW);
    let deliveries_before = before(DELIVERIES_KEPT);
    // Before the items: an issue keeps those that it holds.
    store.write(move |tx| tx.remove_issues(issues_before)).await?;
    let outlived = store.read(move |tx| tx.outlived_items(untagged_before, tagged_before)).await?;
    let prune = async {
        let mut removed = 0;
        for batch in outlived.chunks(PRUNE_BATCH).take_while(|_| !stop.is_cancelled()) {
            let batch = batch.to_vec();
            removed += store.write(move |tx| tx.prune(&batch, untagged_before, tagged_before, now)).await?;
        }
        Ok::<usize, StoreError>(removed)
    };
    let are_many = outlived.len() > MANY_ITEMS;
    if are_many {
        store.expect_many_changes(true).await?;
    }
    let removed = prune.await;
    if are_many {
        store.expect_many_changes(false).await?;
    }
    let removed = removed?;
    if removed > 0 {
        tracing::info!(items = removed, "retention removed old items");
    }
    let forgotten = store.write(move |tx| {
        tx.forget_tombstones()?;
        tx.forget_signatures(news_before)?;
        tx.end_leases(now)?;
        tx.forget_deliveries(deliveries_before)
    });
    forgotten.await?;
    store.checkpoint().await
}

/// Brings the archive in line with rules that have changed, as long as they are `in_force`.
///
/// # Errors
/// The store failed; the next run goes on from there.
pub async fn follow_rules(around: &Surroundings, in_force: impl Fn() -> bool) -> Result<(), StoreError> {
    let done = archive::retag(around, |_| in_force()).await?;
    if done.items > 0 {
        tracing::info!(
            items = done.items,
            changed = done.changed,
            entered = done.entered,
            left = done.left,
            "the archive follows the rules"
        );
    }
    Ok(())
}

impl Daemon {
    /// Answers the calendar's bells, one at a time.
    pub(super) async fn keep_calendar(self, bells: Bells) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = bells.cut_issues.notified() => self.cut_issues().await,
                () = bells.review_feeds.notified() => {
                    if let Err(error) = self.store.check_file() {
                        tracing::error!("{error}");
                    }
                    self.review_feeds().await;
                    self.notifier.status(&self.status_line().await);
                }
                () = bells.maintain.notified() => self.maintain().await,
            }
        }
    }

    async fn cut_issues(&self) {
        if let Err(error) = cut_due_issues(&self.store, &self.current_watch(), (self.clock)()).await {
            tracing::error!(%error, "issues cannot be cut; they are tried again in a minute");
            self.pause(AFTER_STORE_FAILURE).await;
        }
    }

    async fn review_feeds(&self) {
        if let Err(error) = review_feeds(&self.store, (self.clock)()).await {
            tracing::error!(%error, "the feeds cannot be reviewed; the next minute tries again");
        }
    }

    async fn maintain(&self) {
        let watch = self.current_watch();
        let maintained = maintain(&self.store, &watch.settings.retention, (self.clock)(), &self.stop);
        if let Err(error) = maintained.await {
            tracing::error!(%error, "maintenance was cut short; it goes on in an hour");
        }
    }

    /// Asks the hubs that are due, each in a few seconds at most, until the daemon stops.
    pub(super) async fn keep_subscriptions(self) {
        while self.pause(HUBS_ASKED_EVERY).await {
            let around = (self.surroundings())();
            let asked = async {
                push::unsubscribe_due(&around).await?;
                if around.watch.settings.http.subscribe_to_hubs {
                    push::subscribe_due(&around).await?;
                }
                Ok::<_, StoreError>(())
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                asked = asked => {
                    if let Err(error) = asked {
                        tracing::error!(%error, "what hubs are asked cannot be stored; they are asked again in a minute");
                        self.pause(AFTER_STORE_FAILURE).await;
                    }
                }
            }
        }
    }

    /// Asks the sites of missing feeds where they went, when the bell rings. Slow, so beside the calendar's other work.
    pub(super) async fn seek_missing(self, bell: Arc<Notify>) {
        let seek = async {
            loop {
                bell.notified().await;
                if let Err(error) = discovery::seek_missing(&(self.surroundings())(), SITES_AN_HOUR).await {
                    tracing::error!(%error, "missing feeds could not be sought; the next hour tries again");
                }
            }
        };
        self.stop.run_until_cancelled(seek).await;
    }

    /// Brings the archive in line with the rules whenever they change; a newer config starts it over.
    pub(super) async fn keep_archive(self) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.retag.notified() => {}
            }
            let watch = self.current_watch();
            let around = Surroundings { watch: Arc::clone(&watch), ..self.surroundings()() };
            let in_force = || !self.stop.is_cancelled() && Arc::ptr_eq(&watch, &self.current_watch());
            if let Err(error) = follow_rules(&around, in_force).await {
                tracing::error!(%error, "retagging was cut short; it goes on in a minute");
                self.pause(AFTER_STORE_FAILURE).await;
                self.retag.notify_one();
            }
        }
    }

    /// Puts what new feeds brought and what was edited into the index of words, some seconds behind.
    pub(super) async fn keep_index(self) {
        while self.pause(INDEX_PAUSE).await {
            if let Err(error) = search::index_items(&self.store, |_| !self.stop.is_cancelled()).await {
                tracing::error!(%error, "the index of words cannot be written; searches do without until it can");
                self.pause(AFTER_STORE_FAILURE).await;
            }
        }
    }

    /// Tells systemd that we live, as long as scheduler and store both do.
    pub(super) async fn feed_watchdog(self) {
        let Some(interval) = self.notifier.watchdog_interval() else { return };
        while self.pause(interval).await {
            // Whether the write succeeds does not matter (the disk may be full); that the writer answers does.
            let answer = tokio::time::timeout(interval, self.store.write(|_| Ok(()))).await;
            let answered = answer.is_ok_and(|answer| !matches!(answer, Err(StoreError::Closed)));
            if answered && self.health.scheduler_is_alive((self.clock)()) {
                self.notifier.watchdog();
            }
        }
    }

    /// Waits for so long; `false` as soon as the daemon stops.
    async fn pause(&self, length: Duration) -> bool {
        self.stop.run_until_cancelled(tokio::time::sleep(length)).await.is_some()
    }
}
