//! What a title is about: its telling words, each with a weight, without the decoration that sites add.

use crate::stories::common_words::{is_common, is_common_han};
use std::collections::BTreeMap;
use unicode_script::{Script, UnicodeScript as _};

/// Letters of a word that count: inflected forms share their beginning (`relocate`, `relocation`).
const STEM_LETTERS: usize = 6;

/// Weights, in units. Names and numbers tell one story from another better than other words do; two Han
/// characters less, for they overlap with the next two.
pub(super) const NAME: u8 = 5;
const NUMBER: u8 = 4;
const WORD: u8 = 3;
const PAIR: u8 = 2;

/// A telling word of a title.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    pub text: String,
    pub weight: u8,
}

/// The telling words of a title, each once.
pub(super) fn terms(title: &str) -> Vec<Term> {
    let folded = fold(undecorated(title));
    let mut terms: BTreeMap<String, u8> = BTreeMap::new();
    let mut add = |text: String, weight: u8| {
        let known = terms.entry(text).or_insert(weight);
        *known = weight.max(*known);
    };
    for run in runs(&folded) {
        match run {
            Run::Spaced(word) => {
                let lower = word.to_lowercase();
                if !is_common(&lower) {
                    add(lower.chars().take(STEM_LETTERS).collect(), weight(word));
                }
            }
            Run::Number(number) => add(number.replace(',', "."), NUMBER),
            Run::Unspaced(text) => {
                let characters: Vec<char> = text.chars().collect();
                for pair in characters.windows(2).filter(|pair| !pair.iter().any(|c| is_common_han(*c))) {
                    add(pair.iter().collect(), PAIR);
                }
            }
        }
    }
    terms.into_iter().map(|(text, weight)| Term { text, weight }).collect()
}

fn weight(word: &str) -> u8 {
    if word.chars().any(char::is_uppercase) { NAME } else { WORD }
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
    for separator in [" - ", " | ", " – ", " — "] {
        let Some((head, site)) = title.rsplit_once(separator) else { continue };
        if site.split_whitespace().count() <= 4 && head.split_whitespace().count() >= 4 {
            title = head.trim_end();
        }
    }
    title
}

/// Width, ligatures, accents and the Chinese script made equal; case is kept, for it tells names.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    let has_han = text.chars().any(|c| !c.is_ascii() && c.script() == Script::Han);
    let simplified = if has_han { fast2s::convert(text) } else { text.to_owned() };
    let mut folded = String::with_capacity(simplified.len());
    for character in simplified.chars() {
        if character.is_ascii() {
            folded.push(character);
            continue;
        }
        // Character by character: marks, whose order alone a whole text could change, are left out.
        unicode_normalization::char::decompose_compatible(character, |part| {
            if !unicode_normalization::char::is_combining_mark(part) {
                folded.push(part);
            }
        });
    }
    folded
}

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

    #[track_caller]
    fn check(title: &str, expected: &[(&str, u8)]) {
        let found = terms(title);
        let found: Vec<(&str, u8)> = found.iter().map(|term| (term.text.as_str(), term.weight)).collect();
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
