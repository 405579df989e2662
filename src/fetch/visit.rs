//! A visit: from the first request through redirects to the document, or to what stands in its place.
//!
//! Every request passes the address guard and carries only what belongs to its address. Nothing is retried here.

use super::body::{ACCEPT_ENCODING, Coding, Decoder};
use super::client::{CONNECT_TIMEOUT, Shared};
use super::error::{Cause, FetchError, Phase, RedirectFault};
use super::freshness::Freshness;
use super::links;
use super::redirect::{self, HOPS_MAX};
use super::{FetchOutcome, FetchRequest, Modified, NotModified, RetryLater};
use crate::model::{Remembered, Validators, host_of_url};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING as ACCEPT_ENCODING_HEADER, CONNECTION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION,
};
use reqwest::{Response, StatusCode};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use url::{Position, Url};

/// From the request to the end of the headers of its answer, connecting included.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(20);
/// An entity tag longer than this is neither stored nor echoed.
const ETAG_BYTES_MAX: usize = 8 * 1024;
/// What is read of an answer without a document so that its connection can be used again.
const DRAIN_BYTES_MAX: usize = 16 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A failure, and what the answer that was one said about coming back.
type Failed = (Cause, Freshness);

/// A visit under way.
pub(super) struct Visit<'v> {
    shared: &'v Shared,
    request: &'v FetchRequest,
    now: Timestamp,
    pub(super) started: Instant,
    /// Where we are in the chain.
    url: Url,
    seen: Vec<Url>,
    permanent_target: Option<Url>,
    only_permanent: bool,
    pub(super) phase: Phase,
    status: Option<u16>,
}

impl<'v> Visit<'v> {
    pub(super) fn begin(shared: &'v Shared, request: &'v FetchRequest, now: Timestamp) -> Self {
        Self {
            shared,
            request,
            now,
            started: Instant::now(),
            url: bare(&request.url),
            seen: Vec::new(),
            permanent_target: None,
            only_permanent: true,
            phase: Phase::Headers,
            status: None,
        }
    }

