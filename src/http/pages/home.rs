//! What is new: the newest stories, what they are tagged with, what to subscribe to.

use super::layout::{Section, Site, page as whole_page};
use super::{chart, page, parts, search};
use crate::http::AppState;
use crate::http::documents::cut_page;
use crate::http::site::Parameters;
use crate::model::{DigestSpec, ItemId, Story, TagName, Timestamp};
use crate::store::{ItemFilter, ReadTx, StoreError};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

/// Items on a page.
const PAGE_ITEMS: usize = 50;
/// Days that a chart shows.
pub(super) const CHART_DAYS: u16 = 30;
/// Tags beside the stories; the rest is found on them.
const TAGS_SHOWN: usize = 14;
const DIGESTS_SHOWN: usize = 8;

#[derive(Debug, Deserialize)]
pub(super) struct HomeQuery {
    #[serde(default)]
    q: String,
    before: Option<i64>,
}

pub(super) async fn show(
    State(state): State<AppState>,
    Parameters(query): Parameters<HomeQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let before = query.before.map(ItemId);
    if !query.q.trim().is_empty() {
        return search::show(state, query.q, before, &uri, &headers).await;
    }
    page(state, &headers, &uri, move |tx, site| {
        let (stories, older) = newest_stories(tx, &ItemFilter { before, limit: PAGE_ITEMS, ..ItemFilter::default() })?;
        let overview = Overview {
            stories,
            older,
            tags: tx.tag_counts_since(start_of_chart(site.now))?,
            a_day: tx.items_a_day(site.now, CHART_DAYS)?,
            is_first: before.is_none(),
        };
        Ok(Some(write(site, &overview)))
    })
    .await
}

/// The first day of a chart, which like all of its days is one of UTC.
fn start_of_chart(now: Timestamp) -> Timestamp {
    const DAY_S: i64 = 86_400;
    let first = now.as_second().div_euclid(DAY_S) - i64::from(CHART_DAYS) + 1;
    Timestamp::from_second(first * DAY_S).unwrap_or(Timestamp::MIN)
}

struct Overview {
    stories: Vec<Story>,
    older: Option<ItemId>,
    /// Over the days of the chart.
    tags: Vec<(TagName, u64)>,
    a_day: Vec<u64>,
    is_first: bool,
}

/// The stories of the newest items, newest first, and where the next page begins.
pub(super) fn newest_stories(tx: &ReadTx<'_>, filter: &ItemFilter) -> Result<(Vec<Story>, Option<ItemId>), StoreError> {
    let items = tx.newest_items(&ItemFilter { limit: filter.limit + 1, ..filter.clone() })?;
    let (items, older) = cut_page(items, filter.limit, |item| item.id);
    let mut ids = Vec::new();
    for item in &items {
        if !ids.contains(&item.story_id) {
            ids.push(item.story_id);
        }
    }
    let mut stories = tx.stories(&ids)?;
    stories.sort_by_key(|story| std::cmp::Reverse(story.first().ordered_at()));
    Ok((stories, older))
}

fn write(site: &Site, overview: &Overview) -> Markup {
    let digests = digests_shown(site);
    let feeds = html! {
        link rel="alternate" type="text/x-opml" title="All digests" href="/digests.opml";
        @for spec in &digests { (parts::discovery(&format!("digests/{}", spec.name.0), &spec.title)) }
    };
    let main = html! {
        h1 { "What is new" }
        (search::search_box(""))
        div.columns {
            section aria-label="Stories" {
                @if overview.stories.is_empty() {
                    p.lead {
                        "Nothing yet. Stories show here once the first feeds have been refreshed; "
                        a href="/feeds" { "the feeds" } " tell when that is."
                    }
                }
                (parts::stories_by_day(site, &overview.stories))
                nav.pager aria-label="Pages" {
                    @if !overview.is_first { a href="/" { "Newest" } } @else { span {} }
                    @if let Some(older) = overview.older { a href={ "/?before=" (older.0) } rel="next" { "Older" } }
                }
            }
            aside aria-label="Overview" {
                @if !digests.is_empty() {
                    h2 { "Digests to subscribe to" }
                    (digests_aside(site, &digests))
                }
                @if !overview.tags.is_empty() {
                    h2 { "Tags of the last " (CHART_DAYS) " days" }
                    ul {
                        @for (tag, items) in overview.tags.iter().take(TAGS_SHOWN) {
                            li.row { a href={ "/tags/" (tag.0) } { (site.tag_title(tag)) } span.quiet { (items) } }
                        }
                    }
                }
                h2 { "Items a day" }
                (chart::items_a_day(&overview.a_day, site.now, "items"))
            }
        }
    };
    whole_page(site, Section::New, "veille", &feeds, &main)
}

/// The digests that somebody thought of, then those that tags make by themselves, up to a number.
fn digests_shown(site: &Site) -> Vec<&DigestSpec> {
    let mut public: Vec<_> = site.settings.digests.iter().filter(|digest| !digest.spec.private).collect();
    public.sort_by_key(|digest| digest.from_tag);
    public.into_iter().take(DIGESTS_SHOWN).map(|digest| &digest.spec).collect()
}

fn digests_aside(site: &Site, shown: &[&DigestSpec]) -> Markup {
    let public = site.settings.digests.iter().filter(|digest| !digest.spec.private).count();
    html! {
        ul {
            @for spec in shown {
                li {
                    a href={ "/digests/" (spec.name.0) } { (spec.title) }
                    (parts::formats(&format!("digests/{}", spec.name.0)))
                }
            }
            @if public > shown.len() { li { a href="/digests" { "All " (public) " digests" } } }
        }
    }
}
