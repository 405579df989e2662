//! What a title is about: its telling words, each with a weight, without the decoration that sites add.

use crate::stories::common_words::{is_common, is_common_han};
use std::borrow::Cow;
use std::sync::LazyLock;
use unicode_script::{Script, UnicodeScript as _};

/// Letters of a word that count: inflected forms share their beginning (`relocate`, `relocation`).
const STEM_LETTERS: usize = 6;

/// Weights, in units. Names and numbers tell one story from another better than other words do; two Han
/// characters less, for they overlap with the next two.
pub(super) const NAME: u8 = 5;
pub(super) const NUMBER: u8 = 4;
pub(super) const WORD: u8 = 3;
pub(super) const PAIR: u8 = 2;

/// The telling words of a title in order, each with its weight; some more than once.
pub(super) fn visit_terms(title: &str, mut visit: impl FnMut(&str, u8)) {
    let folded = fold(undecorated(title));
    let mut term = String::new();
    for run in runs(&folded) {
        term.clear();
        match run {
            Run::Spaced(word) => {
                if word.is_ascii() {
                    term.push_str(word);
                    term.make_ascii_lowercase();
                } else {
                    term.push_str(&word.to_lowercase());
                }
                if !is_common(&term) {
                    term.truncate(term.char_indices().nth(STEM_LETTERS).map_or(term.len(), |(end, _)| end));
                    visit(&term, weight(word));
                }
            }
            Run::Number(number) => {
                term.extend(number.chars().map(|c| if c == ',' { '.' } else { c }));
                visit(&term, NUMBER);
            }
            Run::Unspaced(text) => {
                for (first, second) in text.chars().zip(text.chars().skip(1)) {
                    if !is_common_han(first) && !is_common_han(second) {
                        term.clear();
                        term.extend([first, second]);
                        visit(&term, PAIR);
                    }
                }
            }
        }
    }
}

fn weight(word: &str) -> u8 {
    let is_name = if word.is_ascii() {
        word.bytes().any(|byte| byte.is_ascii_uppercase())
    } else {
        word.chars().any(char::is_uppercase)
    };
    if is_name { NAME } else { WORD }
}

/// The title without what aggregators and sites put around it: `(6 minute read)`, `[pdf]`, ` - CNN`, ` | CBC News`.
fn undecorated(title: &str) -> &str {
    let mut title = title.trim();
    if title.ends_with([')', ']', '）'])
        && let Some(open) = title.rfind(['(', '[', '（'])
        && open > 0
        && title[open..].chars().count() <= 22
    {
        title = title[..open].trim_end();
    }
    let is_ascii = title.is_ascii();
    for separator in [" - ", " | ", " – ", " — "] {
        // A byte is found sooner than a text is sought.
        if separator.is_ascii() && !title.as_bytes().contains(&separator.as_bytes()[1])
            || !separator.is_ascii() && is_ascii
        {
            continue;
        }
        let Some((head, site)) = title.rsplit_once(separator) else { continue };
        if site.split_whitespace().count() <= 4 && head.split_whitespace().count() >= 4 {
            title = head.trim_end();
        }
    }
    title
}

/// Width, ligatures, accents and the Chinese script made equal; case is kept, for it tells names.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    if let Some(plain) = plain(text) {
        return Cow::Owned(plain);
    }
    let has_han = text.chars().any(|c| is_unified_han(c) || !c.is_ascii() && c.script() == Script::Han);
    let simplified = if has_han { Cow::Owned(fast2s::convert(text)) } else { Cow::Borrowed(text) };
    let mut folded = String::with_capacity(simplified.len());
    for character in simplified.chars() {
        if character.is_ascii() || is_unified_han(character) {
            folded.push(character);
        } else {
            decompose(character, |part| folded.push(part));
        }
    }
    Cow::Owned(folded)
}

/// Character by character: marks, whose order alone a whole text could change, are left out.
fn decompose(character: char, mut push: impl FnMut(char)) {
    unicode_normalization::char::decompose_compatible(character, |part| {
        if !unicode_normalization::char::is_combining_mark(part) {
            push(part);
        }
    });
}

/// A text that holds nothing but ASCII, letters of Latin with an accent and usual punctuation, folded: what [`fold`] does,
/// at a tenth of the cost, with `-` for punctuation. `None` for other texts.
pub(super) fn plain(text: &str) -> Option<String> {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            folded.push(character);
        } else {
            let plain = *PLAIN.get(plain_place(character)?)?;
            if plain == 0 {
                return None;
            }
            folded.push(char::from(plain));
        }
    }
    Some(folded)
}

/// Where Latin letters and, behind them, punctuation and the signs of currencies have their place in [`PLAIN`].
fn plain_place(character: char) -> Option<usize> {
    match u32::from(character) {
        latin @ 0x80..0x180 => Some(latin as usize - 0x80),
        punctuation @ 0x2000..0x20d0 => Some(punctuation as usize - 0x2000 + 0x100),
        _ => None,
    }
}

