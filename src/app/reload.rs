//! Putting a config in force: at the start, on SIGHUP, and when one of its files changes.
//!
//! A config with an error changes nothing: the old one stays in force as a whole, and log, status page
//! and health say so.

use super::{AFTER_STORE_FAILURE, Daemon};
use crate::config::{DigestSettings, FeedSettings, FileKind, Settings};
use crate::model::{ConfiguredFeed, ConfiguredOutput, DigestName, OutputKind, Timestamp, without_queries};
use crate::refresh::Watch;
use crate::scheduler::spread_overdue;
use crate::store::{Store, StoreError};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::sync::Notify;

/// Editors write a file in several steps: the reload waits until they have been quiet for so long.
const QUIET: Duration = Duration::from_millis(400);

/// What became of a reload.
enum Reload {
    InForce,
    Refused,
    /// Nothing is wrong with it, but with the disk.
    Unstored,
}

impl Daemon {
    /// Reloads when told to, until the daemon stops.
    pub(super) async fn follow_config(self, mut hangup: Signal) {
        let changed = Arc::new(Notify::new());
        let mut watcher = self.watch_config(&changed);
        let mut is_unstored = false;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = hangup.recv() => {}
                () = changed.notified() => {
                    while tokio::time::timeout(QUIET, changed.notified()).await.is_ok() {}
                }
                () = tokio::time::sleep(AFTER_STORE_FAILURE), if is_unstored => {}
            }
            let reload = self.reload().await;
            is_unstored = matches!(reload, Reload::Unstored);
            // A config that is not in force leaves the files of the one before watched.
            if matches!(reload, Reload::InForce) {
                // The one before goes when there is another, so that no edit falls between them.
                drop(std::mem::replace(&mut watcher, self.watch_config(&changed)));
            }
        }
    }

    /// Watches the files of the config in force; an edit since they were read counts as one that was seen.
    fn watch_config(&self, changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
        let settings = Arc::clone(&self.current_watch().settings);
        let watcher = watch_files(&settings.files, changed);
        if !settings.stamps.are_current() {
            changed.notify_one();
        }
        watcher
    }

    async fn reload(&self) -> Reload {
        self.notifier.reloading();
        let reload = match self.put_in_force().await {
            Ok(()) => {
                self.health.reload_accepted();
                tracing::info!(feeds = self.current_watch().settings.feeds.len(), "config reloaded");
                Reload::InForce
            }
            Err(error) => {
                let is_passing = error.downcast_ref::<StoreError>().is_some_and(StoreError::is_passing);
                let error = format!("{error:#}");
                // Told first: who reads the line and asks is not to hear of a config without faults.
                self.health.reload_refused((self.clock)(), self.source.files().for_all(&error));
                tracing::error!("config not reloaded, the one before stays in force: {}", without_queries(&error));
                if is_passing { Reload::Unstored } else { Reload::Refused }
            }
        };
        self.notifier.ready(&self.status_line().await);
        reload
    }

    async fn put_in_force(&self) -> anyhow::Result<()> {
        let source = self.source.clone();
        let watch = tokio::task::spawn_blocking(move || source.watch()).await??;
        let old = self.current_watch();
        anyhow::ensure!(
            watch.settings.service.data_dir == old.settings.service.data_dir,
            "the data directory cannot change while the daemon runs: restart it"
        );
        if watch.settings.http.listen != old.settings.http.listen {
            tracing::warn!("`http.listen` has changed: it takes effect at the next start");
        }
        // What cannot be stored, as on a full disk, is not put in force.
        let is_behind = self.sync_with(&watch).await?;
        self.watch.send_replace(Arc::new(watch));
        self.begin_with(is_behind);
        Ok(())
    }

    /// Brings the store's feeds and digests in line with a config, and spreads what is overdue. Returns whether the archive
    /// is behind.
    pub(super) async fn sync_with(&self, watch: &Watch) -> Result<bool, StoreError> {
        let now = (self.clock)();
        let is_behind = sync_store(&self.store, watch, now).await?;
        spread_overdue(&self.store, now).await?;
        Ok(is_behind)
    }

    /// Sets to work on the config in force.
    pub(super) fn begin_with(&self, is_behind: bool) {
        if is_behind {
            self.retag.notify_one();
        }
        self.wake.notify_one();
    }
}

