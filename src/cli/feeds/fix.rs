//! Putting moved feeds' new addresses into the config, and naming those that need a decision.
//!
//! A feed keeps its identity: the store is told first that the new address is this feed, then the files change.

use crate::cli::output::{print_json, print_lines, printable};
use crate::cli::status::ago;
use crate::cli::{Context, Workplace};
use crate::config::{Edit, FeedSettings, FileKind, Readdressed, Settings, opml, parse_web_address};
use crate::model::{FeedHealth, FeedId, FeedState, Timestamp};
use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use url::Url;

/// A feed that has failed for so long needs a decision.
const LONG: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A feed whose address is to change.
struct Move {
    feed: FeedId,
    from: Url,
    to: Url,
}

#[derive(Debug, Default, Serialize)]
struct Report {
    /// Written into the config; with `--dry-run`, what would be.
    fixed: Vec<Fixed>,
    /// Moved, but their place must be changed by hand.
    by_hand: Vec<ByHand>,
    /// What the sites of missing feeds name in their place.
    offered: Vec<Offered>,
    /// Gone, or failing for long.
    hopeless: Vec<Hopeless>,
}

#[derive(Debug, Serialize)]
struct Fixed {
    url: String,
    to: String,
    file: PathBuf,
    line: usize,
    before: String,
    after: String,
}

