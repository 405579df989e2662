//! Adding feeds to the config: tables are appended to its file of feeds, nothing else in it is touched.

use crate::app::ConfigSource;
use crate::cli::output::{print_json, print_lines, printable};
use crate::cli::workplace::runtime;
use crate::cli::{Context, Workplace};
use crate::config::{Edit, FeedSettings, RuleTextError, Settings, opml, parse_web_address};
use crate::fetch::Client;
use crate::model::Timestamp;
use crate::refresh::discovery;
use anyhow::{Context as _, anyhow, bail};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use url::Url;

/// A feed to add.
#[derive(Debug, Serialize)]
struct Found {
    url: String,
    title: Option<String>,
    groups: Vec<String>,
    language: Option<String>,
    enabled: bool,
    /// Where its address leads for good.
    #[serde(skip)]
    moved_to: Option<String>,
}

#[derive(Debug, Serialize)]
struct Report {
    added: Vec<Found>,
    /// As the config lists them.
    already_there: Vec<String>,
    /// Addresses that lead for good to one of those.
    redirected: Vec<Redirected>,
    problems: Vec<String>,
    file: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Redirected {
    url: String,
    to: String,
}

pub(super) fn add(url: &str, groups: &[String], dry_run: bool, context: &Context) -> anyhow::Result<ExitCode> {
    let source = Workplace::source(context)?.without_secrets();
    let settings = source.load()?;
    // As in a browser: what has no scheme is a site.
    let address = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
    let page = parse_web_address(&address).map_err(|fault| anyhow!("{url}: {fault}"))?;
    let mut found = runtime()?.block_on(discover(&settings, page))?;
    found.groups = groups.to_vec();
    append(vec![found], Vec::new(), &settings, &source, dry_run, context)
}

pub(super) fn import(file: &str, text: String, dry_run: bool, context: &Context) -> anyhow::Result<ExitCode> {
    let source = Workplace::source(context)?.without_secrets();
    let settings = source.load()?;
    let list = opml::read(&text);
    let line = |at: usize| text.get(..at).map_or(0, |before| before.lines().count().max(1));
    let problems: Vec<String> = list
        .problems
        .iter()
        .map(|problem| format!("{file}:{}: {}", line(problem.span.start), problem.message))
        .collect();
    if let Some(fatal) = list.problems.iter().find(|problem| problem.is_fatal) {
        bail!("{file}:{}: {}", line(fatal.span.start), fatal.message);
    }
    // The config as it would be is checked next, which takes memory of its own.
    drop(text);
    let found = list
        .feeds
        .into_iter()
        .map(|feed| Found {
            url: feed.url.into(),
            title: feed.title,
            groups: feed.groups,
            language: feed.language,
            enabled: feed.enabled,
            moved_to: None,
        })
        .collect();
    append(found, problems, &settings, &source, dry_run, context)
}

/// The feed at an address, or the one that the page there names.
async fn discover(settings: &Settings, page: Url) -> anyhow::Result<Found> {
    let client = Client::new(&settings.fetch)?;
    let found = discovery::discover(&client, page, Timestamp::now()).await?;
    Ok(Found {
        url: found.url.into(),
        title: found.title,
        groups: Vec::new(),
        language: found.language,
        enabled: true,
        moved_to: found.moved_to.map(String::from),
    })
}

fn append(
    found: Vec<Found>,
    problems: Vec<String>,
    settings: &Settings,
    source: &ConfigSource,
    dry_run: bool,
    context: &Context,
) -> anyhow::Result<ExitCode> {
    let known = |url: &str| settings.feeds.iter().any(|feed: &FeedSettings| feed.url.as_str() == url);
    let (mut added, mut already_there, mut redirected) = (Vec::new(), Vec::new(), Vec::new());
    for feed in found {
        match &feed.moved_to {
            _ if known(&feed.url) => already_there.push(feed.url),
            Some(to) if known(to) => {
                already_there.push(to.clone());
                redirected.push(Redirected { to: to.clone(), url: feed.url });
            }
            _ => added.push(feed),
        }
    }
    let file = feeds_file(settings, source);
    if !dry_run && !added.is_empty() {
        append_tables(&file, &added, source)?;
    }
    let file = (!dry_run && !added.is_empty()).then_some(file);
    let report = Report { added, already_there, redirected, problems, file };
    if context.json {
        print_json(&report)?;
    } else {
        print_lines(lines(&report, dry_run))?;
    }
    Ok(if report.added.is_empty() && report.already_there.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The config's file of feeds: the first one of that name, else the entry point.
fn feeds_file(settings: &Settings, source: &ConfigSource) -> PathBuf {
    let named = settings.files.iter().find(|file| file.file_name().is_some_and(|name| name == "feeds.toml"));
    named.cloned().unwrap_or_else(|| source.path().to_owned())
}

/// Appends, once the config as a whole is known to be right with it; begins anew where another command was quicker.
fn append_tables(file: &Path, feeds: &[Found], source: &ConfigSource) -> anyhow::Result<()> {
    loop {
        let before = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let mut after = before.clone();
        if !after.is_empty() && !after.ends_with('\n') {
            after.push('\n');
        }
        for feed in feeds {
            after.push_str(&table(feed));
        }
        let edit = Edit::of(file, &before, &after);
        source
            .load_edited(std::slice::from_ref(&edit))
            .context("the new feeds do not fit the config, which is as it was")?;
        match edit.save() {
            Err(RuleTextError::Changed(_)) => {}
            saved => return Ok(saved?),
        }
    }
}

fn table(feed: &Found) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut table = format!("\n[[feeds]]\nurl = {}\n", quoted(&feed.url));
    if let Some(title) = &feed.title {
        let _ = writeln!(table, "title = {}", quoted(title));
    }
    if !feed.groups.is_empty() {
        let groups: Vec<String> = feed.groups.iter().map(|group| quoted(group)).collect();
        let _ = writeln!(table, "groups = [{}]", groups.join(", "));
    }
    if let Some(language) = &feed.language {
        let _ = writeln!(table, "language = {}", quoted(language));
    }
    if !feed.enabled {
        table.push_str("enabled = false\n");
    }
    table
}

fn lines(report: &Report, dry_run: bool) -> Vec<String> {
    let verb = if dry_run { "would add" } else { "added" };
    let title = |feed: &Found| feed.title.clone().unwrap_or_else(|| "no title".to_owned());
    let mut lines: Vec<String> =
        report.added.iter().map(|feed| printable(&format!("{verb} {}  ({})", feed.url, title(feed)))).collect();
    let redirected = report.redirected.iter().map(|Redirected { url, to }| format!("{url} leads to {to} for good"));
    lines.extend(redirected.map(|line| printable(&line)));
    lines.extend(report.already_there.iter().map(|url| printable(&format!("already there {url}"))));
    lines.extend(report.problems.iter().map(|problem| printable(problem)));
    if let Some(file) = &report.file {
        lines.push(format!("{} new in {}", report.added.len(), file.display()));
    }
    lines
}
