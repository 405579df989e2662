//! Atom 1.0 (RFC 4287), with paging and archives (RFC 5005) and hubs (`WebSub`).

use crate::export::uri::uri;
use crate::export::xml::{Attribute, Document};
use crate::export::{Format, GENERATOR};
use crate::model::{EntrySource, PublishedEntry, PublishedFeed, Timestamp};

pub(super) fn render(feed: &PublishedFeed) -> Vec<u8> {
    let mut document = Document::new();
    let mut attributes = vec![("xmlns", "http://www.w3.org/2005/Atom")];
    if feed.addresses.is_archive {
        attributes.push(("xmlns:fh", "http://purl.org/syndication/history/1.0"));
    }
    attributes.extend(language(feed.language.as_ref()));
    document.parent("feed", &attributes, |document| {
        head(document, feed);
        for entry in &feed.entries {
            document.parent("entry", &[], |document| write_entry(document, entry));
        }
    });
    document.into_bytes()
}

fn head(document: &mut Document, feed: &PublishedFeed) {
    document.text("id", &[], &feed.id.0);
    document.text("title", &[], &feed.title);
    document.text("subtitle", &[], &feed.description);
    document.text("updated", &[], &feed.updated_at.to_string());
    document.parent("author", &[], |document| document.text("name", &[], &feed.author));
    document.text("generator", &[], GENERATOR);
    document.text("icon", &[], &feed.icon_url);
    if feed.addresses.is_archive {
        document.empty("fh:archive", &[]);
    }
    links(document, feed, Format::Atom, "link");
}

/// The links of a document, which Atom has in elements of its own and RSS borrows as `atom:link`.
pub(super) fn links(document: &mut Document, feed: &PublishedFeed, format: Format, element: &str) {
    let addresses = &feed.addresses;
    let media_type = format.media_type();
    let mut link = |rel: &str, href: &str, media_type: Option<&str>| {
        let mut attributes = vec![("rel", rel), ("href", href)];
        attributes.extend(media_type.map(|media_type| ("type", media_type)));
        document.empty(element, &attributes);
    };
    link("self", &format.address(&addresses.stem), Some(media_type));
    link("alternate", &addresses.page_url, Some("text/html"));
    for hub in &feed.hubs {
        link("hub", hub, None);
    }
    let current = addresses.first_stem.as_ref().filter(|_| addresses.is_archive);
    let first = addresses.first_stem.as_ref().filter(|_| !addresses.is_archive);
    for (relation, stem) in [
        ("first", first),
        ("next", addresses.older_stem.as_ref()),
        ("current", current),
        ("prev-archive", addresses.prev_archive_stem.as_ref()),
    ] {
        if let Some(stem) = stem {
            link(relation, &format.address(stem), Some(media_type));
        }
    }
}

fn write_entry(document: &mut Document, entry: &PublishedEntry) {
    let language: Vec<Attribute<'_>> = language(entry.language.as_ref()).collect();
    document.text("id", &[], &entry.id.0);
    document.text("title", &language, &entry.title);
    document.text("published", &[], &entry.published_at.to_string());
    document.text("updated", &[], &entry.updated_at.to_string());
    if let Some(url) = &entry.url {
        document.empty("link", &[("rel", "alternate"), ("href", &uri(url))]);
    }
    for enclosure in &entry.enclosures {
        let length = enclosure.length.map(|length| length.to_string());
        let url = uri(&enclosure.url);
        let mut attributes = vec![("rel", "enclosure"), ("href", &*url)];
        attributes.extend(enclosure.media_type.as_deref().map(|media_type| ("type", media_type)));
        attributes.extend(length.as_deref().map(|length| ("length", length)));
        document.empty("link", &attributes);
    }
    for author in &entry.authors {
        document.parent("author", &[], |document| document.text("name", &[], author));
    }
    for category in &entry.categories {
        document
            .empty("category", &[("term", &category.term), ("scheme", &category.scheme), ("label", &category.label)]);
    }
    if !entry.summary.is_empty() {
        document.text("summary", &language, &entry.summary);
    }
    let mut attributes = vec![("type", "html")];
    attributes.extend(language);
    document.text("content", &attributes, &entry.content_html);
    if let Some(source) = &entry.source {
        let (is_author, updated_at) = (entry.authors.is_empty(), entry.updated_at);
        document.parent("source", &[], |document| write_source(document, source, is_author, updated_at));
    }
}

/// Where the entry is from. The feed's own id is not ours to invent: its address identifies it, and only where that is
/// told in part an id of ours; part of an address is not that of the feed itself. Its date is the entry's: no older, as the
/// entry was in it, and it does not change while the entry does not.
/// An entry without an author gets that of its source before that of our feed (RFC 4287 section 4.2.1).
fn write_source(document: &mut Document, source: &EntrySource, is_author: bool, updated_at: Timestamp) {
    document.text("id", &[], &uri(&source.id));
    document.text("title", &[], &source.title);
    document.text("updated", &[], &updated_at.to_string());
    if is_author {
        document.parent("author", &[], |document| document.text("name", &[], &source.title));
    }
    if source.id == source.feed_url {
        document.empty("link", &[("rel", "self"), ("href", &uri(&source.feed_url))]);
    }
    if let Some(url) = &source.site_url {
        document.empty("link", &[("rel", "alternate"), ("href", &uri(url))]);
    }
}

fn language(language: Option<&String>) -> impl Iterator<Item = Attribute<'_>> {
    language.into_iter().map(|language| ("xml:lang", language.as_str()))
}
