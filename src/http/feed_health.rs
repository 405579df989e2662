//! The health of feeds as a digest: an operator subscribes and is told once of whatever needs a look.

use super::digests::{as_feed, content_type};
use super::documents::publisher;
use super::operations::unavailable;
use super::representation::{Effort, Representation};
use super::{AppState, pages};
use crate::digest::feed_health;
use crate::export::{Format, render};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;

/// Notices in a document.
pub(super) const MOST_NOTICES: u32 = 100;

pub(super) fn routes() -> Router<AppState> {
    Format::ALL.into_iter().fold(
        Router::new().route("/digests/feed-health", get(pages::show_feed_health)),
        |router, format| {
            let path = format!("/digests/feed-health.{}", format.extension());
            router.route(&path, get(move |state, uri, headers| show(format, state, uri, headers)))
        },
    )
}

async fn show(format: Format, State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    match state.store.read(|tx| tx.notices(MOST_NOTICES)).await {
        Ok(notices) => {
            let feed = feed_health(&notices, &publisher(&state.settings()));
            let made = Representation::new(content_type(format), render(&feed, format), Effort::Passing);
            as_feed(made.public_for(feed.ttl_s).modified_at(feed.updated_at).answer(&headers))
        }
        Err(error) => unavailable(&uri, &error),
    }
}
