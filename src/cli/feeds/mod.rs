//! `veille feeds`: health, what is due and why; adding, importing and exporting subscriptions.

mod add;
mod fix;
mod list;

use super::input;
use super::output::print_lines;
use super::{Context, Workplace};
use crate::config::{FeedSettings, opml};
use crate::export::{self, OutlinedFeed};
use anyhow::Context as _;
use std::path::PathBuf;
use std::process::ExitCode;

/// Show each feed's health; add, import and export feeds
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show each feed's health: what is due and why (the default)
    List,
    /// Find the feed of a site's page (or take a feed's own URL) and add it to the config
    Add {
        /// A feed, or a page that names one; without a scheme, by https
        url: String,
        /// A group of the new feed; may be given several times
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Show what was found, change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Add the feeds of an OPML file to the config
    Import {
        /// The list, as a reader exports it; `-` for standard input
        file: PathBuf,
        /// Show what would be added, change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Put the new addresses of moved feeds into the config, and name those that are gone or failing for long
    Fix {
        /// Feeds by URL or title, for which what their site offers is taken too; none: all that have moved
        #[arg(value_name = "FEED")]
        feeds: Vec<String>,
        /// Show what would change, change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Print all feeds as OPML
    Export,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.action {
        None | Some(Action::List) => list::run(context),
        Some(Action::Add { url, groups, dry_run }) => add::add(url, groups, *dry_run, context),
        Some(Action::Import { file, dry_run }) => {
            let bytes = input::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
            add::import(&file.display().to_string(), opml::decode(bytes), *dry_run, context)
        }
        Some(Action::Fix { feeds, dry_run }) => fix::run(feeds, *dry_run, context),
        Some(Action::Export) => export(context),
    }
}

fn export(context: &Context) -> anyhow::Result<ExitCode> {
    let settings = Workplace::source(context)?.without_secrets().load()?;
    let outlined = |feed: &FeedSettings| OutlinedFeed {
        title: feed.title.clone().unwrap_or_else(|| feed.url.to_string()),
        description: None,
        feed_url: feed.url.to_string(),
        site_url: None,
        groups: feed.groups.clone(),
        language: feed.language.clone(),
        enabled: feed.enabled,
    };
    let feeds: Vec<OutlinedFeed> = settings.feeds.iter().map(outlined).collect();
    let document = export::opml("Feeds of veille", &feeds);
    print_lines([String::from_utf8_lossy(&document).trim_end().to_owned()])?;
    Ok(ExitCode::SUCCESS)
}
