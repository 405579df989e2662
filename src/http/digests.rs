//! The addresses of digests as feeds: rendered once a version, kept in every coding, answered from memory.

use super::documents::{Place, archive_document, archive_part, digest_document, public_outline, publisher};
use super::operations::unread;
use super::representation::{Effort, Representation};
use super::{AppState, InForce, pages, refuse};
use crate::config::{DigestSettings, Settings};
use crate::digest::Publisher;
use crate::export::{Format, opml, render};
use crate::model::{PublishedFeed, Timestamp};
use crate::store::{DigestVersion, ReadTx, StoreError};
use axum::Router;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
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

/// For documents in memory: those of a hundred digests in one format. Where more are polled, the ones not asked for
/// longest are made again.
const ROOM_BYTES: usize = 64 << 20;

const FEED_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
const ANYONE: HeaderValue = HeaderValue::from_static("*");

/// Said of a digest that is not there and of one that is private alike.
const NO_SUCH_DIGEST: &str = "there is no digest of this name; see /digests";

/// Of a digest's documents and its page.
pub(super) const ROUTE: &str = "/digests/{file}";
const ARCHIVE_ROUTE: &str = "/digests/{name}/archive/{file}";
const FOLDER: &str = "/digests/";
const OUTLINE: &str = "/digests.opml";

pub(super) fn routes() -> Router<AppState> {
    Router::new().route(ROUTE, get(show)).route(ARCHIVE_ROUTE, get(show_archive)).route(OUTLINE, get(outline))
}

/// Whoever makes a document holds its gate.
type Gate = Arc<tokio::sync::Mutex<()>>;

/// Documents that subscribers poll, one a digest and format, by their file name.
#[derive(Debug)]
pub struct DocumentCache {
    /// In bytes.
    room: usize,
    documents: RwLock<HashMap<String, CachedDocument>>,
    gates: RwLock<HashMap<String, Gate>>,
}

#[derive(Debug, Clone)]
struct CachedDocument {
    representation: Arc<Representation>,
    version: DigestVersion,
    is_private: bool,
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

/// What [`show`] would answer, where that is a public document in memory that needs no look into the store.
pub(super) fn at_hand<B>(state: &AppState, settings: &Arc<Settings>, request: &Request<B>) -> Option<Response> {
    let is_of_newest = request.uri().query().is_none() && matches!(*request.method(), Method::GET | Method::HEAD);
    let file = request.uri().path().strip_prefix(FOLDER).filter(|_| is_of_newest)?;
    Some(state.documents.public(file, settings)?.answer_at(request.headers(), state.now()))
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
    answer(&state, Place::public(name), format, before, &uri, &headers).await
}

async fn show_archive(
    State(state): State<AppState>,
    Path((name, file)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answer_archive(&state, Place::public(&name), &file, &uri, &headers).await
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
    let (in_force, now) = (state.in_force(), state.now());
    let (part, format) = split_extension(file);
    // Only the one way to write it: `+1` and `01` are numbers too.
    let number = part.parse::<u64>().ok().filter(|number| number.to_string() == part);
    let (Some(digest), Some(number), Some(format)) = (place.digest(&in_force.settings).cloned(), number, format) else {
        return refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_PART);
    };
    let read = state.store.read(move |tx| {
        let Some(part) = archive_part(tx, &digest, number)? else { return Ok(None) };
        let feed = archive_document(tx, &digest, &publisher(&in_force.settings), part)?;
        Ok(feed.map(|feed| {
            let modified_at = in_force.modified_at(feed.updated_at, now);
            readable(&digest, represented(&feed, format, Effort::Passing, modified_at))
        }))
    });
    match read.await {
        Ok(Some(representation)) => representation.answer_at(headers, now),
        Ok(None) => refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_PART),
        Err(error) => unread(uri, &error),
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
    let (in_force, now) = (state.in_force(), state.now());
    let Some(digest) = place.digest(&in_force.settings).cloned() else {
        return refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_DIGEST);
    };
    let found = match before {
        None => newest(state, in_force, digest, format).await,
        Some(_) => state
            .store
            .read(move |tx| rendered(tx, (&in_force, now), &digest, format, before, Effort::Passing))
            .await
            .map(|found| found.map(Arc::new)),
    };
    match found {
        Ok(Some(representation)) => representation.answer_at(headers, now),
        Ok(None) => refuse(uri, StatusCode::NOT_FOUND, NO_SUCH_DIGEST),
        Err(error) => unread(uri, &error),
    }
}

