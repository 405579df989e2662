//! One file of the config as text, and where things stand in it.
//!
//! Owns the way from byte offsets to lines and columns; knows nothing of what the text means.

use std::ops::Range;

/// Number of a file in the order of reading.
pub(super) type FileId = usize;

/// A span of bytes in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(super) file: FileId,
    pub(super) span: Range<usize>,
}

/// A file that was read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// As named by the operator or found by an `include`.
    pub path: String,
    pub text: String,
    line_starts: Vec<usize>,
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { path, text, line_starts }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let offset = self.on_boundary(offset);
        let line = self.line_index(offset);
        (line + 1, self.text[self.line_starts[line]..offset].chars().count() + 1)
    }

    /// The lines that hold the span (two at most, so that a long table is not copied out), where
    /// they begin, and the span within them.
    pub fn excerpt(&self, span: &Range<usize>) -> (&str, usize, Range<usize>) {
        let start = self.on_boundary(span.start);
        let first = self.line_index(start);
        let last = self.line_index(self.on_boundary(span.end.max(start))).min(first + 1);
        let from = self.line_starts[first];
        let to = self.line_starts.get(last + 1).map_or(self.text.len(), |next| next - 1);
        let end = self.on_boundary(span.end.max(start)).min(to);
        (&self.text[from..to], first + 1, start - from..end.max(start) - from)
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) - 1
    }

    fn on_boundary(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_start_at_one() {
        let source = Source::new("f".into(), "é = 1\n法国 = 2\n".into());
        assert_eq!(source.line_and_column(0), (1, 1));
        assert_eq!(source.line_and_column("é = 1\n法国".len()), (2, 3));
        assert_eq!(source.line_and_column(999), (3, 1));
    }

    #[test]
    fn an_excerpt_holds_whole_lines_and_the_span_within_them() {
        let source = Source::new("f".into(), "a = 1\nbb = 2\nccc = 3\nd = 4".into());
        assert_eq!(source.excerpt(&(6..8)), ("bb = 2", 2, 0..2));
        assert_eq!(source.excerpt(&(8..25)), ("bb = 2\nccc = 3", 2, 2..14));
        assert_eq!(source.excerpt(&(26..26)), ("d = 4", 4, 5..5));
    }
}
