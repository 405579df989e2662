//! What is refused before any route sees it: bad hosts, oversized requests, requests across sites.
//!
//! Decides from the request head alone.

use super::site::NOTHING_HERE;
use super::websub;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use url::Host;

const MAX_URI_BYTES: usize = 8 * 1024;
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// Largest body of a request that changes something.
pub(super) const MAX_BODY_BYTES: u64 = 64 * 1024;

/// Why a request is refused: the status, and a line that says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
}

const fn refusal(status: StatusCode, reason: &'static str) -> Refusal {
    Refusal { status, reason }
}

/// The hosts that we answer for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KnownHosts<'a> {
    /// Bound to the network: reachable by names that we cannot know.
    Any,
    /// Bound to loopback: a page elsewhere whose name was pointed at 127.0.0.1 must not read us (DNS rebinding).
    Loopback { listen: IpAddr, public: Option<&'a str> },
}

impl<'a> KnownHosts<'a> {
    pub(super) fn new(listen: IpAddr, public_url: &'a url::Url) -> Self {
        if listen.is_loopback() { Self::Loopback { listen, public: public_url.host_str() } } else { Self::Any }
    }

    fn includes(&self, authority: &Authority) -> bool {
        let Self::Loopback { listen, public } = self else { return true };
        let name = authority.host().trim_end_matches('.');
        let is_plainly = |known: &str| name.eq_ignore_ascii_case(known);
        // As most write it; an address has more spellings.
        is_plainly("localhost")
            || is_plainly("127.0.0.1")
            || public.is_some_and(is_plainly)
            || match Host::parse(name) {
                Ok(Host::Ipv4(address)) => address == Ipv4Addr::LOCALHOST || IpAddr::V4(address) == *listen,
                Ok(Host::Ipv6(address)) => address == Ipv6Addr::LOCALHOST,
                Ok(Host::Domain(name)) => name == "localhost",
                Err(_) => false,
            }
    }
}

/// Looks at a request head.
///
/// # Errors
/// The refusal to answer with.
pub(super) fn inspect<B>(request: &Request<B>, hosts: &KnownHosts<'_>) -> Result<(), Refusal> {
    check_size(request.uri(), request.headers())?;
    check_host(request.uri(), request.headers(), hosts)?;
    check_path(request.uri().path())?;
    check_body(request.method(), request.headers(), longest_body(request.uri().path()))?;
    if is_safe(request.method()) { Ok(()) } else { check_site(request.headers()) }
}

/// GET and HEAD change nothing; the rest asks for an answer too, and changes nothing either.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

fn check_size(uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    let uri_bytes = uri.path_and_query().map_or(0, |text| text.as_str().len());
    if uri_bytes > MAX_URI_BYTES {
        return Err(refusal(StatusCode::URI_TOO_LONG, "the address is longer than 8 KiB"));
    }
    let header_bytes: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    if header_bytes > MAX_HEADER_BYTES {
        return Err(refusal(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are longer than 16 KiB"));
    }
    Ok(())
}

/// Names are text: a path that is none leads nowhere.
fn check_path(path: &str) -> Result<(), Refusal> {
    match percent_encoding::percent_decode_str(path).decode_utf8() {
        Ok(_) => Ok(()),
        Err(_) => Err(refusal(StatusCode::NOT_FOUND, NOTHING_HERE)),
    }
}

fn check_host(uri: &Uri, headers: &HeaderMap, hosts: &KnownHosts<'_>) -> Result<(), Refusal> {
    const BAD: Refusal = refusal(StatusCode::BAD_REQUEST, "a request needs exactly one valid Host");
    let mut values = headers.get_all(header::HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(BAD) };
    let named: Authority = value.to_str().ok().and_then(|text| text.parse().ok()).ok_or(BAD)?;
    if named.as_str().contains('@') {
        return Err(BAD);
    }
    // In the absolute form the target's host is the one that counts (RFC 9112 section 3.2.2).
    let target = uri.authority().unwrap_or(&named);
    if hosts.includes(&named) && hosts.includes(target) {
        Ok(())
    } else {
        Err(refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "this host is not served here; set http.public_url to the address that readers use",
        ))
    }
}

/// A hub delivers whole documents; all else is short.
fn longest_body(path: &str) -> u64 {
    if path.starts_with(websub::ROOT) { websub::MAX_DELIVERY_BYTES } else { MAX_BODY_BYTES }
}

fn check_body(method: &Method, headers: &HeaderMap, longest: u64) -> Result<(), Refusal> {
    // hyper drops a Content-Length that stands beside a Transfer-Encoding, so the smuggler's pair cannot be
    // told from chunks alone. Nothing that we serve needs chunks.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(refusal(StatusCode::BAD_REQUEST, "send a Content-Length instead of a Transfer-Encoding"));
    }
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if !is_safe(method) && length.is_some_and(|length| length > longest) {
        return Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than this address takes"));
    }
    Ok(())
}

