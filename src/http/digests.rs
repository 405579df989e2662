//! The addresses of digests as feeds: rendered once a version, kept in every coding, answered from memory.

use super::documents::{Place, digest_document, public_outline, publisher};
use super::operations::unavailable;
use super::representation::{Effort, Representation};
use super::{AppState, pages, refuse};
use crate::config::{DigestSettings, Settings};
use crate::export::{Format, opml, render};
use crate::model::DigestName;
use crate::store::{DigestVersion, ReadTx, StoreError};
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// For so long a digest is taken to be at the version last seen: a storm of requests asks the database
/// ten times a second, and a change is served a tenth of a second later.
const VERSION_TRUSTED_FOR: Duration = Duration::from_millis(100);

/// A reader shows a document of ours as it likes; opened in a browser it can do nothing.
const FEED_POLICY: &str = "default-src 'none'; sandbox";

/// Said of a digest that is not there and of one that is private alike.
const NO_SUCH_DIGEST: &str = "there is no digest of this name; see /digests";

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/digests/{file}", get(show)).route("/digests.opml", get(outline))
}

/// Documents that subscribers poll, one a digest and format. Bounded by the config.
#[derive(Debug, Default)]
pub struct DocumentCache {
    documents: RwLock<HashMap<(DigestName, Format), CachedDocument>>,
}

#[derive(Debug, Clone)]
struct CachedDocument {
    representation: Arc<Representation>,
    version: DigestVersion,
    /// What it was made with; another config may give another title.
    settings: Arc<Settings>,
    checked_at: Instant,
}

#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    pub(super) before: Option<i64>,
}

/// `/digests/NAME.atom`, `.rss`, `.json`; without an extension the digest's page.
async fn show(
    State(state): State<AppState>,
    Path(file): Path<String>,
    query: Result<Query<PageQuery>, axum::extract::rejection::QueryRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Ok(Query(PageQuery { before })) = query else {
        return refuse(&uri, StatusCode::BAD_REQUEST, "before is the number of an entry");
    };
    let (name, format) = split_extension(&file);
    let mut response = answer(&state, Place::public(name), format, before, &uri, &headers).await;
    if format.is_some() {
        // Readable by scripts of any site: public digests hold nothing that a visitor could not read.
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// `weekly.atom` as `weekly` in Atom; what has no extension of ours is a page.
pub(super) fn split_extension(file: &str) -> (&str, Option<Format>) {
    let split = file.rsplit_once('.').and_then(|(name, extension)| Some((name, Format::from_extension(extension)?)));
    split.map_or((file, None), |(name, format)| (name, Some(format)))
}

/// A digest's document in a format, or its page.
pub(super) async fn answer(
    state: &AppState,
    place: Place,
    format: Option<Format>,
    before: Option<i64>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    let Some(format) = format else { return pages::show_digest(state.clone(), place, before, uri, headers).await };
    let settings = state.settings();
    let Some(digest) = place.digest(&settings).cloned() else {
        return refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_DIGEST);
    };
    let found = match before {
        None => newest(state, settings, digest, format).await,
        Some(_) => state
            .store
            .read(move |tx| rendered(tx, &settings, &digest, format, before, Effort::Passing))
            .await
            .map(|found| found.map(Arc::new)),
    };
    match found {
        Ok(Some(representation)) => as_feed(representation.answer(headers)),
        Ok(None) => refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_DIGEST),
        Err(error) => unavailable(uri, &error),
    }
}

/// The document that subscribers poll, from memory as long as it is what the store holds.
async fn newest(
    state: &AppState,
    settings: Arc<Settings>,
    digest: DigestSettings,
    format: Format,
) -> Result<Option<Arc<Representation>>, StoreError> {
    let key = (digest.spec.name.clone(), format);
    let now = Instant::now();
    let cached = state.documents.get(&key).filter(|cached| Arc::ptr_eq(&cached.settings, &settings));
    if let Some(cached) = &cached
        && now.duration_since(cached.checked_at) < VERSION_TRUSTED_FOR
    {
        return Ok(Some(Arc::clone(&cached.representation)));
    }
    let for_reading = Arc::clone(&settings);
    let read = state.store.read(move |tx| {
        let Some(version) = tx.digest_version(&digest.spec.name)? else { return Ok(None) };
        let representation = match cached.filter(|cached| cached.version == version) {
            Some(cached) => cached.representation,
            None => match rendered(tx, &for_reading, &digest, format, None, Effort::Kept)? {
                Some(made) => Arc::new(made.coded()),
                None => return Ok(None),
            },
        };
        Ok(Some((representation, version)))
    });
    Ok(read.await?.map(|(representation, version)| {
        let made = CachedDocument { representation: Arc::clone(&representation), version, settings, checked_at: now };
        state.documents.keep(key, made);
        representation
    }))
}

fn rendered(
    tx: &ReadTx<'_>,
    settings: &Settings,
    digest: &DigestSettings,
    format: Format,
    before: Option<i64>,
    effort: Effort,
) -> Result<Option<Representation>, StoreError> {
    let feed = digest_document(tx, digest, &publisher(settings), before)?;
    Ok(feed.map(|feed| {
        Representation::new(content_type(format), render(&feed, format), effort)
            .public_for(feed.ttl_s)
            .modified_at(feed.updated_at)
    }))
}

/// The public digests, for a reader to import.
async fn outline(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let settings = state.settings();
    let publisher = publisher(&settings);
    let bytes = opml(super::OUTLINE_TITLE, None, &public_outline(&settings, &publisher));
    let representation =
        Representation::new("text/x-opml; charset=utf-8", bytes, Effort::Passing).public_for(publisher.ttl_s);
    let mut response = as_feed(representation.answer(&headers));
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

impl DocumentCache {
    fn get(&self, key: &(DigestName, Format)) -> Option<CachedDocument> {
        self.documents.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps a document, and none that was made with another config.
    fn keep(&self, key: (DigestName, Format), made: CachedDocument) {
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        documents.retain(|_, cached| Arc::ptr_eq(&cached.settings, &made.settings));
        documents.insert(key, made);
    }
}

pub(super) fn content_type(format: Format) -> &'static str {
    match format {
        Format::Atom => "application/atom+xml; charset=utf-8",
        Format::Rss => "application/rss+xml; charset=utf-8",
        Format::JsonFeed => "application/feed+json; charset=utf-8",
    }
}

pub(super) fn as_feed(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FEED_POLICY));
    response
}
