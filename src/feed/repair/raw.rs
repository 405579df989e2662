//! Where a field ends, and what stands inside it as it was written.

use super::super::elements::Element;
use super::super::lexer::{Lexer, Tag, Token};
use super::super::reference;
use super::super::vocabulary::{self, Container};
use super::{Repair, resolved, trimmed};
use std::borrow::Cow;

impl<'a> Repair<'a, '_> {
    /// Reads to the end of a field. The end is its end tag; or, where that is missing or misspelt, the end of
    /// an element around it, the start of the next field or item, or the end of the document.
    pub(super) fn raw_field(&mut self, tag: &Tag<'a>) -> RawField<'a> {
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

/// What stands inside a field.
#[derive(Debug, Default)]
pub(super) struct RawField<'a> {
    /// The text with references resolved, tags left out.
    pub text: Cow<'a, str>,
    /// The whole inside as it stands, when it holds tags.
    pub markup: Option<&'a str>,
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
pub(super) fn person(raw: RawField<'_>) -> Cow<'_, str> {
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
pub(super) fn category<'a>(tag: &Tag<'a>, raw: RawField<'a>) -> Cow<'a, str> {
    let said = |name| tag.attribute(name).map(resolved).map(trimmed).filter(|value| !value.is_empty());
    said("term").or_else(|| said("label")).unwrap_or_else(|| trimmed(raw.text))
}

/// Inline markup as HTML: prefixes of element names go, CDATA sections become text (or stay HTML where the
/// document never said that it is XHTML).
pub(super) fn inline_markup(markup: &str, is_xhtml: bool) -> Cow<'_, str> {
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
