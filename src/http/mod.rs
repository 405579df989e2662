//! Serving: feeds, pages, API, metrics. Reads, formats, answers; never fetches, and holds no SQL.
//!
//! [`serve`] runs the [`router`] of an [`AppState`] on a listener. Every request passes [`shell`], which
//! refuses, bounds, protects and counts; what is left to a route is one read and one answer.

mod api;
mod conditional;
mod digests;
mod documents;
mod feed_health;
mod guard;
mod health;
mod hub;
mod json;
mod login;
mod negotiation;
mod operations;
mod pages;
mod patience;
mod private;
mod representation;
mod server;
mod signature;
mod visitor;
mod websub;
mod workbench;

pub use documents::{
    OUTLINE_TITLE, archive, archive_document, configured_digest, digest_document, digest_path, feed_health_document,
    public_outline, publisher,
};
pub use health::{Health, RefusedReload};
pub use login::BadTries;
pub use operations::HttpMetrics;
pub use pages::FAVICON;
pub use server::{Limits, serve};
pub use visitor::Allowances;
pub use websub::TakeDelivery;
pub use workbench::ConfigFiles;

use crate::classifier::Classifier;
use crate::config::Settings;
use crate::model::Timestamp;
use crate::store::Store;
use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
pub use digests::DocumentCache;
use futures_util::FutureExt as _;
use guard::KnownHosts;
use pages::error_page;
use prometheus_client::registry::Registry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use visitor::Visitor;

/// For a route to come to its answer, reading the request's body included.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// For a search to look through the archive; what is further back is sought with the next page.
const SEARCH_DEADLINE: Duration = Duration::from_millis(500);

/// Terms in a search from outside: what an answer may cost is bounded.
const MAX_SEARCH_TERMS: usize = 32;

/// Nothing but our own style sheet and images; a page with a script says so itself.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";

/// The rules in force, compiled, as whoever tags by them has them.
pub type RulesInForce = Arc<dyn Fn() -> Arc<Classifier> + Send + Sync>;

/// What the routes work with; filled by the composition root.
#[derive(Clone)]
pub struct AppState {
    pub store: Arc<Store>,
    /// The settings in force; changes on reload.
    pub settings: watch::Receiver<Arc<Settings>>,
    pub rules: RulesInForce,
    pub health: Arc<Health>,
    /// Everybody's metrics.
    pub registry: Arc<Registry>,
    pub metrics: HttpMetrics,
    pub started_at: Timestamp,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
    /// Empty at first.
    pub documents: Arc<DocumentCache>,
    /// None at first.
    pub bad_tries: Arc<BadTries>,
    /// None taken at first.
    pub allowances: Arc<Allowances>,
    pub config: Arc<ConfigFiles>,
    pub take_delivery: TakeDelivery,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}

impl AppState {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.borrow())
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// Every address that veille answers.
pub fn router(state: AppState) -> Router {
    Router::new()
        .merge(pages::routes())
        .merge(digests::routes())
        .merge(feed_health::routes())
        .merge(private::routes())
        .merge(websub::routes())
        .merge(api::routes())
        .merge(hub::routes())
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics))
        .fallback(not_found)
        .layer(from_fn_with_state(state.clone(), shell))
        .with_state(state)
}

async fn not_found(uri: Uri) -> Response {
    refuse(&uri, StatusCode::NOT_FOUND, "there is nothing at this address")
}

/// What every request passes on its way in and out.
async fn shell(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let uri = request.uri().clone();
    let http = &state.settings().http;
    let visitor = Visitor::new(peer(&request), request.headers(), &http.trusted_proxies);
    request.extensions_mut().insert(visitor);
    let hosts = KnownHosts::new(http.listen.ip(), &http.public_url);
    let allowed = state.allowances.take(visitor.address, http.requests_per_minute, Instant::now());
    let mut response = match (allowed, guard::inspect(&request, &hosts)) {
        (Err(wait), _) => too_many(&uri, wait),
        (Ok(()), Ok(())) => answer(request, next, &uri).await,
        (Ok(()), Err(refusal)) => closing(refuse(&uri, refusal.status, refusal.reason)),
    };
    protect(response.headers_mut());
    state.metrics.count(route.as_ref().map(MatchedPath::as_str), response.status());
    response
}

/// The other end of the connection; [`serve`] names it in each request.
fn peer(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip())
}

fn too_many(uri: &Uri, wait: Duration) -> Response {
    let wait_s = wait.as_secs() + 1;
    let reason = format!("too many requests from your address; the next one may come in {wait_s} s");
    let mut response = closing(refuse(uri, StatusCode::TOO_MANY_REQUESTS, &reason));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    response
}

/// What is left of a request that was not read must not be taken for the next one.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn answer(request: Request, next: Next, uri: &Uri) -> Response {
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(ANSWER_DEADLINE, answered).await {
        Ok(Ok(response)) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            let mut refused = refuse(uri, StatusCode::METHOD_NOT_ALLOWED, "this address can only be read: use GET");
            if let Some(allowed) = response.headers().get(header::ALLOW) {
                refused.headers_mut().insert(header::ALLOW, allowed.clone());
            }
            refused
        }
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => {
            tracing::error!(path = path_for_logs(uri), "http: a route panicked; this is a defect of veille");
            refuse(uri, StatusCode::INTERNAL_SERVER_ERROR, "this is a defect of veille; the log has more")
        }
        Err(_elapsed) => {
            tracing::warn!(path = path_for_logs(uri), "http: no answer within {} s", ANSWER_DEADLINE.as_secs());
            refuse(uri, StatusCode::SERVICE_UNAVAILABLE, "the answer took too long; try again later")
        }
    }
}

/// A path as it may stand in a log: a private digest's and a hub's hold a key.
fn path_for_logs(uri: &Uri) -> &str {
    let secret = [private::ROOT, websub::ROOT].into_iter().find(|root| uri.path().starts_with(root));
    secret.unwrap_or(uri.path())
}

/// Says no once a search that begins now has had its time.
fn until_search_deadline() -> impl FnMut() -> bool {
    let started = Instant::now();
    move || started.elapsed() < SEARCH_DEADLINE
}

/// A small answer that says no: JSON for the API, else a page.
fn refuse(uri: &Uri, status: StatusCode, reason: &str) -> Response {
    if uri.path().starts_with("/api/") {
        return (status, axum::Json(serde_json::json!({ "error": reason }))).into_response();
    }
    (status, error_page(status, reason)).into_response()
}

/// Headers that every answer carries; a route's own policy stays.
fn protect(headers: &mut axum::http::HeaderMap) {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
