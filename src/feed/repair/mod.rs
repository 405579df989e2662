//! From the text of a document, however broken, to a [`Draft`]: one tolerant pass that knows the feed dialects.
//!
//! It never fails on markup: what is not closed is closed where the next field, item or the end shows it to be.
//! It resolves names, `xml:base` and references, and judges no value: dates, links and HTML are read later.

mod field;
mod raw;
mod root;
mod scope;

use super::draft::{Draft, DraftItem, Link, PRUNE_ABOVE};
use super::lexer::{Lexer, Tag, Token};
use super::reference;
use super::vocabulary::{self, Container, Field, Namespace};
use super::{FeedError, FeedFormat};
use scope::Scope;
use std::borrow::Cow;

/// Elements open at once; deeper ones are read as if they were not there.
const MAX_DEPTH: usize = 256;
/// Items open at once: an item is opened inside another when an end tag is missing.
const MAX_OPEN_ITEMS: usize = 8;

/// Reads a document into a draft.
///
/// `prune` is called whenever many items have come together, and must bring their number down.
pub(super) fn repair<'a>(
    source: &'a str,
    base_url: &str,
    prune: &dyn Fn(&mut Draft<'a>),
) -> Result<(FeedFormat, Draft<'a>), FeedError> {
    let mut lexer = Lexer::new(source);
    let (root, format) = root::find(&mut lexer)?;
    let mut repair = Repair {
        lexer,
        is_atom: format == FeedFormat::Atom,
        draft: Draft::default(),
        open: Vec::new(),
        items: Vec::new(),
        scope: Scope::new(base_url),
        prune,
    };
    repair.start(root);
    repair.run();
    Ok((format, repair.finish()))
}

struct Repair<'a, 'p> {
    lexer: Lexer<'a>,
    is_atom: bool,
    draft: Draft<'a>,
    open: Vec<Open<'a>>,
    /// Indices of the items that are open, innermost last.
    items: Vec<usize>,
    scope: Scope<'a>,
    prune: &'p dyn Fn(&mut Draft<'a>),
}

#[derive(Debug, Clone, Copy)]
struct Open<'a> {
    name: &'a str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its fields are the feed's.
    Feed,
    /// Its fields are the item's.
    Item,
    /// Its fields are those of the element around it.
    Transparent,
    /// Nobody's: an image, a text input, an element we do not know.
    Ignored,
}

