//! `veille status`: one screen on how the watch is doing.

use super::digests::{output_in_words, shown_target};
use super::output::{print_json, print_lines, printable};
use super::{Context, Workplace};
use crate::model::{FeedHealth, FeedState, NoticeKind, OutputHealth, TagName, Timestamp};
use crate::notices;
use crate::store::Counts;
use serde::Serialize;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Days of the items-a-day row.
const DAYS: u16 = 14;
/// Failing feeds named before the rest is counted.
const FAILING_SHOWN: usize = 10;

/// Show feeds due and failing, the last refresh, items a day, tags and the database's size
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Status {
    #[serde(flatten)]
    counts: Counts,
    items_a_day: Vec<u64>,
    tags: Vec<TagStatus>,
    failing: Vec<FailingFeed>,
    /// What else is the matter, by kind.
    others: BTreeMap<&'static str, u64>,
    failing_outputs: Vec<OutputHealth>,
}

#[derive(Debug, Serialize)]
struct TagStatus {
    tag: TagName,
    items: u64,
    newest_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct FailingFeed {
    url: String,
    is_gone: bool,
    error: String,
    failing_since_at: Option<Timestamp>,
    next_check_at: Option<Timestamp>,
}

pub fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let now = Workplace::now();
    let zone = workplace.settings.service.time_zone.clone();
    let status = workplace.block_on(async |store| {
        store
            .read(move |tx| {
                let feeds = tx.feeds(now)?;
                let mut others = BTreeMap::new();
                for (kind, _) in feeds.iter().flat_map(|feed| notices::matters(&feed.condition(), now, &zone)) {
                    if !matches!(kind, NoticeKind::Failing | NoticeKind::Gone) {
                        *others.entry(kind.name()).or_default() += 1;
                    }
                }
                let failing = feeds.into_iter().filter(FeedHealth::is_failing);
                Ok(Status {
                    counts: tx.counts(now)?,
                    items_a_day: tx.items_a_day(now, DAYS)?,
                    tags: tx
                        .tag_counts()?
                        .into_iter()
                        .map(|(tag, items, newest_at)| TagStatus { tag, items, newest_at })
                        .collect(),
                    failing_outputs: tx
                        .outputs(None)?
                        .into_iter()
                        .filter(|output| output.last_error.is_some() || output.stopped_at.is_some())
                        .map(|output| OutputHealth { target: shown_target(&output), ..output })
                        .collect(),
                    others,
                    failing: failing
                        .map(|feed| FailingFeed {
                            is_gone: feed.state == FeedState::Gone,
                            url: feed.url,
                            error: feed.last_error.unwrap_or_default(),
                            failing_since_at: feed.failing_since_at,
                            next_check_at: feed.next_check_at,
                        })
                        .collect(),
                })
            })
            .await
    })?;
    if context.json {
        print_json(&status)?;
    } else {
        print_lines(screen(&status, now))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn screen(status: &Status, now: Timestamp) -> Vec<String> {
    let counts = &status.counts;
    let mut lines = vec![
        format!("feeds       {} ({} due, {} failing)", counts.feeds, counts.feeds_due, counts.feeds_failing),
        format!("refreshed   {}, next {}", ago(counts.last_refresh_at, now), ahead(counts.next_check_at, now)),
        format!("items       {} in {} stories, {} tagged", counts.items, counts.stories, counts.tagged_items),
        format!("a day       {}", status.items_a_day.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")),
        format!("database    {}", size(counts.database_bytes)),
    ];
    if !status.tags.is_empty() {
        lines.push(String::new());
        let tag =
            |tag: &TagStatus| format!("{:>7}  {:<24} newest {}", tag.items, tag.tag.0, ago(Some(tag.newest_at), now));
        lines.extend(status.tags.iter().map(tag));
    }
    if !status.failing.is_empty() {
        lines.push(String::new());
        let failing = |feed: &FailingFeed| {
            let (word, next) = if feed.is_gone {
                ("gone", "not tried again by itself".to_owned())
            } else {
                ("failing", format!("next try {}", ahead(feed.next_check_at, now)))
            };
            printable(&format!(
                "{word:<11} {} since {}: {}; {next}",
                feed.url,
                ago(feed.failing_since_at, now),
                feed.error
            ))
        };
        lines.extend(status.failing.iter().take(FAILING_SHOWN).map(failing));
        if let Some(more @ 1..) = status.failing.len().checked_sub(FAILING_SHOWN) {
            lines.push(format!("            … and {more} more: `veille feeds`"));
        }
        lines.push("            what can be done: `veille feeds fix`".to_owned());
    }
    if !status.others.is_empty() {
        let kinds: Vec<String> = status.others.iter().map(|(kind, feeds)| format!("{feeds} {kind}")).collect();
        lines.push(format!("besides     {}: `veille feeds` tells more", kinds.join(", ")));
    }
    if !status.failing_outputs.is_empty() {
        lines.push(String::new());
        let failing = |output: &OutputHealth| {
            let words = output_in_words(output, now);
            printable(&format!(
                "failing     {} of {} to {}: {words}",
                output.kind.name(),
                output.digest.0,
                output.target
            ))
        };
        lines.extend(status.failing_outputs.iter().take(FAILING_SHOWN).map(failing));
        if let Some(more @ 1..) = status.failing_outputs.len().checked_sub(FAILING_SHOWN) {
            lines.push(format!("            … and {more} more: `veille digests`"));
        }
    }
    lines
}

/// `3h 20m ago`; `never`.
pub(super) fn ago(at: Option<Timestamp>, now: Timestamp) -> String {
    at.map_or_else(|| "never".into(), |at| format!("{} ago", span(now.duration_since(at).as_secs())))
}

/// `in 25m`; `now`; `never`.
pub(super) fn ahead(at: Option<Timestamp>, now: Timestamp) -> String {
    match at.map(|at| at.duration_since(now).as_secs()) {
        None => "never".into(),
        Some(..=0) => "now".into(),
        Some(seconds) => format!("in {}", span(seconds)),
    }
}

fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {minutes}m"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}

fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes < MIB { format!("{} KiB", bytes >> 10) } else { format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_a_person_would_say_them() {
        for (seconds, words) in [(5, "5s"), (61, "1m"), (3_700, "1h 1m"), (90_000, "1d 1h"), (-4, "0s")] {
            assert_eq!(span(seconds), words);
        }
        assert_eq!(size(1_572_864), "1.5 MiB");
    }
}
