//! `veille run`: the daemon.

use super::workplace::daemon_runtime;
use super::{Context, Workplace};
use crate::app;
use std::process::ExitCode;

/// Run the daemon: poll, tag, publish and serve until told to stop
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let source = Workplace::source(context)?;
    let runtime = daemon_runtime()?;
    runtime.block_on(app::run(source, |_| ()))?;
    Ok(ExitCode::SUCCESS)
}
