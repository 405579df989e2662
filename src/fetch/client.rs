//! The client: what all visits share, which is how connections are made and kept, and the one deadline of each.

use super::address::AddressPolicy;
use super::error::{Cause, FetchError};
use super::freshness::Freshness;
use super::kept::{KEPT_FOR, KeptHosts};
use super::resolver::GuardedResolver;
use super::visit::Visit;
use super::{FetchOutcome, FetchRequest};
use crate::config::FetchSettings;
use jiff::Timestamp;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use rustls_platform_verifier::BuilderVerifierExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout_at;
use url::Url;

pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Header lines of an answer. A few sites send more than the usual 100.
const HEADERS_MAX: usize = 128;

/// Makes visits. Cheap to clone; the clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) policy: AddressPolicy,
    pub(super) timeout: Duration,
    pub(super) max_body_bytes: u64,
    per_host: usize,
    user_agent: HeaderValue,
    pub(super) default_proxy: Option<Url>,
    tls: rustls::ClientConfig,
    /// One connection pool a proxy, made when first needed; `None` is the direct way.
    pools: Mutex<HashMap<Option<Url>, reqwest::Client>>,
    pub(super) kept: KeptHosts,
}

/// A client cannot be made from these settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("the user agent `{0}` holds characters that a header cannot carry")]
    UserAgent(String),
    #[error("the proxy `{url}` cannot be used: {reason}")]
    Proxy { url: Url, reason: String },
    #[error("TLS cannot be set up: {0}")]
    Tls(rustls::Error),
}

impl Client {
    /// A client that trusts the authorities that this machine trusts.
    pub fn new(settings: &FetchSettings) -> Result<Self, ClientError> {
        Self::with_tls(settings, system_tls().map_err(ClientError::Tls)?)
    }

    /// A client with its own idea of TLS: for tests and for machines without a certificate store.
    pub fn with_tls(settings: &FetchSettings, mut tls: rustls::ClientConfig) -> Result<Self, ClientError> {
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let user_agent = HeaderValue::from_str(&settings.user_agent)
            .map_err(|_| ClientError::UserAgent(settings.user_agent.clone()))?;
        let shared = Shared {
            policy: AddressPolicy {
                allow_private: settings.allow_private_addresses,
                allow_networks: settings.allow_networks.clone(),
            },
            timeout: settings.timeout.unsigned_abs(),
            max_body_bytes: settings.max_body_bytes,
            per_host: settings.per_host,
            user_agent,
            default_proxy: settings.proxy.clone(),
            tls,
            pools: Mutex::default(),
            kept: KeptHosts::default(),
        };
        shared.pool(shared.default_proxy.as_ref())?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes one visit that begins at `now` and takes at most the configured timeout.
    ///
    /// Dropping the future ends the visit and closes its connection.
    pub async fn fetch(&self, request: &FetchRequest, now: Timestamp) -> Result<FetchOutcome, FetchError> {
        let mut visit = Visit::begin(&self.shared, request, now);
        let ended = timeout_at(visit.started + self.shared.timeout, visit.run()).await;
        let (cause, freshness) = match ended {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(failed)) => failed,
            Err(_) => {
                let after_ms = self.shared.timeout.as_millis();
                (Cause::Timeout { phase: visit.phase, after_ms }, Freshness::default())
            }
        };
        Err(visit.failed(cause, freshness))
    }
}

impl Shared {
    pub(super) fn pool(&self, proxy: Option<&Url>) -> Result<reqwest::Client, ClientError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(&proxy.cloned()) {
            return Ok(pool.clone());
        }
        let pool = self.build_pool(proxy)?;
        pools.insert(proxy.cloned(), pool.clone());
        Ok(pool)
    }

    fn build_pool(&self, proxy: Option<&Url>) -> Result<reqwest::Client, ClientError> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .no_proxy()
            .user_agent(self.user_agent.clone())
            .connect_timeout(CONNECT_TIMEOUT.min(self.timeout))
            .pool_idle_timeout(KEPT_FOR)
            .pool_max_idle_per_host(self.per_host)
            .http1_title_case_headers()
            .http1_max_headers(HEADERS_MAX)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true);
        match proxy {
            None => builder = builder.dns_resolver(GuardedResolver::new(self.policy.clone())),
            // The proxy resolves the feeds' names; the only name we look up is its own, which the operator chose.
            Some(url) => builder = builder.proxy(reqwest::Proxy::all(url.clone()).map_err(|e| bad_proxy(url, &e))?),
        }
        builder.build().map_err(|error| match proxy {
            Some(url) => bad_proxy(url, &error),
            None => ClientError::Tls(rustls::Error::General(error.to_string())),
        })
    }
}

fn bad_proxy(url: &Url, error: &reqwest::Error) -> ClientError {
    ClientError::Proxy { url: url.clone(), reason: error.to_string() }
}

/// The system's roots with ring, without touching rustls' process-wide default.
fn system_tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        || rustls::ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    match builder()?.with_platform_verifier() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(%error, "no certificate authorities found: https feeds will fail; install ca-certificates");
            Ok(builder()?.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
        }
    }
}
