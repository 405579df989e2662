//! `veille run`: the daemon.

use super::Context;
use super::workplace::daemon_runtime;
use crate::app::{self, ConfigSource};
use std::process::ExitCode;

/// Run the daemon: poll, tag, publish and serve until told to stop
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let source = ConfigSource::of(context.config.as_deref(), context.data_dir.clone())?;
    let runtime = daemon_runtime()?;
    runtime.block_on(app::run(source, |_| ()))?;
    Ok(ExitCode::SUCCESS)
}
