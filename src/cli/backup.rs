//! `veille backup`: a consistent copy of the database, while the daemon runs.

use super::output::report;
use super::workplace::runtime;
use super::{Context, Workplace};
use crate::store::Store;
use std::path::PathBuf;
use std::process::ExitCode;

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
        None => Workplace::settings_alone(context)?.service.data_dir,
    };
    let runtime = runtime()?;
    let store = Store::open_existing(&data_dir)?;
    runtime.block_on(store.backup(args.file.clone()))?;
    report(context, &serde_json::json!({ "file": args.file }), || {
        vec![format!("{} holds the whole store; put it in place of veille.db to restore", args.file.display())]
    })?;
    Ok(ExitCode::SUCCESS)
}
