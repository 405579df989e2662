//! One pass from published to comparable text, with the way back.
//!
//! NFKC, case folding, accents off for Latin, Greek and Cyrillic only (a dakuten is no accent), zero-width and
//! direction characters out, Traditional to Simplified Chinese. What was published is never changed.

use encoding_rs::Encoding;
use icu_casemap::CaseMapper;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

/// Folded text and, for each of its bytes, the bytes of the published text that it comes from.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub text: String,
    /// Empty while `text` is as long as the source byte for byte (all ASCII).
    starts: Vec<u32>,
    ends: Vec<u32>,
    has_traditional: bool,
}

/// `text` folded, without the way back.
pub(super) fn fold(text: &str) -> String {
    let mut folded = Folded::default();
    folded.refill(text);
    folded.text
}

/// `text` with all but case, accents and script variants made equal: what `=exact` compares.
pub(super) fn fold_exactly(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !is_invisible(*c)).nfkc().collect();
    simplify(plain)
}

impl Folded {
    /// Replaces the contents by the fold of `source`.
    pub fn refill(&mut self, source: &str) {
        self.text.clear();
        self.starts.clear();
        self.ends.clear();
        self.has_traditional = false;
        if source.is_ascii() {
            self.text.push_str(source);
            self.text.make_ascii_lowercase();
            return;
        }
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            let at = source.len() - rest.len();
            let ascii = Encoding::ascii_valid_up_to(rest.as_bytes());
            if ascii > 0 {
                self.push_ascii(&rest[..ascii], at);
                rest = &rest[ascii..];
            } else {
                rest = &rest[self.push_beyond_ascii(first, rest, at)..];
            }
        }
        if self.has_traditional {
            self.text = fast2s::convert(&self.text);
        }
    }

    /// Bytes of the source that the folded bytes `start..end` come from.
    pub fn source_range(&self, start: usize, end: usize) -> (usize, usize) {
        if self.starts.is_empty() {
            return (start, end);
        }
        (self.starts[start] as usize, self.ends[end - 1] as usize)
    }

    fn push_ascii(&mut self, run: &str, at: usize) {
        let start = self.text.len();
        self.text.push_str(run);
        self.text[start..].make_ascii_lowercase();
        let at = to_u32(at);
        let until = at + to_u32(run.len());
        self.starts.extend(at..until);
        self.ends.extend(at + 1..=until);
    }

    /// Folds what begins with the non-ASCII `first`; returns the length of it in the source.
    fn push_beyond_ascii(&mut self, first: char, rest: &str, at: usize) -> usize {
        let length = first.len_utf8();
        if is_invisible(first) {
            return length;
        }
        if is_combining_mark(first) {
            // The base before it was Latin or a symbol: the mark belongs to its range and is no part of its fold.
            if let Some(end) = self.ends.last().copied().filter(|&end| end == to_u32(at)) {
                let belonging = self.ends.iter().rev().take_while(|&&other| other == end).count();
                let from = self.ends.len() - belonging;
                self.ends[from..].fill(to_u32(at + length));
            }
            return length;
        }
        if let Some(simple) = LATIN.get(first as usize - 0x80) {
            self.push_all(simple, at, at + length);
            return length;
        }
        let end = cluster_end(rest, length);
        let from = self.text.len();
        if end == length && folds_to_itself(first) {
            self.push_all(&rest[..length], at, at + length);
        } else {
            self.push_all(&fold_cluster(&rest[..end]), at, at + end);
        }
        self.has_traditional = self.has_traditional || self.text[from..].chars().any(is_traditional);
        end
    }

    fn push_all(&mut self, folded: &str, start: usize, end: usize) {
        self.text.push_str(folded);
        self.starts.resize(self.text.len(), to_u32(start));
        self.ends.resize(self.text.len(), to_u32(end));
    }
}

/// Texts are capped far below 4 GiB before they get here.
pub(super) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a field is capped at a length that fits")
}

/// The end of the character of `length` bytes that `rest` begins with, and of what composes with it.
fn cluster_end(rest: &str, length: usize) -> usize {
    let composes = |c: char| {
        is_combining_mark(c) || is_invisible(c) || matches!(c, '\u{ff9e}' | '\u{ff9f}' | '\u{1160}'..='\u{11ff}')
    };
    rest[length..].find(|c: char| !composes(c)).map_or(rest.len(), |more| length + more)
}

