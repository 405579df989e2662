//! The words of an HTML fragment: plain text in linear time.
//!
//! A line break ends a block (a sentence never runs over it), other white space is collapsed to one blank.

mod mapped;
mod run;

pub use mapped::{MappedText, to_text_mapped};

use super::elements::Element;
use super::lexer::{Lexer, Token};
use super::reference::{self, Piece};
use memchr::memchr;
use std::borrow::Cow;
use std::ops::Range;

/// The text of an HTML fragment. Scripts and styles are no text; two `<br>` end a block, one is a blank.
pub fn to_text(html: &str) -> String {
    walk(html, Walker::new(Dialect::Html, Plain::for_source(html))).text
}

/// The text of a value that may or may not be HTML: only tags that HTML knows count as such.
pub(super) fn to_text_loose(value: &str) -> String {
    walk(value, Walker::new(Dialect::Loose, Plain::for_source(value))).text
}

/// The text of a value that is plain: an empty line ends a block.
pub(super) fn plain_to_text(value: &str) -> String {
    if run::length(value) == value.len() {
        return value.to_owned();
    }
    let mut text = String::with_capacity(value.len());
    for paragraph in value.split("\n\n") {
        let start = text.len();
        for word in paragraph.split_whitespace() {
            if text.len() > start {
                text.push(' ');
            } else if start > 0 {
                text.push('\n');
            }
            text.push_str(word);
        }
    }
    text
}

/// Collapses all white space, line breaks too, to single blanks.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Whether a value holds a tag of HTML or a reference.
pub(super) fn looks_like_html(value: &str) -> bool {
    has_reference(value) || has_tag(value)
}

fn has_reference(value: &str) -> bool {
    value.match_indices('&').any(|(at, _)| reference::read(&value[at..]).is_some())
}

/// Whether a value holds a tag of HTML.
pub(super) fn has_tag(value: &str) -> bool {
    memchr(b'<', value.as_bytes()).is_some()
        && Lexer::new(value).any(|token| match token {
            Token::Start(tag) => Element::of(local(tag.name)).is_of_html(),
            Token::End(name) => Element::of(local(name)).is_of_html(),
            Token::Other(other) => other.starts_with("<!--"),
            Token::Text(_) | Token::CData(_) => false,
        })
}

/// Whether a value closes a tag of HTML, or holds one that needs no closing: more than a mention of a tag.
pub(super) fn closes_tag(value: &str) -> bool {
    memchr(b'<', value.as_bytes()).is_some()
        && Lexer::new(value).any(|token| match token {
            Token::Start(tag) => {
                tag.empty && Element::of(local(tag.name)).is_of_html() || matches!(local(tag.name), "br" | "img" | "hr")
            }
            Token::End(name) => Element::of(local(name)).is_of_html(),
            Token::Text(_) | Token::CData(_) | Token::Other(_) => false,
        })
}

pub(super) fn local(name: &str) -> &str {
    name.bytes().rposition(|byte| byte == b':').map_or(name, |colon| &name[colon + 1..])
}

/// A name in lower case, which nearly all are.
pub(super) fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Html,
    /// `<T>` is text, since no element of HTML is called so.
    Loose,
}

/// Where the text goes: a piece with the bytes of the source that it came from.
pub(super) trait Sink {
    fn push(&mut self, piece: &str, source: Range<usize>);
    fn is_empty(&self) -> bool;
}

pub(super) struct Plain {
    pub text: String,
}

impl Plain {
    pub fn for_source(source: &str) -> Self {
        Plain { text: String::with_capacity(source.len()) }
    }
}

impl Sink for Plain {
    fn push(&mut self, piece: &str, _: Range<usize>) {
        self.text.push_str(piece);
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// White space that is due before the next word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Nothing,
    Blank,
    LineBreak,
}

/// Makes text of the tokens of HTML, which whoever holds the lexer gives it in order.
pub(super) struct Walker<S> {
    dialect: Dialect,
    sink: S,
    due: Due,
    /// Byte where the white space began.
    due_from: usize,
    /// `<br>`s since the last word.
    breaks: usize,
}

fn walk<S: Sink>(html: &str, mut walker: Walker<S>) -> S {
    if memchr(b'<', html.as_bytes()).is_none() {
        walker.text(html, 0);
        return walker.finish();
    }
    let mut lexer = Lexer::new(html);
    loop {
        let at = lexer.position();
        let Some(token) = lexer.next() else { break };
        match token {
            Token::Text(text) => walker.text(text, at),
            Token::CData(text) => walker.cdata(text, at),
            Token::Other(_) => {}
            Token::Start(tag) => {
                let element = Element::of(local(tag.name));
                walker.tag(element, &html[at..lexer.position()], at);
                if element.is_silent() && !tag.empty {
                    lexer.skip_element(tag.name);
                }
            }
            Token::End(name) => walker.tag(Element::of(local(name)), &html[at..lexer.position()], at),
        }
    }
    walker.finish()
}

impl<S: Sink> Walker<S> {
    pub fn new(dialect: Dialect, sink: S) -> Self {
        Walker { dialect, sink, due: Due::Nothing, due_from: 0, breaks: 0 }
    }