#[derive(Debug, Serialize)]
struct ByHand {
    url: String,
    to: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Offered {
    url: String,
    to: String,
}

#[derive(Debug, Serialize)]
struct Hopeless {
    url: String,
    failing_since_at: Option<Timestamp>,
    error: String,
    advice: String,
}

pub(super) fn run(named: &[String], dry_run: bool, context: &Context) -> anyhow::Result<ExitCode> {
    let source = Workplace::source(context)?.without_secrets();
    let workplace = Workplace::for_reading(context)?;
    let now = Workplace::now();
    let feeds = workplace.block_on(async |store| store.read(move |tx| tx.feeds(now)).await)?;
    let chosen = chosen(&feeds, named)?;
    let mut report = Report::default();
    let moves = moves(&chosen, !named.is_empty(), &workplace.settings, &mut report);
    let edits = edits(&moves, &workplace.settings, &mut report)?;
    for feed in &chosen {
        report.hopeless.extend(hopeless(feed, now));
    }
    if !dry_run && !edits.is_empty() {
        let texts: Vec<Edit> = edits.iter().map(|made| made.edit.clone()).collect();
        source.load_edited(&texts).context("the new addresses do not fit the config, which is as it was")?;
        let noted: Vec<(FeedId, String)> = moves.iter().map(|moved| (moved.feed, moved.to.to_string())).collect();
        workplace.block_on(async |store| {
            store.write(move |tx| noted.iter().try_for_each(|(feed, to)| tx.offer_address(*feed, Some(to), now))).await
        })?;
        save(&edits)?;
    }
    if context.json {
        print_json(&report)?;
    } else {
        print_lines(report.lines(dry_run, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen<'a>(feeds: &'a [FeedHealth], named: &[String]) -> anyhow::Result<Vec<&'a FeedHealth>> {
    let is = |feed: &FeedHealth, name: &String| {
        [&feed.url, &feed.configured_url, &feed.title].contains(&name) || feed.fetch_url.as_ref() == Some(name)
    };
    if let Some(unknown) = named.iter().find(|name| !feeds.iter().any(|feed| is(feed, name))) {
        bail!("{unknown}: there is no such feed in the config");
    }
    Ok(feeds.iter().filter(|feed| named.is_empty() || named.iter().any(|name| is(feed, name))).collect())
}

/// The moves that the config can follow. What a site offers is followed only for a feed that was named.
fn moves(chosen: &[&FeedHealth], take_offers: bool, settings: &Settings, report: &mut Report) -> Vec<Move> {
    let mut moves: Vec<Move> = Vec::new();
    for feed in chosen {
        let offered = feed.offered_url.as_deref().filter(|_| feed.failure_count > 0);
        let to = match (feed.moved_to(), offered) {
            (_, Some(to)) if take_offers => to,
            (_, Some(to)) => {
                report.offered.push(Offered { url: feed.configured_url.clone(), to: to.to_owned() });
                continue;
            }
            // A redirect that leads to a failure is not followed into the config.
            (Some(to), None) if feed.failure_count == 0 => to,
            _ => continue,
        };
        let (Ok(from), Ok(to)) = (Url::parse(&feed.configured_url), parse_web_address(to)) else { continue };
        // It has been changed since a daemon or a poll last looked at the config.
        if !settings.feeds.iter().any(|known| known.url == from) {
            continue;
        }
        let is_taken = settings.feeds.iter().any(|known| known.url == to) || moves.iter().any(|known| known.to == to);
        match refusal(&from, &to, is_taken, settings) {
            Some(reason) => report.by_hand.push(ByHand { url: from.into(), to: to.into(), reason }),
            None => moves.push(Move { feed: feed.id, from, to }),
        }
    }
    moves
}

/// Why a move is left to the operator.
fn refusal(from: &Url, to: &Url, is_taken: bool, settings: &Settings) -> Option<String> {
    if is_taken {
        return Some("the config lists the new address already: remove this feed".to_owned());
    }
    let has_credentials =
        |feed: &&FeedSettings| feed.url == *from && (feed.basic_auth.is_some() || !feed.headers.is_empty());
    if from.origin() != to.origin() && settings.feeds.iter().any(|feed| has_credentials(&feed)) {
        return Some(
            "its headers and credentials would go to another host: change the address by hand if that is right"
                .to_owned(),
        );
    }
    listed_in_opml(from, settings).map(|file| format!("it is listed in {}: change its `xmlUrl` there", file.display()))
}

/// The OPML file that lists a feed: such files belong to the program that exports them.
fn listed_in_opml(url: &Url, settings: &Settings) -> Option<PathBuf> {
    let lists = |file: &&PathBuf| {
        is_opml(file)
            && std::fs::read(file)
                .is_ok_and(|bytes| opml::read(&opml::decode(bytes)).feeds.iter().any(|feed| feed.url == *url))
    };
    settings.files.iter().find(lists).cloned()
}

fn is_opml(file: &Path) -> bool {
    FileKind::of(file) == Some(FileKind::Opml)
}

fn edits(moves: &[Move], settings: &Settings, report: &mut Report) -> anyhow::Result<Vec<Readdressed>> {
    let addresses: Vec<(Url, Url)> = moves.iter().map(|moved| (moved.from.clone(), moved.to.clone())).collect();
    let mut edits = Vec::new();
    if addresses.is_empty() {
        return Ok(edits);
    }
    for file in settings.files.iter().filter(|file| !is_opml(file)) {
        let Some(made) = Readdressed::of(file, &addresses).map_err(anyhow::Error::msg)? else { continue };
        report.fixed.extend(made.lines.iter().map(|line| Fixed {
            url: addresses[line.index].0.to_string(),
            to: addresses[line.index].1.to_string(),
            file: file.clone(),
            line: line.number,
            before: line.before.clone(),
            after: line.after.clone(),
        }));
        edits.push(made);
    }
    for (from, to) in &addresses {
        if !report.fixed.iter().any(|fixed| fixed.url == from.as_str()) {
            let reason = "no `url` of a [[feeds]] table has it in plain sight: look for it in the config".to_owned();
            report.by_hand.push(ByHand { url: from.to_string(), to: to.to_string(), reason });
        }
    }
    Ok(edits)
}

/// Saves every file, or none: what was saved is put back should another one fail.
fn save(edits: &[Readdressed]) -> anyhow::Result<()> {
    for (index, made) in edits.iter().enumerate() {
        if let Err(error) = made.edit.save() {
            for saved in &edits[..index] {
                saved.edit.undone().save()?;
            }
            return Err(anyhow::Error::from(error).context("the config is as it was"));
        }
    }
    Ok(())
}

fn hopeless(feed: &FeedHealth, now: Timestamp) -> Option<Hopeless> {
    let advice = match feed.state {
        FeedState::Gone => "its publisher ended it: remove it from the config, or look for its successor on the site",
        FeedState::Active if feed.failing_since_at.is_some_and(|since| now.duration_since(since) >= LONG) => {
            match feed.last_status {
                Some(404) => {
                    "the address leads nowhere: look for the feed's new address (`veille feeds add SITE`), or remove it"
                }
                Some(401 | 403) => "its server wants credentials or refuses robots: ask its publisher, or remove it",
                Some(_) => "its server fails, or sends no feed: see what the address shows in a browser, or remove it",
                None => "its host is not reached: see whether the site is still there, or remove the feed",
            }
        }
        _ => return None,
    };
    if feed.offered_url.is_some() {
        return None;
    }
    Some(Hopeless {
        url: feed.configured_url.clone(),
        failing_since_at: feed.failing_since_at,
        error: feed.last_error.clone().unwrap_or_default(),
        advice: advice.to_owned(),
    })
}

impl Report {
    fn lines(&self, dry_run: bool, now: Timestamp) -> Vec<String> {
        let mut lines = Vec::new();
        for fixed in &self.fixed {
            lines.push(format!("{}:{}", fixed.file.display(), fixed.line));
            lines.push(format!("  - {}", fixed.before));
            lines.push(format!("  + {}", fixed.after));
        }
        for left in &self.by_hand {
            lines.push(format!("by hand     {} has moved to {}: {}", left.url, left.to, left.reason));
        }
        for offer in &self.offered {
            let take = format!("`veille feeds fix {}` takes it", offer.url);
            lines.push(format!("offered     {} is missing; its site now offers {}: {take}", offer.url, offer.to));
        }
        for feed in &self.hopeless {
            let since = ago(feed.failing_since_at, now);
            lines.push(format!("failing     {} since {since}: {}; {}", feed.url, feed.error, feed.advice));
        }
        lines.push(match (self.fixed.len(), dry_run) {
            (0, _) if lines.is_empty() => "nothing to fix".to_owned(),
            (0, _) => "nothing was changed".to_owned(),
            (count, true) => format!("{count} would change; without --dry-run they do"),
            (count, false) => format!("{count} changed; the feeds keep their items and their past"),
        });
        lines.iter().map(|line| printable(line)).collect()
    }
}
