//! What a command works with: the config, the store, a runtime and the time.

use super::Context;
use crate::app::ConfigSource;
use crate::config::Settings;
use crate::model::Timestamp;
use crate::refresh::{Desk, Surroundings, Watch};
use crate::scheduler::TakeSurroundings;
use crate::store::{DirectoryLock, Store, StoreError};
use anyhow::Context as _;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

/// An open config and store.
pub(super) struct Workplace {
    pub settings: Arc<Settings>,
    store: Arc<Store>,
    runtime: Runtime,
    _lock: Option<DirectoryLock>,
}

impl Workplace {
    /// For a command that looks: the daemon may be running.
    pub(super) fn for_reading(context: &Context) -> anyhow::Result<Self> {
        let source = Self::source(context)?.without_secrets();
        Self::open(&source, |data_dir| Ok((Store::open_existing(data_dir)?, None)))
    }

    /// For a command that refreshes or retags: there is no daemon meanwhile.
    pub(super) fn for_writing(context: &Context) -> anyhow::Result<Self> {
        Self::open(&Self::source(context)?, |data_dir| {
            let lock = DirectoryLock::take(data_dir)?;
            Ok((Store::open(data_dir)?, Some(lock)))
        })
    }

    /// The config alone, for a command that needs no store, or writes into the config.
    pub(super) fn source(context: &Context) -> anyhow::Result<ConfigSource> {
        ConfigSource::of(context.config.as_deref(), context.data_dir.clone())
    }

    fn open(
        source: &ConfigSource,
        open: impl FnOnce(&std::path::Path) -> Result<(Store, Option<DirectoryLock>), StoreError>,
    ) -> anyhow::Result<Self> {
        let settings = Arc::new(source.load()?);
        let runtime = runtime()?;
        let (store, lock) = open(&settings.service.data_dir)?;
        Ok(Self { settings, store: Arc::new(store), runtime, _lock: lock })
    }

    pub(super) fn now() -> Timestamp {
        Timestamp::now()
    }

    /// What a visit or a retag works with, and the watch in it.
    pub(super) fn surroundings(&self) -> anyhow::Result<(TakeSurroundings, Arc<Watch>)> {
        let watch = Arc::new(Watch::compile(Arc::clone(&self.settings))?);
        let around = Surroundings {
            store: Arc::clone(&self.store),
            watch: Arc::clone(&watch),
            desk: Desk::default(),
            clock: Timestamp::now,
        };
        Ok((Arc::new(move || around.clone()), watch))
    }

    pub(super) fn block_on<T, E>(&self, work: impl AsyncFnOnce(&Arc<Store>) -> Result<T, E>) -> Result<T, E> {
        self.runtime.block_on(work(&self.store))
    }
}

/// A command's: its own thread waits for the network. Work that takes time has threads of its own.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    started(Builder::new_current_thread())
}

/// The daemon's: two threads, so that none who reads waits for another's answer to be written.
pub(super) fn daemon_runtime() -> anyhow::Result<Runtime> {
    let mut threads = Builder::new_multi_thread();
    threads.worker_threads(2);
    started(threads)
}

fn started(mut runtime: Builder) -> anyhow::Result<Runtime> {
    let runtime = runtime.enable_all().build().context("the asynchronous runtime cannot be started")?;
    // Caught for good, so that a write beyond a file-size limit is an error like a full disk and not the end.
    let caught = runtime.block_on(async { signal(SignalKind::from_raw(SIGXFSZ)) });
    drop(caught.context("SIGXFSZ cannot be caught")?);
    Ok(runtime)
}

/// The same number on every architecture that Linux's generic signal table covers.
const SIGXFSZ: i32 = 25;
