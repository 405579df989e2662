//! Who may change something: the user of `[http] login`, or the bearer of `[http] token`. Without either nobody may.
//!
//! Compares in constant time; ten bad tries a minute from an address, and it has to wait.

use super::refuse;
use crate::config::HttpSettings;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq as _;

const MAX_BAD_TRIES: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses remembered; beyond them the oldest windows are forgotten first.
const MAX_ADDRESSES: usize = 10_000;

/// Bad tries of late, by address.
#[derive(Debug, Default)]
pub struct BadTries(Mutex<HashMap<IpAddr, (Instant, u32)>>);

/// Why a request may not change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// The config names nobody.
    Off,
    /// Nobody said who they are, or not rightly.
    Unknown,
    TooManyTries,
}

/// Whether the bearer of these headers may change something.
pub(super) fn check(http: &HttpSettings, headers: &HeaderMap, peer: IpAddr, tries: &BadTries) -> Result<(), Denial> {
    if http.login.is_none() && http.token.is_none() {
        return Err(Denial::Off);
    }
    let now = Instant::now();
    if tries.are_spent(peer, now) {
        return Err(Denial::TooManyTries);
    }
    let Some(given) = headers.get(header::AUTHORIZATION) else { return Err(Denial::Unknown) };
    if is_known(http, given.to_str().unwrap_or_default()) {
        return Ok(());
    }
    tries.add(peer, now);
    Err(Denial::Unknown)
}

impl Denial {
    fn reason(self) -> &'static str {
        match self {
            Denial::Off => "nothing can be changed here: set `login` or `token` under [http] to allow it",
            Denial::Unknown => "this needs the login of the config",
            Denial::TooManyTries => "too many bad logins from your address; wait a minute",
        }
    }

    /// The answer.
    pub(super) fn answer(self, uri: &Uri) -> Response {
        let (status, field) = match self {
            Denial::Off => (StatusCode::FORBIDDEN, None),
            Denial::Unknown => {
                let challenge = "Basic realm=\"veille\", charset=\"UTF-8\"";
                (StatusCode::UNAUTHORIZED, Some((header::WWW_AUTHENTICATE, challenge)))
            }
            Denial::TooManyTries => (StatusCode::TOO_MANY_REQUESTS, Some((header::RETRY_AFTER, "60"))),
        };
        let mut response = refuse(uri, status, self.reason());
        if let Some((name, value)) = field {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// Basic (RFC 7617) or Bearer (RFC 6750).
fn is_known(http: &HttpSettings, authorization: &str) -> bool {
    let Some((scheme, given)) = authorization.split_once(' ') else { return false };
    if scheme.eq_ignore_ascii_case("bearer") {
        return http.token.as_ref().is_some_and(|token| is_same(given.trim(), &token.0));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let Some(login) = &http.login else { return false };
    let given = STANDARD.decode(given.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    is_same(&given, &format!("{}:{}", login.username, login.password.0))
}

/// Takes as long whatever is given: hashes are compared, not texts.
fn is_same(given: &str, secret: &str) -> bool {
    Sha256::digest(given).ct_eq(&Sha256::digest(secret)).into()
}

impl BadTries {
    fn are_spent(&self, peer: IpAddr, now: Instant) -> bool {
        let tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tries.get(&peer).is_some_and(|(since, count)| *count >= MAX_BAD_TRIES && now.duration_since(*since) < WINDOW)
    }

    fn add(&self, peer: IpAddr, now: Instant) {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= MAX_ADDRESSES {
            tries.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        }
        if tries.len() >= MAX_ADDRESSES {
            tries.clear();
        }
        let (since, count) = tries.entry(peer).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Login, Secret};

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn settings(login: bool, token: bool) -> HttpSettings {
        HttpSettings {
            list_feed_health: false,
            subscribe_to_hubs: false,
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: "http://localhost/".parse().unwrap(),
            hubs: Vec::new(),
            hub: false,
            login: login.then(|| Login { username: "curator".into(), password: Secret("pass:word é".into()) }),
            token: token.then(|| Secret("token".into())),
            trusted_proxies: Vec::new(),
            requests_per_minute: 0,
        }
    }

    fn outcome(http: &HttpSettings, authorization: Option<&str>) -> Result<(), Denial> {
        let mut headers = HeaderMap::new();
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        }
        check(http, &headers, PEER, &BadTries::default())
    }

    #[test]
    fn w12_without_a_secret_nobody_changes_anything() {
        assert_eq!(outcome(&settings(false, false), Some("Bearer token")), Err(Denial::Off));
    }

    #[test]
    fn w12_the_login_and_the_token_open_and_nothing_else_does() {
        let both = settings(true, true);
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        assert_eq!(outcome(&both, Some(&basic("curator:pass:word é"))), Ok(()));
        assert_eq!(outcome(&both, Some("bearer token")), Ok(()));
        for bad in ["", "token", "Bearer", "Bearer tokens", "Basic token", "Basic ???", "Digest token"] {
            assert_eq!(outcome(&both, Some(bad)), Err(Denial::Unknown), "{bad}");
        }
        assert_eq!(outcome(&both, Some(&basic("curator:"))), Err(Denial::Unknown));
        assert_eq!(outcome(&both, None), Err(Denial::Unknown));
        assert_eq!(outcome(&settings(true, false), Some("Bearer token")), Err(Denial::Unknown));
        assert_eq!(outcome(&settings(false, true), Some(&basic("curator:pass:word é"))), Err(Denial::Unknown));
    }

    #[test]
    fn w12_ten_bad_tries_a_minute_and_an_address_has_to_wait() {
        let (tries, http) = (BadTries::default(), settings(false, true));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Bearer guess".parse().unwrap());
        for _ in 0..10 {
            assert_eq!(check(&http, &headers, PEER, &tries), Err(Denial::Unknown));
        }
        assert_eq!(check(&http, &headers, PEER, &tries), Err(Denial::TooManyTries));
        headers.insert(header::AUTHORIZATION, "Bearer token".parse().unwrap());
        assert_eq!(check(&http, &headers, PEER, &tries), Err(Denial::TooManyTries));
        assert_eq!(check(&http, &headers, IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), &tries), Ok(()));
        assert!(!tries.are_spent(PEER, Instant::now() + WINDOW));
    }
}
