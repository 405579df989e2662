//! `veille poll`: refreshes what is due, or the feeds named, once.

use super::output::{self, printable};
use super::progress::Progress;
use super::status::ahead;
use super::{Context, Workplace};
use crate::app;
use crate::delivery::{self, Sent};
use crate::model::{DueFeed, FeedRecord, FeedState, Timestamp};
use crate::query::nearest;
use crate::refresh::{Holds, Outcome, Visit, discovery};
use crate::scheduler::{Declined, cut_due_issues, declined, review_feeds};
use crate::store::{Store, UnreadableFeed};
use anyhow::bail;
use serde::Serialize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// For what digests push; what is not sent by then waits for the next poll, or the daemon.
const DELIVERING_AT_MOST: Duration = Duration::from_mins(1);
/// Sites that are asked where their missing feeds went.
const SITES_ASKED: u32 = 5;

/// Refresh the feeds that are due, or those named, once
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Feeds by URL or title (all of that title); none: all that are due
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
    /// Refresh although it is too early, and feeds that are gone; a running Retry-After still holds
    #[arg(long)]
    force: bool,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Report {
    refreshed: usize,
    not_modified: usize,
    failed: usize,
    declined: usize,
    items_added: usize,
    items_changed: usize,
    /// What digests push: webhooks, mail, hubs told.
    delivered: usize,
    deliveries_failed: usize,
    feeds: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    url: String,
    /// `stored`, `not_modified`, `failed` or `declined`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unchanged: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    next_check_at: Option<Timestamp>,
    next_check_reason: String,
}

