//! Pages: HTML for people, made of values and written by maud, which escapes by default.
//!
//! They need no script, load nothing from elsewhere, and show publishers' words as text, never as markup.

mod chart;
mod layout;
mod marks;
mod parts;
mod style;

mod digests;
mod feed_health;
mod feeds;
mod home;
mod item;
mod rules;
mod search;
mod tag;

pub(super) use digests::{show_digest, show_issue};
pub(super) use feed_health::show as show_feed_health;
pub(super) use layout::error_page;
pub use style::FAVICON;

use super::AppState;
use super::not_found;
use super::operations::unread;
use super::representation::{Effort, Representation};
use crate::store::{ReadTx, StoreError};
use axum::Router;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use layout::Site;
use maud::Markup;

/// The addresses of pages.
pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/", get(home::show))
        .route("/items/{id}", get(item::show))
        .route("/stories/{id}", get(item::show_story))
        .route("/tags/{name}", get(tag::show))
        .route("/rules", get(rules::show).post(rules::write))
        .route("/feeds", get(feeds::show))
        .route("/feeds/{id}/refresh", post(feeds::refresh))
        .route("/digests", get(digests::list))
        .route("/digests/{name}/{issue}", get(digests::issue))
        .route(style::PATH_PATTERN, get(style::show))
        .route("/favicon.svg", get(style::favicon))
}

/// Reads what a page shows, in one snapshot, and writes it down; `None` when there is no such thing.
async fn page<F>(state: AppState, headers: &HeaderMap, uri: &Uri, write: F) -> Response
where
    F: FnOnce(&ReadTx<'_>, &Site) -> Result<Option<Markup>, StoreError> + Send + 'static,
{
    let site = Site::new(&state);
    match state.store.read(move |tx| write(tx, &site)).await {
        Ok(Some(markup)) => html(markup).answer(headers),
        Ok(None) => not_found(uri),
        Err(error) => unread(uri, &error),
    }
}

fn html(markup: Markup) -> Representation {
    Representation::new("text/html; charset=utf-8", markup.into_string(), Effort::Passing)
}
