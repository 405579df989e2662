//! From the bytes of a document to items: decode, repair, read, normalise, identify.
//!
//! Pure: no clock, no network, no store. Nothing in a document can make it panic or run away in time or memory;
//! what is broken is mended where a reader would see what was meant, and refused with a reason where not.
//!
//! The way of a document: [`decode`] makes text of bytes; [`repair`] (or [`json`]) tokenizes it tolerantly and
//! lifts the texts and addresses out into a [`draft`]; [`skeleton`] writes what has a structure of its own as the plain
//! RSS that feed-rs reads right, and feed-rs reads it; [`normalise`] makes clean items of both; [`identity`] names them.

mod article;
mod dates;
mod declared;
mod decode;
mod discover;
mod draft;
mod elements;
mod html;
mod identity;
mod json;
mod lexer;
mod normalise;
mod reference;
mod repair;
mod skeleton;
mod text;
mod url;
mod vocabulary;

pub use article::{Article, article};
pub use discover::{Candidate, discover};
pub use html::MAX_HTML_BYTES;
pub use identity::link_key;
pub use text::{MappedText, one_line, to_text, to_text_mapped};
pub use url::{canonical_url, known_site};

use crate::model::NewItem;
use serde::Serialize;

/// Most items taken from one document: the newest.
pub const MAX_ITEMS: usize = 5_000;

/// What is known of a document besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadContext<'a> {
    /// Where the document came from, after redirects; relative links are resolved against it. May be empty:
    /// then against the feed's own address or its site.
    pub base_url: &'a str,
    /// The `charset` of the Content-Type header.
    pub http_charset: Option<&'a str>,
    /// Language of the feed by the config, which speaks before the document.
    pub language: Option<&'a str>,
    /// What an earlier document declared, for one that declares none.
    pub language_before: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedFormat {
    Rss2,
    /// RDF Site Summary 1.0.
    Rss1,
    /// RSS 0.9x, CDF.
    Rss0,
    Atom,
    Json,
}

/// A document as read.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedFeed {
    pub format: FeedFormat,
    pub title: Option<String>,
    /// The site that the feed belongs to.
    pub link: Option<String>,
    /// BCP 47 tag as declared.
    pub language: Option<String>,
    /// WebSub hubs.
    pub hubs: Vec<String>,
    /// The address that the feed gives as its own.
    pub self_url: Option<String>,
    /// RSS `ttl`, in seconds.
    pub ttl_s: Option<u64>,
    /// Bit `h` set: not to be asked in hour `h` GMT.
    pub skip_hours: u32,
    /// Bit `d` set: not to be asked on day `d`; 0 is Monday.
    pub skip_days: u8,
    /// `sy:updatePeriod` divided by `sy:updateFrequency`, in seconds.
    pub sy_interval_s: Option<u64>,
    pub items: Vec<NewItem>,
    /// Items beyond [`MAX_ITEMS`] that were left out.
    pub overflow: usize,
    /// Its markup is broken: there may be more of it than could be read.
    pub is_broken: bool,
    /// What was mended or could not be read, in plain words.
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    #[error("the document is empty")]
    Empty,
    #[error("this is a web page, not a feed; give the address of its feed")]
    WebPage,
    #[error("this is not a feed: no RSS, RDF, Atom or JSON Feed in it")]
    NotAFeed,
    #[error("the JSON cannot be read: {0}")]
    Json(String),
    /// Markup so broken that no item could be saved, which is not the same as a feed without items.
    #[error("the document is broken and no item could be read from it")]
    Broken,
    /// Not met on any known document; feed-rs refused or panicked on what we wrote for it.
    #[error("the feed could not be read: {0}")]
    Reader(String),
}

/// Reads a document of any supported format, however it is encoded.
///
/// # Errors
/// When the document is empty, no feed, or so broken that it had items and none can be read.
///
/// ```
/// use veille::feed::{read, ReadContext};
/// let rss = b"<rss version='2.0'><channel><title>T</title><item><title>Q&A</title><link>https://example.org/1</link>";
/// let feed = read(rss, &ReadContext::default()).expect("a missing end is mended");
/// assert_eq!(feed.items[0].content.title, "Q&A");
/// ```
pub fn read(body: &[u8], context: &ReadContext<'_>) -> Result<ParsedFeed, FeedError> {
    let mut warnings = Vec::new();
    let text = decode::decode(body, context.http_charset, &mut warnings);
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if start.is_empty() {
        return Err(FeedError::Empty);
    }
    let (format, mut draft) = if start.starts_with(['{', '[']) {
        (FeedFormat::Json, json::read(start, &normalise::prune)?)
    } else {
        repair::repair(&text, context.base_url, &normalise::prune)?
    };
    if draft.items.is_empty() && draft.is_broken {
        return Err(FeedError::Broken);
    }
    normalise::prune(&mut draft);
    draft.warnings.splice(0..0, warnings);
    let entries = skeleton::read(&draft)?;
    Ok(normalise::normalise(format, draft, &entries, context))
}
