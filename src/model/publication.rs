//! What is published: a digest's document, in words that Atom, RSS and JSON Feed can all say.
//!
//! Values only. `digest` builds them from stories and issues, `export` writes them, `http` serves the
//! bytes. All text is plain unless its name ends in `_html`; such a field is safe HTML with absolute links.

use crate::model::{EntryId, Timestamp};
use serde::Serialize;

/// One document of a digest: its newest entries, or a page of its past.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedFeed {
    /// `urn:uuid:…`, a pure function of the digest's name.
    pub id: EntryId,
    pub title: String,
    /// Never empty: RSS wants one.
    pub description: String,
    /// Who publishes it.
    pub author: String,
    /// BCP 47 tag, when all entries share a language.
    pub language: Option<String>,
    /// When anything in the digest last changed; never the time of writing, or equal feeds would differ.
    pub updated_at: Timestamp,
    /// How long a reader may keep the document, in seconds; agrees with `Cache-Control: max-age`.
    pub ttl_s: u32,
    pub addresses: FeedAddresses,
    /// `WebSub` hubs.
    pub hubs: Vec<String>,
    pub icon_url: String,
    /// Newest first.
    pub entries: Vec<PublishedEntry>,
}

/// Where a document and its neighbours are (RFC 5005). A *stem* is an address without the extension that
/// names the format: `https://watch.example.org/digests/weekly`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FeedAddresses {
    /// The digest as a page for people.
    pub page_url: String,
    /// This document.
    pub stem: String,
    /// The document that subscribers poll, when this one is a page of the past.
    pub first_stem: Option<String>,
    /// The page with what came before.
    pub older_stem: Option<String>,
    /// The archive's document before this one, or its newest (RFC 5005 section 4). There is no link to the next
    /// one: it would change a document that readers need not fetch twice.
    pub prev_archive_stem: Option<String>,
    /// Whether this document is itself one of the archive.
    pub is_archive: bool,
}

/// One entry: a story of a stream digest, or an issue of a periodic one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedEntry {
    pub id: EntryId,
    /// Never empty.
    pub title: String,
    /// The article, or the page.
    pub url: Option<String>,
    pub published_at: Timestamp,
    pub updated_at: Timestamp,
    pub authors: Vec<String>,
    /// Our tags.
    pub categories: Vec<PublishedCategory>,
    pub summary: String,
    pub content_html: String,
    /// The feed that told it first; an issue has none.
    pub source: Option<EntrySource>,
    /// The other feeds that tell the same news.
    pub other_sources: Vec<EntryLink>,
    /// Why it carries its tags, a line each: `french-ai: “Mistral AI” in the title`.
    pub reasons: Vec<String>,
    /// BCP 47 tag.
    pub language: Option<String>,
    pub enclosures: Vec<crate::model::Enclosure>,
}

/// A tag as a category.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PublishedCategory {
    /// The tag's name.
    pub term: String,
    /// The tag's title.
    pub label: String,
    /// The address under which the names of our tags mean something.
    pub scheme: String,
}

/// A feed of origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntrySource {
    /// The feed's address, or where that is not told whole, an id that stands for it.
    pub id: String,
    pub title: String,
    pub feed_url: String,
    pub site_url: Option<String>,
}

/// The same news elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryLink {
    /// The feed's title.
    pub title: String,
    pub url: Option<String>,
}
