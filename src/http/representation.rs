//! What is sent for an address: its bytes in each coding, its validators, and the answer to one request.
//!
//! A representation is made once and answers any number of requests; a cached digest answers without
//! copying a byte.

use super::conditional::{http_date, is_not_modified};
use super::negotiation::{Coding, choose_coding};
use crate::model::Timestamp;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::OnceLock;

/// Below this many bytes a coding saves nothing: all of it fits one packet anyway.
const WORTH_CODING_BYTES: usize = 860;

/// How hard to squeeze.
#[derive(Debug, Clone, Copy)]
pub(super) enum Effort {
    /// For bytes that are made once a version and sent many times.
    Kept,
    /// For bytes that are made for one answer.
    Passing,
}

/// The bytes of one address in one state, ready to be sent.
#[derive(Debug)]
pub(super) struct Representation {
    content_type: &'static str,
    cache_control: HeaderValue,
    last_modified: Option<Timestamp>,
    effort: Effort,
    /// Hash of the identity bytes, in hexadecimal.
    hash: String,
    identity: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
}

impl Representation {
    pub(super) fn new(content_type: &'static str, bytes: impl Into<Bytes>, effort: Effort) -> Self {
        let identity = bytes.into();
        Self {
            content_type,
            cache_control: HeaderValue::from_static("no-cache"),
            last_modified: None,
            effort,
            hash: content_hash(&identity),
            identity,
            gzip: OnceLock::new(),
            brotli: OnceLock::new(),
        }
    }

    /// May be kept by anyone for `max_age_s` seconds.
    pub(super) fn public_for(mut self, max_age_s: u32) -> Self {
        self.cache_control =
            HeaderValue::from_str(&format!("public, max-age={max_age_s}")).expect("digits are header text");
        self
    }

    /// Stands at an address that names its content, so it never changes.
    pub(super) fn immutable(mut self) -> Self {
        self.cache_control = HeaderValue::from_static("public, max-age=31536000, immutable");
        self
    }

    pub(super) fn modified_at(mut self, at: Timestamp) -> Self {
        self.last_modified = Some(at);
        self
    }

    /// Makes every coding now, so that no request waits for it. Slow: for a blocking thread.
    pub(super) fn coded(self) -> Self {
        self.bytes(Coding::Gzip);
        self.bytes(Coding::Brotli);
        self
    }

    /// The answer to a GET with these headers: 200, or 304 when the client has it already.
    ///
    /// For HEAD the router drops the body and keeps the headers.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let coding = if self.identity.len() < WORTH_CODING_BYTES { Coding::Identity } else { choose_coding(headers) };
        let etag = self.etag(coding);
        let not_modified = is_not_modified(headers, &etag, self.last_modified);
        let (status, body) = if not_modified {
            (StatusCode::NOT_MODIFIED, Body::empty())
        } else {
            (StatusCode::OK, Body::from(self.bytes(coding)))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(header::ETAG, HeaderValue::try_from(etag).expect("a hash is header text"));
        fields.insert(header::CACHE_CONTROL, self.cache_control.clone());
        fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Some(at) = self.last_modified {
            fields.insert(header::LAST_MODIFIED, HeaderValue::try_from(http_date(at)).expect("a date is header text"));
        }
        if !not_modified {
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            if let Some(name) = coding.name() {
                fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            }
        }
        response
    }

    /// Strong, and another for each coding: equal tags promise equal bytes (RFC 9110 section 8.8.3.3).
    fn etag(&self, coding: Coding) -> String {
        match coding.name() {
            None => format!("\"{}\"", self.hash),
            Some(name) => format!("\"{}-{name}\"", self.hash),
        }
    }

    fn bytes(&self, coding: Coding) -> Bytes {
        match coding {
            Coding::Identity => self.identity.clone(),
            Coding::Gzip => self.gzip.get_or_init(|| gzip(&self.identity, self.effort)).clone(),
            Coding::Brotli => self.brotli.get_or_init(|| brotli(&self.identity, self.effort)).clone(),
        }
    }
}

