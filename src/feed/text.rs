//! The words of an HTML fragment: plain text in linear time, with a map back to the source where asked.
//!
//! A line break ends a block (a sentence never runs over it), other white space is collapsed to one blank.

use super::lexer::{Lexer, Token};
use super::reference;
use super::vocabulary::is_html_element;
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

/// Text with the place of each of its characters in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappedText {
    pub text: String,
    /// For each character of `text`, where its source begins and ends, in characters.
    spans: Vec<(u32, u32)>,
}

impl MappedText {
    /// The characters of the source that a range of characters of the text came from.
    ///
    /// ```
    /// let mapped = veille::feed::to_text_mapped("<p>R&amp;D</p>");
    /// assert_eq!(mapped.text, "R&D");
    /// assert_eq!(mapped.source_range(1..2), 4..9);
    /// ```
    pub fn source_range(&self, range: Range<usize>) -> Range<usize> {
        let edge = |at: usize| self.spans.get(at).map(|span| (span.0 as usize, span.1 as usize));
        let end_of_source = self.spans.last().map_or(0, |span| span.1 as usize);
        let start = edge(range.start).map_or(end_of_source, |span| span.0);
        let end =
            if range.end > range.start { edge(range.end - 1).map_or(end_of_source, |span| span.1) } else { start };
        start..end
    }
}

/// [`to_text`] with a map back. A value without tags and references comes back unchanged, white space included.
pub fn to_text_mapped(html: &str) -> MappedText {
    if !looks_like_html(html) {
        let spans = (0..).zip(1..).take(html.chars().count()).collect();
        return MappedText { text: html.to_owned(), spans };
    }
    let sink = Mapped { source: html, text: String::new(), spans: Vec::new(), at_byte: 0, at_char: 0 };
    let sink = walk(html, Walker::new(Dialect::Loose, sink));
    MappedText { text: sink.text, spans: sink.spans }
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
    value.contains('<')
        && Lexer::new(value).any(|token| match token {
            Token::Start(tag) => is_html_element(local(tag.name)),
            Token::End(name) => is_html_element(local(name)),
            Token::Other(other) => other.starts_with("<!--"),
            Token::Text(_) | Token::CData(_) => false,
        })
}

