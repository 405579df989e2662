//! The addresses of digests as feeds: rendered once a version, kept in every coding, answered from memory.

use super::documents::{Place, archive_document, digest_document, public_outline, publisher};
use super::operations::unavailable;
use super::representation::{Effort, Representation};
use super::{AppState, pages, refuse};
use crate::config::{DigestSettings, Settings};
use crate::export::{Format, opml, render};
use crate::model::{DigestName, PublishedFeed};
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
const VERSION_TRUSTED_AT_MOST: Duration = Duration::from_secs(2);

/// A reader shows a document of ours as it likes; opened in a browser it can do nothing.
const FEED_POLICY: &str = "default-src 'none'; sandbox";

/// Said of a digest that is not there and of one that is private alike.
const NO_SUCH_DIGEST: &str = "there is no digest of this name; see /digests";

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/digests/{file}", get(show))
        .route("/digests/{name}/archive/{file}", get(show_archive))
        .route("/digests.opml", get(outline))
}

type DocumentKey = (DigestName, Format);
/// Whoever makes a document holds its gate.
type Gate = Arc<tokio::sync::Mutex<()>>;

/// Documents that subscribers poll, one a digest and format. Bounded by the config.
#[derive(Debug, Default)]
pub struct DocumentCache {
    documents: RwLock<HashMap<DocumentKey, CachedDocument>>,
    gates: RwLock<HashMap<DocumentKey, Gate>>,
}