/// Whether a request that may change something comes from our own pages, whatever its content type.
fn check_site(headers: &HeaderMap) -> Result<(), Refusal> {
    const CROSS: Refusal = refusal(StatusCode::FORBIDDEN, "requests from other sites change nothing here");
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(CROSS),
        None => match text("origin") {
            // No browser sends neither: a program acts with what its user gave it.
            None => Ok(()),
            Some(origin) => {
                let host = text("host").unwrap_or_default();
                let from = origin.split_once("://").map(|(_, authority)| authority);
                if from.is_some_and(|from| from.eq_ignore_ascii_case(host)) { Ok(()) } else { Err(CROSS) }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request {
        let builder = Request::builder().method(method).uri(uri);
        headers
            .iter()
            .fold(builder, |builder, (name, value)| builder.header(*name, *value))
            .body(Body::empty())
            .unwrap()
    }

    fn public_url() -> url::Url {
        "https://watch.example.org/".parse().unwrap()
    }

    fn check(request: &Request, expected: Option<u16>) {
        let public_url = public_url();
        let loopback = KnownHosts::new("127.0.0.1".parse().unwrap(), &public_url);
        let found = inspect(request, &loopback).err().map(|refusal| refusal.status.as_u16());
        assert_eq!(found, expected, "{request:?}");
    }

    #[test]
    fn w10_on_loopback_only_our_own_names_are_answered() {
        for host in [
            "localhost",
            "LOCALHOST:8787",
            "127.0.0.1:8787",
            "[::1]:80",
            "watch.example.org",
            "watch.example.org.",
            "Watch.Example.org:443",
        ] {
            check(&request("GET", "/", &[("host", host)]), None);
        }
        for host in [
            "evil.example",
            "127.0.0.2",
            "localhost.evil.example",
            "10.0.0.1",
            "watch.example.org.evil.example",
            "0.0.0.0",
        ] {
            check(&request("GET", "/", &[("host", host)]), Some(421));
            check(&request("POST", "/", &[("host", host)]), Some(421));
        }
        check(&request("GET", "http://evil.example/", &[("host", "localhost")]), Some(421));
    }

    #[test]
    fn w10_on_a_network_address_every_host_is_answered() {
        let public_url = public_url();
        let hosts = KnownHosts::new("0.0.0.0".parse().unwrap(), &public_url);
        assert_eq!(inspect(&request("GET", "/", &[("host", "nas.lan:8787")]), &hosts), Ok(()));
    }

    #[test]
    fn w5_a_request_has_one_valid_host() {
        check(&request("GET", "/", &[]), Some(400));
        check(&request("GET", "/", &[("host", "localhost"), ("host", "localhost")]), Some(400));
        check(&request("GET", "/", &[("host", "")]), Some(400));
        check(&request("GET", "/", &[("host", "a b")]), Some(400));
        check(&request("GET", "/", &[("host", "user@localhost")]), Some(400));
    }

    #[test]
    fn w5_what_is_too_long_is_refused() {
        let long = "x".repeat(9 * 1024);
        check(&request("GET", &format!("/?q={long}"), &[("host", "localhost")]), Some(414));
        check(&request("GET", "/", &[("host", "localhost"), ("a", &long), ("b", &long)]), Some(431));
        check(&request("POST", "/", &[("host", "localhost"), ("content-length", "65537")]), Some(413));
        check(&request("GET", "/", &[("host", "localhost"), ("content-length", "65537")]), None);
        check(&request("POST", "/", &[("host", "localhost"), ("transfer-encoding", "chunked")]), Some(400));
    }

    #[test]
    fn w11_a_request_from_another_site_changes_nothing() {
        let host = ("host", "localhost:8787");
        for site in ["cross-site", "same-site", "junk"] {
            check(&request("POST", "/", &[host, ("sec-fetch-site", site)]), Some(403));
        }
        check(
            &request("POST", "/", &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")]),
            None,
        );
        check(&request("POST", "/", &[host, ("origin", "http://evil.example")]), Some(403));
        check(&request("POST", "/", &[host, ("origin", "null")]), Some(403));
        check(&request("POST", "/", &[host, ("origin", "http://localhost:8787")]), None);
        check(&request("POST", "/", &[host]), None);
        check(&request("GET", "/", &[host, ("sec-fetch-site", "cross-site")]), None);
    }
}
