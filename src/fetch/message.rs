//! One message to one address: what is pushed to others, through the guard that every visit passes.
//!
//! No redirect is followed: a message goes to the address that was named and to no other. Any answer is a
//! value; only an address that could not be reached, or may not be, is an error.

use super::Client;
use super::client::{CONNECT_TIMEOUT, Shared};
use super::error::{Cause, FetchError, Phase};
use super::freshness::Freshness;
use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

/// A receiver that needs longer is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// More of an answer than this is not read: nobody needs it.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A message to be sent.
#[derive(Debug, Clone)]
pub struct Message {
    pub url: Url,
    /// Whether the operator wrote the address; else its port must be one that serves the web.
    pub is_configured: bool,
    pub headers: Vec<(&'static str, String)>,
    /// `None`: a GET.
    pub body: Option<Bytes>,
}

/// What the receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<SignedDuration>,
    /// Its beginning.
    pub body: Bytes,
}

impl Answer {
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    /// Sends a message at `now` and reads the answer, within ten seconds.
    ///
    /// # Errors
    /// The address is refused or cannot be reached, or the answer does not come in time.
    pub async fn send(&self, message: &Message, now: Timestamp) -> Result<Answer, FetchError> {
        let limit = ANSWER_TIMEOUT.min(self.shared.timeout);
        let late = || Cause::Timeout { phase: Phase::Headers, after_ms: limit.as_millis() };
        let sent = timeout(limit, send(&self.shared, message, now)).await;
        sent.unwrap_or_else(|_| Err(late())).map_err(|cause| FetchError {
            url: message.url.clone(),
            status: None,
            freshness: Freshness::default(),
            cause,
            redirected: false,
        })
    }
}

async fn send(shared: &Shared, message: &Message, now: Timestamp) -> Result<Answer, Cause> {
    let mut url = message.url.clone();
    url.set_fragment(None);
    // An address that the operator did not write has no port of its own choice: an address without a host has none.
    let nobodys = Url::parse("about:blank").expect("a constant address");
    let configured = if message.is_configured { &message.url } else { &nobodys };
    shared.policy.check_url(&url, configured).map_err(Cause::Refused)?;
    let unsendable = |error: &dyn std::fmt::Display| Cause::Unsendable(error.to_string());
    let pool = shared.pool(shared.default_proxy.as_ref()).map_err(|error| unsendable(&error))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        let value = HeaderValue::from_str(value).map_err(|error| unsendable(&error))?;
        headers.append(HeaderName::from_static(name), value);
    }
    let method = if message.body.is_some() { Method::POST } else { Method::GET };
    let mut ask = pool.request(method, url).headers(headers);
    if let Some(body) = &message.body {
        ask = ask.body(body.clone());
    }
    let broken = |error: &reqwest::Error| Cause::of(error, CONNECT_TIMEOUT.as_millis());
    let mut response = ask.send().await.map_err(|error| broken(&error))?;
    let (status, retry_after) = (response.status().as_u16(), Freshness::of(response.headers(), now).retry_after);
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            body.truncate(ANSWER_BYTES_MAX);
            break;
        }
    }
    Ok(Answer { status, retry_after, body: body.freeze() })
}
