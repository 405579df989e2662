//! JSON Feed 1.1, with an extension `_veille` for what it has no word for.

use crate::export::uri::uri;
use crate::export::xml::allowed;
use crate::export::{Format, GENERATOR};
use crate::model::{EntryLink, EntrySource, PublishedEntry, PublishedFeed, Timestamp};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

pub(super) fn render(feed: &PublishedFeed) -> Vec<u8> {
    let format = Format::JsonFeed;
    let archive = feed.addresses.prev_archive_stem.as_ref().filter(|_| feed.addresses.is_archive);
    let older = feed.addresses.older_stem.as_ref().or(archive);
    let document = Feed {
        version: "https://jsonfeed.org/version/1.1",
        title: Text(&feed.title),
        home_page_url: &feed.addresses.page_url,
        self_url: format.address(&feed.addresses.stem),
        description: Text(&feed.description),
        // JSON Feed has one word for the way into the past.
        next_url: older.map(|stem| format.address(stem)),
        icon: &feed.icon_url,
        authors: vec![Author { name: Text(&feed.author) }],
        language: feed.language.as_deref(),
        hubs: feed.hubs.iter().map(|url| Hub { kind: "WebSub", url }).collect(),
        about: AboutFeed { generator: GENERATOR, id: &feed.id.0, updated_at: feed.updated_at },
        items: feed.entries.iter().map(item).collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document).expect("a document of strings and numbers is JSON");
    bytes.push(b'\n');
    bytes
}

fn item(entry: &PublishedEntry) -> Item<'_> {
    Item {
        id: &entry.id.0,
        url: entry.url.as_deref().map(uri),
        title: Text(&entry.title),
        content_html: Text(&entry.content_html),
        summary: Some(Text(&entry.summary)).filter(|summary| !summary.0.is_empty()),
        date_published: entry.published_at,
        date_modified: entry.updated_at,
        authors: entry.authors.iter().map(|name| Author { name: Text(name) }).collect(),
        tags: entry.categories.iter().map(|category| category.term.as_str()).collect(),
        language: entry.language.as_deref(),
        attachments: entry
            .enclosures
            .iter()
            .filter_map(|enclosure| {
                let mime_type = enclosure.media_type.as_deref()?;
                Some(Attachment { url: uri(&enclosure.url), mime_type, size_in_bytes: enclosure.length })
            })
            .collect(),
        about: AboutItem {
            source: entry.source.as_ref(),
            other_sources: &entry.other_sources,
            reasons: &entry.reasons,
        },
    }
}

/// Text in which the characters are left out that the XML formats cannot hold, so that all formats say the same.
struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&allowed(self.0))
    }
}

#[derive(Serialize)]
struct Feed<'a> {
    version: &'static str,
    title: Text<'a>,
    home_page_url: &'a str,
    #[serde(rename = "feed_url")]
    self_url: String,
    description: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    icon: &'a str,
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
    name: Text<'a>,
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
    id: &'a str,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Cow<'a, str>>,
    title: Text<'a>,
    content_html: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Text<'a>>,
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
    url: Cow<'a, str>,
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