/// Brings the store's feeds and digests in line with a config. Returns whether the archive is behind: it has tags by other
/// rules, or digests with other members.
///
/// # Errors
/// The store failed; it is as it was.
pub async fn sync_store(store: &Store, watch: &Watch, now: Timestamp) -> Result<bool, StoreError> {
    let feeds: Vec<ConfiguredFeed> = watch.settings.feeds.iter().map(|feed| configured(feed, now)).collect();
    let digests = watch.configured_digests();
    let private = watch.settings.digests.iter().map(|digest| &digest.spec).filter(|spec| spec.private);
    let private: Vec<DigestName> = private.map(|spec| spec.name.clone()).collect();
    let (outputs, hub_serves) = (configured_outputs(&watch.settings), served_by_hub(&watch.settings));
    let are_wanted = watch.settings.http.subscribe_to_hubs;
    let rules = watch.rules_hash().to_owned();
    let sync = store.write(move |tx| {
        tx.give_private_keys(&private)?;
        let new = tx.sync_feeds(&feeds)?;
        let stale = tx.sync_digests(&digests, now)?;
        let follows = tx.follows_rules(&rules)?;
        if !follows {
            // What comes from now on is tagged by these: the archive follows neither them nor those before.
            tx.forget_rules()?;
        }
        let is_behind = !follows || !stale.is_empty();
        tx.sync_outputs(&outputs, &hub_serves)?;
        tx.end_subscriptions(are_wanted, now)?;
        Ok((new, is_behind))
    });
    let (new, is_behind) = sync.await?;
    if new > 0 {
        tracing::info!(new, "new feeds");
    }
    Ok(is_behind)
}

/// What the config says is pushed, and to whom. A hub would be told a private digest's address, and with it
/// the secret.
fn configured_outputs(settings: &Settings) -> Vec<ConfiguredOutput> {
    let of_digest = |digest: &DigestSettings| {
        let webhooks = digest.webhooks.iter().map(|webhook| (OutputKind::Webhook, webhook.url.to_string()));
        let mail = digest.mail_to.iter().map(|address| (OutputKind::Email, address.clone()));
        let hubs = settings.http.hubs.iter().filter(|_| !digest.spec.private);
        let hubs = hubs.map(|hub| (OutputKind::Hub, hub.to_string()));
        let output = |(kind, target)| ConfiguredOutput { digest: digest.spec.name.clone(), kind, target };
        webhooks.chain(mail).chain(hubs).map(output).collect::<Vec<_>>()
    };
    settings.digests.iter().flat_map(of_digest).collect()
}

/// The digests to which our own hub takes subscriptions.
fn served_by_hub(settings: &Settings) -> Vec<DigestName> {
    let public = settings.digests.iter().map(|digest| &digest.spec).filter(|spec| settings.http.hub && !spec.private);
    public.map(|spec| spec.name.clone()).collect()
}

/// A feed that is new to the store is due at once.
fn configured(feed: &FeedSettings, now: Timestamp) -> ConfiguredFeed {
    ConfiguredFeed {
        url: feed.url.to_string(),
        title: feed.title.clone(),
        groups: feed.groups.clone(),
        language: feed.language.clone(),
        enabled: feed.enabled,
        first_check_at: now,
    }
}

/// Watches the directories that hold the files, as they are named and where links lead: editors replace a file rather than
/// write into it.
fn watch_files(files: &[PathBuf], changed: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let targets: Vec<PathBuf> = files.iter().filter_map(|file| file.canonicalize().ok()).collect();
    let directories: HashSet<&Path> = files.iter().chain(&targets).filter_map(|file| file.parent()).collect();
    let changed = Arc::clone(changed);
    let started = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Where so much changed that events were lost, none names what they were of.
        let matters = |event: &notify::Event| {
            event.need_rescan()
                || !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(|path| is_config(path))
        };
        if event.as_ref().is_ok_and(matters) {
            changed.notify_one();
        }
    })
    .and_then(|mut watcher| {
        for directory in directories {
            let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            watcher.watch(here, RecursiveMode::NonRecursive)?;
        }
        Ok(watcher)
    });
    started.inspect_err(|error| tracing::warn!(%error, "config files are not watched: send SIGHUP after an edit")).ok()
}

/// Whether it may be a file of the config, or a link on the way to one: whole directories are put in force by such a link.
fn is_config(path: &Path) -> bool {
    FileKind::of(path).is_some() || path.is_symlink()
}
