//! Each feed's health in plain words, the failing ones first.

use super::layout::{Section, Site, page as whole_page};
use super::{page, parts};
use crate::http::operations::unread;
use crate::http::visitor::Visitor;
use crate::http::{AppState, login, not_found, refuse};
use crate::model::{FeedHealth, FeedId, FeedState, WithoutQuery, without_query};
use crate::notices;
use crate::scheduler::declined;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

pub(super) async fn show(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    page(state, &headers, &uri, |tx, site| Ok(Some(write(site, &tx.feeds(site.now)?)))).await
}

/// Asks for a feed before its time. It is asked by the scheduler, as at any other time: conditionally, within the limits.
pub(super) async fn refresh(
    State(state): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if let Err(denial) = login::check(&state.settings().http, &headers, visitor.address, &state.bad_tries) {
        return denial.answer(&uri);
    }
    let Ok(id) = id.parse() else { return not_found(&uri) };
    let (feed, now) = (FeedId(id), state.now());
    let record = match state.store.read(move |tx| tx.feed_record(feed)).await {
        Ok(Some(record)) => record,
        Ok(None) => return refuse(&uri, StatusCode::NOT_FOUND, "there is no such feed"),
        Err(error) => return unread(&uri, &error),
    };
    if let Some(reason) = declined(&record, now) {
        return refuse(&uri, StatusCode::CONFLICT, &format!("{} is not asked now: {reason}", record.name()));
    }
    match state.store.write(move |tx| tx.ask_now(feed, now)).await {
        Ok(()) => Redirect::to(&format!("/feeds#feed-{id}")).into_response(),
        Err(error) => unread(&uri, &error),
    }
}

fn write(site: &Site, feeds: &[FeedHealth]) -> Markup {
    let failing = feeds.iter().filter(|feed| feed.is_failing()).count();
    let main = html! {
        h1 { "Feeds" }
        @if feeds.is_empty() {
            p.lead { "The config lists no feed yet. Add one to " code { "feeds.toml" } ", or import an OPML file." }
        } @else {
            p.lead {
                (feeds.len()) " " (parts::plural(feeds.len(), "feed", "feeds")) ", "
                @if failing == 0 { "all well." } @else { (failing) " failing." }
            }
            p { "An operator's reader may follow " a href="/digests/feed-health" { "what becomes of them" } "." }
            table {
                thead {
                    tr {
                        th scope="col" { "Feed" }
                        th scope="col" { "State" }
                        th scope="col" { "Last refresh" }
                        th scope="col" { "Next" }
                        th scope="col" class="number" { "Items" }
                        th scope="col" class="number" { "Last 7 days" }
                    }
                }
                tbody { @for feed in feeds { (row(site, feed)) } }
            }
        }
    };
    whole_page(site, Section::Feeds, "Feeds", &html! {}, &main)
}

fn row(site: &Site, feed: &FeedHealth) -> Markup {
    html! {
        tr id={ "feed-" (feed.id.0) } {
            th scope="row" {
                (parts::link_out(feed.site_url.as_deref().or(Some(without_query(&feed.url))), &feed.title))
                @if let Some(moved) = feed.moved_to() { p.quiet { "now at " (parts::cut(&WithoutQuery(moved).to_string(), 90)) ": " code { "veille feeds fix" } } }
                @if let Some(offered) = &feed.offered_url { p.quiet { "the site now offers " (parts::cut(&WithoutQuery(offered).to_string(), 90)) ": " code { "veille feeds fix" } } }
            }
            td data-label="State" { (state(site, feed)) }
            td data-label="Last refresh" {
                @match feed.last_refresh_at { Some(at) => (parts::time(site, at)), None => "never" }
            }
            td.next data-label="Next" {
                @if let (Some(at), FeedState::Active) = (feed.next_check_at, feed.state) {
                    @if at <= site.now { "due" } @else { (parts::time(site, at)) }
                    p.quiet { (feed.next_check_reason) }
                    @if can_refresh(site) {
                        form method="post" action={ "/feeds/" (feed.id.0) "/refresh" } {
                            button aria-label={ "Refresh " (feed.title) } { "Refresh" }
                        }
                    }
                }
            }
            td.number data-label="Items" { (feed.items) }
            td.number data-label="Last 7 days" { (feed.items_last_week) }
        }
    }
}

fn can_refresh(site: &Site) -> bool {
    site.settings.http.login.is_some() || site.settings.http.token.is_some()
}

fn state(site: &Site, feed: &FeedHealth) -> Markup {
    html! {
        @match feed.state {
            FeedState::Gone => p.bad { "gone: its publisher has ended it" },
            FeedState::Duplicate => p { "leads to the same document as another feed" },
            FeedState::Disabled => p { "switched off in the config" },
            FeedState::Removed => p { "no longer in the config" },
            FeedState::Active => {
                @if feed.failure_count > 0 {
                    p.bad { "failing" }
                } @else if feed.last_success_at.is_some() {
                    p.good { "well" }
                } @else {
                    p.quiet { "not refreshed yet" }
                }
            }
        }
        @for (_, advice) in notices::matters(&feed.condition(), site.now, site.time_zone()) { p.quiet { (advice) } }
        @if feed.overflow_count > 0 {
            p.quiet {
                "Items may have been missed " (feed.overflow_count) " "
                (parts::plural(feed.overflow_count as usize, "time", "times")) ": the whole document was new."
            }
        }
    }
}
