//! Search: the items that a query holds for, or what is wrong with the query.

use super::layout::{Section, Site, page as whole_page};
use super::{page, parts};
use crate::http::{AppState, MAX_SEARCH_TERMS, until_search_deadline};
use crate::model::ItemId;
use crate::search::{Found, compile, search};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use maud::{Markup, html};

const PAGE_ITEMS: usize = 50;

pub(super) async fn show(
    state: AppState,
    q: String,
    before: Option<ItemId>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    page(state, headers, uri, move |tx, site| {
        let outcome = match compile(&q, &site.settings.rules, MAX_SEARCH_TERMS) {
            Ok(query) => Ok(search(tx, &query, before, PAGE_ITEMS, site.now, until_search_deadline())?),
            Err(faults) => Err(faults.iter().map(|fault| fault.line(&q)).collect()),
        };
        Ok(Some(write(site, &q, &outcome)))
    })
    .await
}

fn write(site: &Site, q: &str, outcome: &Result<Found, Vec<String>>) -> Markup {
    let main = html! {
        h1 { "Search" }
        (search_box(q))
        @match outcome {
            Ok(found) => (results(site, q, found)),
            Err(faults) => {
                section.notice aria-label="What is wrong with the query" {
                    p { "This is not a query yet." }
                    pre { (faults.join("\n")) }
                }
            }
        }
    };
    whole_page(site, Section::New, "Search", &html! {}, &main)
}

fn results(site: &Site, q: &str, found: &Found) -> Markup {
    let older = found.before.map(|before| {
        let pairs = [("q", q), ("before", &before.0.to_string())];
        format!("/?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    });
    html! {
        @if found.items.is_empty() {
            p.lead { @if older.is_some() { "Nothing among the newer items." } @else { "Nothing found." } }
        }
        (parts::items_list(site, &found.items))
        nav.pager aria-label="Pages" {
            span {}
            @if let Some(older) = older { a href=(older) rel="next" { "Search older items" } }
        }
    }
}

pub(super) fn search_box(q: &str) -> Markup {
    html! {
        form.search action="/" method="get" role="search" {
            input type="search" name="q" value=(q) aria-label="Search" placeholder="Search, in the language of the rules";
            button type="submit" { "Search" }
        }
    }
}
