//! Writing XML: elements, attributes and text, and nothing that XML 1.0 cannot hold.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::borrow::Cow;

/// An attribute's name and value.
pub(super) type Attribute<'a> = (&'a str, &'a str);

/// A document in the making: indented, one element a line, so that a person can read it and a diff shows what changed.
pub(super) struct Document {
    writer: Writer<Vec<u8>>,
}

impl Document {
    pub(super) fn new() -> Self {
        let mut writer = Writer::new_with_indent(Vec::with_capacity(16 * 1024), b' ', 1);
        written(writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None))));
        Self { writer }
    }

    /// An element with elements in it.
    pub(super) fn parent(&mut self, name: &str, attributes: &[Attribute<'_>], children: impl FnOnce(&mut Self)) {
        written(self.writer.write_event(Event::Start(start(name, attributes))));
        children(self);
        written(self.writer.write_event(Event::End(BytesEnd::new(name))));
    }

    /// An element with text in it.
    pub(super) fn text(&mut self, name: &str, attributes: &[Attribute<'_>], text: &str) {
        written(self.writer.write_event(Event::Start(start(name, attributes))));
        written(self.writer.write_event(Event::Text(BytesText::new(&allowed(text)))));
        written(self.writer.write_event(Event::End(BytesEnd::new(name))));
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        written(self.writer.write_event(Event::Empty(start(name, attributes))));
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.writer.into_inner();
        bytes.push(b'\n');
        bytes
    }
}

fn start<'a>(name: &'a str, attributes: &[Attribute<'_>]) -> BytesStart<'a> {
    let mut start = BytesStart::new(name);
    for (name, value) in attributes {
        start.push_attribute((*name, allowed(value).as_ref()));
    }
    start
}

fn written(result: std::io::Result<()>) {
    result.expect("writing to memory does not fail");
}

/// The text without the characters that XML 1.0 section 2.2 excludes, even as references: one of them
/// makes a whole document unreadable. Nor with the second block of controls, which that section discourages: they
/// are what is left of text read in a wrong encoding. (A `char` is never a lone surrogate.)
pub(super) fn allowed(text: &str) -> Cow<'_, str> {
    let is_allowed = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    if text.chars().all(is_allowed) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().filter(|c| is_allowed(*c)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut document = Document::new();
        document.text("a", &[("b", text)], text);
        let written = String::from_utf8(document.into_bytes()).unwrap();
        let mut reader = quick_xml::Reader::from_str(&written);
        let Event::Decl(_) = reader.read_event().unwrap() else { panic!("no declaration") };
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    let value = start.attributes().next().unwrap().unwrap();
                    let value = value.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap();
                    assert_eq!(value, expected);
                    break;
                }
                Event::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let text = written.split_once('>').unwrap().1;
        let text = text.rsplit_once("</a>").unwrap().0.rsplit_once('>').unwrap().1;
        assert_eq!(quick_xml::escape::unescape(text).unwrap(), expected);
    }

    #[test]
    fn text_comes_back_as_it_was() {
        check("a & b < c > d \" e ' f", "a & b < c > d \" e ' f");
        check("]]> &amp;lt; &#60;", "]]> &amp;lt; &#60;");
        check("Été 法国 🇫🇷 \u{10ffff}", "Été 法国 🇫🇷 \u{10ffff}");
        check("one\n\ttwo", "one\n\ttwo");
    }

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        check("a\0b\u{8}c\u{1b}[31md\u{fffe}\u{ffff}e\u{b}\u{c}", "abc[31mde");
        check("don\u{92}t\u{85}\u{7f}", "dont");
    }
}
