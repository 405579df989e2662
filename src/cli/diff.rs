//! `veille diff`: what the config at hand would change in the archive; changes nothing.

use super::output::{print_json, print_lines, printable};
use super::progress::Progress;
use super::{Context, Workplace};
use crate::refresh::archive::{self, Difference, Differences};
use std::process::ExitCode;

/// Show the items and digest entries that the config would gain and lose against what is stored
#[derive(Debug, clap::Args)]
#[command(after_help = "Another config is compared with --config OTHER (and --data-dir DIR where it names another).")]
pub struct Args {
    /// Exit 1 when there is a difference
    #[arg(long)]
    exit_code: bool,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let (around, _) = workplace.surroundings()?;
    let now = Workplace::now();
    let differences = workplace.block_on(async |store| {
        let items = store.read(move |tx| tx.counts(now)).await?.items;
        let mut progress = Progress::of(usize::try_from(items).unwrap_or(usize::MAX), "items");
        archive::difference(&around(), |items| progress.reach(items)).await
    })?;
    if context.json {
        print_json(&differences)?;
    } else {
        print_lines(lines(&differences))?;
    }
    let differs = args.exit_code && !differences.is_empty();
    Ok(if differs { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// `+ tag title url`, and a line of counts.
fn lines(differences: &Differences) -> impl Iterator<Item = String> {
    let tags = differences.tags.iter().map(|(tag, difference)| (tag.0.clone(), difference));
    let digests = differences.digests.iter().map(|(digest, difference)| (format!("digest {}", digest.0), difference));
    let (gained, lost) = differences.tags.values().fold((0, 0), add);
    let (entered, left) = differences.digests.values().fold((0, 0), add);
    let summary = format!("{gained} tags gained, {lost} lost; {entered} digest entries gained, {left} lost");
    tags.chain(digests).flat_map(|(name, difference)| signed(&name, difference)).chain([summary])
}

fn add((gained, lost): (usize, usize), difference: &Difference) -> (usize, usize) {
    (gained + difference.gained.len(), lost + difference.lost.len())
}

fn signed(name: &str, difference: &Difference) -> Vec<String> {
    let gained = difference.gained.iter().map(|item| ('+', item));
    let lost = difference.lost.iter().map(|item| ('-', item));
    let line = |(sign, item): (char, &archive::Named)| {
        printable(&format!("{sign} {name}  {}  {}", item.title, item.url.as_deref().unwrap_or_default()))
            .trim_end()
            .to_owned()
    };
    gained.chain(lost).map(line).collect()
}