    pub(super) async fn run(&mut self) -> Result<FetchOutcome, Failed> {
        loop {
            let response = self.ask().await.map_err(|cause| (cause, Freshness::default()))?;
            let status = response.status();
            if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return self.conclude(response).await;
            }
            let headers = response.headers().clone();
            drain(response).await;
            self.redirect(status, &headers).map_err(|cause| (cause, Freshness::of(&headers, self.received_at())))?;
            if let Some(held) = self.held() {
                return Err(held);
            }
        }
    }

    async fn ask(&mut self) -> Result<Response, Cause> {
        let Self { shared, request, .. } = *self;
        shared.policy.check_url(&self.url, &request.configured_url).map_err(Cause::Refused)?;
        let pool = shared
            .pool(request.proxy.as_ref().or(shared.default_proxy.as_ref()))
            .map_err(|error| Cause::Unsendable(error.to_string()))?;
        self.phase = Phase::Headers;
        self.status = None;
        let mut ask = pool.get(self.url_to_send()).headers(self.headers()?);
        if let Some((user, password)) = request.basic_auth.as_ref().filter(|_| self.is_at_home()) {
            ask = ask.basic_auth(user, Some(&password.0));
        }
        let answer = timeout(HEADERS_TIMEOUT, ask.send())
            .await
            .map_err(|_| Cause::Timeout { phase: Phase::Headers, after_ms: HEADERS_TIMEOUT.as_millis() })?;
        let response = answer.map_err(|error| Cause::of(&error, CONNECT_TIMEOUT.as_millis()))?;
        self.status = Some(response.status().as_u16());
        Ok(response)
    }

    /// The address with the user name and password that the operator wrote into it, where they belong.
    fn url_to_send(&self) -> Url {
        let mut url = self.url.clone();
        let home = &self.request.configured_url;
        if self.is_at_home() {
            // Both fail only for addresses without a host, which the guard has refused.
            let _ = url.set_username(home.username());
            let _ = url.set_password(home.password());
        }
        url
    }

    /// What this request says beside its address. The order is always the same.
    fn headers(&self) -> Result<HeaderMap, Cause> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(self.request.accept));
        headers.insert(ACCEPT_ENCODING_HEADER, HeaderValue::from_static(ACCEPT_ENCODING));
        if self.is_at_home() {
            self.add_the_operators(&mut headers)?;
        }
        if let Some(known) = self.remembered() {
            for (name, value) in
                [(IF_NONE_MATCH, &known.validators.etag), (IF_MODIFIED_SINCE, &known.validators.last_modified)]
            {
                if let Some(value) = value.as_ref().and_then(|bytes| HeaderValue::from_bytes(bytes).ok()) {
                    headers.insert(name, value);
                }
            }
        }
        if !self.shared.kept.keeps(&self.url[..Position::BeforePath], self.remembered().is_some(), Instant::now()) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(headers)
    }

    fn add_the_operators(&self, headers: &mut HeaderMap) -> Result<(), Cause> {
        for (name, value) in &self.request.headers {
            let unsendable = || Cause::Unsendable(format!("the header `{name}` has a name or value that HTTP forbids"));
            let name: HeaderName = name.parse().map_err(|_| unsendable())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| unsendable())?);
        }
        Ok(())
    }

    /// Whether we are at the host and port that the operator's headers and credentials were meant for,
    /// and not on a less secure way to it.
    fn is_at_home(&self) -> bool {
        let home = &self.request.configured_url;
        home.host() == self.url.host()
            && home.port_or_known_default() == self.url.port_or_known_default()
            && (home.scheme() == self.url.scheme() || self.url.scheme() == "https")
    }

    fn remembered(&self) -> Option<&'v Remembered> {
        let url = &self.url;
        self.request.remembered.iter().find(|known| known.url == *url && !known.validators.is_empty())
    }

    fn redirect(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), Cause> {
        let target =
            redirect::target(&self.url, headers.get(LOCATION).map(HeaderValue::as_bytes)).map_err(Cause::Redirect)?;
        if target == self.url || self.seen.contains(&target) {
            return Err(Cause::Redirect(RedirectFault::Loop));
        }
        if self.seen.len() == HOPS_MAX {
            return Err(Cause::Redirect(RedirectFault::TooMany));
        }
        self.only_permanent &= matches!(status.as_u16(), 301 | 308);
        if self.only_permanent {
            self.permanent_target = Some(target.clone());
        }
        self.seen.push(std::mem::replace(&mut self.url, target));
        Ok(())
    }

    /// A host that asked to be left alone is not asked by way of another.
    fn held(&self) -> Option<Failed> {
        let host = host_of_url(&self.url);
        let (_, until) = self.request.held_hosts.iter().find(|(held, _)| *held == host)?;
        let wait = Some(until.duration_since(self.received_at())).filter(SignedDuration::is_positive)?;
        let freshness = Freshness { retry_after: Some(wait), ..Freshness::default() };
        Some((Cause::Redirect(RedirectFault::HostHeld), freshness))
    }

    async fn conclude(&mut self, response: Response) -> Result<FetchOutcome, Failed> {
        let status = response.status().as_u16();
        let freshness = Freshness::of(response.headers(), self.received_at());
        let outcome = match status {
            200 | 203 => return self.document(response, freshness).await,
            304 => match self.remembered() {
                Some(known) => FetchOutcome::NotModified(self.not_modified(known, response.headers(), freshness)),
                None => return Err((Cause::UnaskedNotModified, freshness)),
            },
            410 if self.only_permanent => FetchOutcome::Gone,
            429 => FetchOutcome::RetryLater(RetryLater { status, url: self.url.clone(), freshness }),
            // Without Retry-After a 503 is a failure like any other and says nothing of the host's other feeds.
            503 if freshness.retry_after.is_some() => {
                FetchOutcome::RetryLater(RetryLater { status, url: self.url.clone(), freshness })
            }
            _ => {
                drain(response).await;
                return Err((Cause::Status(status), freshness));
            }
        };
        drain(response).await;
        Ok(outcome)
    }

    async fn document(&mut self, mut response: Response, freshness: Freshness) -> Result<FetchOutcome, Failed> {
        self.phase = Phase::Body;
        let validators = received_validators(response.headers());
        let content_type =
            response.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let status = response.status().as_u16();
        let hub_links = links::of_hub(response.headers(), &self.url).map(Box::new);
        let body = self.body(&mut response).await.map_err(|cause| (cause, freshness))?;
        Ok(FetchOutcome::Modified(Modified {
            body,
            content_type,
            status,
            final_url: self.url.clone(),
            permanent_target: self.permanent_target.clone(),
            remembered: Remembered { url: self.url.clone(), validators, lifetime: freshness.lifetime },
            freshness,
            hub_links,
        }))
    }

    async fn body(&self, response: &mut Response) -> Result<bytes::Bytes, Cause> {
        let limit_bytes = self.shared.max_body_bytes;
        let coding = Coding::of(response.headers())?;
        if coding == Coding::Identity && response.content_length().is_some_and(|length| length > limit_bytes) {
            return Err(Cause::TooLarge { limit_bytes });
        }
        let mut decoder = Decoder::new(coding, limit_bytes);
        while let Some(chunk) =
            response.chunk().await.map_err(|error| Cause::of(&error, CONNECT_TIMEOUT.as_millis()))?
        {
            decoder.push(&chunk)?;
        }
        let body = decoder.finish()?;
        if body.is_empty() { Err(Cause::Empty) } else { Ok(body) }
    }

    fn not_modified(&self, known: &Remembered, headers: &HeaderMap, freshness: Freshness) -> NotModified {
        let carried = received_validators(headers);
        let freshness = freshness.or_lifetime(known.lifetime);
        let validators = Validators {
            etag: carried.etag.or_else(|| known.validators.etag.clone()),
            last_modified: carried.last_modified.or_else(|| known.validators.last_modified.clone()),
        };
        NotModified {
            permanent_target: self.permanent_target.clone(),
            remembered: Remembered { url: self.url.clone(), validators, lifetime: freshness.lifetime },
            freshness,
        }
    }

    /// The start of the visit by the wall clock and what has passed since by the monotonic one.
    fn received_at(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        self.now.saturating_add(elapsed).unwrap_or(self.now)
    }

    pub(super) fn failed(self, cause: Cause, freshness: Freshness) -> FetchError {
        FetchError { redirected: !self.seen.is_empty(), status: self.status, url: self.url, freshness, cause }
    }
}

/// ETag and Last-Modified byte for byte. An empty or oversized tag is not there.
fn received_validators(headers: &HeaderMap) -> Validators {
    let bytes = |name| headers.get(name).map(|value: &HeaderValue| value.as_bytes().to_vec());
    let etag = bytes(ETAG).filter(|etag| !etag.is_empty() && etag.len() <= ETAG_BYTES_MAX);
    let last_modified = bytes(LAST_MODIFIED).filter(|date| !date.is_empty() && date.len() <= ETAG_BYTES_MAX);
    Validators { etag, last_modified }
}

/// Reads what is left of a short answer, so that its connection goes back to the pool.
async fn drain(mut response: Response) {
    let read = async {
        let mut bytes = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            bytes += chunk.len();
            if bytes > DRAIN_BYTES_MAX {
                break;
            }
        }
    };
    // Whether it ends in time or not, the answer was understood already.
    let _ = timeout(DRAIN_TIMEOUT, read).await;
}

/// Path and query as they stand, without fragment and credentials.
fn bare(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    // Both fail only for addresses without a host, which the guard refuses.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}