/// The ASCII character that each becomes; 0 where it is another, or several. Made once from the tables of Unicode.
static PLAIN: LazyLock<[u8; 0x1d0]> = LazyLock::new(|| {
    let mut plain = [0; 0x1d0];
    for character in ('\u{80}'..'\u{180}').chain('\u{2000}'..'\u{20d0}') {
        let Some(place) = plain_place(character) else { continue };
        let mut parts = Vec::new();
        decompose(character, |part| parts.push(part));
        plain[place] = match *parts {
            [only] if only.is_ascii() => u8::try_from(only).unwrap_or(0),
            _ if parts.iter().all(|part| kind(*part).is_none()) => b'-',
            _ => 0,
        };
    }
    plain
});

/// A stretch of one kind of writing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Run<'a> {
    /// A word of a script that puts spaces between words.
    Spaced(&'a str),
    /// Figures, with points or commas inside.
    Number(&'a str),
    /// Words of a script that does not.
    Unspaced(&'a str),
}

/// The runs of a folded text, in order. Letters and figures that touch are apart: `$830M` is `830` and `M`, `GPT4` is `GPT` and `4`.
pub(super) fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| kind(c).is_none());
        let first = kind(rest.chars().next()?)?;
        let is_inside_number = |end: usize| {
            let mut next = rest[end..].chars();
            matches!(next.next(), Some('.' | ',')) && next.next().and_then(kind) == Some(Kind::Figure)
        };
        let end_from = |from: usize| {
            let end = rest[from..].find(|c| kind(c) != Some(first));
            end.map_or(rest.len(), |end| from + end)
        };
        let mut end = end_from(0);
        while first == Kind::Figure && is_inside_number(end) {
            end = end_from(end + 1);
        }
        let (run, after) = rest.split_at(end);
        rest = after;
        Some(match first {
            Kind::Letter => Run::Spaced(run),
            Kind::Figure => Run::Number(run),
            Kind::Unspaced => Run::Unspaced(run),
        })
    })
}

/// The block that nearly all Chinese is written with, known without the tables of Unicode: Han, letters, folded.
fn is_unified_han(character: char) -> bool {
    matches!(character, '\u{4e00}'..='\u{9fff}')
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Figure,
    Unspaced,
}

fn kind(character: char) -> Option<Kind> {
    if character.is_ascii() {
        return if character.is_ascii_digit() {
            Some(Kind::Figure)
        } else {
            character.is_ascii_alphabetic().then_some(Kind::Letter)
        };
    }
    if is_unified_han(character) {
        return Some(Kind::Unspaced);
    }
    if !character.is_alphanumeric() {
        return None;
    }
    match character.script() {
        Script::Han
        | Script::Hiragana
        | Script::Katakana
        | Script::Thai
        | Script::Lao
        | Script::Khmer
        | Script::Myanmar => Some(Kind::Unspaced),
        _ if character.is_numeric() => Some(Kind::Figure),
        _ => Some(Kind::Letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorted, each once.
    fn terms(title: &str) -> Vec<(String, u8)> {
        let mut terms = Vec::new();
        visit_terms(title, |word, weight| terms.push((word.to_owned(), weight)));
        terms.sort_unstable();
        terms.dedup();
        terms
    }

    #[track_caller]
    fn check(title: &str, expected: &[(&str, u8)]) {
        let found = terms(title);
        let found: Vec<(&str, u8)> = found.iter().map(|(word, weight)| (word.as_str(), *weight)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_and_numbers_weigh_more_than_words() {
        check("Mistral raises $830M, says the FT", &[("830", 4), ("ft", 5), ("mistra", 5), ("raises", 3)]);
        check("levé 3,2 millions", &[("3.2", 4), ("leve", 3), ("millio", 3)]);
    }

    #[test]
    fn decoration_is_left_out() {
        let plain = terms("Canada selected to host the bank");
        assert_eq!(plain, terms("Canada selected to host the bank | CBC News"));
        assert_eq!(plain, terms("Canada selected to host the bank (6 minute read)"));
        assert_eq!(plain, terms("Canada selected to host the bank [pdf]"));
        assert_ne!(terms("Rust - Go"), terms("Rust"));
    }

    #[test]
    fn writing_without_spaces_is_cut_into_pairs() {
        check("法国AI公司", &[("ai", 5), ("公司", 2), ("法国", 2)]);
        assert_eq!(terms("甲骨文將把總部遷移"), terms("甲骨文将把总部迁移"));
    }

    #[test]
    fn odd_titles_are_harmless() {
        for title in ["", " ", "()", "…", "(((", "🇫🇷", "a", " - ", "]", "１２３．４"] {
            let _ = terms(title);
        }
    }
}