/// What becomes of a feed that is due or was named.
enum Choice {
    Ask(DueFeed),
    Decline(Line),
    Fail(UnreadableFeed),
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_writing(context)?;
    let (around, watch) = workplace.surroundings()?;
    let now = Workplace::now();
    let mut report = Report::default();
    let polled = workplace.block_on(async |store| {
        let is_behind = app::sync_store(store, &watch, now).await?;
        // Before issues are cut: what the new rules find of the last period is in its issue.
        if args.feeds.is_empty() && is_behind {
            app::follow_rules(&around(), || true).await?;
        }
        let mut asked = Vec::new();
        for choice in chosen(store, args, now).await? {
            match choice {
                Choice::Ask(feed) => asked.push(feed),
                Choice::Decline(line) => report.decline(line),
                Choice::Fail(unreadable) => {
                    tracing::error!("{unreadable}");
                    report.fail(&unreadable);
                }
            }
        }
        report.feeds.reserve_exact(asked.len());
        let mut progress = Progress::of(asked.len(), "feeds");
        let stop = CancellationToken::new();
        let heeds = if args.force { Holds::Asked } else { Holds::All };
        let held = app::visit_once(Arc::clone(&around), asked, heeds, &stop, |visit| {
            match visit {
                Ok(visit) => report.add(visit),
                // The log has it.
                Err(unreadable) => report.fail(&unreadable),
            }
            progress.step(1);
        })
        .await?;
        for (feed, until) in held {
            if let Some(feed) = store.read(move |tx| tx.feed_record(feed)).await? {
                let reason = if args.force { left_alone(until, now) } else { host_left_alone(until, now) };
                report.decline(Line::declined(&feed, reason));
            }
        }
        if args.feeds.is_empty() {
            discovery::seek_missing(&around(), SITES_ASKED).await?;
        }
        review_feeds(store, Workplace::now()).await?;
        cut_due_issues(store, &watch, Workplace::now()).await?;
        let Sent { delivered, failed } = delivery::send_due(&*around, DELIVERING_AT_MOST).await?;
        (report.delivered, report.deliveries_failed) = (delivered, failed);
        if args.feeds.is_empty() {
            app::maintain(store, &watch.settings.retention, Workplace::now(), &stop).await?;
        }
        Ok::<_, anyhow::Error>(())
    });
    // What was done is told, whatever ended it.
    if polled.is_ok() || !report.feeds.is_empty() {
        output::report(context, &report, || report.lines(now))?;
    }
    polled?;
    // A feed that fails is an event of the watch; that nothing which was asked for could be done is a no.
    let did_nothing = report.refreshed + report.not_modified == 0 && report.failed + report.declined > 0;
    Ok(if did_nothing { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// The feeds named, or those due, each to be asked or declined.
async fn chosen(store: &Store, args: &Args, now: Timestamp) -> anyhow::Result<Vec<Choice>> {
    if args.feeds.is_empty() {
        let args = args.clone();
        let due = move |feed: Result<FeedRecord, _>| match feed {
            Ok(feed) => {
                let is_due = args.force || feed.next_check_at.is_none_or(|at| at <= now);
                (is_due && feed.state == FeedState::Active).then(|| Choice::of(feed, &args, now))
            }
            Err(unreadable) => Some(Choice::Fail(unreadable)),
        };
        return Ok(store.read(move |tx| tx.of_configured_feeds(due)).await?);
    }
    let names = args.feeds.clone();
    let named =
        move |feed: Result<FeedRecord, _>| names.iter().any(|name| is_named(feed.as_ref(), name)).then_some(feed);
    let named = store.read(move |tx| tx.of_configured_feeds(named)).await?;
    for name in &args.feeds {
        if !named.iter().any(|feed| is_named(feed.as_ref(), name)) {
            bail!("{name}: there is no such feed in the config{}", suggestion(store, name).await?);
        }
    }
    let choice = |feed: Result<FeedRecord, _>| feed.map_or_else(Choice::Fail, |feed| Choice::of(feed, args, now));
    Ok(named.into_iter().map(choice).collect())
}

fn is_named(feed: Result<&FeedRecord, &UnreadableFeed>, name: &str) -> bool {
    let feed = match feed {
        Ok(feed) => feed,
        Err(unreadable) => return unreadable.url == name,
    };
    let addresses = [Some(&feed.url), Some(&feed.configured_url), feed.fetch_url.as_ref()];
    addresses.into_iter().flatten().any(|address| address == name) || feed.name() == name
}

async fn suggestion(store: &Store, name: &str) -> anyhow::Result<String> {
    let names = |feed: Result<FeedRecord, _>| feed.ok().map(|feed| [feed.name().to_owned(), feed.url]);
    let known = store.read(move |tx| tx.of_configured_feeds(names)).await?;
    let near = nearest(name, known.iter().flatten().map(String::as_str));
    Ok(near.map_or_else(String::new, |near| format!("; did you mean {near}?")))
}

impl Choice {
    fn of(feed: FeedRecord, args: &Args, now: Timestamp) -> Self {
        match decline(&feed, args, now) {
            Some(reason) => Self::Decline(Line::declined(&feed, reason)),
            None => Self::Ask(feed.into_due()),
        }
    }
}

/// Why a feed is not asked now, in words; `None` when it is.
fn decline(feed: &FeedRecord, args: &Args, now: Timestamp) -> Option<String> {
    match declined(feed, now)? {
        Declined::LeftAlone(until) => Some(left_alone(until, now)),
        // What is due is asked, whatever a person would be told.
        _ if args.force || args.feeds.is_empty() => None,
        Declined::Gone => Some(format!("{}; --force asks again", Declined::Gone)),
        reason => Some(format!("{reason}; --force asks all the same")),
    }
}

fn left_alone(until: Timestamp, now: Timestamp) -> String {
    let again = ahead(Some(until), now);
    format!("the server asked to be left alone and may be asked again {again}; --force does not lift that")
}

fn host_left_alone(until: Timestamp, now: Timestamp) -> String {
    let again = ahead(Some(until), now);
    format!(
        "its host asked to be left alone and may be asked again {again}; --force lifts that where no Retry-After says so"
    )
}

impl Report {
    fn add(&mut self, visit: Visit) {
        let mut line = Line::of(&visit.feed_url, visit.next_check_at, visit.next_check_reason);
        match visit.outcome {
            Outcome::Stored { added, changed, unchanged } => {
                self.refreshed += 1;
                self.items_added += added;
                self.items_changed += changed;
                (line.added, line.changed, line.unchanged) = (Some(added), Some(changed), Some(unchanged));
            }
            Outcome::NotModified => {
                self.not_modified += 1;
                line.outcome = "not_modified";
            }
            Outcome::Failed { reason } => {
                self.failed += 1;
                line.outcome = "failed";
                line.reason = Some(reason);
            }
        }
        self.feeds.push(line);
    }

    fn fail(&mut self, unreadable: &UnreadableFeed) {
        self.failed += 1;
        let line = Line::of(&unreadable.url, None, String::new());
        self.feeds.push(Line { outcome: "failed", reason: Some(unreadable.to_string()), ..line });
    }

    fn decline(&mut self, line: Line) {
        self.declined += 1;
        self.feeds.push(line);
    }

    fn lines(&self, now: Timestamp) -> Vec<String> {
        let line = |feed: &Line| {
            let what = match (feed.outcome, &feed.reason) {
                ("stored", _) => format!("{} new, {} changed", feed.added.unwrap_or(0), feed.changed.unwrap_or(0)),
                (outcome, None) => outcome.replace('_', " "),
                (outcome, Some(reason)) => format!("{outcome}: {reason}"),
            };
            let next = match feed.next_check_at {
                Some(_) => format!("; next {} ({})", ahead(feed.next_check_at, now), feed.next_check_reason),
                None => String::new(),
            };
            printable(&format!("{}  {what}{next}", feed.url))
        };
        let mut lines: Vec<String> = self.feeds.iter().map(line).collect();
        lines.push(format!(
            "{} refreshed, {} not modified, {} failed, {} declined; {} items new, {} changed",
            self.refreshed, self.not_modified, self.failed, self.declined, self.items_added, self.items_changed
        ));
        if self.delivered + self.deliveries_failed > 0 {
            lines.push(format!("{} delivered, {} deliveries failed", self.delivered, self.deliveries_failed));
        }
        lines
    }
}

impl Line {
    fn declined(feed: &FeedRecord, reason: String) -> Self {
        // What is not polled has no next time, whatever was planned before.
        let next_check_at = feed.next_check_at.filter(|_| feed.state == FeedState::Active);
        let line = Self::of(&feed.url, next_check_at, feed.next_check_reason.clone());
        Self { outcome: "declined", reason: Some(reason), ..line }
    }

    fn of(url: &str, next_check_at: Option<Timestamp>, next_check_reason: String) -> Self {
        Self {
            url: url.to_owned(),
            outcome: "stored",
            added: None,
            changed: None,
            unchanged: None,
            reason: None,
            next_check_at,
            next_check_reason,
        }
    }
}
