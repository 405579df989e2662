//! The demo's origin: an HTTP server on loopback that answers with the outlets' documents.
//!
//! As good publishers do, it sends an `ETag`, answers 304 to a client that has the document, and 301
//! where a feed has moved. It knows nothing of veille.

use super::document::Document;
use super::outlets::{OUTLETS, Outlet};
use crate::model::Timestamp;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, http, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// How long to let a failing `accept` rest: it fails when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A running origin; it stops when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// The demo's time: its start by the caller's clock, and what has elapsed since.
#[derive(Debug)]
struct Press {
    started_at: Timestamp,
    started: Instant,
}

impl Origin {
    /// Listens on a free port of 127.0.0.1. `started_at` is what the documents' dates are relative to.
    ///
    /// Must be called within a Tokio runtime.
    pub async fn start(started_at: Timestamp) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let press = Arc::new(Press { started_at, started: Instant::now() });
        Ok(Self { address, accepting: tokio::spawn(accept(listener, press)) })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, press: Arc<Press>) {
    // Dropped with this task, and every open connection with it.
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the demo's origin cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let press = Arc::clone(&press);
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = press.answer(&request);
                async move { Ok::<_, Infallible>(response) }
            });
            if let Err(error) =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            {
                tracing::debug!(%error, "a connection to the demo's origin broke");
            }
        });
    }
}

impl Press {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        let (known, moved) =
            (|outlet: &&Outlet| outlet.path == path, |outlet: &&Outlet| outlet.moved_from == Some(path));
        let response = Response::builder();
        let response = if !matches!(*request.method(), Method::GET | Method::HEAD) {
            response.status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, "GET, HEAD").body(Full::default())
        } else if let Some(outlet) = OUTLETS.iter().find(known) {
            self.document(request, outlet.content_type, &outlet.document)
        } else if let Some(outlet) = OUTLETS.iter().find(moved) {
            response.status(StatusCode::MOVED_PERMANENTLY).header(LOCATION, outlet.path).body(Full::default())
        } else {
            response.status(StatusCode::NOT_FOUND).body(Full::default())
        };
        response.expect("invariant: our own header values are valid")
    }

    fn document<B>(
        &self,
        request: &Request<B>,
        content_type: &str,
        document: &Document,
    ) -> http::Result<Response<Full<Bytes>>> {
        let elapsed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::MAX);
        let bytes = document.bytes(self.started_at, elapsed);
        let etag = etag(&bytes);
        let response = Response::builder().header(ETAG, &etag);
        if has_already(request, &etag) {
            return response.status(StatusCode::NOT_MODIFIED).body(Full::default());
        }
        response.header(CONTENT_TYPE, content_type).body(Full::new(bytes.into()))
    }
}

/// A strong tag: the same bytes, the same tag.
fn etag(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let (head, _) = hash.split_first_chunk().expect("invariant: SHA-256 has 32 bytes");
    format!("\"{:016x}\"", u64::from_be_bytes(*head))
}

/// RFC 9110 section 13.1.2, for the strong tags that we send.
fn has_already<B>(request: &Request<B>, etag: &str) -> bool {
    let sent = request.headers().get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|tags| tags.split(',')).any(|tag| matches!(tag.trim(), "*") || tag.trim() == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press() -> Press {
        Press { started_at: Timestamp::UNIX_EPOCH, started: Instant::now() }
    }

    fn request(method: Method, path: &str, if_none_match: Option<&str>) -> Request<()> {
        let request = Request::builder().method(method).uri(path);
        let request = if_none_match.into_iter().fold(request, |request, tag| request.header(IF_NONE_MATCH, tag));
        request.body(()).expect("a request")
    }

    #[test]
    fn a_client_that_has_the_document_gets_304() {
        let press = press();
        for outlet in &OUTLETS {
            let first = press.answer(&request(Method::GET, outlet.path, None));
            assert_eq!(first.status(), StatusCode::OK, "{}", outlet.title);
            let tag = first.headers()[ETAG].to_str().expect("a tag");
            let again = press.answer(&request(Method::GET, outlet.path, Some(tag)));
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{}", outlet.title);
            let other = press.answer(&request(Method::GET, outlet.path, Some("\"other\"")));
            assert_eq!(other.status(), StatusCode::OK, "{}", outlet.title);
        }
    }

    #[test]
    fn a_moved_feed_leads_to_its_document_and_anything_else_is_refused() {
        fn check(method: Method, path: &str, expected: StatusCode, location: Option<&str>) {
            let answer = press().answer(&request(method, path, None));
            assert_eq!(answer.status(), expected, "{path}");
            assert_eq!(answer.headers().get(LOCATION).map(|to| to.to_str().expect("a location")), location, "{path}");
        }
        let moved = (StatusCode::MOVED_PERMANENTLY, Some("/carnetdularge.example/flux.xml"));
        check(Method::GET, "/carnetdularge.example/feed", moved.0, moved.1);
        check(Method::HEAD, "/lechiffre.example/flux.xml", StatusCode::OK, None);
        check(Method::GET, "/nobody.example/", StatusCode::NOT_FOUND, None);
        check(Method::POST, "/lechiffre.example/flux.xml", StatusCode::METHOD_NOT_ALLOWED, None);
    }
}
