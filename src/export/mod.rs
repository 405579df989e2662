//! Export: what is published, as Atom 1.0, RSS 2.0, JSON Feed 1.1 and OPML, and as a directory of files.
//!
//! The writers are pure: equal values give equal bytes, on any machine and at any time. Only
//! [`directory`] touches the disk.

mod atom;
pub mod directory;
mod json_feed;
mod opml;
mod rss;
mod uri;
mod xml;

pub use opml::{OutlinedFeed, opml};

use crate::model::PublishedFeed;

/// A format that a digest is published in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// RFC 4287.
    Atom,
    /// RSS 2.0 with the content, Dublin Core and Atom modules.
    Rss,
    /// JSON Feed 1.1.
    JsonFeed,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Atom, Self::Rss, Self::JsonFeed];

    /// The extension of a document's address, with which an address without one becomes whole.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Atom => "atom",
            Self::Rss => "rss",
            Self::JsonFeed => "json",
        }
    }

    /// The media type of the format, as for `type` in a link.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Atom => "application/atom+xml",
            Self::Rss => "application/rss+xml",
            Self::JsonFeed => "application/feed+json",
        }
    }

    /// The value of `Content-Type` for a document.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Atom => "application/atom+xml; charset=utf-8",
            Self::Rss => "application/rss+xml; charset=utf-8",
            Self::JsonFeed => "application/feed+json; charset=utf-8",
        }
    }

    /// The format of an extension.
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// The address of the document at a stem, which may have a query: `…/weekly?before=7` is at `…/weekly.atom?before=7`.
    #[must_use]
    pub fn address(self, stem: &str) -> String {
        let (path, query) = stem.split_at(stem.find('?').unwrap_or(stem.len()));
        format!("{path}.{}{query}", self.extension())
    }
}

/// A digest's document as bytes.
#[must_use]
pub fn render(feed: &PublishedFeed, format: Format) -> Vec<u8> {
    match format {
        Format::Atom => atom::render(feed),
        Format::Rss => rss::render(feed),
        Format::JsonFeed => json_feed::render(feed),
    }
}

/// Who wrote a document, for `generator` and its like. Without a version: a stranger need not know it, and a new one
/// changes no document.
const GENERATOR: &str = "veille";
