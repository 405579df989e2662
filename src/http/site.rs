//! The site as a whole: what every request passes on its way in and out.
//!
//! Refuses, bounds, protects and counts; what is left to a route is one read and one answer. A document that is in
//! memory is answered here, before any route is looked for: that is what readers poll all day.

use super::guard::{self, KnownHosts};
use super::operations::NO_ROUTE;
use super::pages::error_page;
use super::visitor::Visitor;
use super::{AppState, HttpMetrics, digests, private, websub};
use crate::config::HttpSettings;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, Query, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, Ready, ready};
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

/// For a route to come to its answer, reading the request's body included.
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

pub(super) const NOTHING_HERE: &str = "there is nothing at this address";

/// Nothing but our own style sheet and images; a page with a script says so itself.
pub(super) const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

/// Every address that veille answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Site {
    state: Arc<AppState>,
    routes: Router,
}

impl Site {
    /// `routes` are all of them.
    pub(super) fn new(state: AppState, routes: Router<AppState>) -> Self {
        let routes = routes
            .fallback(no_route)
            .layer(from_fn_with_state(state.metrics.clone(), watched))
            .with_state(state.clone());
        Self { state: Arc::new(state), routes }
    }

    /// The answer to a request that `peer` sent: at once when it is a refusal or in memory.
    pub(super) fn answer<B>(
        &self,
        request: Request<B>,
        peer: IpAddr,
    ) -> Either<Ready<Response>, BoxFuture<'static, Response>>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let settings = self.state.settings();
        let visitor = Visitor::new(peer, request.headers(), &settings.http.trusted_proxies);
        if let Some(refused) = self.refusal(&settings.http, &request, visitor) {
            self.state.metrics.count(NO_ROUTE, refused.status());
            return Either::Left(ready(protected(refused)));
        }
        if let Some(found) = digests::at_hand(&self.state, &settings, &request) {
            self.state.metrics.count(digests::ROUTE, found.status());
            return Either::Left(ready(protected(found)));
        }
        let routes = self.routes.clone();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(visitor);
        Either::Right(Box::pin(async move {
            protected(routes.oneshot(request).await.unwrap_or_else(|never| match never {}))
        }))
    }

    /// What a request is answered that no route sees.
    fn refusal<B>(&self, http: &HttpSettings, request: &Request<B>, visitor: Visitor) -> Option<Response> {
        if let Err(wait) = self.state.allowances.take(visitor.address, http.requests_per_minute, Instant::now()) {
            return Some(too_many(request.uri(), wait));
        }
        let refusal = guard::inspect(request, &KnownHosts::new(http.listen.ip(), &http.public_url)).err()?;
        Some(closing(refuse(request.uri(), refusal.status, refusal.reason)))
    }
}

/// What every route passes: its answer is awaited, and counted.
async fn watched(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let uri = request.uri().clone();
    let response = answer(request, next, &uri).await;
    let route = route.map_or(Cow::Borrowed(NO_ROUTE), |route| Cow::Owned(route.as_str().to_owned()));
    metrics.count(route, response.status());
    response
}

async fn answer(request: Request, next: Next, uri: &Uri) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let route = request.extensions().get::<MatchedPath>().cloned().filter(|_| is_preflight);
    let readable = route.and_then(|route| digests::preflight(route.as_str(), uri));
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(ANSWER_DEADLINE, answered).await {
        // The router adds `Allow` to both.
        Ok(Ok(response)) if response.status() == StatusCode::METHOD_NOT_ALLOWED => {
            if let Some(readable) = readable {
                return (StatusCode::NO_CONTENT, readable).into_response();
            }
            let reason =
                if is_read { "this address takes POST alone" } else { "this address can only be read: use GET" };
            refuse(uri, StatusCode::METHOD_NOT_ALLOWED, reason)
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

async fn no_route(method: Method, uri: Uri) -> Response {
    let location = without_slash(&uri).filter(|_| matches!(method, Method::GET | Method::HEAD));
    match location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        Some(location) => {
            // The answer at that address says how long it may be kept, and by whom.
            let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::PERMANENT_REDIRECT, headers).into_response()
        }
        None => not_found(&uri),
    }
}

/// The same address without the slash that no address of ours ends with. Relative, so that it holds below whatever path a
/// web server before us serves us, and leads to no other host.
fn without_slash(uri: &Uri) -> Option<String> {
    let (_, name) = uri.path().strip_suffix('/')?.rsplit_once('/')?;
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    (!name.is_empty()).then(|| format!("../{name}{query}"))
}

pub(super) fn not_found(uri: &Uri) -> Response {
    refuse(uri, StatusCode::NOT_FOUND, NOTHING_HERE)
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

/// A path as it may stand in a log: a private digest's and a hub's hold a key.
pub(super) fn path_for_logs(uri: &Uri) -> &str {
    let secret = [private::ROOT, websub::ROOT].into_iter().find(|root| uri.path().starts_with(root));
    secret.unwrap_or(uri.path())
}

/// The parameters of an address, or a refusal in our own words.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(_) => Err(refuse(&parts.uri, StatusCode::BAD_REQUEST, "the parameters of this address cannot be read")),
        }
    }
}

/// A small answer that says no: JSON for the API, else a page.
pub(super) fn refuse(uri: &Uri, status: StatusCode, reason: &str) -> Response {
    if uri.path().starts_with("/api/") {
        let kept_by_nobody = [(header::CACHE_CONTROL, "no-store")];
        return (status, kept_by_nobody, axum::Json(serde_json::json!({ "error": reason }))).into_response();
    }
    (status, error_page(status, reason)).into_response()
}

/// Headers that every answer carries; a route's own policy stays.
fn protected(mut response: Response) -> Response {
    const ALWAYS: [(HeaderName, &str); 5] = [
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
