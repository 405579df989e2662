//! One item, or one story with all who tell it, with the evidence for its tags marked in the text.

use super::layout::{Section, Site, page as whole_page};
use super::marks::{marked, marked_paragraphs, spans_in};
use super::{page, parts};
use crate::http::AppState;
use crate::model::{Field, Item, ItemId, Story, StoryId, TagMatch, TagOrigin};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use maud::{Markup, html};

pub(super) async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    page(state, &headers, &uri, move |tx, site| {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(tx.item(ItemId(id))?.map(|item| {
            let story = html! { p { a href={ "/stories/" (item.story_id.0) } { "The story, with all who tell it" } } };
            let main = html! { article { (heading(site, &item)) (body(&item)) (evidence(site, &item)) (story) } };
            whole_page(site, Section::Other, parts::title(&item), &html! {}, &main)
        }))
    })
    .await
}

pub(super) async fn show_story(
    State(state): State<AppState>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    page(state, &headers, &uri, move |tx, site| {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(tx.story(StoryId(id))?.map(|story| write_story(site, &story)))
    })
    .await
}

fn write_story(site: &Site, story: &Story) -> Markup {
    let first = story.first();
    let main = html! {
        article {
            (heading(site, first))
            (body(first))
            (evidence(site, first))
        }
        @if story.items.len() > 1 {
            section aria-labelledby="others" {
                h2 id="others" { "Also told by" }
                (parts::items_list(site, &story.items[1..]))
            }
        }
    };
    whole_page(site, Section::Other, parts::title(first), &html! {}, &main)
}

fn heading(site: &Site, item: &Item) -> Markup {
    let content = &item.content;
    let title = if content.title.trim().is_empty() { parts::title(item) } else { content.title.as_str() };
    let spans = if content.title.trim().is_empty() { Vec::new() } else { spans_in(item, Field::Title) };
    html! {
        h1 lang=[content.language.as_deref()] { bdi { (marked(title, &spans)) } }
        (parts::tags(site, &item.tags.iter().map(|tag| &tag.tag).collect::<Vec<_>>()))
        dl.facts {
            dt { "Source" } dd { (parts::link_out(item.site_url.as_deref(), &item.feed_title)) }
            @if !content.authors.is_empty() { dt { "By" } dd { bdi { (content.authors.join(", ")) } } }
            @if let Some(at) = content.published_at { dt { "Published" } dd { (parts::time(site, at)) } }
            dt { "First seen" } dd { (parts::time(site, item.first_seen_at)) }
            @if item.changed_at > item.first_seen_at { dt { "Changed" } dd { (parts::time(site, item.changed_at)) } }
            @if let Some(language) = &content.language { dt { "Language" } dd { (language) } }
            @if !content.categories.is_empty() { dt { "Categories" } dd { bdi { (content.categories.join(", ")) } } }
        }
        @if let Some(link) = parts::web(content.link.as_deref()) {
            p.actions { (parts::link_out(Some(link), "Read it at the source")) }
        }
    }
}

/// The publisher's words as text: no image is loaded, no markup of theirs is trusted.
fn body(item: &Item) -> Markup {
    let content = &item.content;
    let repeats = content.content_text.trim_start().starts_with(content.summary.trim());
    html! {
        div.text lang=[content.language.as_deref()] {
            @if !content.summary.trim().is_empty() && !repeats {
                (marked_paragraphs(&content.summary, &spans_in(item, Field::Summary)))
            }
            (marked_paragraphs(&content.content_text, &spans_in(item, Field::Content)))
        }
    }
}

fn evidence(site: &Site, item: &Item) -> Markup {
    html! {
        section aria-labelledby="why" {
            h2 id="why" { "Why it carries its tags" }
            @if item.tags.is_empty() { p.quiet { "No rule holds for it." } }
            @for tag in &item.tags { (tag_evidence(site, tag)) }
        }
    }
}

fn tag_evidence(site: &Site, tag: &TagMatch) -> Markup {
    html! {
        h3 { a href={ "/tags/" (tag.tag.0) } { (site.tag_title(&tag.tag)) } }
        @if tag.origin == TagOrigin::Hand { p.quiet { "Given by hand." } }
        @if !tag.evidence.is_empty() {
            table {
                thead { tr { th scope="col" { "Found" } th scope="col" { "In" } th scope="col" { "By the clause" } } }
                tbody {
                    @for evidence in &tag.evidence {
                        tr {
                            td data-label="Found" { mark { bdi { (evidence.text) } } }
                            td data-label="In" { (evidence.field.name()) }
                            td data-label="By the clause" { code { (evidence.clause) } }
                        }
                    }
                }
            }
        }
    }
}
