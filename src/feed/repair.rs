//! From the text of a document, however broken, to a [`Draft`]: one tolerant pass that knows the feed dialects.
//!
//! It never fails on markup: what is not closed is closed where the next field, item or the end shows it to be.
//! It resolves names, `xml:base` and references, and judges no value: dates, links and HTML are read later.

use super::draft::{Channel, Draft, DraftEnclosure, DraftItem, Link, MAX_PER_ITEM, PRUNE_ABOVE, Text, TextKind};
use super::elements::Element;
use super::lexer::{Lexer, Tag, Token};
use super::reference;
use super::vocabulary::{self, Container, Field, Namespace};
use super::{FeedError, FeedFormat};
use std::borrow::Cow;

/// Elements open at once; deeper ones are read as if they were not there.
const MAX_DEPTH: usize = 256;
/// `xml:base` inside `xml:base`; each costs a URL join (feed-rs needs 9 s for a megabyte of them).
const MAX_BASES: usize = 8;
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
    let (root, format) = find_root(&mut lexer)?;
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

/// Skips junk (blanks, warnings of PHP, a second prolog) to the element that makes the document a feed.
fn find_root<'a>(lexer: &mut Lexer<'a>) -> Result<(Tag<'a>, FeedFormat), FeedError> {
    let mut is_page = false;
    for token in lexer.by_ref() {
        match token {
            Token::Start(tag) => {
                if let Some(format) = root_format(&tag) {
                    return Ok((tag, format));
                }
                is_page |=
                    matches!(tag.name.to_ascii_lowercase().as_str(), "html" | "head" | "body" | "title" | "meta");
            }
            Token::Other(other) => {
                is_page |= other.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype html"));
            }
            _ => {}
        }
    }
    Err(if is_page { FeedError::WebPage } else { FeedError::NotAFeed })
}