/// Where a document can be subscribed to, for who looks at headers alone (W3C WebSub section 4).
fn discovery_links(publisher: &Publisher, digest: &DigestSettings, format: Format) -> Option<HeaderValue> {
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
    in_force: InForce,
    digest: DigestSettings,
    format: Format,
) -> Result<Option<Arc<Representation>>, StoreError> {
    let file = format!("{}.{}", digest.spec.name.0, format.extension());
    let mut cached = state.documents.get(&file, &in_force.settings);
    if let Some(cached) = cached.as_ref().filter(|cached| cached.is_trusted()) {
        return Ok(Some(Arc::clone(&cached.representation)));
    }
    let gate = state.documents.gate(&file);
    let turn = match (Arc::clone(&gate).try_lock_owned(), &cached) {
        (Ok(turn), _) => turn,
        (Err(_), Some(cached)) => return Ok(Some(Arc::clone(&cached.representation))),
        (Err(_), None) => gate.lock_owned().await,
    };
    // It may have been made while we came here.
    cached = state.documents.get(&file, &in_force.settings);
    if let Some(cached) = cached.as_ref().filter(|cached| cached.is_trusted()) {
        return Ok(Some(Arc::clone(&cached.representation)));
    }
    // A task of its own: whoever asked may hang up, and the work is not begun again for the next.
    let (documents, store, now) = (Arc::clone(&state.documents), Arc::clone(&state.store), state.now());
    let made = tokio::spawn(async move {
        let _turn = turn;
        let made = store.read(move |tx| current(tx, (&in_force, now), &digest, format, cached)).await?;
        Ok(made.map(|made| documents.keep(file, made)))
    });
    made.await.unwrap_or_else(|error| Err(StoreError::Other(format!("a document's writer ended by a panic: {error}"))))
}

/// What was kept, if it is of the store's version, or the document made anew in every coding.
fn current(
    tx: &ReadTx<'_>,
    at: (&InForce, Timestamp),
    digest: &DigestSettings,
    format: Format,
    cached: Option<CachedDocument>,
) -> Result<Option<CachedDocument>, StoreError> {
    let checked_at = Instant::now();
    let Some(version) = tx.digest_version(&digest.spec.name)? else { return Ok(None) };
    if let Some(cached) = cached.filter(|cached| cached.version == version) {
        return Ok(Some(CachedDocument { checked_at, ..cached }));
    }
    let Some(made) = rendered(tx, at, digest, format, None, Effort::Kept)? else { return Ok(None) };
    Ok(Some(CachedDocument {
        representation: Arc::new(made.coded()),
        version,
        is_private: digest.spec.private,
        settings: Arc::clone(&at.0.settings),
        checked_at,
        cost: checked_at.elapsed(),
    }))
}

fn rendered(
    tx: &ReadTx<'_>,
    (in_force, now): (&InForce, Timestamp),
    digest: &DigestSettings,
    format: Format,
    before: Option<i64>,
    effort: Effort,
) -> Result<Option<Representation>, StoreError> {
    let publisher = publisher(&in_force.settings);
    let Some(feed) = digest_document(tx, digest, &publisher, before)? else { return Ok(None) };
    // A story that leaves an issue gives the document no later date.
    let changed_at = tx.digest_version(&digest.spec.name)?.map_or(feed.updated_at, |version| version.changed_at);
    let made = readable(digest, represented(&feed, format, effort, in_force.modified_at(changed_at, now)));
    // Pages into the past are not what one subscribes to.
    let links = discovery_links(&publisher, digest, format).filter(|_| before.is_none());
    Ok(Some(match links {
        Some(links) => made.with(header::LINK, links),
        None => made,
    }))
}

/// Public digests hold nothing that a visitor could not read, so scripts of any site may.
fn readable(digest: &DigestSettings, made: Representation) -> Representation {
    if digest.spec.private { made } else { made.with(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYONE) }
}

/// What a browser is told before a script of another site may ask for a document conditionally (the CORS protocol of the
/// Fetch standard). `None`: no script may read what is at this address, of this route.
pub(super) fn preflight(route: &str, uri: &Uri) -> Option<[(HeaderName, HeaderValue); 4]> {
    let is_document =
        route == OUTLINE || matches!(route, ROUTE | ARCHIVE_ROUTE) && split_extension(uri.path()).1.is_some();
    is_document.then_some([
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYONE),
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("If-None-Match, If-Modified-Since")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
    ])
}

/// A document as it is sent: a reader shows it as it likes; opened in a browser it can do nothing.
pub(super) fn represented(
    feed: &PublishedFeed,
    format: Format,
    effort: Effort,
    modified_at: Timestamp,
) -> Representation {
    Representation::new(format.content_type(), render(feed, format), effort)
        .public_for(feed.ttl_s)
        .modified_at(modified_at)
        .with(header::CONTENT_SECURITY_POLICY, FEED_POLICY)
}

