//! What the operator was told of feeds, newest first.

use super::layout::{Section, Site, page as whole_page};
use super::{page, parts};
use crate::http::AppState;
use crate::model::Notice;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use maud::{Markup, html};

/// Notices on the page.
const PAGE_NOTICES: usize = 100;

pub(in crate::http) async fn show(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    page(state, &headers, &uri, |tx, site| Ok(Some(write(site, &tx.notices(PAGE_NOTICES)?)))).await
}

fn write(site: &Site, notices: &[Notice]) -> Markup {
    let main = html! {
        h1 { "Feed health" }
        p.lead { "What has become of the feeds that need a look, each told once. " a href="/feeds" { "All feeds" } }
        p { code.address { (site.address("digests/feed-health.atom")) } }
        (parts::formats("digests/feed-health"))
        @if notices.is_empty() { p { "Nothing has needed a look so far." } }
        ol.stories {
            @for notice in notices {
                li {
                    h2 {
                        @match notice.feed {
                            Some(feed) => a href={ "/feeds#feed-" (feed.0) } { (notice.title) },
                            None => (notice.title),
                        }
                    }
                    p { (notice.advice) }
                    p.quiet {
                        (parts::time(site, notice.noted_at))
                        @if let Some(ended) = notice.ended_at.filter(|at| *at > notice.noted_at) { ", over " (parts::time(site, ended)) }
                    }
                }
            }
        }
    };
    whole_page(site, Section::Feeds, "Feed health", &parts::discovery("digests/feed-health", "Feed health"), &main)
}
