//! OPML 2.0: a list of feeds for a reader to import.

use crate::export::xml::Document;

/// A feed in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlinedFeed {
    pub title: String,
    pub description: Option<String>,
    /// The address to subscribe to.
    pub feed_url: String,
    pub site_url: Option<String>,
    /// The folders that the feed is in; several give the feed once in each of them, as readers expect.
    pub groups: Vec<String>,
    pub language: Option<String>,
    /// Whether it is polled. One that is not is marked in words of our own, which other readers pass over.
    pub enabled: bool,
}

/// OPML 2.0 lets an outline have attributes of a namespace.
const NAMESPACE: (&str, &str) = ("xmlns:veille", "https://github.com/veille-watch/veille");

/// The list as bytes: feeds without a group first, then a folder a group, by name.
#[must_use]
pub fn opml(title: &str, feeds: &[OutlinedFeed]) -> Vec<u8> {
    let mut groups: Vec<&str> = feeds.iter().flat_map(|feed| &feed.groups).map(String::as_str).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut document = Document::new();
    let mut attributes = vec![("version", "2.0")];
    attributes.extend(feeds.iter().any(|feed| !feed.enabled).then_some(NAMESPACE));
    document.parent("opml", &attributes, |document| {
        document.parent("head", &[], |document| document.text("title", &[], title));
        document.parent("body", &[], |document| {
            for feed in feeds.iter().filter(|feed| feed.groups.is_empty()) {
                outline(document, feed);
            }
            for group in groups {
                // `title` is for feeds: beside `text` alone it would call for a `type`.
                document.parent("outline", &[("text", group)], |document| {
                    for feed in feeds.iter().filter(|feed| feed.groups.iter().any(|name| name == group)) {
                        outline(document, feed);
                    }
                });
            }
        });
    });
    document.into_bytes()
}

fn outline(document: &mut Document, feed: &OutlinedFeed) {
    let mut attributes =
        vec![("type", "rss"), ("text", feed.title.as_str()), ("title", &feed.title), ("xmlUrl", &feed.feed_url)];
    attributes.extend(feed.site_url.as_deref().map(|url| ("htmlUrl", url)));
    attributes.extend(feed.description.as_deref().map(|text| ("description", text)));
    attributes.extend(feed.language.as_deref().map(|language| ("language", language)));
    attributes.extend((!feed.enabled).then_some(("veille:enabled", "false")));
    document.empty("outline", &attributes);
}
