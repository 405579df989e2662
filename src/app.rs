//! Composition: the only file that knows every module. Ordered start, reload, shutdown.

mod reload;
mod source;
mod upkeep;

pub use crate::scheduler::due::visit_once;
pub use reload::sync_store;
pub use source::ConfigSource;
pub use upkeep::{follow_rules, maintain};

use crate::delivery;
use crate::http::{self, AppState, DocumentCache, Health, HttpMetrics, InForce, Limits};
use crate::model::{Timestamp, without_queries};
use crate::refresh::{Desk, Surroundings, Watch, push};
use crate::scheduler::{Bells, Calendar, TakeSurroundings, cut_due_issues, due};
use crate::service::Notifier;
use crate::store::{DirectoryLock, Store, StoreError};
use anyhow::{Context as _, anyhow};
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// The parts of the running daemon that its tasks share.
#[derive(Clone)]
struct Daemon {
    source: ConfigSource,
    store: Arc<Store>,
    /// The config in force; replaced as a whole.
    watch: watch::Sender<Arc<Watch>>,
    health: Arc<Health>,
    notifier: Arc<Notifier>,
    /// Rung when what is due may have changed.
    wake: Arc<Notify>,
    /// Rung when the archive may not be in line with the rules.
    retag: Arc<Notify>,
    stop: CancellationToken,
    desk: Desk,
    clock: fn() -> Timestamp,
}

/// Runs the daemon until SIGTERM or SIGINT, and ends in order. `ready` is told the address once it answers.
///
/// # Errors
/// What the operator must mend before it can start: the config, the data directory, the address.
pub async fn run(source: ConfigSource, ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let clock: fn() -> Timestamp = Timestamp::now;
    // First of all: it ends a process that does not listen for it. One that comes before there is a config in force is kept.
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be caught")?;
    // What a daemon says is kept in a log, and a feed's query may be a key.
    let watch = source.watch().map_err(|refused| anyhow!(without_queries(&format!("{refused:#}"))))?;
    let settings = Arc::clone(&watch.settings);
    let _lock = DirectoryLock::take(&settings.service.data_dir)?;
    let store = Arc::new(once_there_is_room(async || Store::open(&settings.service.data_dir)).await?);
    let listen = settings.http.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen} (`http.listen`)"))?;
    let daemon = Daemon {
        source,
        store,
        watch: watch::Sender::new(Arc::new(watch)),
        health: Arc::new(Health::new(clock())),
        notifier: Arc::new(Notifier::from_environment()),
        wake: Arc::default(),
        retag: Arc::default(),
        stop: CancellationToken::new(),
        desk: Desk::default(),
        clock,
    };
    let is_behind = once_there_is_room(async || {
        let is_behind = daemon.sync_with(&daemon.current_watch()).await?;
        cut_due_issues(&daemon.store, &daemon.current_watch(), clock()).await?;
        Ok(is_behind)
    })
    .await?;
    daemon.begin_with(is_behind);
    let address = listener.local_addr()?;
    daemon.work(listener, address, hangup, ready).await
}

/// What cannot be stored now, as on a full disk, is tried again until it can: nobody may be there to start us once more.
/// SIGTERM ends the process meanwhile, as long as nobody listens for it.
async fn once_there_is_room<T>(attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    loop {
        match attempt().await {
            Err(error) if error.is_passing() => tracing::error!("{error}; tried again in a minute"),
            done => return done,
        }
        tokio::time::sleep(AFTER_STORE_FAILURE).await;
    }
}

impl Daemon {
    fn current_watch(&self) -> Arc<Watch> {
        Arc::clone(&self.watch.borrow())
    }

    fn surroundings(&self) -> TakeSurroundings {
        let daemon = self.clone();
        Arc::new(move || Surroundings {
            store: Arc::clone(&daemon.store),
            watch: daemon.current_watch(),
            desk: daemon.desk.clone(),
            clock: daemon.clock,
        })
    }

    async fn work(
        self,
        listener: TcpListener,
        address: SocketAddr,
        hangup: Signal,
        ready: impl FnOnce(SocketAddr),
    ) -> anyhow::Result<()> {
        // Before anybody is told that we are ready: whoever waits for that may tell us to stop at once.
        let signals = StopSignals::listen()?;
        let bells = Bells::default();
        let calendar = Calendar::start(&bells).await?;
        let mut tasks = JoinSet::new();
        tasks.spawn(self.clone().poll());
        tasks.spawn(self.clone().serve(listener));
        tasks.spawn(self.clone().seek_missing(Arc::clone(&bells.seek_missing)));
        tasks.spawn(self.clone().keep_calendar(bells));
        tasks.spawn(self.clone().keep_archive());
        tasks.spawn(self.clone().keep_index());
        tasks.spawn(self.clone().deliver());
        tasks.spawn(self.clone().keep_subscriptions());
        tasks.spawn(self.clone().follow_config(hangup));
        tasks.spawn(self.clone().feed_watchdog());
        tracing::info!(%address, feeds = self.current_watch().settings.feeds.len(), "veille is watching");
        self.notifier.ready(&self.status_line().await);
        ready(address);
        let panicked = tokio::select! {
            () = signals.wait(&self.stop) => None,
            panicked = first_panic(&mut tasks) => Some(panicked),
        };
        self.stop.cancel();
        tracing::info!("stopping");
        self.notifier.stopping();
        calendar.stop().await;
        while tasks.join_next().await.is_some() {}
        self.store.checkpoint().await?;
        tracing::info!("stopped");
        panicked.map_or(Ok(()), |panicked| Err(panicked.into()))
    }

