//! RSS 2.0 by the specification and the RSS Advisory Board's profile, with the content, Dublin Core and
//! Atom modules where RSS has no word, or only a poor one.

use crate::export::uri::uri;
use crate::export::xml::Document;
use crate::export::{Format, GENERATOR, atom};
use crate::model::{PublishedEntry, PublishedFeed, Timestamp};

pub(super) fn render(feed: &PublishedFeed) -> Vec<u8> {
    let mut document = Document::new();
    let mut attributes = vec![
        ("version", "2.0"),
        ("xmlns:atom", "http://www.w3.org/2005/Atom"),
        ("xmlns:content", "http://purl.org/rss/1.0/modules/content/"),
        ("xmlns:dc", "http://purl.org/dc/elements/1.1/"),
    ];
    if feed.addresses.is_archive {
        attributes.push(("xmlns:fh", "http://purl.org/syndication/history/1.0"));
    }
    document.parent("rss", &attributes, |document| {
        document.parent("channel", &[], |document| {
            head(document, feed);
            for entry in &feed.entries {
                document.parent("item", &[], |document| item(document, entry));
            }
        });
    });
    document.into_bytes()
}

fn head(document: &mut Document, feed: &PublishedFeed) {
    document.text("title", &[], &feed.title);
    document.text("link", &[], &feed.addresses.page_url);
    document.text("description", &[], &feed.description);
    if let Some(language) = &feed.language {
        document.text("language", &[], language);
    }
    document.text("lastBuildDate", &[], &rfc_822(feed.updated_at));
    document.text("generator", &[], GENERATOR);
    document.text("docs", &[], "https://www.rssboard.org/rss-specification");
    // Minutes; rounded up, so that a reader does not come before the document it has is old.
    document.text("ttl", &[], &feed.ttl_s.div_ceil(60).to_string());
    if feed.addresses.is_archive {
        document.empty("fh:archive", &[]);
    }
    atom::links(document, feed, Format::Rss, "atom:link");
}

fn item(document: &mut Document, entry: &PublishedEntry) {
    document.text("title", &[], &entry.title);
    if let Some(url) = &entry.url {
        document.text("link", &[], &uri(url));
    }
    document.text("guid", &[("isPermaLink", "false")], &entry.id.0);
    document.text("pubDate", &[], &rfc_822(entry.published_at));
    document.text("atom:updated", &[], &entry.updated_at.to_string());
    // RSS's own `author` is an e-mail address, which we do not have.
    for author in &entry.authors {
        document.text("dc:creator", &[], author);
    }
    if let Some(language) = &entry.language {
        document.text("dc:language", &[], language);
    }
    for category in &entry.categories {
        document.text("category", &[("domain", &category.scheme)], &category.term);
    }
    // The profile has the whole text in the description where there is no summary before it.
    if entry.summary.is_empty() {
        document.text("description", &[], &entry.content_html);
    } else {
        document.text("description", &[], &as_html(&entry.summary));
        document.text("content:encoded", &[], &entry.content_html);
    }
    // More than one enclosure is read differently by every reader; the profile says one.
    if let Some(enclosure) = entry.enclosures.iter().find(|enclosure| enclosure.media_type.is_some()) {
        let length = enclosure.length.unwrap_or(0).to_string();
        let media_type = enclosure.media_type.as_deref().unwrap_or_default();
        document.empty("enclosure", &[("url", &uri(&enclosure.url)), ("length", &length), ("type", media_type)]);
    }
    if let Some(source) = &entry.source {
        document.text("source", &[("url", &uri(&source.feed_url))], &source.title);
    }
}

/// RSS's descriptions are HTML, so plain text has to be escaped to stay what it is.
fn as_html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.lines().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>().join("<br>\n")
}

/// A date as RFC 822 has it, with the four-digit year of RFC 1123: `Tue, 24 Nov 2026 07:00:00 +0000`.
fn rfc_822(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}
