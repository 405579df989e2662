//! `veille digests`: the digests, their addresses and their state.

use super::output::{print_json, print_lines, printable};
use super::status::{ago, ahead};
use super::{Context, Workplace};
use crate::config::DigestSettings;
use crate::digest::Calendar;
use crate::export::Format;
use crate::http::{digest_document, publisher};
use crate::model::{DigestKind, PublishedFeed, Timestamp};
use crate::store::{ReadTx, StoreError};
use anyhow::bail;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::process::ExitCode;

/// Show the digests' addresses and state, or one digest's entries
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show all digests (the default)
    List,
    /// Show one digest's entries
    Show { name: String },
}

#[derive(Debug, Serialize)]
struct DigestLine {
    name: String,
    title: String,
    /// `stream` or `periodic`.
    kind: &'static str,
    query: String,
    private: bool,
    stories: u64,
    changed_at: Option<Timestamp>,
    next_issue_at: Option<Timestamp>,
    page: String,
    atom: String,
    rss: String,
    json: String,
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    title: String,
    updated_at: Timestamp,
    entries: Vec<crate::model::PublishedEntry>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.action {
        None | Some(Action::List) => list(context),
        Some(Action::Show { name }) => show(name, context),
    }
}

fn list(context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let settings = workplace.settings.clone();
    let now = Workplace::now();
    let read = move |tx: &ReadTx<'_>| {
        let publisher = publisher(&settings);
        let line = |digest: &DigestSettings| digest_line(tx, digest, &publisher, &settings.service.time_zone, now);
        settings.digests.iter().map(line).collect::<Result<Vec<_>, StoreError>>()
    };
    let digests = workplace.block_on(async |store| store.read(read).await)?;
    if context.json {
        print_json(&digests)?;
    } else {
        print_lines(digests.iter().map(|digest| lines(digest, now)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn digest_line(
    tx: &ReadTx<'_>,
    digest: &DigestSettings,
    publisher: &crate::digest::Publisher,
    time_zone: &TimeZone,
    now: Timestamp,
) -> Result<DigestLine, StoreError> {
    let name = &digest.spec.name;
    let stem = publisher.address(&format!("digests/{}", name.0));
    let (kind, next_issue_at) = match &digest.spec.kind {
        DigestKind::Stream => ("stream", None),
        DigestKind::Periodic { schedule, .. } => {
            let calendar = Calendar::new(schedule, time_zone.clone());
            ("periodic", calendar.ok().and_then(|calendar| calendar.next_cut_at(now)))
        }
    };
    Ok(DigestLine {
        name: name.0.clone(),
        title: digest.spec.title.clone(),
        kind,
        query: digest.query_text.clone(),
        private: digest.spec.private,
        stories: tx.digest_size(name)?,
        changed_at: tx.digest_version(name)?.map(|version| version.changed_at),
        next_issue_at,
        atom: Format::Atom.address(&stem),
        rss: Format::Rss.address(&stem),
        json: Format::JsonFeed.address(&stem),
        page: stem,
    })
}

fn lines(digest: &DigestLine, now: Timestamp) -> String {
    let next = digest.next_issue_at.map_or_else(String::new, |at| format!(", next issue {}", ahead(Some(at), now)));
    let private = if digest.private { ", private" } else { "" };
    let state = format!("{} stories, changed {}{next}{private}", digest.stories, ago(digest.changed_at, now));
    printable(&format!("{:<24} {:<9} {}", digest.name, digest.kind, digest.title))
        + &format!("\n    {state}\n    {}\n    {}\n    {}", digest.atom, digest.rss, digest.json)
}

fn show(name: &str, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let Some(digest) = workplace.settings.digests.iter().find(|digest| digest.spec.name.0 == name).cloned() else {
        let names = workplace.settings.digests.iter().map(|digest| digest.spec.name.0.as_str());
        let nearest = super::output::nearest(name, names);
        bail!(
            "there is no digest `{name}`{}",
            nearest.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
        );
    };
    let publisher = publisher(&workplace.settings);
    let read = move |tx: &ReadTx<'_>| digest_document(tx, &digest, &publisher, None);
    let Some(document) = workplace.block_on(async |store| store.read(read).await)? else {
        bail!("`{name}` is not in the store yet: `veille run` or `veille poll` puts it there");
    };
    if context.json {
        let PublishedFeed { title, updated_at, entries, .. } = document;
        print_json(&Shown { name: name.to_owned(), title, updated_at, entries })?;
        return Ok(ExitCode::SUCCESS);
    }
    let entry = |entry: &crate::model::PublishedEntry| {
        let tags: Vec<&str> = entry.categories.iter().map(|category| category.term.as_str()).collect();
        let first = printable(&format!("{}  {}", entry.published_at.strftime("%F %H:%M"), entry.title));
        printable(&first)
            + &printable(&format!("  [{}]", tags.join(", ")))
            + "\n    "
            + &printable(entry.url.as_deref().unwrap_or(""))
    };
    print_lines(document.entries.iter().map(entry))?;
    Ok(if document.entries.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