/// Whether folding changes no more than the case of a character, whatever stands beside it, and keeps such ones together.
pub(super) fn is_kept(c: char) -> bool {
    c.is_ascii_alphanumeric() || (('\u{4e00}'..='\u{9fff}').contains(&c) && !is_traditional(c))
}

/// Whether a character alone is its own fold for sure: what texts beyond ASCII are full of.
fn folds_to_itself(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '–' | '—' | '‘' | '’' | '“' | '”' | '„' | '•' | '、' | '。')
}

fn fold_cluster(cluster: &str) -> String {
    if cluster == "™" || cluster == "℠" {
        return " ".to_string(); // NFKC would glue *TM* to the name before it.
    }
    if cluster == "ʼ" {
        return "'".to_string(); // Counted a letter by Unicode, typed as an apostrophe.
    }
    let composed: String = cluster.chars().filter(|c| !is_invisible(*c)).nfkc().collect();
    let cased: String = CaseMapper::new().fold_string(&composed).nfkc().collect();
    without_accents(&cased)
}

fn without_accents(text: &str) -> String {
    let mut accents_off = false;
    text.nfd()
        .filter(|c| {
            if is_combining_mark(*c) {
                return !accents_off;
            }
            accents_off = matches!(c.script(), Script::Latin | Script::Greek | Script::Cyrillic);
            true
        })
        .nfc()
        .collect()
}

/// Folds of U+0080 to U+024F, where most letters beyond ASCII of our languages are.
static LATIN: LazyLock<Vec<String>> = LazyLock::new(|| {
    ('\u{80}'..='\u{24f}')
        .map(|c| match c {
            'œ' | 'Œ' => "oe".to_string(),
            'æ' | 'Æ' => "ae".to_string(),
            'ø' | 'Ø' => "o".to_string(),
            'ł' | 'Ł' => "l".to_string(),
            'đ' | 'Đ' | 'ð' | 'Ð' => "d".to_string(),
            'ħ' | 'Ħ' => "h".to_string(),
            'ı' => "i".to_string(),
            '´' => "'".to_string(),
            '\u{ad}' => String::new(),
            _ => fold_cluster(c.encode_utf8(&mut [0; 4])),
        })
        .collect()
});

/// Characters that a reader does not see and a writer did not mean: zero width, direction, variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
            | '\u{feff}' | '\u{fe00}'..='\u{fe0f}' | '\u{180e}' | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Traditional to Simplified, character by character but for a few that depend on their neighbours; lengths stay.
fn simplify(text: String) -> String {
    if text.chars().any(is_traditional) { fast2s::convert(&text) } else { text }
}

const HAN_START: u32 = 0x3400;

/// One bit for each character that `fast2s` may change.
static TRADITIONAL: LazyLock<Vec<bool>> = LazyLock::new(|| {
    (HAN_START..0xa000)
        .map(|code| {
            let c = char::from_u32(code).expect("the block has no surrogates");
            let alone = c.to_string();
            // These three change beside certain characters only.
            matches!(c, '藉' | '著' | '苧') || fast2s::convert(&alone) != alone
        })
        .collect()
});

fn is_traditional(c: char) -> bool {
    (c as u32).checked_sub(HAN_START).and_then(|at| TRADITIONAL.get(at as usize)).is_some_and(|&changes| changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_alone_folds_to_itself() {
        for c in ('\u{250}'..=char::MAX).filter(|c| folds_to_itself(*c)) {
            assert_eq!(fold_cluster(&c.to_string()), c.to_string());
        }
    }

    #[test]
    fn what_is_kept_stays_beside_what_changes() {
        for c in ('\0'..=char::MAX).filter(|c| is_kept(*c)) {
            let folded = fold(&format!("藉{c}{c}\u{301}著Éﬀ後{c}"));
            let kept = c.to_ascii_lowercase();
            assert!(folded.contains(&format!("{kept}{kept}")), "{c}: {folded}");
            assert!(folded.ends_with(kept), "{c}: {folded}");
        }
    }
}
