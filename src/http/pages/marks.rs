//! Evidence marked in the text that it was found in.

use crate::model::{Evidence, Field, Item};
use maud::{Markup, html};

/// A text in paragraphs, with these spans marked. Spans are in characters; what overlaps is marked as one.
pub(super) fn marked_paragraphs(text: &str, spans: &[(usize, usize)]) -> Markup {
    let lines = text.split('\n').scan(0, |next_start, line| {
        let start = *next_start;
        *next_start += line.chars().count() + 1;
        Some((start, line))
    });
    html! {
        @for (start, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            p dir="auto" { (marked_from(line, start, spans)) }
        }
    }
}

/// A line of text with these spans marked.
pub(super) fn marked(text: &str, spans: &[(usize, usize)]) -> Markup {
    marked_from(text, 0, spans)
}

/// `text` begins at character `offset` of what the spans count in.
fn marked_from(text: &str, offset: usize, spans: &[(usize, usize)]) -> Markup {
    let length = text.chars().count();
    let inside = spans.iter().filter_map(|(start, end)| {
        let (start, end) = (start.saturating_sub(offset), end.saturating_sub(offset).min(length));
        (start < end).then_some((start, end))
    });
    let inside = joined(inside.collect());
    let mut rest = text.chars();
    let mut take = |count: usize| rest.by_ref().take(count).collect::<String>();
    let ends = std::iter::once(0).chain(inside.iter().map(|(_, end)| *end));
    let pieces: Vec<(String, String)> =
        ends.zip(&inside).map(|(before, (start, end))| (take(start - before), take(end - start))).collect();
    html! {
        @for (plain, marked) in &pieces { (plain) mark { (marked) } }
        (rest.as_str())
    }
}

/// Spans in order, those that touch or overlap made one.
fn joined(mut spans: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    spans.sort_unstable();
    spans.dedup_by(|next, kept| {
        let touches = next.0 <= kept.1;
        if touches {
            kept.1 = kept.1.max(next.1);
        }
        touches
    });
    spans
}

/// Where the evidence of an item's tags lies in one of its fields.
pub(super) fn spans_in(item: &Item, field: Field) -> Vec<(usize, usize)> {
    spans(item.tags.iter().flat_map(|tag| &tag.evidence), field)
}

/// Where this evidence lies in one field.
pub(super) fn spans<'a>(evidence: impl IntoIterator<Item = &'a Evidence>, field: Field) -> Vec<(usize, usize)> {
    let own = evidence.into_iter().filter(|evidence| evidence.field == field);
    own.map(|Evidence { start, end, .. }| (*start, *end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, spans: &[(usize, usize)], expected: &str) {
        assert_eq!(marked(text, spans).into_string(), expected);
    }

    #[test]
    fn spans_count_characters_not_bytes() {
        check("délocalise à Palo Alto", &[(13, 22)], "délocalise à <mark>Palo Alto</mark>");
        check("法国AI初创企业", &[(0, 2), (4, 6)], "<mark>法国</mark>AI<mark>初创</mark>企业");
    }

    #[test]
    fn overlapping_and_touching_spans_are_one() {
        check("abcdef", &[(3, 5), (0, 2), (1, 4)], "<mark>abcde</mark>f");
        check("abcd", &[(0, 2), (2, 4)], "<mark>abcd</mark>");
    }

    #[test]
    fn publishers_markup_is_text() {
        check("<b>&", &[(0, 3)], "<mark>&lt;b&gt;</mark>&amp;");
    }

    #[test]
    fn spans_beyond_the_text_are_cut() {
        check("ab", &[(1, 9), (5, 7), (2, 1)], "a<mark>b</mark>");
        check("", &[(0, 1)], "");
    }

    #[test]
    fn a_span_over_a_line_break_is_marked_on_both_sides() {
        let found = marked_paragraphs("open\n\nweight now", &[(0, 12)]).into_string();
        assert_eq!(found, "<p dir=\"auto\"><mark>open</mark></p><p dir=\"auto\"><mark>weight</mark> now</p>");
    }
}
