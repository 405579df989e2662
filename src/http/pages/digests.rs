//! The digests, one digest, one issue.

use super::layout::{Section, Site, page as whole_page};
use super::{page, parts};
use crate::config::DigestSettings;
use crate::digest::{Publisher, issue_groups, issue_title, period_label};
use crate::http::AppState;
use crate::http::documents::{Place, cut_page, publisher};
use crate::model::{DigestKind, Issue, IssueId, Membership, OutputHealth, OutputKind, PublishedEntry, Schedule, Story};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use maud::{Markup, html};

/// Stories or issues on a digest's page.
const PAGE_ENTRIES: usize = 50;

pub(super) async fn list(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    page(state, &headers, &uri, |tx, site| {
        let mut digests = Vec::new();
        for digest in site.settings.digests.iter().filter(|digest| !digest.spec.private) {
            digests.push((digest, tx.digest_size(&digest.spec.name)?));
        }
        Ok(Some(write_list(site, &digests)))
    })
    .await
}

fn write_list(site: &Site, digests: &[(&DigestSettings, u64)]) -> Markup {
    let main = html! {
        h1 { "Digests" }
        @if digests.is_empty() {
            p { "The config has no public digest yet; see " code { "digests.toml" } "." }
        } @else {
            p.lead {
                "Add an address to the reader of your choice, or import "
                a href="/digests.opml" { "all of them as OPML" } "."
            }
        }
        ul.cards {
            @for (digest, stories) in digests {
                li {
                    h2 { a href={ "/digests/" (digest.spec.name.0) } { (digest.spec.title) } }
                    @if let Some(description) = &digest.spec.description { p { (description) } }
                    p.quiet {
                        (rhythm(&digest.spec.kind)) ", " (stories) " "
                        (parts::plural(usize::try_from(*stories).unwrap_or(usize::MAX), "story", "stories"))
                    }
                    (parts::formats(&format!("digests/{}", digest.spec.name.0)))
                }
            }
        }
    };
    whole_page(site, Section::Digests, "Digests", &html! {}, &main)
}

/// How often something new comes, in words.
fn rhythm(kind: &DigestKind) -> Markup {
    html! {
        @match kind {
            DigestKind::Stream => "An entry for each story",
            DigestKind::Periodic { schedule, .. } => @match schedule {
                Schedule::Day { at } => { "An issue every day at " (at.strftime("%H:%M")) }
                Schedule::Week { on, at } => { "An issue every " (format!("{on:?}")) " at " (at.strftime("%H:%M")) }
                Schedule::Month { day, at } => { "An issue on day " (day) " of each month at " (at.strftime("%H:%M")) }
                Schedule::Cron(pattern) => { "An issue by " code { (pattern) } }
            }
        }
    }
}

/// What a digest's page lists.
enum Members {
    Stories(Vec<Story>, Option<i64>),
    Issues(Vec<Issue>, Option<i64>),
}

pub(in crate::http) async fn show_digest(
    state: AppState,
    place: Place,
    before: Option<i64>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    page(state, headers, uri, move |tx, site| {
        let Some(digest) = place.digest(&site.settings) else { return Ok(None) };
        let members = match digest.spec.kind {
            DigestKind::Stream => {
                let (stories, older) = tx.digest_page(&digest.spec.name, before, PAGE_ENTRIES)?;
                Members::Stories(stories.into_iter().map(|(_, story)| story).collect(), older)
            }
            DigestKind::Periodic { .. } => {
                let issues = tx.issues(&digest.spec.name, before.map(IssueId), PAGE_ENTRIES + 1)?;
                let (issues, older) = cut_page(issues, PAGE_ENTRIES, |issue| issue.id.0);
                Members::Issues(issues, older)
            }
        };
        let outputs = tx.outputs(Some(&digest.spec.name))?;
        Ok(Some(write_digest(site, digest, &place.path, &members, &outputs)))
    })
    .await
}

fn write_digest(
    site: &Site,
    digest: &DigestSettings,
    path: &str,
    members: &Members,
    outputs: &[OutputHealth],
) -> Markup {
    let spec = &digest.spec;
    let head = parts::discovery(path, &spec.title);
    let main = html! {
        h1 { (spec.title) }
        @if let Some(description) = &spec.description { p.lead { (description) } }
        div.columns {
            section aria-label="Entries" {
                @match members {
                    Members::Stories(stories, older) => {
                        @if stories.is_empty() { p { "No story has entered it yet." } }
                        (parts::stories_by_day(site, stories))
                        (pager(path, *older))
                    }
                    Members::Issues(issues, older) => {
                        @if issues.is_empty() { p { "Its first issue has not been cut yet." } }
                        ol.stories { @for issue in issues { li { (issue_line(site, path, issue)) } } }
                        (pager(path, *older))
                    }
                }
            }
            aside aria-label="Subscribe" {
                h2 { "Subscribe" }
                p { code.address { (site.address(&format!("{path}.atom"))) } }
                (parts::formats(path))
                (pushed(outputs))
                h2 { "What it gathers" }
                p { code { (digest.query_text) } }
                p.quiet { (rhythm(&spec.kind)) "." }
            }
        }
    };
    whole_page(site, Section::Digests, &spec.title, &head, &main)
}

