//! The frame of every page: head, skip link, navigation, main, foot.

use super::style;
use crate::config::Settings;
use crate::http::{AppState, publisher};
use crate::model::{TagName, Timestamp};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;

/// What every page knows of the service.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) settings: Arc<Settings>,
    pub(super) now: Timestamp,
    /// Something that the operator must see on whatever page they look at.
    pub(super) notice: Option<String>,
}

/// The section of the site that a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    New,
    Digests,
    Rules,
    Feeds,
    /// None of those in the navigation.
    Other,
}

impl Site {
    pub(super) fn new(state: &AppState) -> Self {
        let notice = state.health.refused_reload().map(|refused| {
            format!("The config has errors, so it was not reloaded; the one before stays in force.\n{}", refused.error)
        });
        Self { settings: state.settings(), now: state.now(), notice }
    }

    pub(super) fn time_zone(&self) -> &TimeZone {
        &self.settings.service.time_zone
    }

    /// What a tag is called.
    pub(super) fn tag_title<'a>(&'a self, tag: &'a TagName) -> &'a str {
        let rule = self.settings.rules.tags.iter().find(|rule| rule.name == *tag);
        rule.map_or(tag.0.as_str(), |rule| rule.title.as_str())
    }

    /// An address of ours as the outside sees it.
    pub(super) fn address(&self, path: &str) -> String {
        publisher(&self.settings).address(path)
    }
}

/// A whole page.
pub(super) fn page(site: &Site, section: Section, title: &str, head: &Markup, main: &Markup) -> Markup {
    let notice = html! {
        @if let Some(notice) = &site.notice {
            section.notice aria-label="Notice" {
                @let (first, rest) = notice.split_once('\n').unwrap_or((notice, ""));
                p { (first) }
                @if !rest.trim().is_empty() { pre { (rest.trim()) } }
            }
        }
    };
    frame(section, title, head, &notice, main)
}

fn frame(section: Section, title: &str, head: &Markup, notice: &Markup, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) @if title != "veille" { " · veille" } }
                link rel="stylesheet" href=(style::path());
                link rel="icon" href="/favicon.svg" type="image/svg+xml";
                (head)
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.site {
                    a.wordmark href="/" { "veille" }
                    nav aria-label="Main" {
                        ul {
                            (nav_link(section, Section::New, "/", "New"))
                            (nav_link(section, Section::Digests, "/digests", "Digests"))
                            (nav_link(section, Section::Rules, "/rules", "Rules"))
                            (nav_link(section, Section::Feeds, "/feeds", "Feeds"))
                        }
                    }
                }
                (notice)
                main id="main" tabindex="-1" { (main) }
                footer.site {
                    p {
                        "Kept by veille. " a href="/digests.opml" { "All digests as OPML" } " · "
                        a href="/api/v1/status" { "JSON" }
                    }
                }
            }
        }
    }
}

fn nav_link(current: Section, section: Section, href: &str, label: &str) -> Markup {
    html! { li { a href=(href) aria-current=[(current == section).then_some("page")] { (label) } } }
}

/// A small page that says no.
pub(in crate::http) fn error_page(status: StatusCode, reason: &str) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let main = html! {
        h1 { (title) }
        p { (sentence(reason)) }
        p { a href="/" { "What is new" } }
    };
    let markup = frame(Section::Other, title, &html! {}, &html! {}, &main);
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], markup.into_string())
        .into_response()
}

fn sentence(reason: &str) -> String {
    let mut characters = reason.chars();
    match characters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), characters.as_str()),
        None => String::new(),
    }
}