    async fn poll(self) {
        let health = Arc::clone(&self.health);
        due::run(self.surroundings(), &self.wake, &self.stop, move |now| health.scheduler_beats(now)).await;
    }

    async fn deliver(self) {
        delivery::run(self.surroundings(), &self.stop).await;
    }

    async fn serve(self, listener: TcpListener) {
        let mut registry = Registry::default();
        let metrics = HttpMetrics::register(&mut registry);
        let settings = Arc::clone(&self.current_watch().settings);
        // A start changes no document: what its files say was in force before.
        let since = settings.stamps.newest_at().unwrap_or_else(self.clock);
        let in_force = watch::Sender::new(InForce { settings, since });
        let surroundings = self.surroundings();
        let state = AppState {
            take_delivery: Arc::new(move |delivery| {
                let around = surroundings();
                Box::pin(async move { push::receive(&around, delivery).await })
            }),
            store: Arc::clone(&self.store),
            in_force: in_force.subscribe(),
            rules: {
                let watch = self.watch.subscribe();
                Arc::new(move || Arc::clone(watch.borrow().classifier()))
            },
            health: Arc::clone(&self.health),
            registry: Arc::new(registry),
            metrics,
            started_at: (self.clock)(),
            clock: self.clock,
            documents: Arc::new(DocumentCache::default()),
            bad_tries: Arc::default(),
            allowances: Arc::default(),
            config: Arc::new(self.source.files()),
        };
        let mut changes = self.watch.subscribe();
        let follow = async {
            while changes.changed().await.is_ok() {
                let settings = Arc::clone(&changes.borrow_and_update().settings);
                in_force.send_modify(|in_force| {
                    // Files that are as they were change no document, and no reader asks for it anew.
                    if in_force.settings.stamps != settings.stamps {
                        in_force.since = (self.clock)();
                    }
                    in_force.settings = settings;
                });
            }
        };
        tokio::select! {
            () = http::serve(listener, http::site(state), Limits::default(), self.stop.cancelled()) => {}
            () = follow => {}
        }
    }

    /// One line for `systemctl status`.
    async fn status_line(&self) -> String {
        let (watch, now) = (self.current_watch(), (self.clock)());
        let (feeds, digests) = (watch.settings.feeds.len(), watch.digests.len());
        let mut line = format!("watching {feeds} feeds, publishing {digests} digests");
        match self.store.read(move |tx| tx.next_due_after(now)).await {
            Ok(Some(next)) => {
                let there = watch.settings.service.time_zone.to_datetime(next);
                line += &there.strftime("; next refresh at %F %H:%M:%S").to_string();
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "when the next feed is due cannot be read"),
        }
        if self.health.refused_reload().is_some() {
            line += "; the config has changed and was refused: see the journal";
        }
        line
    }
}

/// A daemon without one of its parts would look well and miss news: it ends, for its supervisor to start it anew.
#[derive(Debug, thiserror::Error)]
#[error("a part of the daemon panicked, which is a defect of veille, please report it: {0}")]
pub struct Panicked(JoinError);

/// Until one of the tasks panics; those that have nothing to do may end.
async fn first_panic(tasks: &mut JoinSet<()>) -> Panicked {
    while let Some(ended) = tasks.join_next().await {
        if let Err(panic) = ended {
            return Panicked(panic);
        }
    }
    std::future::pending().await
}

/// SIGTERM and SIGINT, caught from when it was made.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Until one comes; a second one ends the process at once, unless it is the first one's echo.
    async fn wait(mut self, stop: &CancellationToken) {
        either(&mut self.terminate, &mut self.interrupt).await;
        stop.cancel();
        let stopped_at = Instant::now();
        tokio::spawn(async move {
            while stopped_at.elapsed() < ECHO {
                either(&mut self.terminate, &mut self.interrupt).await;
            }
            tracing::warn!("told to stop twice: ending at once");
            std::process::exit(1);
        });
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// `timeout` and some supervisors signal a process and then its group: two signals within so long are one wish.
const ECHO: Duration = Duration::from_millis(200);
/// What could not be stored is tried again after so long.
const AFTER_STORE_FAILURE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_is_told_and_one_that_ends_is_not() {
        let mut tasks = JoinSet::new();
        tasks.spawn(async {});
        tasks.spawn(std::future::pending());
        tasks.spawn(async { panic!("on purpose") });
        assert!(first_panic(&mut tasks).await.to_string().contains("on purpose"));
        assert_eq!(tasks.len(), 1, "the part that works");
    }
}