impl<'a> Repair<'a, '_> {
    fn run(&mut self) {
        while let Some(token) = self.lexer.next() {
            match token {
                Token::Start(tag) => self.start(tag),
                Token::End(name) => self.end(name),
                Token::Text(_) | Token::CData(_) | Token::Other(_) => {}
            }
        }
    }

    fn finish(mut self) -> Draft<'a> {
        self.draft.is_broken |= self.open.iter().any(|open| open.kind != Kind::Ignored);
        self.close_to(0);
        self.draft.bases = self.scope.bases;
        self.draft
    }

    fn start(&mut self, tag: Tag<'a>) {
        self.scope.enter(&tag, self.open.len() + 1);
        let (namespace, local) = self.scope.resolve(tag.name);
        let container = if self.open.is_empty() && !is_item(&local) {
            Some(Container::Channel)
        } else {
            vocabulary::container(namespace, &local)
        };
        let parent = self.parent();
        if container == Some(Container::Item) {
            self.start_item(&tag);
        } else if parent == Kind::Ignored {
            self.push(&tag, Kind::Ignored);
        } else if let Some(field) = self.field(namespace, &local) {
            self.read_field(&tag, field, namespace);
            self.scope.leave(self.open.len());
        } else {
            self.attribute_fields(&tag, namespace, &local);
            let kind = match container {
                Some(Container::Channel) => {
                    self.channel_attributes(&tag);
                    Kind::Feed
                }
                Some(Container::Transparent) => Kind::Transparent,
                _ => Kind::Ignored,
            };
            self.push(&tag, kind);
        }
    }

    fn field(&self, namespace: Namespace, local: &str) -> Option<Field> {
        vocabulary::field(namespace, local, self.is_atom)
    }

    /// Whose fields are read now.
    fn parent(&self) -> Kind {
        self.open.iter().rev().map(|open| open.kind).find(|kind| *kind != Kind::Transparent).unwrap_or(Kind::Feed)
    }

    fn push(&mut self, tag: &Tag<'a>, kind: Kind) {
        if tag.empty {
            self.scope.leave(self.open.len());
        } else if self.open.len() < MAX_DEPTH {
            self.open.push(Open { name: tag.name, kind });
        }
    }

    fn end(&mut self, name: &str) {
        match self.open.iter().rposition(|open| open.name == name) {
            Some(at) => {
                self.draft.is_broken |= self.open[at + 1..].iter().any(|open| open.kind == Kind::Item);
                self.close_to(at);
            }
            None => self.draft.is_broken |= self.open.len() < MAX_DEPTH,
        }
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            if self.open.pop().is_some_and(|open| open.kind == Kind::Item) {
                self.end_item();
            }
        }
        self.scope.leave(depth);
    }

    fn start_item(&mut self, tag: &Tag<'a>) {
        if self.items.len() >= MAX_OPEN_ITEMS {
            let outermost = self.open.iter().position(|open| open.kind == Kind::Item).unwrap_or_default();
            self.close_to(outermost);
            self.scope.enter(tag, self.open.len() + 1);
        }
        let mut item =
            DraftItem { base: self.scope.base(), language: self.scope.language.clone(), ..DraftItem::default() };
        // CDF keeps an item's address and date in attributes.
        if let Some(href) = tag.attribute("href") {
            item.links.push(Link { href: resolved(href), rel: "alternate".into(), media_type: None, base: item.base });
            item.updated = tag.attribute("lastmod").map(resolved);
        }
        // An RSS 1.0 item is named by `rdf:about`; a guid inside it comes first.
        item.about = tag.attribute("rdf:about").map(resolved).map(trimmed).filter(|about| !about.is_empty());
        self.draft.item_elements += 1;
        self.items.push(self.draft.items.len());
        self.draft.items.push(item);
        // An item is opened at any depth: `MAX_OPEN_ITEMS` bounds how far that goes beyond the limit.
        if tag.empty {
            self.end_item();
            self.scope.leave(self.open.len());
        } else {
            self.open.push(Open { name: tag.name, kind: Kind::Item });
        }
    }

    fn end_item(&mut self) {
        let Some(index) = self.items.pop() else { return };
        let item = &mut self.draft.items[index];
        item.guid = item.guid.take().or_else(|| item.about.take());
        if index + 1 == self.draft.items.len() && self.draft.items[index].is_shell() {
            self.draft.items.pop();
        }
        if self.items.is_empty() && self.draft.items.len() > PRUNE_ABOVE {
            (self.prune)(&mut self.draft);
        }
    }

    fn channel_attributes(&mut self, tag: &Tag<'a>) {
        if self.draft.channel.language.is_none() {
            self.draft.channel.language = tag.attribute("xml:lang").map(resolved);
        }
        if let Some(href) = tag.attribute("href") {
            self.draft.channel.links.push(Link {
                href: resolved(href),
                rel: "alternate".into(),
                media_type: None,
                base: self.scope.base(),
            });
        }
    }

    /// What elements that are also containers say in attributes.
    fn attribute_fields(&mut self, tag: &Tag<'a>, namespace: Namespace, local: &str) {
        if namespace == Namespace::Media && local == "content" {
            let is_media = ["type", "medium"]
                .iter()
                .filter_map(|name| tag.attribute(name))
                .any(|value| value.starts_with("audio") || value.starts_with("video"));
            if is_media {
                self.enclosure(tag, "url", "type", "filesize");
            }
        }
    }

    fn item(&mut self) -> Option<&mut DraftItem<'a>> {
        if self.parent() != Kind::Item {
            return None;
        }
        self.items.last().map(|index| &mut self.draft.items[*index])
    }
}

fn is_item(local: &str) -> bool {
    matches!(local, "item" | "entry")
}

fn resolved(value: &str) -> Cow<'_, str> {
    reference::resolve(value)
}

fn trimmed(value: Cow<'_, str>) -> Cow<'_, str> {
    match value {
        Cow::Borrowed(value) => Cow::Borrowed(value.trim()),
        Cow::Owned(value) if value.trim().len() == value.len() => Cow::Owned(value),
        Cow::Owned(value) => Cow::Owned(value.trim().to_owned()),
    }
}
