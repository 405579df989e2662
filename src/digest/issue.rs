//! An issue as an entry: its stories ranked, grouped, and printed.

use crate::digest::issue_text::{self, IssueGroup, IssueList, issue_html};
use crate::digest::{Publisher, story_entry};
use crate::model::{
    DigestSpec, FeedId, GroupBy, ISSUE_STORIES, Issue, Membership, PublishedCategory, PublishedEntry, Story, TagName,
};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

/// The heading of stories that no tag gathers.
const OTHER: &str = "Other";

/// Titles that stand in an issue's summary.
const TITLES_IN_SUMMARY: usize = 3;

/// An issue as an entry of its digest, dated by the end of its period. `digest_url` is the digest's page.
#[must_use]
pub fn issue_entry(
    spec: &DigestSpec,
    issue: &Issue,
    stories: &[(Membership, Story)],
    digest_url: &str,
    publisher: &Publisher,
) -> PublishedEntry {
    let url = format!("{digest_url}/{}", issue.period);
    let list = issue_list(stories, spec.kind.group_by(), publisher);
    let was_changed = issue.updated_at > issue.cut_at;
    PublishedEntry {
        id: issue.entry_id.clone(),
        title: issue_title(spec, issue, publisher),
        published_at: issue.ends_at,
        updated_at: if was_changed { issue.updated_at.max(issue.ends_at) } else { issue.ends_at },
        authors: Vec::new(),
        categories: categories(&list.groups),
        summary: summary(&list),
        content_html: issue_html(&list, &url, &publisher.time_zone),
        url: Some(url),
        source: None,
        other_sources: Vec::new(),
        reasons: Vec::new(),
        language: common_language(&list.groups),
        enclosures: Vec::new(),
    }
}

/// What an issue is called: by its digest and its period.
#[must_use]
pub fn issue_title(spec: &DigestSpec, issue: &Issue, publisher: &Publisher) -> String {
    format!("{}: {}", spec.title, period_label(issue, publisher))
}

/// The period's name; a cron schedule's, which is an instant of UTC, as a time of the service's zone.
#[must_use]
pub fn period_label(issue: &Issue, publisher: &Publisher) -> String {
    if issue.period.contains('T') {
        issue_text::printed(issue.ends_at, &publisher.time_zone)
    } else {
        issue.period.clone()
    }
}

/// An issue's stories in the order in which they are read: groups as asked, and in each group the story
/// that most feeds tell first, then the one with the highest score, then the newest.
///
/// Grouped by tag, a story stands once, under the tag of its own that has most stories in the issue; the
/// digest's own tag, which all of them carry, would make one group of everything and is passed over
/// where a story has another.
#[must_use]
pub fn issue_groups(stories: &[(Membership, Story)], group_by: GroupBy, publisher: &Publisher) -> Vec<IssueGroup> {
    grouped(&ranked(stories), group_by, publisher)
}

/// What an issue lists where it is sent: of very many stories the first by that order.
#[must_use]
pub fn issue_list(stories: &[(Membership, Story)], group_by: GroupBy, publisher: &Publisher) -> IssueList {
    let mut listed = ranked(stories);
    listed.truncate(ISSUE_STORIES as usize);
    IssueList { groups: grouped(&listed, group_by, publisher), more: stories.len() - listed.len() }
}

fn ranked(stories: &[(Membership, Story)]) -> Vec<&(Membership, Story)> {
    let mut ranked: Vec<_> = stories.iter().collect();
    ranked.sort_by(|a, b| by_rank(&a.1, &b.1).then_with(|| a.0.entry_id.cmp(&b.0.entry_id)));
    ranked
}

fn grouped(ranked: &[&(Membership, Story)], group_by: GroupBy, publisher: &Publisher) -> Vec<IssueGroup> {
    let counts = tag_counts(ranked);
    let mut by_heading: BTreeMap<String, Vec<PublishedEntry>> = BTreeMap::new();
    for (membership, story) in ranked {
        let heading = match group_by {
            GroupBy::None => String::new(),
            GroupBy::Feed => story.first().feed_title.clone(),
            GroupBy::Tag => heading_tag(story, &counts, ranked.len())
                .map_or_else(|| OTHER.to_owned(), |tag| publisher.tag_title(tag).to_owned()),
        };
        by_heading.entry(heading).or_default().push(story_entry(story, membership, publisher));
    }
    let mut groups: Vec<IssueGroup> =
        by_heading.into_iter().map(|(heading, entries)| IssueGroup { heading, entries }).collect();
    groups.sort_by_key(|group| (group.heading == OTHER, Reverse(group.entries.len())));
    groups
}

fn by_rank(a: &Story, b: &Story) -> Ordering {
    let feeds = |story: &Story| story.items.iter().map(|item| item.feed_id).collect::<BTreeSet<FeedId>>().len();
    let newest = |story: &Story| story.first().ordered_at();
    feeds(b).cmp(&feeds(a)).then_with(|| score(b).total_cmp(&score(a))).then_with(|| newest(b).cmp(&newest(a)))
}

/// The sum of a story's scores, each tag counted once with its best.
pub(super) fn score(story: &Story) -> f64 {
    let mut best: BTreeMap<&TagName, f64> = BTreeMap::new();
    for tag in story.items.iter().flat_map(|item| &item.tags) {
        let known = best.entry(&tag.tag).or_insert(tag.score);
        *known = known.max(tag.score);
    }
    best.values().sum()
}

/// In how many of the stories each tag is.
fn tag_counts<'a>(stories: &[&'a (Membership, Story)]) -> BTreeMap<&'a TagName, usize> {
    let mut counts = BTreeMap::new();
    for (_, story) in stories {
        for tag in tags(story) {
            *counts.entry(tag).or_insert(0) += 1;
        }
    }
    counts
}

fn tags(story: &Story) -> BTreeSet<&TagName> {
    story.items.iter().flat_map(|item| &item.tags).map(|tag| &tag.tag).collect()
}

/// The story's tag that gathers most stories but not all of them; else the one that gathers most.
fn heading_tag<'a>(story: &'a Story, counts: &BTreeMap<&TagName, usize>, stories: usize) -> Option<&'a TagName> {
    let gathers = |tag: &TagName| counts.get(tag).copied().unwrap_or(0);
    // `max_by_key` takes the last of equals: reversed, that is the first name.
    tags(story).into_iter().rev().max_by_key(|tag| (gathers(tag) < stories, gathers(tag)))
}

fn entries(groups: &[IssueGroup]) -> impl Iterator<Item = &PublishedEntry> {
    groups.iter().flat_map(|group| &group.entries)
}

fn categories(groups: &[IssueGroup]) -> Vec<PublishedCategory> {
    let all: BTreeSet<&PublishedCategory> = entries(groups).flat_map(|entry| &entry.categories).collect();
    all.into_iter().cloned().collect()
}

/// How much, and the first titles: `12 stories: …; …; …`.
fn summary(list: &IssueList) -> String {
    let count = entries(&list.groups).count() + list.more;
    let titles: Vec<&str> = entries(&list.groups).take(TITLES_IN_SUMMARY).map(|entry| entry.title.as_str()).collect();
    match count {
        0 => issue_text::NOTHING.to_owned(),
        1 => format!("1 story: {}", titles.join("; ")),
        _ => format!("{count} stories: {}{}", titles.join("; "), if count > titles.len() { "; …" } else { "" }),
    }
}

fn common_language(groups: &[IssueGroup]) -> Option<String> {
    super::document::common_language(entries(groups))
}
