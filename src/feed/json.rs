//! JSON Feed 1.0 and 1.1 to a draft, field by field: one of a wrong type is missed, never the feed.

use super::draft::{Channel, Draft, DraftEnclosure, DraftItem, Link, Text, TextKind};
use super::{FeedError, decode};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Reads a document; a `version` that names no JSON Feed is forgiven when there are items.
pub(super) fn read(source: &str) -> Result<Draft<'static>, FeedError> {
    let (value, is_broken) = value(source)?;
    let Value::Object(feed) = value else { return Err(FeedError::NotAFeed) };
    let is_named = feed.get("version").and_then(Value::as_str).is_some_and(|version| version.contains("jsonfeed.org"));
    let Some(Value::Array(items)) = feed.get("items") else {
        return Err(if is_named { FeedError::Broken } else { FeedError::NotAFeed });
    };
    if !is_named && !feed.contains_key("title") {
        return Err(FeedError::NotAFeed);
    }
    let authors = authors(&feed);
    let items: Vec<_> = items.iter().filter_map(Value::as_object).map(|item| draft_item(item, &authors)).collect();
    Ok(Draft { channel: channel(&feed), item_elements: items.len(), items, is_broken, ..Draft::default() })
}

/// The first value of a document; of a broken one what stands before the break, and `true`.
fn value(source: &str) -> Result<(Value, bool), FeedError> {
    let first = serde_json::Deserializer::from_str(source).into_iter().next();
    let error = match first {
        Some(Ok(value)) => return Ok((value, false)),
        Some(Err(error)) => error,
        None => return Err(FeedError::Empty),
    };
    let line_start = source.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
    let sound = &source[..source.floor_char_boundary(line_start + error.column())];
    let mended = up_to_last_item(sound).and_then(|mended| serde_json::from_str(&mended).ok());
    mended.map(|value| (value, true)).ok_or_else(|| FeedError::Json(error.to_string()))
}

/// The start of a document to the end of the last object that is whole in a list of the feed, closed as it must be.
fn up_to_last_item(source: &str) -> Option<String> {
    let mut open = Vec::new();
    let (mut in_string, mut is_escaped, mut end) = (false, false, None);
    for (at, byte) in source.bytes().enumerate() {
        if in_string {
            in_string = byte != b'"' || is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => open.push(byte),
            b'}' | b']' => {
                open.pop();
                if byte == b'}' && open == b"{[" {
                    end = Some(at + 1);
                }
            }
            _ => {}
        }
    }
    end.map(|end| format!("{}]}}", &source[..end]))
}

type Owned = Cow<'static, str>;

/// A text, or a number written as one (ids often are).
fn text(object: &Map<String, Value>, name: &str) -> Option<Owned> {
    let text = match object.get(name)? {
        Value::String(text) => decode::clean(Cow::Borrowed(text)).trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(Cow::Owned(text))
}

fn channel(feed: &Map<String, Value>) -> Channel<'static> {
    let mut links = Vec::new();
    for (name, rel) in [("home_page_url", "alternate"), ("feed_url", "self")] {
        links.extend(text(feed, name).map(|href| link(href, rel)));
    }
    for hub in feed.get("hubs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        links.extend(text(hub, "url").map(|href| link(href, "hub")));
    }
    Channel {
        title: text(feed, "title").map(|source| Text { source, kind: TextKind::Plain, base: None }),
        links,
        language: text(feed, "language"),
        ..Channel::default()
    }
}

fn link(href: Owned, rel: &'static str) -> Link<'static> {
    Link { href, rel: Cow::Borrowed(rel), media_type: None, base: None }
}

fn draft_item(item: &Map<String, Value>, feed_authors: &[Owned]) -> DraftItem<'static> {
    let texts = |name, kind| text(item, name).map(|source| Text { source, kind, base: None });
    let own_authors = authors(item);
    DraftItem {
        title: texts("title", TextKind::Plain),
        summary: texts("summary", TextKind::Plain),
        content: texts("content_html", TextKind::Html).or_else(|| texts("content_text", TextKind::Plain)),
        links: text(item, "url")
            .or_else(|| text(item, "external_url"))
            .map(|href| link(href, "alternate"))
            .into_iter()
            .collect(),
        guid: text(item, "id"),
        published: text(item, "date_published"),
        updated: text(item, "date_modified"),
        authors: if own_authors.is_empty() { feed_authors.to_vec() } else { own_authors },
        categories: strings(item.get("tags")),
        enclosures: attachments(item),
        language: text(item, "language"),
        ..DraftItem::default()
    }
}

/// `authors` of version 1.1, else `author` of 1.0; some feeds write a bare name.
fn authors(object: &Map<String, Value>) -> Vec<Owned> {
    let name = |author: &Value| match author {
        Value::String(name) => Some(Cow::Owned(name.trim().to_owned())),
        Value::Object(author) => text(author, "name"),
        _ => None,
    };
    let many = object.get("authors").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<Owned> = many.filter_map(name).collect();
    if names.is_empty() { object.get("author").and_then(name).into_iter().collect() } else { names }
}

fn strings(value: Option<&Value>) -> Vec<Owned> {
    let values = match value {
        Some(Value::Array(values)) => values.as_slice(),
        Some(value @ Value::String(_)) => std::slice::from_ref(value),
        _ => &[],
    };
    values.iter().filter_map(Value::as_str).map(|text| Cow::Owned(text.trim().to_owned())).collect()
}

fn attachments(item: &Map<String, Value>) -> Vec<DraftEnclosure<'static>> {
    let attachments = item.get("attachments").and_then(Value::as_array).into_iter().flatten();
    attachments
        .filter_map(Value::as_object)
        .filter_map(|attachment| {
            Some(DraftEnclosure {
                url: text(attachment, "url")?,
                media_type: text(attachment, "mime_type"),
                length: text(attachment, "size_in_bytes"),
                base: None,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_cannot_say_what_a_document_cannot_hold() {
        let source =
            r#"{"title": "T", "items": [{"id": "1", "title": "a\u0001b", "content_html": "\u0002c\r\nd\ufffe"}]}"#;
        let draft = read(source).expect("a feed");
        let said = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.source.to_string());
        assert_eq!(said(&draft.items[0].title), Some("ab".to_owned()));
        assert_eq!(said(&draft.items[0].content), Some("c\nd".to_owned()));
    }
}
