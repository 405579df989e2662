//! An issue as HTML and as plain text: good to read in a reader, in a mail and on a page.
//!
//! Semantic HTML alone: no script, no style, no image of ours, so nothing for a reader to strip. Times are
//! in the service's zone.

use crate::digest::entry::{SUMMARY_CHARS, abridged};
use crate::model::{EntryLink, PublishedEntry, Timestamp};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use std::fmt::Write as _;

/// Stories under a heading; the heading is empty when stories are not grouped.
#[derive(Debug, Clone, PartialEq)]
pub struct IssueGroup {
    pub heading: String,
    pub entries: Vec<PublishedEntry>,
}

/// What an issue lists.
#[derive(Debug, Clone, PartialEq)]
pub struct IssueList {
    pub groups: Vec<IssueGroup>,
    /// How many stories more there are on its page.
    pub more: usize,
}

/// An issue's stories as HTML. `url` is its page.
#[must_use]
pub fn issue_html(IssueList { groups, more }: &IssueList, url: &str, time_zone: &TimeZone) -> String {
    html! {
        @for group in groups {
            @if !group.heading.is_empty() { h2 { (group.heading) } }
            ul { @for entry in group.entries.iter() { li { (story(entry, time_zone)) } } }
        }
        @if *more > 0 { p { "And " a href=(url) { (more_stories(*more)) } "." } }
        @if groups.iter().all(|group| group.entries.is_empty()) { p { (NOTHING) } }
    }
    .into_string()
}

/// The same as plain text.
#[must_use]
pub fn issue_plain_text(IssueList { groups, more }: &IssueList, url: &str, time_zone: &TimeZone) -> String {
    let mut text = String::new();
    for group in groups {
        if !group.heading.is_empty() {
            let _ = write!(text, "{}\n{}\n\n", group.heading, "=".repeat(group.heading.chars().count()));
        }
        for entry in &group.entries {
            plain_story(&mut text, entry, time_zone);
        }
    }
    if *more > 0 {
        let _ = writeln!(text, "And {}: {url}", more_stories(*more));
    }
    if groups.iter().all(|group| group.entries.is_empty()) {
        text.push_str(NOTHING);
        text.push('\n');
    }
    text
}

fn more_stories(more: usize) -> String {
    if more == 1 { "1 more story".to_owned() } else { format!("{more} more stories") }
}

pub(super) const NOTHING: &str = "Nothing entered in this period.";

fn story(entry: &PublishedEntry, time_zone: &TimeZone) -> Markup {
    let printed_at = printed(entry.published_at, time_zone);
    html! {
        p {
            strong lang=[entry.language.as_deref()] {
                bdi { @if let Some(url) = &entry.url { a href=(url) { (entry.title) } } @else { (entry.title) } }
            }
            br;
            @if let Some(source) = &entry.source { cite { (source.title) } ", " }
            time datetime=(entry.published_at) { (printed_at) }
            @if let Some(language) = &entry.language { " · " (language) }
            @if !entry.other_sources.is_empty() { " · also " (links(&entry.other_sources)) }
        }
        @let summary = summary(entry);
        @if !summary.is_empty() { p lang=[entry.language.as_deref()] { (summary) } }
        (reasons(&entry.reasons))
    }
}

/// Why a story is here, a line a tag.
pub(super) fn reasons(reasons: &[String]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            p { small { @for (index, reason) in reasons.iter().enumerate() { @if index > 0 { br; } (reason) } } }
        }
    }
}

/// Sources as links with commas between them.
pub(super) fn links(sources: &[EntryLink]) -> Markup {
    html! {
        @for (index, source) in sources.iter().enumerate() {
            @if index > 0 { ", " }
            @if let Some(url) = &source.url { a href=(url) { (source.title) } } @else { (source.title) }
        }
    }
}

fn plain_story(text: &mut String, entry: &PublishedEntry, time_zone: &TimeZone) {
    let _ = writeln!(text, "* {}", entry.title);
    let source = entry.source.as_ref().map(|source| format!("{}, ", source.title)).unwrap_or_default();
    let language = entry.language.as_ref().map(|language| format!(" · {language}")).unwrap_or_default();
    let others: Vec<&str> = entry.other_sources.iter().map(|other| other.title.as_str()).collect();
    let others = if others.is_empty() { String::new() } else { format!(" · also {}", others.join(", ")) };
    let _ = writeln!(text, "  {source}{}{language}{others}", printed(entry.published_at, time_zone));
    if let Some(url) = &entry.url {
        let _ = writeln!(text, "  {url}");
    }
    let summary = summary(entry);
    if !summary.is_empty() {
        let _ = writeln!(text, "  {summary}");
    }
    for reason in &entry.reasons {
        let _ = writeln!(text, "  ({reason})");
    }
    text.push('\n');
}

/// The beginning of the summary on one line, unless it only repeats the title.
fn summary(entry: &PublishedEntry) -> String {
    let line = entry.summary.split_whitespace().collect::<Vec<_>>().join(" ");
    if line == entry.title { String::new() } else { abridged(&line, SUMMARY_CHARS) }
}

/// `Tue 24 Nov 2026, 08:00`: no month or day in figures that two countries would read differently.
pub(super) fn printed(at: Timestamp, time_zone: &TimeZone) -> String {
    at.to_zoned_datetime(time_zone.clone()).strftime("%a %-d %b %Y, %H:%M").to_string()
}