fn root_format(tag: &Tag<'_>) -> Option<FeedFormat> {
    let local = tag.name.rsplit(':').next().unwrap_or(tag.name);
    if local.eq_ignore_ascii_case("rss") {
        let version = tag.attribute("version").unwrap_or_default().trim();
        return Some(if version.starts_with("0.9") { FeedFormat::Rss0 } else { FeedFormat::Rss2 });
    }
    if local.eq_ignore_ascii_case("rdf") {
        let is_old = tag.attributes().any(|(_, value)| value.contains("netscape.com/rdf/simple/0.9"));
        return Some(if is_old { FeedFormat::Rss0 } else { FeedFormat::Rss1 });
    }
    if local.eq_ignore_ascii_case("feed") || local.eq_ignore_ascii_case("entry") {
        return Some(FeedFormat::Atom);
    }
    // A channel without its root element, and CDF, which is no more than that.
    (local.eq_ignore_ascii_case("channel") || local == "item").then_some(FeedFormat::Rss0)
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

    fn enclosure(&mut self, tag: &Tag<'a>, url: &str, media_type: &str, length: &str) {
        let base = self.scope.base();
        let Some(item) = self.item() else { return };
        let Some(url) = tag.attribute(url).map(resolved).filter(|url| !url.trim().is_empty()) else { return };
        if item.enclosures.len() < MAX_PER_ITEM && item.enclosures.iter().all(|known| known.url != url) {
            let media_type = tag.attribute(media_type).map(resolved);
            item.enclosures.push(DraftEnclosure { url, media_type, length: tag.attribute(length).map(resolved), base });
        }
    }

    fn item(&mut self) -> Option<&mut DraftItem<'a>> {
        if self.parent() != Kind::Item {
            return None;
        }
        self.items.last().map(|index| &mut self.draft.items[*index])
    }

    fn read_field(&mut self, tag: &Tag<'a>, field: Field, namespace: Namespace) {
        let base = self.scope.base();
        let raw = self.raw_field(tag);
        match field {
            Field::Title | Field::Summary | Field::SummaryFallback | Field::Content => {
                let text = self.text(tag, raw, field, namespace, base);
                self.set_text(field, text);
            }
            Field::Link | Field::AtomLink => self.add_link(tag, raw, base),
            Field::Enclosure => self.enclosure(tag, "url", "type", "length"),
            _ => self.set_value(tag, field, raw),
        }
    }

    fn set_text(&mut self, field: Field, text: Text<'a>) {
        let slot = match (self.item(), field) {
            (Some(item), Field::Title) => &mut item.title,
            (Some(item), Field::Summary) => &mut item.summary,
            (Some(item), Field::Content) => &mut item.content,
            (Some(item), _) => &mut item.summary_fallback,
            (None, Field::Title) => &mut self.draft.channel.title,
            (None, _) => return,
        };
        let is_free = slot.as_ref().is_none_or(|taken| taken.source.trim().is_empty());
        if is_free && text.kind != TextKind::Opaque {
            *slot = Some(text);
        }
    }

    fn text(
        &self,
        tag: &Tag<'a>,
        raw: RawField<'a>,
        field: Field,
        namespace: Namespace,
        base: Option<usize>,
    ) -> Text<'a> {
        let said = tag.attribute("type").map(|value| value.trim().to_ascii_lowercase());
        let mode = tag.attribute("mode").unwrap_or_default();
        let is_xhtml = said.as_deref().is_some_and(|said| said.contains("xhtml"));
        let is_atom_text = self.is_atom || namespace == Namespace::Atom;
        let kind = match said.as_deref() {
            _ if mode.eq_ignore_ascii_case("base64") || tag.attribute("src").is_some() => TextKind::Opaque,
            _ if raw.markup.is_some() => TextKind::Html,
            Some("html" | "text/html" | "xhtml" | "application/xhtml+xml") => TextKind::Html,
            Some("text" | "text/plain" | "plain" | "") => TextKind::Plain,
            Some(other) if other.starts_with("image/") || other.starts_with("application/") => TextKind::Opaque,
            None if is_atom_text => TextKind::Plain,
            None if field == Field::Content => TextKind::Html,
            _ => TextKind::Unsaid,
        };
        let source = match raw.markup {
            Some(markup) => inline_markup(markup, is_xhtml),
            None => raw.text,
        };
        Text { source, kind, base }
    }

    fn add_link(&mut self, tag: &Tag<'a>, raw: RawField<'a>, base: Option<usize>) {
        let (href, rel) = match tag.attribute("href") {
            Some(href) => (resolved(href), tag.attribute("rel").map(resolved)),
            None => (raw.text, None),
        };
        let href = trimmed(href);
        if href.is_empty() {
            return;
        }
        let rel = rel.map(trimmed).filter(|rel| !rel.is_empty()).unwrap_or("alternate".into());
        let media_type = tag.attribute("type").map(resolved);
        if rel == "enclosure" && self.parent() == Kind::Item {
            self.enclosure(tag, "href", "type", "length");
            return;
        }
        let links = match self.item() {
            Some(item) => &mut item.links,
            None => &mut self.draft.channel.links,
        };
        if links.len() < MAX_PER_ITEM {
            links.push(Link { href, rel, media_type, base });
        }
    }

    fn set_value(&mut self, tag: &Tag<'a>, field: Field, raw: RawField<'a>) {
        let value = match field {
            Field::Author | Field::Creator => person(raw),
            Field::Category => category(tag, raw),
            _ => trimmed(raw.text),
        };
        if value.is_empty() {
            return;
        }
        match self.item() {
            Some(item) => set_item_value(item, tag, field, value),
            None => set_channel_value(&mut self.draft.channel, field, value),
        }
    }

    /// Reads to the end of a field. The end is its end tag; or, where that is missing or misspelt, the end of
    /// an element around it, the start of the next field or item, or the end of the document.
    fn raw_field(&mut self, tag: &Tag<'a>) -> RawField<'a> {
        let mut raw = RawField::default();
        if tag.empty {
            return raw;
        }
        let start = self.lexer.position();
        let (mut inner, mut same) = (0_usize, 0_usize);
        let mut has_markup = false;
        let end = loop {
            let at = self.lexer.position();
            match self.lexer.next() {
                None => {
                    self.draft.is_broken = true;
                    break at;
                }
                Some(Token::Text(text)) => raw.push(reference::resolve(text)),
                Some(Token::CData(text)) => raw.push(Cow::Borrowed(text)),
                Some(Token::Other(_)) => {}
                Some(Token::End(name)) if name == tag.name => {
                    if same == 0 {
                        break at;
                    }
                    same -= 1;
                    inner = inner.saturating_sub(1);
                }
                Some(Token::End(name)) if inner == 0 => {
                    if self.open.iter().any(|open| open.name == name) {
                        self.draft.is_broken = true;
                        self.lexer.rewind(at);
                        break at;
                    }
                    if !Element::of(name).is_of_html() {
                        self.draft.is_broken = true;
                        break at;
                    }
                    has_markup = true;
                }
                Some(Token::End(_)) => inner -= 1,
                Some(Token::Start(next)) => {
                    let (namespace, local) = self.scope.resolve(next.name);
                    let starts_item = vocabulary::container(namespace, &local) == Some(Container::Item);
                    let starts_field = inner == 0 && self.field(namespace, &local).is_some();
                    if starts_item || (starts_field && !next.raw_attributes().contains("xmlns=")) {
                        self.draft.is_broken = true;
                        self.lexer.rewind(at);
                        break at;
                    }
                    has_markup = true;
                    if !next.empty && !Element::of(&local).is_void() {
                        inner += 1;
                        same += usize::from(next.name == tag.name);
                    }
                }
            }
        };
        if has_markup {
            raw.markup = Some(&self.lexer.source()[start..end]);
        }
        raw
    }
}

