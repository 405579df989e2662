//! JSON Feed 1.1, with an extension `_veille` for what it has no word for.

use crate::export::{Format, GENERATOR};
use crate::model::{EntryLink, EntrySource, PublishedEntry, PublishedFeed, Timestamp};
use serde::Serialize;

pub(super) fn render(feed: &PublishedFeed) -> Vec<u8> {
    let format = Format::JsonFeed;
    let document = Feed {
        version: "https://jsonfeed.org/version/1.1",
        title: &feed.title,
        home_page_url: &feed.addresses.page_url,
        feed_url: format.address(&feed.addresses.stem),
        description: &feed.description,
        next_url: feed.addresses.older_stem.as_ref().map(|stem| format.address(stem)),
        icon: feed.icon_url.as_deref(),
        authors: vec![Author { name: &feed.author }],
        language: feed.language.as_deref(),
        hubs: feed.hubs.iter().map(|url| Hub { kind: "WebSub", url }).collect(),
        about: AboutFeed {
            generator: GENERATOR,
            version: env!("CARGO_PKG_VERSION"),
            id: &feed.id.0,
            updated_at: feed.updated_at,
        },
        items: feed.entries.iter().map(item).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document).expect("a document of strings and numbers is JSON");
    bytes.push(b'\n');
    bytes
}

fn item(entry: &PublishedEntry) -> Item<'_> {
    Item {
        id: &entry.id.0,
        url: entry.url.as_deref(),
        title: &entry.title,
        content_html: &entry.content_html,
        summary: Some(entry.summary.as_str()).filter(|summary| !summary.is_empty()),
        date_published: entry.published_at,
        date_modified: entry.updated_at,
        authors: entry.authors.iter().map(|name| Author { name }).collect(),
        tags: entry.categories.iter().map(|category| category.term.as_str()).collect(),
        language: entry.language.as_deref(),
        attachments: entry
            .enclosures
            .iter()
            .filter_map(|enclosure| {
                let mime_type = enclosure.media_type.as_deref()?;
                Some(Attachment { url: &enclosure.url, mime_type, size_in_bytes: enclosure.length })
            })
            .collect(),
        about: AboutItem {
            source: entry.source.as_ref(),
            other_sources: &entry.other_sources,
            reasons: &entry.reasons,
        },
    }
}

#[derive(Serialize)]
struct Feed<'a> {
    version: &'static str,
    title: &'a str,
    home_page_url: &'a str,
    feed_url: String,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<&'a str>,
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub<'a>>,
    #[serde(rename = "_veille")]
    about: AboutFeed<'a>,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Author<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Hub<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
}

#[derive(Serialize)]
struct AboutFeed<'a> {
    generator: &'static str,
    version: &'static str,
    id: &'a str,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    title: &'a str,
    content_html: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    date_published: Timestamp,
    date_modified: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authors: Vec<Author<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment<'a>>,
    #[serde(rename = "_veille")]
    about: AboutItem<'a>,
}

#[derive(Serialize)]
struct Attachment<'a> {
    url: &'a str,
    mime_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
}

#[derive(Serialize)]
struct AboutItem<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a EntrySource>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    other_sources: &'a [EntryLink],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reasons: &'a [String],
}
