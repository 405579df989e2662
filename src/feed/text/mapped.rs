//! Text with a map back: which characters of the source each of its characters came from.

use super::{Dialect, Sink, Walker, looks_like_html, walk};
use std::ops::Range;

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

/// [`super::to_text`] with a map back. A value without tags and references comes back character for character; as in
/// [`super::plain_to_text`] a line break is a blank there, and an empty line ends a block.
pub fn to_text_mapped(html: &str) -> MappedText {
    if !looks_like_html(html) {
        let spans = (0..).zip(1..).take(html.chars().count()).collect();
        let blocks: Vec<_> = html.split("\n\n").map(|block| block.replace('\n', " ")).collect();
        return MappedText { text: blocks.join("\n\n"), spans };
    }
    let sink = Mapped { source: html, text: String::new(), spans: Vec::new(), at_byte: 0, at_char: 0 };
    let sink = walk(html, Walker::new(Dialect::Loose, sink));
    MappedText { text: sink.text, spans: sink.spans }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_maps_to_itself() {
        let plain = "one  two\n\nthree 中文\na < b";
        let mapped = to_text_mapped(plain);
        assert_eq!(mapped.text, "one  two\n\nthree 中文 a < b", "a line may end anywhere");
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
}