/// The first 128 bits of SHA-256, in hexadecimal.
pub(super) fn content_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..16].iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn gzip(bytes: &[u8], effort: Effort) -> Bytes {
    let level = match effort {
        Effort::Kept => Compression::best(),
        Effort::Passing => Compression::new(4),
    };
    // The header holds no time and no name, so equal bytes stay equal after a restart.
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), level);
    encoder.write_all(bytes).expect("a Vec takes any write");
    encoder.finish().expect("a Vec takes any write").into()
}

fn brotli(bytes: &[u8], effort: Effort) -> Bytes {
    let quality = match effort {
        Effort::Kept => 9,
        Effort::Passing => 4,
    };
    let mut coded = Vec::with_capacity(bytes.len() / 4);
    let mut encoder = brotli::CompressorWriter::new(&mut coded, 16 * 1024, quality, 22);
    encoder.write_all(bytes).expect("a Vec takes any write");
    drop(encoder);
    coded.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn sample() -> Representation {
        Representation::new("text/plain; charset=utf-8", "veille ".repeat(500), Effort::Kept)
            .public_for(300)
            .modified_at("2026-11-24T08:00:00Z".parse().unwrap())
    }

    fn asking(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn body(response: Response) -> Bytes {
        let collected = axum::body::to_bytes(response.into_body(), usize::MAX);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(collected).unwrap()
    }

    #[test]
    fn w2_a_first_answer_carries_every_validator() {
        let response = sample().answer(&HeaderMap::new());
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["cache-control"], "public, max-age=300");
        assert_eq!(response.headers()["last-modified"], "Tue, 24 Nov 2026 08:00:00 GMT");
        assert_eq!(response.headers()["vary"], "accept-encoding");
        let etag = response.headers()["etag"].to_str().unwrap();
        assert!(etag.len() == 34 && etag.starts_with('"'), "{etag} is a strong tag");
    }

    #[test]
    fn w2_each_coding_has_its_own_tag_and_its_304() {
        let sample = sample();
        let mut tags = Vec::new();
        for coding in ["identity", "gzip", "br"] {
            let mut headers = asking(header::ACCEPT_ENCODING, coding);
            let etag = sample.answer(&headers).headers()["etag"].clone();
            headers.insert(header::IF_NONE_MATCH, etag.clone());
            let again = sample.answer(&headers);
            assert_eq!((again.status(), &again.headers()["etag"]), (StatusCode::NOT_MODIFIED, &etag));
            assert_eq!(again.headers()["cache-control"], "public, max-age=300");
            assert!(!again.headers().contains_key("content-encoding"));
            assert!(body(again).is_empty());
            tags.push(etag);
        }
        tags.dedup();
        assert_eq!(tags.len(), 3, "{tags:?}");
    }

    #[test]
    fn w7_codings_decode_to_the_same_bytes() {
        let sample = sample().coded();
        let gzipped = body(sample.answer(&asking(header::ACCEPT_ENCODING, "gzip")));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&gzipped[..]).read_to_string(&mut text).unwrap();
        assert_eq!(text.as_bytes(), sample.identity);
        let compressed = body(sample.answer(&asking(header::ACCEPT_ENCODING, "br")));
        let mut text = String::new();
        brotli::Decompressor::new(&compressed[..], 4096).read_to_string(&mut text).unwrap();
        assert_eq!(text.as_bytes(), sample.identity);
    }

    #[test]
    fn equal_bytes_have_equal_tags_and_equal_codings() {
        assert_eq!(
            sample().answer(&HeaderMap::new()).headers()["etag"],
            sample().answer(&HeaderMap::new()).headers()["etag"]
        );
        assert_eq!(sample().bytes(Coding::Gzip), sample().bytes(Coding::Gzip));
    }

    #[test]
    fn small_answers_are_not_coded() {
        let small = Representation::new("text/plain", "ok", Effort::Passing);
        assert!(!small.answer(&asking(header::ACCEPT_ENCODING, "gzip")).headers().contains_key("content-encoding"));
    }
}
