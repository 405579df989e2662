//! A document after repair: its items with what was lifted out of them, still in the publisher's own terms.

use std::borrow::Cow;

/// Documents of more items than this are pruned while they are read, to bound memory.
pub(super) const PRUNE_ABOVE: usize = 2 * super::MAX_ITEMS;
/// Links, authors, categories, enclosures an item may have of each; no real item has a tenth of it.
pub(super) const MAX_PER_ITEM: usize = 200;

/// The feed's own facts and its items, in document order.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub channel: Channel<'a>,
    pub items: Vec<DraftItem<'a>>,
    /// Whole items that were left out for the cap on items.
    pub overflow: usize,
    /// The `xml:base` addresses in force at one place or another; texts and links refer to them by index.
    pub bases: Vec<String>,
    pub warnings: Vec<String>,
    /// Item elements seen, empty ones included.
    pub item_elements: usize,
    /// Whether markup was broken: what was opened was not closed.
    pub is_broken: bool,
}

#[derive(Debug, Default)]
pub(super) struct Channel<'a> {
    pub title: Option<Text<'a>>,
    pub links: Vec<Link<'a>>,
    pub language: Option<Cow<'a, str>>,
    pub ttl: Option<Cow<'a, str>>,
    pub skip_hours: Vec<Cow<'a, str>>,
    pub skip_days: Vec<Cow<'a, str>>,
    pub update_period: Option<Cow<'a, str>>,
    pub update_frequency: Option<Cow<'a, str>>,
}

#[derive(Debug, Default)]
pub(super) struct DraftItem<'a> {
    pub title: Option<Text<'a>>,
    pub summary: Option<Text<'a>>,
    pub summary_fallback: Option<Text<'a>>,
    pub content: Option<Text<'a>>,
    pub links: Vec<Link<'a>>,
    pub guid: Option<Cow<'a, str>>,
    /// The name that RDF gives the item, a guid where there is none.
    pub about: Option<Cow<'a, str>>,
    /// Whether the guid says of itself that it is no address (`isPermaLink="false"`).
    pub guid_is_opaque: bool,
    pub published: Option<Cow<'a, str>>,
    pub updated: Option<Cow<'a, str>>,
    pub created: Option<Cow<'a, str>>,
    pub authors: Vec<Cow<'a, str>>,
    pub categories: Vec<Cow<'a, str>>,
    pub enclosures: Vec<DraftEnclosure<'a>>,
    pub language: Option<Cow<'a, str>>,
    /// The `xml:base` in force, an index into [`Draft::bases`].
    pub base: Option<usize>,
}

impl DraftItem<'_> {
    /// An item without anything to read or follow is a shell that some generators leave behind.
    pub fn is_shell(&self) -> bool {
        let blank = |text: &Option<Text<'_>>| text.as_ref().is_none_or(|text| text.source.trim().is_empty());
        let has_link = self.links.iter().any(|link| !link.href.is_empty())
            || self.guid.as_ref().is_some_and(|guid| !guid.trim().is_empty());
        !has_link
            && blank(&self.title)
            && blank(&self.summary)
            && blank(&self.content)
            && blank(&self.summary_fallback)
            && self.enclosures.is_empty()
    }
}

/// A text as published: what kind it is decides how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text<'a> {
    pub source: Cow<'a, str>,
    pub kind: TextKind,
    pub base: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    /// Said to be plain: nothing in it is markup, unless it plainly is.
    Plain,
    Html,
    /// RSS says nothing: HTML where it looks like it.
    Unsaid,
    /// Encoded binary or a foreign format: of no use to a reader.
    Opaque,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link<'a> {
    pub href: Cow<'a, str>,
    /// `alternate` where nothing is said.
    pub rel: Cow<'a, str>,
    pub media_type: Option<Cow<'a, str>>,
    pub base: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DraftEnclosure<'a> {
    pub url: Cow<'a, str>,
    pub media_type: Option<Cow<'a, str>>,
    pub length: Option<Cow<'a, str>>,
    pub base: Option<usize>,
}