fn set_item_value<'a>(item: &mut DraftItem<'a>, tag: &Tag<'a>, field: Field, value: Cow<'a, str>) {
    match field {
        Field::Guid if item.guid.is_none() => {
            item.guid_is_opaque = tag.attribute("isPermaLink").is_some_and(|said| said.eq_ignore_ascii_case("false"));
            item.guid = Some(value);
        }
        Field::Published if item.published.is_none() => item.published = Some(value),
        Field::Updated if item.updated.is_none() => item.updated = Some(value),
        Field::Created if item.created.is_none() => item.created = Some(value),
        Field::Language => item.language = Some(value),
        Field::Author | Field::Creator => add_new(&mut item.authors, value),
        Field::Category | Field::Subject => add_new(&mut item.categories, value),
        _ => {}
    }
}

fn set_channel_value<'a>(channel: &mut Channel<'a>, field: Field, value: Cow<'a, str>) {
    match field {
        Field::Language => channel.language = Some(value),
        Field::Ttl => channel.ttl = Some(value),
        Field::UpdatePeriod => channel.update_period = Some(value),
        Field::UpdateFrequency => channel.update_frequency = Some(value),
        Field::SkipHour => add_new(&mut channel.skip_hours, value),
        Field::SkipDay => add_new(&mut channel.skip_days, value),
        _ => {}
    }
}

fn add_new<'a>(values: &mut Vec<Cow<'a, str>>, value: Cow<'a, str>) {
    if values.len() < MAX_PER_ITEM && !values.contains(&value) {
        values.push(value);
    }
}

/// What stands inside a field.
#[derive(Debug, Default)]
struct RawField<'a> {
    /// The text with references resolved, tags left out.
    text: Cow<'a, str>,
    /// The whole inside as it stands, when it holds tags.
    markup: Option<&'a str>,
}

impl<'a> RawField<'a> {
    fn push(&mut self, piece: Cow<'a, str>) {
        if self.text.trim().is_empty() {
            self.text = piece;
        } else if !piece.is_empty() {
            self.text.to_mut().push_str(&piece);
        }
    }
}

