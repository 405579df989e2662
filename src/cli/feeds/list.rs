//! Each feed's health, in plain words.

use crate::cli::output::{print_json, print_lines, printable};
use crate::cli::status::{ago, ahead};
use crate::cli::{Context, Workplace};
use crate::model::{FeedHealth, FeedState, NoticeKind, Timestamp};
use crate::notices;
use jiff::tz::TimeZone;
use std::process::ExitCode;

pub(super) fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let now = Workplace::now();
    let feeds = workplace.block_on(async |store| store.read(move |tx| tx.feeds(now)).await)?;
    if context.json {
        print_json(&feeds)?;
    } else {
        let zone = &workplace.settings.service.time_zone;
        print_lines(feeds.iter().map(|feed| printable_lines(feed, now, zone)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn printable_lines(feed: &FeedHealth, now: Timestamp, zone: &TimeZone) -> String {
    let matters = notices::matters(&feed.condition(), now, zone);
    let first = format!("{:<9} {}  {}", condition(feed, &matters), feed.title, feed.url);
    let items = format!("{} items, {} this week", feed.items, feed.items_last_week);
    let refreshed = format!("refreshed {}", ago(feed.last_refresh_at, now));
    let next = match feed.state {
        FeedState::Active => format!("next {} ({})", ahead(feed.next_check_at, now), feed.next_check_reason),
        FeedState::Gone => "not polled: `veille poll --force URL` asks again".to_owned(),
        FeedState::Duplicate => "not polled: another feed leads to the same address".to_owned(),
        FeedState::Disabled => "not polled: `enabled = false`".to_owned(),
        FeedState::Removed => "not polled: no longer in the config".to_owned(),
    };
    let mut lines = vec![printable(&first), printable(&format!("          {items}, {refreshed}, {next}"))];
    lines.extend(matters.iter().map(|(_, advice)| printable(&format!("          {advice}"))));
    if let Some(offered) = &feed.offered_url {
        let take = format!("`veille feeds fix {}` takes it", feed.configured_url);
        lines.push(printable(&format!("          the site now offers {offered}: {take}")));
    }
    lines.join("\n")
}

fn condition(feed: &FeedHealth, matters: &[(NoticeKind, String)]) -> &'static str {
    match (feed.state, matters.first()) {
        (FeedState::Active, Some((kind, _))) => kind.name(),
        (state, _) => condition_of(state, feed),
    }
}

fn condition_of(state: FeedState, feed: &FeedHealth) -> &'static str {
    match state {
        FeedState::Active if feed.last_refresh_at.is_none() => "new",
        FeedState::Active => "ok",
        FeedState::Gone => "gone",
        FeedState::Duplicate => "duplicate",
        FeedState::Disabled => "disabled",
        FeedState::Removed => "removed",
    }
}