/// How the digest is pushed. To whom is not for everybody who sees the page: `veille digests show` tells it.
fn pushed(outputs: &[OutputHealth]) -> Markup {
    let of_kind = |kind| outputs.iter().filter(move |output: &&OutputHealth| output.kind == kind);
    html! {
        @if !outputs.is_empty() {
            h2 { "Pushed" }
            ul {
                @for (kind, words) in [
                    (OutputKind::Webhook, "webhooks"),
                    (OutputKind::Email, "mail readers"),
                    (OutputKind::Hub, "WebSub hubs"),
                    (OutputKind::Subscription, "WebSub subscribers"),
                ] {
                    @let count = of_kind(kind).count();
                    @let waiting: u64 = of_kind(kind).map(|output| output.waiting).sum();
                    @if count > 0 {
                        li { (words) ": " (count) @if waiting > 0 { ", " (waiting) " deliveries waiting" } }
                    }
                }
            }
        }
    }
}

fn pager(path: &str, older: Option<i64>) -> Markup {
    html! {
        nav.pager aria-label="Pages" {
            span {}
            @if let Some(older) = older { a href={ "/" (path) "?before=" (older) } rel="next" { "Older" } }
        }
    }
}

fn issue_line(site: &Site, path: &str, issue: &Issue) -> Markup {
    let stories = usize::try_from(issue.story_count).unwrap_or(usize::MAX);
    html! {
        h3 { a href={ "/" (path) "/" (issue.period) } { (period_label(issue, &publisher(&site.settings))) } }
        p.meta { (stories) " " (parts::plural(stories, "story", "stories")) ", until " (parts::time(site, issue.ends_at)) }
    }
}

pub(super) async fn issue(
    State(state): State<AppState>,
    Path((name, period)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    show_issue(state, Place::public(&name), period, &uri, &headers).await
}

pub(in crate::http) async fn show_issue(
    state: AppState,
    place: Place,
    period: String,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    page(state, headers, uri, move |tx, site| {
        let Some(digest) = place.digest(&site.settings) else { return Ok(None) };
        let Some(issue) = tx.issue(&digest.spec.name, &period)? else { return Ok(None) };
        let stories = tx.issue_stories(issue.id)?;
        let name = &digest.spec.name;
        let beside = [tx.issue_after(name, issue.id)?, tx.issues(name, Some(issue.id), 1)?.pop()];
        Ok(Some(write_issue(site, digest, &place.path, &issue, &stories, &beside)))
    })
    .await
}

fn write_issue(
    site: &Site,
    digest: &DigestSettings,
    path: &str,
    issue: &Issue,
    stories: &[(Membership, Story)],
    beside: &[Option<Issue>; 2],
) -> Markup {
    let publisher = publisher(&site.settings);
    let title = issue_title(&digest.spec, issue, &publisher);
    let groups = issue_groups(stories, digest.spec.kind.group_by(), &publisher);
    let main = html! {
        nav.trail aria-label="Trail" { a href={ "/" (path) } { (digest.spec.title) } }
        h1 { (title) }
        p.meta { "From " (parts::time(site, issue.starts_at)) " to " (parts::time(site, issue.ends_at)) }
        @for group in &groups {
            @if !group.heading.is_empty() { h2 { bdi { (group.heading) } } }
            ol.stories { @for entry in &group.entries { li { (entry_in_issue(site, entry)) } } }
        }
        @if groups.is_empty() { p { "Nothing entered it in this time." } }
        (issue_pager(path, beside, &publisher))
        p.quiet { "Subscribe:" } (parts::formats(path))
    };
    whole_page(site, Section::Digests, &title, &parts::discovery(path, &digest.spec.title), &main)
}

/// The issues after and before this one.
fn issue_pager(path: &str, [newer, older]: &[Option<Issue>; 2], publisher: &Publisher) -> Markup {
    let link = |issue: &Option<Issue>, relation: &str, arrow: &str| {
        html! {
            span {
                @if let Some(issue) = issue {
                    a href={ "/" (path) "/" (issue.period) } rel=(relation) { (arrow) " " (period_label(issue, publisher)) }
                }
            }
        }
    };
    html! { nav.pager aria-label="Issues" { (link(newer, "prev", "Newer:")) (link(older, "next", "Older:")) } }
}

fn entry_in_issue(site: &Site, entry: &PublishedEntry) -> Markup {
    let summary = parts::cut(&entry.summary, 400);
    html! {
        article {
            h3 lang=[entry.language.as_deref()] { (parts::link_out(entry.url.as_deref(), &entry.title)) }
            @if !summary.is_empty() { p lang=[entry.language.as_deref()] dir="auto" { (summary) } }
            p.meta {
                @if let Some(source) = &entry.source { bdi { (source.title) } " · " }
                (parts::time(site, entry.published_at))
                @if let Some(language) = &entry.language { " · " (language) }
                @for (index, other) in entry.other_sources.iter().enumerate() {
                    @if index == 0 { " · also told by " } @else { ", " }
                    (parts::link_out(other.url.as_deref(), &other.title))
                }
            }
            @for reason in &entry.reasons { p.meta { bdi { (reason) } } }
        }
    }
}