#[derive(Debug, Clone)]
struct CachedDocument {
    representation: Arc<Representation>,
    version: DigestVersion,
    /// What it was made with; another config may give another title.
    settings: Arc<Settings>,
    checked_at: Instant,
    /// What it took to make.
    cost: Duration,
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

async fn show_archive(
    State(state): State<AppState>,
    Path((name, file)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut response = answer_archive(&state, Place::public(&name), &file, &uri, &headers).await;
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// A document of a digest's archive, as in `1.atom`.
pub(super) async fn answer_archive(
    state: &AppState,
    place: Place,
    file: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Response {
    const NO_SUCH_PART: &str = "there is no such document in the archive of a digest";
    let settings = state.settings();
    let (part, format) = split_extension(file);
    // Only the one way to write it: `+1` and `01` are numbers too.
    let number = part.parse::<u64>().ok().filter(|number| number.to_string() == part);
    let (Some(digest), Some(number), Some(format)) = (place.digest(&settings).cloned(), number, format) else {
        return refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_PART);
    };
    let read = state.store.read(move |tx| {
        let feed = archive_document(tx, &digest, &publisher(&settings), number)?;
        Ok(feed.map(|feed| represented(&feed, format, Effort::Passing)))
    });
    match read.await {
        Ok(Some(representation)) => as_feed(representation.answer(headers)),
        Ok(None) => refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_PART),
        Err(error) => unavailable(uri, &error),
    }
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
    let links = discovery_links(&settings, &digest, format).filter(|_| before.is_none());
    let found = match before {
        None => newest(state, settings, digest, format).await,
        Some(_) => state
            .store
            .read(move |tx| rendered(tx, &settings, &digest, format, before, Effort::Passing))
            .await
            .map(|found| found.map(Arc::new)),
    };
    match found {
        Ok(Some(representation)) => {
            let mut response = as_feed(representation.answer(headers));
            response.headers_mut().extend(links.map(|links| (header::LINK, links)));
            response
        }
        Ok(None) => refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_DIGEST),
        Err(error) => unavailable(uri, &error),
    }
}

/// Where a document can be subscribed to, for who looks at headers alone (W3C WebSub section 4).
fn discovery_links(settings: &Settings, digest: &DigestSettings, format: Format) -> Option<HeaderValue> {
    let publisher = publisher(settings);
    if digest.spec.private || publisher.hubs.is_empty() {
        return None;
    }
    let own = format.address(&publisher.address(&format!("digests/{}", digest.spec.name.0)));
    let hubs = publisher.hubs.iter().map(|hub| format!("<{hub}>; rel=\"hub\""));
    let links: Vec<String> = hubs.chain([format!("<{own}>; rel=\"self\"")]).collect();
    HeaderValue::from_str(&links.join(", ")).ok()
}

/// The document that subscribers poll, from memory as long as it is what the store holds.
///
/// Of many that ask while it is out of date one waits for the new one; the others get the one before, or wait too
/// when there is none. So while feeds are polled and a digest changes with each, its readers do not queue for it.
async fn newest(
    state: &AppState,
    settings: Arc<Settings>,
    digest: DigestSettings,
    format: Format,
) -> Result<Option<Arc<Representation>>, StoreError> {
    let key = (digest.spec.name.clone(), format);
    let mut cached = state.documents.get(&key, &settings);
    if let Some(cached) = cached.as_ref().filter(|cached| cached.is_trusted()) {
        return Ok(Some(Arc::clone(&cached.representation)));
    }
    let gate = state.documents.gate(&key);
    let turn = match (Arc::clone(&gate).try_lock_owned(), &cached) {
        (Ok(turn), _) => turn,
        (Err(_), Some(cached)) => return Ok(Some(Arc::clone(&cached.representation))),
        (Err(_), None) => gate.lock_owned().await,
    };
    // It may have been made while we came here.
    cached = state.documents.get(&key, &settings);
    if let Some(cached) = cached.as_ref().filter(|cached| cached.is_trusted()) {
        return Ok(Some(Arc::clone(&cached.representation)));
    }
    // A task of its own: whoever asked may hang up, and the work is not begun again for the next.
    let (documents, store) = (Arc::clone(&state.documents), Arc::clone(&state.store));
    let made = tokio::spawn(async move {
        let _turn = turn;
        let made = store.read(move |tx| current(tx, &settings, &digest, format, cached)).await?;
        Ok(made.map(|made| documents.keep(key, made)))
    });
    made.await.unwrap_or_else(|error| Err(StoreError::Other(format!("a document's writer ended by a panic: {error}"))))
}

/// What was kept, if it is of the store's version, or the document made anew in every coding.
fn current(
    tx: &ReadTx<'_>,
    settings: &Arc<Settings>,
    digest: &DigestSettings,
    format: Format,
    cached: Option<CachedDocument>,
) -> Result<Option<CachedDocument>, StoreError> {
    let checked_at = Instant::now();
    let Some(version) = tx.digest_version(&digest.spec.name)? else { return Ok(None) };
    if let Some(cached) = cached.filter(|cached| cached.version == version) {
        return Ok(Some(CachedDocument { checked_at, ..cached }));
    }
    let Some(made) = rendered(tx, settings, digest, format, None, Effort::Kept)? else { return Ok(None) };
    Ok(Some(CachedDocument {
        representation: Arc::new(made.coded()),
        version,
        settings: Arc::clone(settings),
        checked_at,
        cost: checked_at.elapsed(),
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
    Ok(feed.map(|feed| represented(&feed, format, effort)))
}

fn represented(feed: &PublishedFeed, format: Format, effort: Effort) -> Representation {
    let representation = Representation::new(content_type(format), render(feed, format), effort);
    representation.public_for(feed.ttl_s).modified_at(feed.updated_at)
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
    /// A document that was made with this config.
    fn get(&self, key: &DocumentKey, settings: &Arc<Settings>) -> Option<CachedDocument> {
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        documents.get(key).filter(|cached| Arc::ptr_eq(&cached.settings, settings)).cloned()
    }

    /// Keeps a document, and none that was made with another config.
    fn keep(&self, key: DocumentKey, made: CachedDocument) -> Arc<Representation> {
        let representation = Arc::clone(&made.representation);
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        documents.retain(|_, cached| Arc::ptr_eq(&cached.settings, &made.settings));
        documents.insert(key, made);
        representation
    }

    /// Whoever makes a document has its gate.
    fn gate(&self, key: &DocumentKey) -> Gate {
        if let Some(gate) = self.gates.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Arc::clone(gate);
        }
        Arc::clone(self.gates.write().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default())
    }
}

impl CachedDocument {
    /// What takes long to make is made less often: at most a twentieth of a processor goes into one document.
    fn is_trusted(&self) -> bool {
        self.checked_at.elapsed() < VERSION_TRUSTED_FOR.max(self.cost * 20).min(VERSION_TRUSTED_AT_MOST)
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
