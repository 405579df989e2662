//! `veille backup`: a consistent copy of the database, while the daemon runs.

use super::output::print_lines;
use super::{Context, Workplace};
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
    let workplace = Workplace::for_reading(context)?;
    let target = args.file.clone();
    workplace.block_on(async |store| store.backup(target).await)?;
    if !context.json && !context.quiet {
        print_lines([format!(
            "{} holds the whole store; put it in place of veille.db to restore",
            args.file.display()
        )])?;
    }
    Ok(ExitCode::SUCCESS)
}
