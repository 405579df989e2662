//! What is sent for an address: its bytes in each coding, its validators, and the answer to one request.
//!
//! A representation is made once and answers any number of requests; a cached digest answers without
//! copying a byte.

use super::conditional::{http_date, is_not_modified};
use super::negotiation::{Coding, choose_coding};
use crate::model::Timestamp;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::sync::OnceLock;

/// Below this many bytes a coding saves nothing. A digest without entries, or the list of two, is above.
const WORTH_CODING_BYTES: usize = 256;

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
    /// What an answer carries in every coding, a 304 too.
    fields: HeaderMap,
    content_type: &'static str,
    last_modified: Option<Timestamp>,
    effort: Effort,
    /// Hash of the identity bytes, in hexadecimal.
    hash: String,
    identity: Bytes,
    coded: [OnceLock<Coded>; Coding::ALL.len()],
}

/// The same in one coding.
#[derive(Debug)]
struct Coded {
    bytes: Bytes,
    /// Strong, and another for each coding: equal tags promise equal bytes (RFC 9110 section 8.8.3.3).
    etag: String,
    /// The headers of a 200, and those of a 304.
    whole: HeaderMap,
    unchanged: HeaderMap,
}

impl Representation {
    pub(super) fn new(content_type: &'static str, bytes: impl Into<Bytes>, effort: Effort) -> Self {
        let identity = bytes.into();
        let fields = [
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::VARY, HeaderValue::from_static("accept-encoding")),
        ];
        Self {
            fields: HeaderMap::from_iter(fields),
            content_type,
            last_modified: None,
            effort,
            hash: content_hash(&identity),
            identity,
            coded: Default::default(),
        }
    }

    /// May be kept by anyone for `max_age_s` seconds.
    pub(super) fn public_for(self, max_age_s: u32) -> Self {
        let value = HeaderValue::from_str(&format!("public, max-age={max_age_s}"));
        self.with(header::CACHE_CONTROL, value.expect("digits are header text"))
    }

    /// Stands at an address that names its content, so it never changes.
    pub(super) fn immutable(self) -> Self {
        self.with(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"))
    }

    pub(super) fn modified_at(mut self, at: Timestamp) -> Self {
        self.last_modified = Some(at);
        self.with(header::LAST_MODIFIED, HeaderValue::try_from(http_date(at)).expect("a date is header text"))
    }

    /// Every answer carries this header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.insert(name, value);
        self
    }

    /// Makes every coding now, so that no request waits for it. Slow: for a blocking thread.
    pub(super) fn coded(self) -> Self {
        for coding in Coding::ALL {
            self.in_coding(coding);
        }
        self
    }

    /// What it takes in memory, all codings that were made included.
    pub(super) fn bytes(&self) -> usize {
        self.identity.len()
            + [Coding::Gzip, Coding::Brotli]
                .into_iter()
                .filter_map(|coding| self.coded[coding as usize].get())
                .map(|coded| coded.bytes.len())
                .sum::<usize>()
    }

    /// As [`Self::answer_at`], for what has no date.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        self.answer_at(headers, Timestamp::MAX)
    }

    /// The answer to a GET with these headers: 200, or 304 when the client has it already.
    ///
    /// For HEAD whoever sends it drops the body and keeps the headers.
    pub(super) fn answer_at(&self, headers: &HeaderMap, now: Timestamp) -> Response {
        let is_worth_coding = self.identity.len() >= WORTH_CODING_BYTES;
        let coded = self.in_coding(if is_worth_coding { choose_coding(headers) } else { Coding::Identity });
        let (status, fields, body) = if is_not_modified(headers, &coded.etag, self.last_modified, now) {
            (StatusCode::NOT_MODIFIED, &coded.unchanged, Body::empty())
        } else {
            (StatusCode::OK, &coded.whole, Body::from(coded.bytes.clone()))
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = fields.clone();
        response
    }

    fn in_coding(&self, coding: Coding) -> &Coded {
        self.coded[coding as usize].get_or_init(|| {
            let (bytes, etag) = match coding {
                Coding::Identity => (self.identity.clone(), format!("\"{}\"", self.hash)),
                Coding::Gzip => (gzip(&self.identity, self.effort), format!("\"{}-gzip\"", self.hash)),
                Coding::Brotli => (brotli(&self.identity, self.effort), format!("\"{}-br\"", self.hash)),
            };
            let mut unchanged = self.fields.clone();
            unchanged.insert(header::ETAG, HeaderValue::from_str(&etag).expect("a hash is header text"));
            let mut whole = unchanged.clone();
            whole.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
            let named = coding.name().map(|name| (header::CONTENT_ENCODING, HeaderValue::from_static(name)));
            whole.extend(named);
            Coded { bytes, etag, whole, unchanged }
        })
    }
}

/// The first 128 bits of SHA-256, in hexadecimal.
pub(super) fn content_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..16].iter().map(|byte| format!("{byte:02x}")).collect()
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
        assert_eq!(sample().in_coding(Coding::Gzip).bytes, sample().in_coding(Coding::Gzip).bytes);
    }

    #[test]
    fn small_answers_are_not_coded() {
        let small = Representation::new("text/plain", "ok", Effort::Passing);
        assert!(!small.answer(&asking(header::ACCEPT_ENCODING, "gzip")).headers().contains_key("content-encoding"));
    }
}
