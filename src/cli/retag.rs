//! `veille retag`: the rules applied to the archive.

use super::output::report;
use super::progress::Progress;
use super::{Context, Workplace};
use crate::app;
use crate::refresh::archive;
use std::process::ExitCode;

/// Apply the rules to the archive: idempotent, and resumed where it was interrupted
#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_writing(context)?;
    let (around, watch) = workplace.surroundings()?;
    let now = Workplace::now();
    let done = workplace.block_on(async |store| {
        app::sync_store(store, &watch, now).await?;
        let items = store.read(move |tx| tx.counts(now)).await?.items;
        let mut progress = Progress::of(usize::try_from(items).unwrap_or(usize::MAX), "items");
        let proceed = |done: archive::Retagged| {
            progress.reach(done.items);
            true
        };
        archive::retag(&around(), proceed).await
    })?;
    report(context, &done, || {
        let archive::Retagged { items, changed, entered, left } = &done;
        vec![format!("{items} items, {changed} with other tags; {entered} digest entries gained, {left} lost")]
    })?;
    Ok(ExitCode::SUCCESS)
}
