//! `veille backup`: a consistent copy of the database, while the daemon runs.

use super::output::report;
use super::workplace::runtime;
use super::{Context, Workplace};
use crate::store::Store;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

/// Write a consistent copy of the database, while the daemon runs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Must not exist yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    // Where the database is said to be, the config is not asked: one with a fault in it is no reason to go without a copy.
    let data_dir = match &context.data_dir {
        Some(data_dir) => data_dir.clone(),
        None => Workplace::source(context)?.without_secrets().load()?.service.data_dir,
    };
    let runtime = runtime()?;
    let store = Store::open_existing(&data_dir)?;
    runtime.block_on(copy(&store, &args.file))?;
    report(context, &serde_json::json!({ "file": args.file }), || {
        vec![format!("{} holds the whole store; put it in place of veille.db to restore", args.file.display())]
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Ended by a signal as other commands are, half a copy would stay, as large as the database perhaps.
async fn copy(store: &Store, file: &Path) -> anyhow::Result<()> {
    let told_to_stop = told_to_stop()?;
    let is_told_to_stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_told_to_stop);
    let mut copying = pin!(store.backup(file.to_owned(), move || !told.load(Ordering::Relaxed)));
    tokio::select! {
        copied = &mut copying => return Ok(copied?),
        () = told_to_stop => is_told_to_stop.store(true, Ordering::Relaxed),
    }
    Ok(copying.await?)
}

fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
