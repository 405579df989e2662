//! Private digests: the documents and pages of [`super::digests`] at addresses that hold a secret.
//!
//! A wrong key, a wrong name and a public digest's name are one and the same 404. Nothing here may be
//! kept by a cache, indexed, read by another site's script, or written to a log.

use super::digests::{PageQuery, answer, answer_archive, split_extension};
use super::documents::{Place, configured_digest};
use super::operations::unread;
use super::{AppState, not_found, pages, refuse};
use crate::model::{DigestName, PrivateKey};
use crate::store::StoreError;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;

/// Below it everything is secret.
pub(super) const ROOT: &str = "/private/";

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/private/{key}/{file}", get(show))
        .route("/private/{key}/{name}/{issue}", get(issue))
        .route("/private/{key}/{name}/archive/{file}", get(archive))
        .route_layer(from_fn(secluded))
}

async fn show(
    State(state): State<AppState>,
    Path((key, file)): Path<(String, String)>,
    query: Result<Query<PageQuery>, QueryRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let (name, format) = split_extension(&file);
    match is_admitted(&state, &key, name).await {
        Ok(true) => {}
        Ok(false) => return not_found(&uri),
        Err(error) => return unread(&uri, &error),
    }
    let Ok(Query(PageQuery { before })) = query else {
        return refuse(&uri, StatusCode::BAD_REQUEST, "before is the number of an entry");
    };
    answer(&state, Place::private(&key, name), format, before, &uri, &headers).await
}

async fn issue(
    State(state): State<AppState>,
    Path((key, name, period)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match is_admitted(&state, &key, &name).await {
        Ok(true) => pages::show_issue(state, Place::private(&key, &name), period, &uri, &headers).await,
        Ok(false) => not_found(&uri),
        Err(error) => unread(&uri, &error),
    }
}

async fn archive(
    State(state): State<AppState>,
    Path((key, name, file)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    match is_admitted(&state, &key, &name).await {
        Ok(true) => answer_archive(&state, Place::private(&key, &name), &file, &uri, &headers).await,
        Ok(false) => not_found(&uri),
        Err(error) => unread(&uri, &error),
    }
}

/// Whether there is a private digest of this name with this key. Every answer takes one look into the
/// store and one comparison: how long it took tells a stranger neither a name nor a part of a key.
async fn is_admitted(state: &AppState, key: &str, name: &str) -> Result<bool, StoreError> {
    let is_private = configured_digest(&state.settings(), name).is_some_and(|digest| digest.spec.private);
    let digest = DigestName(name.to_owned());
    let found = state.store.read(move |tx| tx.private_key(&digest)).await?;
    let is_right = match &found {
        Some(found) => found.is(key),
        None => PrivateKey::from_bytes([0; PrivateKey::BYTES]).is(key),
    };
    Ok(is_right & found.is_some() & is_private)
}

/// What every answer below [`ROOT`] carries, the refusals too; `no-referrer` is on all of ours.
async fn secluded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    response
}
