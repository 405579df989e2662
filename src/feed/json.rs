//! JSON Feed 1.0 and 1.1 to a draft, field by field: one of a wrong type is missed, never the feed.

mod surrogates;

use super::draft::{Channel, Draft, DraftEnclosure, DraftItem, Link, MAX_PER_ITEM, PRUNE_ABOVE, Text, TextKind};
use super::{FeedError, decode};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::fmt;

/// Reads a document; a `version` that names no JSON Feed is forgiven when there are items.
///
/// Of a document that breaks off the items before the break are kept. `prune` is called whenever many items have come
/// together, and must bring their number down.
pub(super) fn read(source: &str, prune: &dyn Fn(&mut Draft<'static>)) -> Result<Draft<'static>, FeedError> {
    let mut reading = Reading { facts: Map::new(), draft: Draft::default(), has_items: false, prune };
    let source = surrogates::mended(source);
    let end = (&mut reading).deserialize(&mut serde_json::Deserializer::from_str(&source));
    let Reading { facts, mut draft, has_items, .. } = reading;
    match end {
        Err(error) if error.is_data() => return Err(FeedError::NotAFeed),
        Err(error) if draft.items.is_empty() => return Err(FeedError::Json(error.to_string())),
        Err(_) => draft.is_broken = true,
        Ok(()) => {}
    }
    let is_named = facts.get("version").and_then(Value::as_str).is_some_and(|version| version.contains("jsonfeed.org"));
    if !has_items {
        return Err(if is_named { FeedError::Broken } else { FeedError::NotAFeed });
    }
    if !is_named && !facts.contains_key("title") {
        return Err(FeedError::NotAFeed);
    }
    let authors = authors(&facts);
    for item in draft.items.iter_mut().filter(|item| item.authors.is_empty()) {
        item.authors.clone_from(&authors);
    }
    draft.channel = channel(&facts);
    Ok(draft)
}

/// What has been read of a document: kept beside the parser, so that an error loses nothing.
struct Reading<'p> {
    /// What the feed says of itself.
    facts: Map<String, Value>,
    draft: Draft<'static>,
    has_items: bool,
    prune: &'p dyn Fn(&mut Draft<'static>),
}

/// All that is read of the feed itself; the rest, of whatever size, is passed over.
const FACTS: [&str; 8] = ["version", "title", "home_page_url", "feed_url", "hubs", "language", "authors", "author"];

impl<'de> DeserializeSeed<'de> for &mut Reading<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Reading<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON Feed")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            if name == "items" {
                self.has_items |= map.next_value_seed(Items(self))?;
            } else if FACTS.contains(&&*name) {
                self.facts.insert(name.into_owned(), map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Reads the value of `items`, and says whether it is a list.
struct Items<'r, 'p>(&'r mut Reading<'p>);

impl<'de> DeserializeSeed<'de> for Items<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, items: D) -> Result<bool, D::Error> {
        items.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_, '_> {
    type Value = bool;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let Reading { draft, has_items, prune, .. } = self.0;
        *has_items = true;
        while let Some(item) = items.next_element::<Value>()? {
            if let Value::Object(item) = item {
                draft.item_elements += 1;
                draft.items.push(draft_item(&item));
            }
            if draft.items.len() > PRUNE_ABOVE {
                prune(draft);
            }
        }
        Ok(true)
    }
}

type Owned = Cow<'static, str>;

/// A text, or a number written as one (ids often are).
fn text(object: &Map<String, Value>, name: &str) -> Option<Owned> {
    let text = match object.get(name)? {
        Value::String(text) => cleaned(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A string without what escapes put into it that no document may hold.
fn cleaned(text: &str) -> Owned {
    Cow::Owned(decode::clean(Cow::Borrowed(text)).trim().to_owned())
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

fn draft_item(item: &Map<String, Value>) -> DraftItem<'static> {
    let texts = |name, kind| text(item, name).map(|source| Text { source, kind, base: None });
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
        authors: authors(item),
        categories: strings(item.get("tags")),
        enclosures: attachments(item),
        language: text(item, "language"),
        ..DraftItem::default()
    }
}

/// `authors` of version 1.1, else `author` of 1.0; some feeds write a bare name.
fn authors(object: &Map<String, Value>) -> Vec<Owned> {
    let name = |author: &Value| match author {
        Value::String(name) => Some(cleaned(name)),
        Value::Object(author) => text(author, "name"),
        _ => None,
    };
    let many = object.get("authors").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<Owned> = many.filter_map(name).take(MAX_PER_ITEM).collect();
    if names.is_empty() { object.get("author").and_then(name).into_iter().collect() } else { names }
}

fn strings(value: Option<&Value>) -> Vec<Owned> {
    let values = match value {
        Some(Value::Array(values)) => values.as_slice(),
        Some(value @ Value::String(_)) => std::slice::from_ref(value),
        _ => &[],
    };
    values.iter().filter_map(Value::as_str).take(MAX_PER_ITEM).map(cleaned).collect()
}

fn attachments(item: &Map<String, Value>) -> Vec<DraftEnclosure<'static>> {
    let attachments = item.get("attachments").and_then(Value::as_array).into_iter().flatten();
    attachments
        .filter_map(Value::as_object)
        .take(MAX_PER_ITEM)
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
        let draft = read(source, &|_| {}).expect("a feed");
        let said = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.source.to_string());
        assert_eq!(said(&draft.items[0].title), Some("ab".to_owned()));
        assert_eq!(said(&draft.items[0].content), Some("c\nd".to_owned()));
    }

    #[test]
    fn what_the_feed_says_of_itself_may_stand_after_its_items() {
        let source =
            r#"{"items": [{"id": "1"}, 7, {"id": "2", "author": "B"}], "author": {"name": "A"}, "title": "T"}"#;
        let draft = read(source, &|_| {}).expect("a feed");
        assert_eq!(draft.items.iter().map(|item| &*item.authors[0]).collect::<Vec<_>>(), ["A", "B"]);
        assert!(draft.channel.title.is_some());
    }

    #[test]
    fn what_is_no_feed_is_refused_for_its_reason() {
        let refused = |source: &str| read(source, &|_| {}).expect_err(source);
        assert_eq!(refused("[]"), FeedError::NotAFeed);
        assert_eq!(refused("{}"), FeedError::NotAFeed);
        assert_eq!(refused(r#"{"title": "T", "items": {}}"#), FeedError::NotAFeed);
        assert_eq!(refused(r#"{"version": "https://jsonfeed.org/version/1"}"#), FeedError::Broken);
        assert!(matches!(refused(r#"{"title": "T", "items": [{"#), FeedError::Json(_)));
        let deep = format!("{{\"title\": \"T\", \"items\": {}", "[".repeat(100_000));
        assert!(matches!(refused(&deep), FeedError::Json(_)));
    }

    #[test]
    fn a_flood_of_items_is_pruned_while_it_is_read() {
        let source = format!(r#"{{"title": "T", "items": [{}{{}}]}}"#, "{},".repeat(2 * PRUNE_ABOVE));
        let draft = read(&source, &|draft| draft.items.truncate(1)).expect("a feed");
        assert!(draft.items.len() <= PRUNE_ABOVE, "{}", draft.items.len());
        assert_eq!(draft.item_elements, 2 * PRUNE_ABOVE + 1);
    }
}