/// A person's name: the `name` inside, else the address, else the text.
fn person(raw: RawField<'_>) -> Cow<'_, str> {
    let Some(markup) = raw.markup else { return trimmed(raw.text) };
    let (mut name, mut email) = (String::new(), String::new());
    let mut inside = "";
    for token in Lexer::new(markup) {
        let target = match inside {
            "name" => &mut name,
            "email" => &mut email,
            _ => &mut String::new(),
        };
        match token {
            Token::Start(tag) if !tag.empty => inside = tag.name.rsplit(':').next().unwrap_or_default(),
            Token::End(_) => inside = "",
            Token::Text(text) => target.push_str(&reference::resolve(text)),
            Token::CData(text) => target.push_str(text),
            _ => {}
        }
    }
    match (name.trim().is_empty(), email.trim().is_empty()) {
        (false, _) => name.trim().to_owned().into(),
        (true, false) => email.trim().to_owned().into(),
        (true, true) => trimmed(raw.text),
    }
}

/// A category's label: Atom says it in attributes, RSS in the text.
fn category<'a>(tag: &Tag<'a>, raw: RawField<'a>) -> Cow<'a, str> {
    let said = |name| tag.attribute(name).map(resolved).map(trimmed).filter(|value| !value.is_empty());
    said("term").or_else(|| said("label")).unwrap_or_else(|| trimmed(raw.text))
}

/// Inline markup as HTML: prefixes of element names go, CDATA sections become text (or stay HTML where the
/// document never said that it is XHTML).
fn inline_markup(markup: &str, is_xhtml: bool) -> Cow<'_, str> {
    let first_name =
        Lexer::new(markup).find_map(|token| if let Token::Start(tag) = token { Some(tag.name) } else { None });
    if !markup.contains("<![CDATA[") && !first_name.is_some_and(|name| name.contains(':')) {
        return Cow::Borrowed(markup);
    }
    let local = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
    let mut html = String::with_capacity(markup.len());
    for token in Lexer::new(markup) {
        match token {
            Token::Start(tag) => {
                html.push('<');
                html.push_str(&local(tag.name));
                if !tag.raw_attributes().is_empty() {
                    html.push(' ');
                    html.push_str(tag.raw_attributes());
                }
                html.push_str(if tag.empty { "/>" } else { ">" });
            }
            Token::End(name) => html.extend(["</", &local(name), ">"]),
            Token::CData(text) if is_xhtml => html.push_str(&text.replace('&', "&amp;").replace('<', "&lt;")),
            Token::Text(text) | Token::CData(text) => html.push_str(text),
            Token::Other(_) => {}
        }
    }
    Cow::Owned(html)
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

/// What is in force at a place of the document: namespaces, base address, language.
struct Scope<'a> {
    namespaces: Vec<(usize, &'a str, Namespace)>,
    bases: Vec<String>,
    /// Depth and index into `bases`.
    base_stack: Vec<(usize, usize)>,
    document_base: Option<url::Url>,
    language: Option<Cow<'a, str>>,
    language_depth: usize,
}

impl<'a> Scope<'a> {
    fn new(base_url: &str) -> Self {
        Scope {
            namespaces: Vec::new(),
            bases: Vec::new(),
            base_stack: Vec::new(),
            document_base: url::Url::parse(base_url).ok(),
            language: None,
            language_depth: 0,
        }
    }

    fn base(&self) -> Option<usize> {
        self.base_stack.last().map(|(_, index)| *index)
    }

    fn enter(&mut self, tag: &Tag<'a>, depth: usize) {
        if tag.raw_attributes().len() < "xml".len() || !tag.raw_attributes().contains("xml") {
            return;
        }
        for (name, value) in tag.attributes() {
            if let Some(prefix) = name.strip_prefix("xmlns") {
                // The default namespace of the root is the document's own dialect, whatever it claims to be.
                let is_default = prefix.is_empty();
                if is_default && depth <= 2 || self.namespaces.len() >= MAX_DEPTH {
                    continue;
                }
                let prefix = prefix.strip_prefix(':').unwrap_or(prefix);
                self.namespaces.push((depth, prefix, Namespace::of_uri(value)));
            } else if name == "xml:base" {
                self.enter_base(&resolved(value), depth);
            } else if name == "xml:lang" && depth > 1 && !value.is_empty() {
                self.language = Some(resolved(value));
                self.language_depth = depth;
            }
        }
    }

    fn enter_base(&mut self, value: &str, depth: usize) {
        if self.base_stack.len() >= MAX_BASES || value.trim().is_empty() {
            return;
        }
        let outer = self.base().and_then(|index| url::Url::parse(&self.bases[index]).ok());
        let base = match outer.as_ref().or(self.document_base.as_ref()) {
            Some(outer) => outer.join(value.trim()).ok(),
            None => url::Url::parse(value.trim()).ok(),
        };
        let Some(base) = base else { return };
        if self.bases.last().map(String::as_str) != Some(base.as_str()) {
            self.bases.push(base.into());
        }
        self.base_stack.push((depth, self.bases.len() - 1));
    }

    fn leave(&mut self, depth: usize) {
        while self.namespaces.last().is_some_and(|(at, ..)| *at > depth) {
            self.namespaces.pop();
        }
        while self.base_stack.last().is_some_and(|(at, _)| *at > depth) {
            self.base_stack.pop();
        }
        if self.language_depth > depth {
            self.language = None;
            self.language_depth = 0;
        }
    }

    /// Namespace and lower-case local name of a qualified name.
    fn resolve(&self, name: &'a str) -> (Namespace, Cow<'a, str>) {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let local = if local.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(local.to_ascii_lowercase())
        } else {
            Cow::Borrowed(local)
        };
        let declared = self.namespaces.iter().rev().find(|(_, known, _)| *known == prefix);
        let namespace = match declared {
            Some((_, _, namespace)) => *namespace,
            None if prefix.is_empty() => Namespace::Native,
            None => Namespace::of_prefix(prefix),
        };
        (namespace, local)
    }
}
