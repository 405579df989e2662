//! The fields of feeds and items: which part of the draft each fills, and the first of several wins.

use super::super::draft::{Channel, DraftEnclosure, DraftItem, Link, MAX_PER_ITEM, Text, TextKind};
use super::super::lexer::Tag;
use super::super::vocabulary::{Field, Namespace};
use super::raw::{RawField, category, inline_markup, person};
use super::{Kind, Repair, resolved, trimmed};
use std::borrow::Cow;

impl<'a> Repair<'a, '_> {
    pub(super) fn read_field(&mut self, tag: &Tag<'a>, field: Field, namespace: Namespace) {
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

    pub(super) fn enclosure(&mut self, tag: &Tag<'a>, url: &str, media_type: &str, length: &str) {
        let base = self.scope.base();
        let Some(item) = self.item() else { return };
        let Some(url) = tag.attribute(url).map(resolved).filter(|url| !url.trim().is_empty()) else { return };
        if item.enclosures.len() < MAX_PER_ITEM && item.enclosures.iter().all(|known| known.url != url) {
            let media_type = tag.attribute(media_type).map(resolved);
            item.enclosures.push(DraftEnclosure { url, media_type, length: tag.attribute(length).map(resolved), base });
        }
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