    /// Takes the start or the end of an element, whose tag, `source`, begins at byte `at`.
    pub fn tag(&mut self, element: Element, source: &str, at: usize) {
        if self.dialect == Dialect::Loose && !element.is_of_html() && !element.is_silent() {
            self.text(source, at);
        } else if element.name == "br" {
            self.breaks += 1;
            self.space(if self.breaks > 1 { Due::LineBreak } else { Due::Blank }, at);
        } else if element.is_block() {
            self.space(Due::LineBreak, at);
        } else if matches!(element.name, "td" | "th" | "option") {
            self.space(Due::Blank, at);
        }
    }

    /// Takes the inside of a CDATA section that begins at byte `at`.
    pub fn cdata(&mut self, text: &str, at: usize) {
        self.words(text, at + "<![CDATA[".len());
    }

    pub fn finish(self) -> S {
        self.sink
    }

    /// Takes text with its references, which begins at byte `at`.
    pub fn text(&mut self, text: &str, at: usize) {
        for (place, piece) in reference::pieces(text) {
            let place = at + place.start..at + place.end;
            match piece {
                Piece::Text(text) => self.words(text, place.start),
                Piece::Reference(reference) => self.reference(reference.as_str(&mut [0; 4]), place),
            }
        }
    }

    /// Takes what a reference stands for.
    pub fn reference(&mut self, resolved: &str, source: Range<usize>) {
        if resolved.chars().all(char::is_whitespace) {
            self.space(Due::Blank, source.start);
        } else {
            self.word(resolved, source);
        }
    }

    /// Takes text without references: words and white space. Words with one blank between them go as one piece.
    pub fn words(&mut self, text: &str, at: usize) {
        let mut rest = text;
        while !rest.is_empty() {
            let start = at + text.len() - rest.len();
            let (run, after) = rest.split_at(run::length(rest));
            if !run.is_empty() {
                self.word(run, start..start + run.len());
            }
            rest = after.trim_start();
            if rest.len() < after.len() {
                self.space(Due::Blank, start + run.len());
            }
        }
    }

    fn word(&mut self, word: &str, source: Range<usize>) {
        if !self.sink.is_empty() {
            match self.due {
                Due::Nothing => {}
                Due::Blank => self.sink.push(" ", self.due_from..source.start),
                Due::LineBreak => self.sink.push("\n", self.due_from..source.start),
            }
        }
        self.due = Due::Nothing;
        self.breaks = 0;
        self.sink.push(word, source);
    }

    fn space(&mut self, due: Due, at: usize) {
        if self.due == Due::Nothing {
            self.due_from = at;
        }
        self.due = self.due.max(due);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(html: &str, expected: &str) {
        assert_eq!(to_text(html), expected, "{html}");
    }

    #[test]
    fn blocks_end_lines_and_other_white_space_is_one_blank() {
        check("<p>One  two\n three.</p><p>Four</p>", "One two three.\nFour");
        check("a<b>b</b>c <i> d</i>", "abc d");
        check("<ul><li>x</li><li>y</li></ul>", "x\ny");
        check("one<br>two<br/><br/>three", "one two\nthree");
        check("<td>1</td><td>2</td>", "1 2");
        check("  \u{a0}a&nbsp;&nbsp;b\u{3000}", "a b");
        check("a\u{1} \u{2}b \u{1f}", "a\u{1} \u{2}b \u{1f}");
    }

    #[test]
    fn what_no_reader_sees_is_no_text() {
        check("a<script>if (a<b) x</script>b<style>p{}</style><!-- c -->d", "abd");
        check("a<script>never closed", "a");
    }

    #[test]
    fn references_are_resolved_once() {
        check("AT&amp;T &lt;b&gt; caf&eacute; &amp;lt;", "AT&T <b> café &lt;");
        check("Q&A &", "Q&A &");
    }

    #[test]
    fn loose_text_keeps_what_html_does_not_know() {
        assert_eq!(to_text_loose("Vec<String> and <b>bold</b>"), "Vec<String> and bold");
        assert_eq!(to_text_loose("a < b, c > d"), "a < b, c > d");
    }

    #[test]
    fn the_text_is_the_same_with_and_without_a_map() {
        for html in ["<p>a</p> b&nbsp;c<br><br>d", "x<script>y</script>z", "<div><div> a </div></div>b &#8212; c"] {
            assert_eq!(to_text_mapped(html).text, to_text_loose(html), "{html}");
        }
    }
}
