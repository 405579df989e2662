//! What can go wrong on a visit, in words for the operator.

use super::address::Refusal;
use super::freshness::Freshness;
use super::resolver::ResolveError;
use std::error::Error;
use std::io;
use url::Url;

/// A visit that brought nothing. What is stored stays as it is.
#[derive(Debug)]
pub struct FetchError {
    /// The address that failed: the last one of the chain.
    pub url: Url,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// What the answer said about coming back, if there was one.
    pub freshness: Freshness,
    pub cause: Cause,
    /// Whether `url` is not where the visit began.
    pub redirected: bool,
}

/// Why a visit failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    #[error("refused to connect: {0}")]
    Refused(Refusal),
    #[error("{0}")]
    Lookup(String),
    #[error("could not connect: {0}")]
    Connect(String),
    #[error("no secure connection: {0}")]
    Tls(String),
    #[error("{phase} took longer than {after_ms} ms")]
    Timeout { phase: Phase, after_ms: u128 },
    #[error("{0}")]
    Redirect(RedirectFault),
    #[error("{}", status_in_words(*.0))]
    Status(u16),
    #[error("the server answered 304 (not modified) although it was asked for the whole document")]
    UnaskedNotModified,
    #[error("the answer cannot be decoded: {0}")]
    Coding(String),
    #[error("the document is too large: more than {limit_bytes} bytes once decoded (`max_body`)")]
    TooLarge { limit_bytes: u64 },
    #[error("the document is empty")]
    Empty,
    #[error("the answer broke off or is not HTTP: {0}")]
    Broken(String),
    #[error("the request cannot be sent: {0}; check the feed's URL and headers")]
    Unsendable(String),
}

/// What a visit was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Connect,
    Headers,
    Body,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Headers => "waiting for the answer",
            Self::Body => "receiving the document",
        })
    }
}

/// A redirect that cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectFault {
    #[error("a redirect names no address")]
    NoLocation,
    #[error("a redirect leads to something that is no address")]
    BadLocation,
    #[error("a redirect leads to an address with a user name in it, which is not followed")]
    Credentials,
    #[error("a redirect leads to a host that asked to be left alone for now")]
    HostHeld,
    #[error("the redirects go in a circle")]
    Loop,
    #[error("more than {} redirects", super::redirect::HOPS_MAX)]
    TooMany,
}

/// In plain words, without path and query: a feed's address may hold a token.
impl std::fmt::Display for FetchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.cause)?;
        match self.url.host_str() {
            Some(host) if self.redirected => write!(f, " (redirected to {host})"),
            _ => Ok(()),
        }
    }
}

impl Error for FetchError {}

impl From<ResolveError> for Cause {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::Refused(refusal) => Self::Refused(refusal),
            failed @ ResolveError::Lookup { .. } => Self::Lookup(failed.to_string()),
        }
    }
}

impl Cause {
    /// Reads what reqwest wraps: its own words name neither the name looked up nor the certificate's fault.
    pub(super) fn of(error: &reqwest::Error, connect_timeout_ms: u128) -> Self {
        for source in chain(error) {
            if let Some(error) = source.downcast_ref::<ResolveError>() {
                return Self::from(error.clone());
            }
            if let Some(error) = source.downcast_ref::<rustls::Error>() {
                return Self::Tls(certificate_in_words(error));
            }
        }
        let reason = chain(error).last().map_or_else(|| error.to_string(), ToString::to_string);
        if error.is_builder() {
            Self::Unsendable(reason)
        } else if error.is_connect() && error.is_timeout() {
            Self::Timeout { phase: Phase::Connect, after_ms: connect_timeout_ms }
        } else if error.is_connect() {
            Self::Connect(reason)
        } else {
            Self::Broken(reason)
        }
    }
}

/// An error and all that it wraps, through the `io::Error`s that hide their content from `source()`.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'e (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>() {
            Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn certificate_in_words(error: &rustls::Error) -> String {
    use rustls::CertificateError as Fault;
    let rustls::Error::InvalidCertificate(fault) = error else { return error.to_string() };
    match fault {
        // A bad signature: one that bears the name of an authority and was signed by another.
        Fault::UnknownIssuer | Fault::BadSignature => {
            "no authority that this machine trusts signed the certificate".to_owned()
        }
        Fault::Expired | Fault::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        Fault::NotValidYet | Fault::NotValidYetContext { .. } => {
            "the certificate is not valid yet; is this machine's clock right?".to_owned()
        }
        Fault::NotValidForName | Fault::NotValidForNameContext { .. } => {
            "the certificate is for another name".to_owned()
        }
        // The verifier has no variant of its own for what `openssl req -x509` makes by default.
        Fault::Other(fault) if format!("{fault:?}").contains("CaUsedAsEndEntity") => {
            "the certificate is signed by itself, as an authority's is, and is none of a server".to_owned()
        }
        Fault::Revoked => "the certificate was revoked".to_owned(),
        other => other.to_string(),
    }
}

/// What a status means for a feed, and what to do about it.
fn status_in_words(status: u16) -> String {
    let meaning = match status {
        401 => "a login is needed; set `basic_auth` or `headers` for this feed",
        402 | 403 => "the server does not let us in; ask the publisher, or check `user_agent` and `headers`",
        404 => "there is nothing at this address; the feed may have moved or closed",
        407 => "the proxy asks for a login",
        410 => "the document is gone for good where a temporary redirect led",
        429 => "too many requests",
        451 => "withheld for legal reasons",
        204..=206 | 226 => "an answer without the whole document",
        300..400 => "a redirect of a kind that cannot be followed",
        400..500 => "the server does not accept the request",
        500..600 => "the server is in trouble",
        _ => "an answer that is not understood",
    };
    format!("HTTP {status}: {meaning}")
}