/// The public digests, for a reader to import.
async fn outline(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let (in_force, now) = (state.in_force(), state.now());
    let publisher = publisher(&in_force.settings);
    let bytes = opml(super::OUTLINE_TITLE, &public_outline(&in_force.settings, &publisher));
    Representation::new("text/x-opml; charset=utf-8", bytes, Effort::Passing)
        .public_for(publisher.ttl_s)
        .modified_at(in_force.since.min(now))
        .with(header::CONTENT_SECURITY_POLICY, FEED_POLICY)
        .with(header::ACCESS_CONTROL_ALLOW_ORIGIN, ANYONE)
        .answer_at(&headers, now)
}

impl Default for DocumentCache {
    fn default() -> Self {
        Self { room: ROOM_BYTES, documents: RwLock::default(), gates: RwLock::default() }
    }
}

impl DocumentCache {
    /// A document that was made with this config.
    fn get(&self, file: &str, settings: &Arc<Settings>) -> Option<CachedDocument> {
        self.look(file, settings, CachedDocument::clone)
    }

    /// One that anyone may have, and that needs no look into the store.
    fn public(&self, file: &str, settings: &Arc<Settings>) -> Option<Arc<Representation>> {
        self.look(file, settings, |cached| {
            let is_at_hand = !cached.is_private && cached.is_trusted();
            is_at_hand.then(|| Arc::clone(&cached.representation))
        })?
    }

    fn look<T>(&self, file: &str, settings: &Arc<Settings>, take: impl FnOnce(&CachedDocument) -> T) -> Option<T> {
        let documents = self.documents.read().unwrap_or_else(PoisonError::into_inner);
        documents.get(file).filter(|cached| Arc::ptr_eq(&cached.settings, settings)).map(take)
    }

    /// Keeps a document, none that was made with another config, and of the others as many as there is room for.
    fn keep(&self, file: String, made: CachedDocument) -> Arc<Representation> {
        let representation = Arc::clone(&made.representation);
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        documents.retain(|_, cached| Arc::ptr_eq(&cached.settings, &made.settings));
        documents.insert(file, made);
        let mut bytes: usize = documents.values().map(|cached| cached.representation.bytes()).sum();
        while bytes > self.room && documents.len() > 1 {
            let oldest = documents.iter().min_by_key(|(_, cached)| cached.checked_at).map(|(file, _)| file.clone());
            let removed = oldest.and_then(|file| documents.remove(&file)).expect("there is one at least");
            bytes -= removed.representation.bytes();
        }
        representation
    }

    /// Whoever makes a document has its gate.
    fn gate(&self, file: &str) -> Gate {
        if let Some(gate) = self.gates.read().unwrap_or_else(PoisonError::into_inner).get(file) {
            return Arc::clone(gate);
        }
        Arc::clone(self.gates.write().unwrap_or_else(PoisonError::into_inner).entry(file.to_owned()).or_default())
    }
}

impl CachedDocument {
    /// What takes long to make is made less often: at most a twentieth of a processor goes into one document.
    fn is_trusted(&self) -> bool {
        self.checked_at.elapsed() < VERSION_TRUSTED_FOR.max(self.cost * 20).min(VERSION_TRUSTED_AT_MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};

    fn settings() -> Arc<Settings> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("veille.toml");
        std::fs::write(&path, "[service]\ndata_dir = \"data\"\n").unwrap();
        Arc::new(config::load(&path, &Environment::default()).unwrap().settings)
    }

    #[test]
    fn documents_not_asked_for_longest_make_room() {
        let settings = settings();
        let cache = DocumentCache { room: 2_500, ..DocumentCache::default() };
        let begin = Instant::now();
        let keep = |file: &str, second: u64| {
            let made = CachedDocument {
                representation: Arc::new(Representation::new("text/plain", vec![b'x'; 1_000], Effort::Passing)),
                version: DigestVersion { version: 1, changed_at: Timestamp::UNIX_EPOCH },
                is_private: false,
                settings: Arc::clone(&settings),
                checked_at: begin + Duration::from_secs(second),
                cost: Duration::ZERO,
            };
            cache.keep(file.to_owned(), made);
        };
        let kept =
            || ["a", "b", "c"].into_iter().filter(|file| cache.get(file, &settings).is_some()).collect::<String>();
        keep("a", 1);
        keep("b", 2);
        assert_eq!(kept(), "ab");
        keep("a", 3);
        keep("c", 4);
        assert_eq!(kept(), "ac", "b was not asked for longest");
    }
}
