//! The built-in `WebSub` hub's address, `/hub`: takes requests for our own documents, and for no others.
//!
//! A request is checked and noted, never acted upon here: whether the reader meant it is asked back later
//! (W3C WebSub section 5.3), at a pace that makes the hub no tool against others.

use super::AppState;
use super::digests::split_extension;
use super::documents::{Place, publisher};
use super::operations::unread;
use crate::config::Settings;
use crate::model::{DigestName, SubscriptionRequest, Timestamp};
use crate::store::HubLimits;
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use url::Url;

const LIMITS: HubLimits =
    HubLimits { requests: 1_000, requests_per_host: 20, subscriptions_per_topic: 1_000, subscriptions_per_host: 100 };

/// Section 5.1: a secret is shorter than 200 bytes.
const SECRET_BYTES_MAX: usize = 199;
const CALLBACK_BYTES_MAX: usize = 2_048;

const DAY_S: u32 = 86_400;
/// Given to who asks for none, and bounds for who asks (section 5.1 leaves them to the hub).
const LEASE_S: u32 = 10 * DAY_S;
const SHORTEST_LEASE_S: u32 = 300;
const LONGEST_LEASE_S: u32 = 30 * DAY_S;

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/hub", post(ask))
}

async fn ask(
    State(state): State<AppState>,
    uri: Uri,
    form: Result<Form<Vec<(String, String)>>, FormRejection>,
) -> Response {
    let settings = state.settings();
    if !settings.http.hub {
        return super::not_found(&uri);
    }
    let Ok(Form(fields)) = form else { return refused("send the fields hub.* as a form") };
    let request = match read(&fields, &settings, state.now()) {
        Ok(request) => request,
        Err(reason) => return refused(reason),
    };
    match state.store.write(move |tx| tx.request_subscription(&request, &LIMITS)).await {
        Ok(true) => (StatusCode::ACCEPTED, "you will be asked whether you meant it\n").into_response(),
        Ok(false) => {
            let reason = "the hub takes no more on for this document or callback now; try again later\n";
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "60")], reason).into_response()
        }
        Err(error) => unread(&uri, &error),
    }
}

/// Section 5.2: a refusal says in plain text why.
fn refused(reason: &'static str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response()
}

fn read(fields: &[(String, String)], settings: &Settings, now: Timestamp) -> Result<SubscriptionRequest, &'static str> {
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let subscribes = match field("hub.mode") {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        _ => return Err("hub.mode is subscribe or unsubscribe"),
    };
    let (digest, topic) = topic(field("hub.topic").ok_or("hub.topic is missing")?, settings)
        .ok_or("hub.topic is none of the documents that this hub serves")?;
    let callback = field("hub.callback").ok_or("hub.callback is missing")?;
    let (callback, host) = checked_callback(callback, settings)?;
    let secret = field("hub.secret").filter(|secret| !secret.is_empty());
    if secret.is_some_and(|secret| secret.len() > SECRET_BYTES_MAX) {
        return Err("hub.secret must be shorter than 200 bytes");
    }
    let lease_s = match field("hub.lease_seconds").filter(|lease| !lease.is_empty()) {
        None => LEASE_S,
        Some(lease) if lease.bytes().all(|byte| byte.is_ascii_digit()) => lease.parse().unwrap_or(u32::MAX),
        Some(_) => return Err("hub.lease_seconds is a number of seconds"),
    };
    Ok(SubscriptionRequest {
        digest,
        topic,
        callback,
        host,
        subscribes,
        secret: secret.map(str::to_owned),
        lease_s: lease_s.clamp(SHORTEST_LEASE_S, LONGEST_LEASE_S),
        requested_at: now,
    })
}

/// One of our public documents, as `NAME.atom`.
fn topic(url: &str, settings: &Settings) -> Option<(DigestName, String)> {
    let file = url.strip_prefix(&publisher(settings).address("digests/"))?;
    let (name, format) = split_extension(file);
    format?;
    Place::public(name).digest(settings)?;
    Some((DigestName(name.to_owned()), file.to_owned()))
}

/// Whether its host may be reached is known when it is: the guard looks at the address then.
fn checked_callback(text: &str, settings: &Settings) -> Result<(String, String), &'static str> {
    const BAD: &str = "hub.callback is no web address";
    if text.len() > CALLBACK_BYTES_MAX {
        return Err("hub.callback is longer than 2 KiB");
    }
    let mut url = Url::parse(text).map_err(|_| BAD)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BAD);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("hub.callback must not hold a user name or a password");
    }
    let ours = &settings.http.public_url;
    if url.host() == ours.host() && url.port_or_known_default() == ours.port_or_known_default() {
        return Err("hub.callback is an address of this hub");
    }
    url.set_fragment(None);
    // Without its port: who would flood a host has all of its ports to try.
    let host = url.host_str().ok_or(BAD)?.to_owned();
    Ok((url.to_string(), host))
}
