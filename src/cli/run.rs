//! `veille run`: the daemon.

use super::Context;
use super::output::tell;
use super::workplace::daemon_runtime;
use crate::app::{self, ConfigSource};
use std::io;
use std::process::ExitCode;

/// Run the daemon: poll, tag, publish and serve until told to stop
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Exit code 1 when the address to listen on is taken, or not there yet.
pub fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let source = ConfigSource::of(context.config.as_deref(), context.data_dir.clone())?;
    let runtime = daemon_runtime()?;
    match runtime.block_on(app::run(source, |_| ())) {
        // At boot the network may be late: whoever supervises us is to try again.
        Err(error) if has_no_address(&error) => {
            tell(format_args!("veille: {error:#}"));
            Ok(ExitCode::from(1))
        }
        ended => ended.map(|()| ExitCode::SUCCESS),
    }
}

fn has_no_address(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable))
}
