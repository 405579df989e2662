//! For the operator's machines: liveness, readiness, metrics.

use super::visitor::Visitor;
use super::{AppState, login, refuse};
use crate::store::{Counts, StoreError};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde_json::json;
use std::borrow::Cow;
use std::time::Duration;

/// For the database to answer the smallest question.
const DATABASE_DEADLINE: Duration = Duration::from_secs(2);

/// The route of what no route was looked for, or found.
pub(super) const NO_ROUTE: &str = "none";

/// What is counted of requests.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// The route's pattern, never the path: a stranger must not be able to make labels.
    route: Cow<'static, str>,
    status: u16,
}

impl HttpMetrics {
    pub fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        registry.register("veille_http_requests", "Requests answered, by route and status", requests.clone());
        Self { requests }
    }

    pub(super) fn count(&self, route: impl Into<Cow<'static, str>>, status: StatusCode) {
        let labels = RequestLabels { route: route.into(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
    }
}

/// Whether the process answers at all. Touches no database, so that a busy disk does not look like death.
pub(super) async fn healthz(State(state): State<AppState>) -> Response {
    let detail = json!({
        "status": "ok",
        "started_at": state.started_at,
        "refused_reload": state.health.refused_reload(),
    });
    uncached(axum::Json(detail).into_response())
}

/// Whether it does its work: the database answers and the scheduler turns.
pub(super) async fn readyz(State(state): State<AppState>) -> Response {
    let (mut reasons, now) = (Vec::new(), state.now());
    let asked = state.store.read(move |tx| tx.next_due_after(now).map(drop));
    match tokio::time::timeout(DATABASE_DEADLINE, asked).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => reasons.push(format!("the database does not answer: {error}")),
        Err(_elapsed) => reasons.push("the database does not answer within 2 s".to_owned()),
    }
    if let Err(error) = state.store.check_file() {
        reasons.push(error.to_string());
    }
    if let Some(silence) = state.health.scheduler_stall(now) {
        reasons.push(format!("the scheduler has been silent for {} s", silence.as_secs()));
    }
    let answer = if reasons.is_empty() {
        axum::Json(json!({ "status": "ready" })).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({ "status": "not ready", "reasons": reasons })))
            .into_response()
    };
    uncached(answer)
}

/// Metrics in the text form of `OpenMetrics`, for this machine and for whoever has the login or the token.
pub(super) async fn metrics(
    State(state): State<AppState>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !visitor.is_local
        && let Err(denial) = login::check(&state.settings().http, &headers, visitor.address, &state.bad_tries)
    {
        return denial.answer(&uri);
    }
    let now = state.now();
    let counts = match state.store.read(move |tx| tx.counts(now)).await {
        Ok(counts) => counts,
        Err(error) => return unread(&uri, &error),
    };
    let mut text = String::new();
    let written = encode_registry(&mut text, &state.registry)
        .and_then(|()| encode_registry(&mut text, &store_gauges(&counts)))
        .and_then(|()| encode_eof(&mut text));
    if let Err(error) = written {
        tracing::error!(%error, "http: metrics cannot be written");
        return refuse(&uri, StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written");
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    uncached(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

/// What the store counts, as it is now.
fn store_gauges(counts: &Counts) -> Registry {
    let mut registry = Registry::default();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge("veille_feeds", "Feeds in the config", counts.feeds);
    gauge("veille_feeds_due", "Feeds that are due and wait for their refresh", counts.feeds_due);
    gauge("veille_feeds_failing", "Feeds whose last refresh failed", counts.feeds_failing);
    gauge("veille_items", "Items in the store", counts.items);
    gauge("veille_items_tagged", "Items with at least one tag", counts.tagged_items);
    gauge("veille_stories", "Stories in the store", counts.stories);
    gauge("veille_database_bytes", "Size of the database", counts.database_bytes);
    registry
}

/// Why nothing was read. When the store is at fault: one line for the operator, a plain word for the reader.
pub(super) fn unread(uri: &Uri, error: &StoreError) -> Response {
    if matches!(error, StoreError::PlaceGone) {
        return refuse(uri, StatusCode::NOT_FOUND, &error.to_string());
    }
    tracing::error!(%error, path = super::path_for_logs(uri), "http: the store cannot be read");
    refuse(uri, StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read just now; the log has more")
}

fn uncached(mut response: Response) -> Response {
    let value = axum::http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}
