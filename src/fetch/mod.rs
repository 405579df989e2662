//! Fetching: one polite, guarded visit to one address.
//!
//! Owns everything that is said to an origin and how its answer is read: redirects, conditional
//! requests, the address guard, decoding under a cap, deadlines, freshness. Expected outcomes are
//! values. It does not know what is due, does not read the clock (it is given `now`) and never asks twice:
//! the next try is the schedule's business.

mod address;
mod body;
mod client;
mod error;
mod freshness;
mod kept;
mod links;
mod message;
mod redirect;
mod resolver;
mod visit;
mod zstd;

pub use address::{AddressPolicy, Refusal};
pub use client::{Client, ClientError};
pub use error::{Cause, FetchError, Phase, RedirectFault};
pub use freshness::Freshness;
pub use message::{Answer, Message};
pub use redirect::{Adoption, adoption};

use crate::config::{FeedSettings, Secret};
use crate::model::Remembered;
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;
use url::Url;

/// What we accept where a feed is expected.
pub const ACCEPT_FEED: &str = "application/atom+xml, application/rss+xml, application/feed+json, \
     application/rdf+xml;q=0.9, application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5";
/// What we accept where a web page is expected.
pub const ACCEPT_PAGE: &str = "text/html, application/xhtml+xml, */*;q=0.5";

/// One visit to make.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// Where to start: the feed's address, or the one it adopted.
    pub url: Url,
    /// The address the operator wrote. Headers and credentials belong to its host and port and go
    /// nowhere else; its port is permitted whatever it is.
    pub configured_url: Url,
    pub accept: &'static str,
    pub headers: Vec<(String, String)>,
    pub basic_auth: Option<(String, Secret)>,
    /// `None`: the proxy of `[fetch]`, if any.
    pub proxy: Option<Url>,
    /// What the addresses on the way said last time. Each is sent to its own address only.
    pub remembered: Vec<Remembered>,
    /// Hosts (with port) that asked to be left alone, and until when: no redirect is followed there.
    pub held_hosts: Arc<[(String, Timestamp)]>,
}

impl FetchRequest {
    /// A plain visit without anything of the operator's or of the past.
    pub fn new(url: Url) -> Self {
        Self {
            configured_url: url.clone(),
            url,
            accept: ACCEPT_FEED,
            headers: Vec::new(),
            basic_auth: None,
            proxy: None,
            remembered: Vec::new(),
            held_hosts: Arc::default(),
        }
    }

    /// A visit to a feed at its configured address.
    pub fn for_feed(feed: &FeedSettings) -> Self {
        Self {
            headers: feed.headers.clone(),
            basic_auth: feed.basic_auth.clone(),
            proxy: feed.proxy.clone(),
            ..Self::new(feed.url.clone())
        }
    }
}

/// How a visit ended, when it ended as HTTP foresees.
#[derive(Debug)]
pub enum FetchOutcome {
    /// A complete document.
    Modified(Modified),
    /// The document that we know is still the current one.
    NotModified(NotModified),
    /// 410 from the feed's own address, or from where it permanently moved.
    Gone,
    /// 429 or 503: the host asks for peace.
    RetryLater(RetryLater),
}

#[derive(Debug)]
pub struct Modified {
    /// Decoded; never larger than `max_body_bytes`, never empty.
    pub body: Bytes,
    pub content_type: Option<String>,
    pub status: u16,
    pub final_url: Url,
    /// Where the unbroken leading run of 301 and 308 led.
    pub permanent_target: Option<Url>,
    /// To be stored instead of whatever was known of `final_url`. Empty validators clear the old ones.
    pub remembered: Remembered,
    pub freshness: Freshness,
    /// What its headers say of hubs; `None`: nothing.
    pub hub_links: Option<Box<HubLinks>>,
}

/// What `Link` headers say of hubs (W3C WebSub section 4).
#[derive(Debug, Clone)]
pub struct HubLinks {
    pub hub: Option<Url>,
    /// What the document is called at the hub.
    pub topic: Option<Url>,
}

impl Modified {
    /// The `charset` parameter of the Content-Type (RFC 9110 section 8.3.1).
    pub fn charset(&self) -> Option<&str> {
        charset(self.content_type.as_deref()?)
    }
}

/// The `charset` parameter of a Content-Type.
pub fn charset(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches(['"', '\'']))
}

#[derive(Debug)]
pub struct NotModified {
    pub permanent_target: Option<Url>,
    /// The known validators with those fields replaced that the 304 carried.
    pub remembered: Remembered,
    /// With the stored lifetime where the 304 named none.
    pub freshness: Freshness,
}

#[derive(Debug)]
pub struct RetryLater {
    pub status: u16,
    /// The address that said so; its host and port are to be left alone.
    pub url: Url,
    pub freshness: Freshness,
}

#[cfg(test)]
mod tests {
    use super::charset;

    #[test]
    fn the_charset_is_found_however_it_is_written() {
        for (content_type, expected) in [
            ("text/xml; charset=utf-8", Some("utf-8")),
            ("text/xml;CHARSET=\"GBK\"", Some("GBK")),
            ("text/xml; q=1; charset = latin1", Some("latin1")),
            ("text/xml", None),
        ] {
            assert_eq!(charset(content_type), expected, "{content_type}");
        }
    }
}
