//! A tag: its stories, the words that give it, and its digest.

use super::layout::{Section, Site, page as whole_page};
use super::{chart, home, page, parts};
use crate::http::AppState;
use crate::http::site::Parameters;
use crate::model::{ItemId, Story, TagName};
use crate::store::ItemFilter;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use std::collections::BTreeMap;

const PAGE_ITEMS: usize = 100;
const TERMS_SHOWN: usize = 12;

#[derive(Debug, Deserialize)]
pub(super) struct TagQuery {
    before: Option<i64>,
}

pub(super) async fn show(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Parameters(query): Parameters<TagQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    page(state, &headers, &uri, move |tx, site| {
        let tag = TagName(name);
        let is_configured = site.settings.rules.tags.iter().any(|rule| rule.name == tag);
        let filter = ItemFilter {
            tag: Some(tag.clone()),
            before: query.before.map(ItemId),
            limit: PAGE_ITEMS,
            ..ItemFilter::default()
        };
        let (stories, older) = home::newest_stories(tx, &filter)?;
        if !is_configured && stories.is_empty() {
            return Ok(None);
        }
        let carried =
            Carried { items: tx.tag_count(&tag)?, a_day: tx.tagged_items_a_day(&tag, site.now, home::CHART_DAYS)? };
        Ok(Some(write(site, &tag, &carried, &stories, older)))
    })
    .await
}

/// How much carries the tag.
struct Carried {
    items: u64,
    /// Over the days of the chart, oldest first.
    a_day: Vec<u64>,
}

fn write(site: &Site, tag: &TagName, carried: &Carried, stories: &[Story], older: Option<ItemId>) -> Markup {
    let title = site.tag_title(tag);
    let rule = site.settings.rules.tags.iter().find(|rule| rule.name == *tag);
    let digest = site.settings.digests.iter().find(|digest| digest.spec.name.0 == tag.0 && !digest.spec.private);
    let feed = html! { @if digest.is_some() { (parts::discovery(&format!("digests/{}", tag.0), title)) } };
    let main = html! {
        h1 { (title) }
        p.lead {
            (carried.items) " " (parts::plural(usize::try_from(carried.items).unwrap_or(usize::MAX), "item carries", "items carry"))
            " the tag " code { (tag.0) } "."
            @if rule.is_some() { " " a href={ "/rules?tag=" (tag.0) } { "Its rule" } } @else { " No rule of the config gives it any more." }
        }
        div.columns {
            section aria-label="Stories" {
                @if stories.is_empty() { p { "No item carries it yet." } }
                (parts::stories_by_day(site, stories))
                nav.pager aria-label="Pages" {
                    span {}
                    @if let Some(older) = older { a href={ "/tags/" (tag.0) "?before=" (older.0) } rel="next" { "Older" } }
                }
            }
            aside aria-label="About the tag" {
                @if digest.is_some() {
                    h2 { "Subscribe" }
                    (parts::formats(&format!("digests/{}", tag.0)))
                }
                h2 { "Items a day" }
                (chart::items_a_day(&carried.a_day, site.now, "items"))
                @let terms = terms_that_fire(tag, stories);
                @if !terms.is_empty() {
                    h2 { "What gave it, of late" }
                    ul { @for (term, count) in terms { li.row { bdi { (term) } span.quiet { (count) } } } }
                }
            }
        }
    };
    whole_page(site, Section::Other, title, &feed, &main)
}

/// The texts that made the rule hold in these stories, the most frequent first.
fn terms_that_fire(tag: &TagName, stories: &[Story]) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let matches = stories.iter().flat_map(|story| &story.items).flat_map(|item| &item.tags);
    for found in matches.filter(|found| found.tag == *tag) {
        for evidence in &found.evidence {
            let text = parts::cut(&evidence.text, 60);
            counts.entry(text.to_lowercase()).or_insert((text, 0)).1 += 1;
        }
    }
    let mut terms: Vec<(String, usize)> = counts.into_values().collect();
    terms.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    terms.truncate(TERMS_SHOWN);
    terms
}
