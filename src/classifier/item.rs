//! What the classifier looks at: an item's fields as published, plain text, and what is known about it.

use super::language;
use crate::model::{Correction, Field, Item, StoredText, Timestamp, without_query};
use std::borrow::Cow;

/// An item as queries see it. All texts are plain: markup stripped, entities decoded, a line break ending a block.
/// Evidence counts characters in these very texts.
#[derive(Debug, Clone, Copy, Default)]
pub struct ItemText<'a> {
    pub title: &'a str,
    pub summary: &'a str,
    pub content: &'a str,
    pub authors: &'a [String],
    pub categories: &'a [String],
    pub url: &'a str,
    pub feed_title: &'a str,
    pub feed_url: &'a str,
    pub groups: &'a [String],
    /// BCP 47 tag as declared by item or feed; `None`: detected when a query asks.
    pub language: Option<&'a str>,
    /// What `published` and `age` compare.
    pub published_at: Option<Timestamp>,
    /// Tags that the item has, for `tag:` in digests and searches, and for tags that no rule gives.
    pub tags: &'a [&'a str],
    /// What a curator decided for the item: rules that name a tag go by this, whatever its own rule says.
    pub corrections: &'a [Correction],
}

impl<'a> ItemText<'a> {
    /// A text alone, as the rule examples are.
    #[must_use]
    pub fn from_title(title: &'a str) -> Self {
        ItemText { title, ..ItemText::default() }
    }

    /// A stored item; its tags have to be added by who knows them as names.
    #[must_use]
    pub fn from_item(item: &'a Item) -> Self {
        ItemText {
            title: &item.content.title,
            summary: &item.content.summary,
            content: &item.content.content_text,
            authors: &item.content.authors,
            categories: &item.content.categories,
            url: item.content.link.as_deref().unwrap_or_default(),
            feed_title: &item.feed_title,
            feed_url: &item.feed_url,
            groups: &item.groups,
            language: item.content.language.as_deref(),
            published_at: Some(item.ordered_at()),
            tags: &[],
            corrections: &[],
        }
    }

    /// As [`ItemText::from_item`].
    #[must_use]
    pub fn from_stored(item: &'a StoredText) -> Self {
        ItemText {
            title: &item.title,
            summary: &item.summary,
            content: &item.content_text,
            authors: &item.authors,
            categories: &item.categories,
            url: item.link.as_deref().unwrap_or_default(),
            feed_title: &item.feed.title,
            feed_url: &item.feed.url,
            groups: &item.feed.groups,
            language: item.language.as_deref().or(item.feed.language.as_deref()),
            published_at: Some(item.ordered_at),
            tags: &[],
            corrections: &[],
        }
    }

    /// The text of a field in which evidence counts characters. The values of a field with several stand a line each.
    #[must_use]
    pub fn field_text(&self, field: Field) -> Cow<'a, str> {
        let mut values = self.values(field);
        let first = values.next().unwrap_or_default();
        match values.next() {
            None => first,
            Some(second) => {
                let mut joined = first.into_owned() + "\n" + &second;
                for value in values {
                    joined.push('\n');
                    joined.push_str(&value);
                }
                Cow::Owned(joined)
            }
        }
    }

    /// The values of a field, in order.
    pub(super) fn values(&self, field: Field) -> Box<dyn Iterator<Item = Cow<'a, str>> + 'a> {
        let one = |text: &'a str| -> Box<dyn Iterator<Item = Cow<'a, str>> + 'a> {
            Box::new(std::iter::once(Cow::Borrowed(text)))
        };
        let many = |texts: &'a [String]| -> Box<dyn Iterator<Item = Cow<'a, str>> + 'a> {
            Box::new(texts.iter().map(|text| Cow::Borrowed(text.as_str())))
        };
        match field {
            Field::Title => one(self.title),
            Field::Summary => one(self.summary),
            Field::Content => one(self.content),
            Field::Url => one(self.url),
            Field::Host => one(host_of(self.url)),
            Field::Author => many(self.authors),
            Field::Category => many(self.categories),
            Field::Group => many(self.groups),
            // A search by strangers must not find out the key of a private feed letter by letter.
            Field::Feed => Box::new([self.feed_title, without_query(self.feed_url)].into_iter().map(Cow::Borrowed)),
            Field::Lang => Box::new(language::of_item(self).into_iter().map(Cow::Owned)),
            Field::Tag => Box::new(self.tags.iter().map(|tag| Cow::Borrowed(*tag))),
        }
    }
}

/// The host of an address, without user and port; empty when there is none.
fn host_of(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else { return "" };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    host.split_once(':').map_or(host, |(host, _)| host)
}
