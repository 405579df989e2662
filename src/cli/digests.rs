//! `veille digests`: the digests, their addresses and their state; new addresses for a private one.

use super::output::{print_json, print_lines, printable};
use super::status::{ago, ahead};
use super::{Context, Workplace};
use crate::config::DigestSettings;
use crate::digest::Calendar;
use crate::export::Format;
use crate::http::{digest_document, digest_path, publisher};
use crate::model::{DigestKind, FEED_HEALTH, OutputHealth, OutputKind, PublishedFeed, Timestamp};
use crate::query::nearest;
use crate::store::{ReadTx, StoreError, WriteTx};
use anyhow::bail;
use jiff::tz::TimeZone;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;

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
    Show {
        /// The digest, as `veille digests` names it
        name: String,
    },
    /// Give a private digest new addresses: the old ones, and whoever has them, get nothing more
    Rotate {
        /// The digest, as `veille digests` names it
        name: String,
    },
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
    /// `null`, like the next three, when it is private and was never in force: its key is not made yet.
    page: Option<String>,
    atom: Option<String>,
    rss: Option<String>,
    json: Option<String>,
    outputs: Vec<OutputLine>,
}

/// Whom a digest is pushed to.
#[derive(Debug, Serialize)]
struct OutputLine {
    #[serde(flatten)]
    health: OutputHealth,
    /// In plain words.
    state: String,
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    title: String,
    updated_at: Timestamp,
    entries: Vec<crate::model::PublishedEntry>,
    outputs: Vec<OutputLine>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match &args.action {
        None | Some(Action::List) => list(context),
        Some(Action::Show { name }) => show(name, context),
        Some(Action::Rotate { name }) => rotate(name, context),
    }
}

fn list(context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let settings = Arc::clone(&workplace.settings);
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
    let page = digest_path(tx, &digest.spec)?.map(|path| publisher.address(&path));
    let document = |format: Format| page.as_deref().map(|stem| format.address(stem));
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
        atom: document(Format::Atom),
        rss: document(Format::Rss),
        json: document(Format::JsonFeed),
        outputs: tx.outputs(Some(name))?.into_iter().map(|output| output_line(output, now)).collect(),
        page,
    })
}

fn lines(digest: &DigestLine, now: Timestamp) -> String {
    let next = digest.next_issue_at.map_or_else(String::new, |at| format!(", next issue {}", ahead(Some(at), now)));
    let private = if digest.private { ", private" } else { "" };
    let state = format!("{} stories, changed {}{next}{private}", digest.stories, ago(digest.changed_at, now));
    printable(&format!("{:<24} {:<9} {}", digest.name, digest.kind, digest.title))
        + &format!("\n    {state}")
        + &addresses(digest)
        + &output_lines(&digest.outputs)
}

fn output_line(mut output: OutputHealth, now: Timestamp) -> OutputLine {
    output.target = shown_target(&output);
    let state = output_in_words(&output, now);
    OutputLine { health: output, state }
}

fn output_lines(outputs: &[OutputLine]) -> String {
    let line = |output: &OutputLine| {
        printable(&format!("{} to {}: {}", output.health.kind.name(), output.health.target, output.state))
    };
    outputs.iter().map(|output| format!("\n    {}", line(output))).collect()
}

/// A webhook's path and a callback's often are a secret of their own: the host says which one it is.
pub(super) fn shown_target(output: &OutputHealth) -> String {
    let scheme_and_host = |target: &str| {
        let (scheme, rest) = target.split_once("://")?;
        Some(format!("{scheme}://{}/…", rest.split(['/', '?', '#']).next().unwrap_or_default()))
    };
    match output.kind {
        OutputKind::Webhook | OutputKind::Subscription => scheme_and_host(&output.target).unwrap_or_default(),
        OutputKind::Email | OutputKind::Hub => output.target.clone(),
    }
}

