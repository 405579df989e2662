//! The health of feeds as a digest: an operator subscribes and is told once of whatever needs a look.
//!
//! Scripts of other sites may not read it, as they may public digests: it names feeds in the operator's own network, and
//! any page that the operator opens could ask a veille on the same machine for it.

use super::digests::represented;
use super::documents::{feed_health_document, publisher};
use super::operations::unread;
use super::representation::Effort;
use super::{AppState, pages};
use crate::export::Format;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

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
    let (in_force, now) = (state.in_force(), state.now());
    let settings = Arc::clone(&in_force.settings);
    match state.store.read(move |tx| feed_health_document(tx, &publisher(&settings))).await {
        Ok(feed) => {
            let modified_at = in_force.modified_at(feed.updated_at, now);
            represented(&feed, format, Effort::Passing, modified_at).answer_at(&headers, now)
        }
        Err(error) => unread(&uri, &error),
    }
}
