//! Where hubs verify our subscriptions and deliver to them (W3C WebSub sections 5.3, 7 and 8).
//!
//! Each subscription has an address of its own that nobody can guess. A delivery that is not signed with its secret is
//! answered as if all were well and dropped: who forges learns nothing.

use super::operations::unread;
use super::signature::is_signed;
use super::{AppState, not_found, refuse};
use crate::model::{HubDelivery, Subscription, SubscriptionState, Timestamp, WithoutQuery, lease_ends};
use crate::store::StoreError;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;
use serde::Deserialize;
use std::sync::Arc;

/// Below it every address is a secret.
pub(super) const ROOT: &str = "/websub/";
/// Largest delivery, before the limit of the config.
pub(super) const MAX_DELIVERY_BYTES: u64 = 16 << 20;
/// A hub that said no is asked again after so long.
const DENIED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Takes a delivery in, and returns once it is stored.
pub type TakeDelivery = Arc<dyn Fn(HubDelivery) -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync>;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/websub/{key}", get(verify).post(deliver))
}

#[derive(Debug, Deserialize)]
struct Intent {
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    #[serde(rename = "hub.topic")]
    topic: Option<String>,
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
    #[serde(rename = "hub.lease_seconds")]
    lease_s: Option<String>,
    #[serde(rename = "hub.reason")]
    reason: Option<String>,
}

/// The hub asks whether it was we who asked, or says no.
async fn verify(
    State(state): State<AppState>,
    Path(key): Path<String>,
    intent: Result<Query<Intent>, axum::extract::rejection::QueryRejection>,
    uri: Uri,
) -> Response {
    let Ok(Query(intent)) = intent else { return not_found(&uri) };
    if intent.mode.as_deref() == Some("unsubscribe") {
        return confirm_ending(&state, key, intent, &uri).await;
    }
    let subscription = match find(&state, key).await {
        Ok(Some(found)) if intent.topic.as_deref() == Some(found.topic.as_str()) => found,
        Ok(_) => return not_found(&uri),
        Err(error) => return unread(&uri, &error),
    };
    let now = state.now();
    let done = match (intent.mode.as_deref(), intent.challenge) {
        (Some("subscribe"), Some(challenge)) if subscription.state != SubscriptionState::Wanted => {
            confirm(&state, &subscription, intent.lease_s.as_deref(), now).await.map(|()| challenge)
        }
        (Some("denied"), _) => {
            let reason = intent.reason.unwrap_or_default().chars().take(200).collect();
            deny(&state, &subscription, reason, now).await.map(|()| String::new())
        }
        _ => return not_found(&uri),
    };
    match done {
        Ok(challenge) => echo(challenge),
        Err(error) => unread(&uri, &error),
    }
}

async fn confirm(
    state: &AppState,
    subscription: &Subscription,
    lease_s: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (expires_at, renew_at) = lease_ends(lease_s.and_then(|text| text.parse().ok()), now);
    let feed = subscription.feed;
    tracing::info!(feed.url = %WithoutQuery(&subscription.feed_url), hub = %subscription.hub, %expires_at, "subscribed: the hub delivers what is new");
    state.store.write(move |tx| tx.subscription_verified(feed, expires_at, renew_at)).await
}

/// Whether it was we who asked for the end; the answer to that is the end of it.
async fn confirm_ending(state: &AppState, key: String, intent: Intent, uri: &Uri) -> Response {
    let ended = match state.store.read(move |tx| tx.ended_subscription(&key)).await {
        Ok(Some(ended)) if intent.topic.as_deref() == Some(ended.topic.as_str()) => ended,
        Ok(_) => return not_found(uri),
        Err(error) => return unread(uri, &error),
    };
    let Some(challenge) = intent.challenge else { return not_found(uri) };
    tracing::info!(feed.url = %WithoutQuery(&ended.feed_url), hub = %ended.hub, "no longer subscribed");
    match state.store.write(move |tx| tx.forget_subscription(&ended.callback_key)).await {
        Ok(()) => echo(challenge),
        Err(error) => unread(uri, &error),
    }
}

fn echo(challenge: String) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], challenge).into_response()
}

async fn deny(state: &AppState, subscription: &Subscription, reason: String, now: Timestamp) -> Result<(), StoreError> {
    let feed = subscription.feed;
    tracing::warn!(feed.url = %WithoutQuery(&subscription.feed_url), hub = %subscription.hub, reason, "the hub denies the subscription; the feed is polled as any other");
    let next_try_at = now.saturating_add(DENIED_FOR).unwrap_or(Timestamp::MAX);
    state.store.write(move |tx| tx.subscription_denied(feed, &format!("denied: {reason}"), next_try_at, now)).await
}

/// A document that the hub has for us. It is answered once it is stored, so that the hub tries again otherwise.
async fn deliver(State(state): State<AppState>, Path(key): Path<String>, request: Request) -> Response {
    let uri = request.uri().clone();
    // Nothing is read of a body that no subscription waits for.
    let subscription = match find(&state, key).await {
        Ok(Some(found)) => found,
        // A hub ends a subscription whose address is gone.
        Ok(None) => return refuse(&uri, StatusCode::GONE, "no subscription has this address"),
        Err(error) => return unread(&uri, &error),
    };
    let limit = state.settings().fetch.max_body_bytes.min(MAX_DELIVERY_BYTES);
    let (parts, body) = request.into_parts();
    let Some(body) = read(body, limit).await else {
        return refuse(&uri, StatusCode::PAYLOAD_TOO_LARGE, "the delivery is longer than [fetch] max_body");
    };
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if !text("x-hub-signature").is_some_and(|header| is_signed(header, subscription.secret.reveal(), &body)) {
        tracing::warn!(feed.url = %WithoutQuery(&subscription.feed_url), "a delivery without a right signature was dropped");
        return StatusCode::NO_CONTENT.into_response();
    }
    let content_type = content_type(&parts.headers);
    match (state.take_delivery)(HubDelivery { feed: subscription.feed, body, content_type }).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => unread(&uri, &error),
    }
}

async fn read(body: Body, limit: u64) -> Option<Vec<u8>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    axum::body::to_bytes(body, limit).await.ok().map(Into::into)
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::CONTENT_TYPE)?.to_str().ok()?.to_owned())
}

/// None while the config wants no deliveries.
async fn find(state: &AppState, key: String) -> Result<Option<Subscription>, StoreError> {
    if !state.settings().http.subscribe_to_hubs {
        return Ok(None);
    }
    state.store.read(move |tx| tx.subscription_with_key(&key)).await
}
