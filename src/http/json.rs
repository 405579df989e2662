//! The values of the API as JSON: the glossary's names, RFC 3339 instants, null for what is not known.

use crate::config::DigestSettings;
use crate::digest::Publisher;
use crate::export::Format;
use crate::model::{
    DigestKind, Enclosure, EntryId, Issue, Item, ItemId, Story, StoryId, TagMatch, Timestamp, without_query,
};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(super) struct ItemJson<'a> {
    id: ItemId,
    story_id: StoryId,
    feed: FeedRefJson<'a>,
    guid: Option<&'a str>,
    link: Option<&'a str>,
    title: &'a str,
    authors: &'a [String],
    published_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    first_seen_at: Timestamp,
    changed_at: Timestamp,
    categories: &'a [String],
    language: Option<&'a str>,
    summary: &'a str,
    /// In lists left out, for they are long.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<&'a str>,
    enclosures: &'a [Enclosure],
    tags: &'a [TagMatch],
}

#[derive(Debug, Serialize)]
struct FeedRefJson<'a> {
    id: i64,
    title: &'a str,
    url: &'a str,
    site_url: Option<&'a str>,
    groups: &'a [String],
}

impl<'a> ItemJson<'a> {
    /// As in a list.
    pub(super) fn line(item: &'a Item) -> Self {
        let content = &item.content;
        Self {
            id: item.id,
            story_id: item.story_id,
            feed: FeedRefJson {
                id: item.feed_id.0,
                title: &item.feed_title,
                url: without_query(&item.feed_url),
                site_url: item.site_url.as_deref(),
                groups: &item.groups,
            },
            guid: content.guid.as_deref(),
            link: content.link.as_deref(),
            title: &content.title,
            authors: &content.authors,
            published_at: content.published_at,
            updated_at: content.updated_at,
            first_seen_at: item.first_seen_at,
            changed_at: item.changed_at,
            categories: &content.categories,
            language: content.language.as_deref(),
            summary: &content.summary,
            content_html: None,
            content_text: None,
            enclosures: &content.enclosures,
            tags: &item.tags,
        }
    }

    /// With its content.
    pub(super) fn whole(item: &'a Item) -> Self {
        Self {
            content_html: Some(&item.content.content_html),
            content_text: Some(&item.content.content_text),
            ..Self::line(item)
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct StoryJson<'a> {
    id: StoryId,
    entry_id: &'a EntryId,
    /// Oldest first; the first one gives the story its title and link.
    items: Vec<ItemJson<'a>>,
}

impl<'a> StoryJson<'a> {
    pub(super) fn line(story: &'a Story) -> Self {
        Self { id: story.id, entry_id: &story.entry_id, items: story.items.iter().map(ItemJson::line).collect() }
    }

    pub(super) fn whole(story: &'a Story) -> Self {
        Self { items: story.items.iter().map(ItemJson::whole).collect(), ..Self::line(story) }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct TagJson<'a> {
    pub(super) name: &'a str,
    pub(super) title: &'a str,
    /// Whether a rule of the config gives it.
    pub(super) configured: bool,
    pub(super) items: u64,
    pub(super) newest_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub(super) struct DigestJson<'a> {
    name: &'a str,
    title: &'a str,
    description: Option<&'a str>,
    kind: &'static str,
    query: &'a str,
    stories: u64,
    changed_at: Option<Timestamp>,
    addresses: AddressesJson,
}

#[derive(Debug, Serialize)]
struct AddressesJson {
    page: String,
    atom: String,
    rss: String,
    json: String,
}

impl<'a> DigestJson<'a> {
    pub(super) fn new(
        digest: &'a DigestSettings,
        publisher: &Publisher,
        changed_at: Option<Timestamp>,
        story_count: u64,
    ) -> Self {
        let page = publisher.address(&format!("digests/{}", digest.spec.name.0));
        Self {
            name: &digest.spec.name.0,
            title: &digest.spec.title,
            description: digest.spec.description.as_deref(),
            kind: match digest.spec.kind {
                DigestKind::Stream => "stream",
                DigestKind::Periodic { .. } => "periodic",
            },
            query: &digest.query_text,
            stories: story_count,
            changed_at,
            addresses: AddressesJson {
                atom: Format::Atom.address(&page),
                rss: Format::Rss.address(&page),
                json: Format::JsonFeed.address(&page),
                page,
            },
        }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct IssueJson<'a> {
    period: &'a str,
    entry_id: &'a EntryId,
    starts_at: Timestamp,
    ends_at: Timestamp,
    cut_at: Timestamp,
    updated_at: Timestamp,
    story_count: u64,
}

impl<'a> From<&'a Issue> for IssueJson<'a> {
    fn from(issue: &'a Issue) -> Self {
        Self {
            period: &issue.period,
            entry_id: &issue.entry_id,
            starts_at: issue.starts_at,
            ends_at: issue.ends_at,
            cut_at: issue.cut_at,
            updated_at: issue.updated_at,
            story_count: issue.story_count,
        }
    }
}