/// Whether a value closes a tag of HTML, or holds one that needs no closing: more than a mention of a tag.
pub(super) fn closes_tag(value: &str) -> bool {
    value.contains('<')
        && Lexer::new(value).any(|token| match token {
            Token::Start(tag) => {
                tag.empty && is_html_element(local(tag.name)) || matches!(local(tag.name), "br" | "img" | "hr")
            }
            Token::End(name) => is_html_element(local(name)),
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

struct Mapped<'a> {
    source: &'a str,
    text: String,
    spans: Vec<(u32, u32)>,
    /// How far the source has been counted, in bytes and in characters. Pieces come in order.
    at_byte: usize,
    at_char: u32,
}

impl Mapped<'_> {
    fn char_at(&mut self, byte: usize) -> u32 {
        if byte > self.at_byte {
            let passed = self.source[self.at_byte..byte].chars().count();
            self.at_char += u32::try_from(passed).expect("a source is below 4 GiB");
            self.at_byte = byte;
        }
        self.at_char
    }
}

impl Sink for Mapped<'_> {
    fn push(&mut self, piece: &str, source: Range<usize>) {
        let is_verbatim = self.source[source.clone()] == *piece;
        let start = self.char_at(source.start);
        let end = self.char_at(source.end);
        for offset in 0..u32::try_from(piece.chars().count()).expect("a source is below 4 GiB") {
            self.spans.push(if is_verbatim { (start + offset, start + offset + 1) } else { (start, end) });
        }
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
    let mut lexer = Lexer::new(html);
    loop {
        let at = lexer.position();
        let Some(token) = lexer.next() else { break };
        walker.token(&token, &html[at..lexer.position()], at);
        if let Token::Start(tag) = token
            && !tag.empty
            && is_silent(&lower(local(tag.name)))
        {
            lexer.skip_element(tag.name);
        }
    }
    walker.finish()
}

impl<S: Sink> Walker<S> {
    pub fn new(dialect: Dialect, sink: S) -> Self {
        Walker { dialect, sink, due: Due::Nothing, due_from: 0, breaks: 0 }
    }

    /// Takes a token with its source, which begins at byte `at`.
    pub fn token(&mut self, token: &Token<'_>, source: &str, at: usize) {
        let name = match token {
            Token::Text(text) => return self.text(text, at),
            Token::CData(text) => return self.words(text, at + "<![CDATA[".len()),
            Token::Other(_) => return,
            Token::Start(tag) => local(tag.name),
            Token::End(name) => local(name),
        };
        let name = lower(name);
        if self.dialect == Dialect::Loose && !is_html_element(&name) && !is_silent(&name) {
            self.text(source, at);
        } else {
            self.element(&name, at);
        }
    }

    pub fn finish(self) -> S {
        self.sink
    }

    fn text(&mut self, text: &str, at: usize) {
        let mut from = 0;
        while let Some(next) = memchr(b'&', &text.as_bytes()[from..]) {
            let next = from + next;
            self.words(&text[from..next], at + from);
            from = next;
            if let Some((length, meaning)) = reference::read(&text[next..]) {
                let mut buffer = [0; 4];
                let resolved = meaning.as_str(&mut buffer);
                if resolved.chars().all(char::is_whitespace) {
                    self.space(Due::Blank, at + next);
                } else {
                    self.word(resolved, at + next..at + next + length);
                }
                from += length;
            } else {
                self.word("&", at + next..at + next + 1);
                from += 1;
            }
        }
        self.words(&text[from..], at + from);
    }

    /// Text without references: words and white space. Words with one blank between them go as one piece.
    fn words(&mut self, text: &str, at: usize) {
        let mut start = 0;
        while start < text.len() {
            let length = tidy_len(&text[start..]);
            if length > 0 {
                self.word(&text[start..start + length], at + start..at + start + length);
                start += length;
            }
            if let Some(blank) = text[start..].chars().next().filter(|c| c.is_whitespace()) {
                self.space(Due::Blank, at + start);
                start += blank.len_utf8();
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

    fn element(&mut self, name: &str, at: usize) {
        if name == "br" {
            self.breaks += 1;
            self.space(if self.breaks > 1 { Due::LineBreak } else { Due::Blank }, at);
        } else if is_block(name) {
            self.space(Due::LineBreak, at);
        } else if matches!(name, "td" | "th" | "option") {
            self.space(Due::Blank, at);
        }
    }
}

/// Length of the beginning that needs no tidying: words with one blank between each, none before or after.
fn tidy_len(text: &str) -> usize {
    /// White space, and the first bytes of all white space beyond ASCII.
    const SUSPECT: [bool; 256] = {
        let mut suspect = [false; 256];
        let mut byte = 0;
        while byte <= 0x20 {
            suspect[byte] = true;
            byte += 1;
        }
        suspect[0xc2] = true;
        suspect[0xe1] = true;
        suspect[0xe2] = true;
        suspect[0xe3] = true;
        suspect
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(plain) = bytes[at..].iter().position(|byte| SUSPECT[usize::from(*byte)]) {
        at += plain;
        let is_end = match bytes[at] {
            b' ' => bytes.get(at + 1).is_none_or(|next| *next <= b' ' || !next.is_ascii()) || at == 0,
            0..b' ' => true,
            _ => text[at..].starts_with(char::is_whitespace),
        };
        if is_end {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Elements whose inside no reader sees.
pub(super) fn is_silent(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "template"
            | "iframe"
            | "noembed"
            | "noframes"
            | "textarea"
            | "select"
            | "head"
            | "title"
            | "svg"
            | "math"
            | "object"
            | "applet"
    )
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "p" | "div"
            | "li"
            | "ul"
            | "ol"
            | "dl"
            | "dt"
            | "dd"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "blockquote"
            | "pre"
            | "hr"
            | "table"
            | "tr"
            | "thead"
            | "tbody"
            | "tfoot"
            | "caption"
            | "section"
            | "article"
            | "aside"
            | "header"
            | "footer"
            | "main"
            | "nav"
            | "figure"
            | "figcaption"
            | "address"
            | "center"
            | "details"
            | "summary"
            | "fieldset"
            | "legend"
            | "form"
            | "body"
            | "html"
            | "menu"
            | "dir"
    )
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
    fn plain_text_maps_to_itself() {
        let plain = "one  two\n\nthree 中文 a < b";
        let mapped = to_text_mapped(plain);
        assert_eq!(mapped.text, plain);
        assert_eq!(mapped.source_range(10..15), 10..15);
    }

    #[test]
    fn mapped_text_finds_its_source() {
        let html = "<p>é &amp; <b>中文</b></p>\n<p>end</p>";
        let mapped = to_text_mapped(html);
        assert_eq!(mapped.text, "é & 中文\nend");
        let source: Vec<char> = html.chars().collect();
        let at = |range: Range<usize>| source[mapped.source_range(range)].iter().collect::<String>();
        assert_eq!(at(0..1), "é");
        assert_eq!(at(2..3), "&amp;");
        assert_eq!(at(4..6), "中文");
        assert_eq!(at(7..10), "end");
    }

    #[test]
    fn the_text_is_the_same_with_and_without_a_map() {
        for html in ["<p>a</p> b&nbsp;c<br><br>d", "x<script>y</script>z", "<div><div> a </div></div>b &#8212; c"] {
            assert_eq!(to_text_mapped(html).text, to_text_loose(html), "{html}");
        }
    }
}