/// How an output is doing: `2 delivered, last 3m ago; 1 waits, tried again in 5s: it answered 500 …`.
pub(super) fn output_in_words(output: &OutputHealth, now: Timestamp) -> String {
    if output.stopped_at.is_some() {
        return format!(
            "stopped {}: {}",
            ago(output.stopped_at, now),
            output.last_error.as_deref().unwrap_or_default()
        );
    }
    let delivered = match output.delivered {
        0 => "nothing delivered yet".to_owned(),
        count => format!("{count} delivered, last {}", ago(output.last_delivered_at, now)),
    };
    let next = ahead(output.next_try_at, now);
    let waiting = (output.waiting > 0).then(|| format!("{} waiting, next try {next}", output.waiting));
    let given_up = (output.given_up > 0).then(|| format!("{} given up", output.given_up));
    let failing = output.last_error.as_ref().map(|error| format!("failing: {error}"));
    let words: Vec<String> = [Some(delivered), waiting, given_up, failing].into_iter().flatten().collect();
    words.join("; ")
}

fn addresses(digest: &DigestLine) -> String {
    match (&digest.atom, &digest.rss, &digest.json) {
        (Some(atom), Some(rss), Some(json)) => format!("\n    {atom}\n    {rss}\n    {json}"),
        _ => "\n    its addresses are made when `veille run` or `veille poll` puts it in force".to_owned(),
    }
}

fn named(workplace: &Workplace, name: &str) -> anyhow::Result<DigestSettings> {
    let digests = &workplace.settings.digests;
    if let Some(digest) = digests.iter().find(|digest| digest.spec.name.0 == name) {
        return Ok(digest.clone());
    }
    if name == FEED_HEALTH {
        bail!(
            "the digest `{name}` is of feeds, not of stories: `veille feeds` tells how they are; a reader finds it at /digests/{name}.atom"
        );
    }
    let nearest = nearest(name, digests.iter().map(|digest| digest.spec.name.0.as_str()));
    let hint = nearest.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    bail!("there is no digest `{name}`{hint}")
}

/// Works beside the daemon, which serves the new addresses from its next answer on.
fn rotate(name: &str, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let digest = named(&workplace, name)?;
    if !digest.spec.private {
        bail!("`{name}` is public, so it has no key; `private = true` in its table makes it private");
    }
    let publisher = publisher(&workplace.settings);
    let time_zone = workplace.settings.service.time_zone.clone();
    let now = Workplace::now();
    let turn = move |tx: &WriteTx<'_>| {
        tx.rotate_private_key(&digest.spec.name, now)?;
        digest_line(&tx.as_read(), &digest, &publisher, &time_zone, now)
    };
    let line = workplace.block_on(async |store| store.write(turn).await)?;
    if context.json {
        print_json(&line)?;
    } else {
        print_lines([lines(&line, now)])?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(name: &str, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let digest = named(&workplace, name)?;
    let publisher = publisher(&workplace.settings);
    let now = Workplace::now();
    let read = move |tx: &ReadTx<'_>| {
        let Some(document) = digest_document(tx, &digest, &publisher, None)? else { return Ok(None) };
        let outputs = tx.outputs(Some(&digest.spec.name))?;
        Ok::<_, StoreError>(Some((document, outputs)))
    };
    let Some((document, outputs)) = workplace.block_on(async |store| store.read(read).await)? else {
        bail!("`{name}` is not in the store yet: `veille run` or `veille poll` puts it there");
    };
    let outputs: Vec<OutputLine> = outputs.into_iter().map(|output| output_line(output, now)).collect();
    let code = ExitCode::from(u8::from(document.entries.is_empty()));
    if context.json {
        let PublishedFeed { title, updated_at, entries, .. } = document;
        print_json(&Shown { name: name.to_owned(), title, updated_at, entries, outputs })?;
        return Ok(code);
    }
    let time_zone = &workplace.settings.service.time_zone;
    let entry = |entry: &crate::model::PublishedEntry| {
        let tags: Vec<&str> = entry.categories.iter().map(|category| category.term.as_str()).collect();
        let at = time_zone.to_datetime(entry.published_at).strftime("%F %H:%M");
        printable(&format!("{at}  {}", entry.title))
            + &printable(&format!("  [{}]", tags.join(", ")))
            + "\n    "
            + &printable(entry.url.as_deref().unwrap_or(""))
    };
    print_lines(document.entries.iter().map(entry))?;
    if !outputs.is_empty() {
        print_lines([format!("pushed to{}", output_lines(&outputs))])?;
    }
    Ok(code)
}
