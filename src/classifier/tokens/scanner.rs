//! The walk through a folded text: where words begin and end, and what stands between them.

use super::super::fold::{Folded, to_u32};
use super::{Gap, Lines, Token, hash_word};
use crate::query::is_unspaced;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

/// Words before whose full stop no sentence ends; a single capital (*J. Doe*) is another such.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "inc", "corp", "ltd", "co", "cie", "eg", "ie", "etc",
    "no", "nos", "approx", "mme", "mlle", "gen", "sen", "rep", "gov", "ca", "cf", "fig", "vol", "bzw", "jan", "feb",
    "aug", "sept", "oct", "nov", "dec",
];

/// By byte: whether it is an ASCII letter or digit.
const IN_WORD: [bool; 256] = {
    let mut in_word = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        in_word[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    in_word
};

pub(super) struct Scanner<'a> {
    pub text: &'a str,
    pub source: &'a str,
    pub source_at: usize,
    pub fold: &'a Folded,
    /// The field's folded text: `text` from `base` on, but with acronyms without their dots.
    pub folded: &'a mut String,
    pub base: usize,
    pub lines: Lines,
    pub tokens: &'a mut Vec<Token>,
    pub gap: Gap,
    pub sentence: u32,
}

/// What a character is to a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Separator,
    /// A letter of a script with spaces.
    Letter(Script),
    /// A digit, a mark, a wildcard: part of a word of any script.
    Neutral,
    /// A character of a script without spaces: a word of its own.
    Unspaced,
}

impl Scanner<'_> {
    pub fn run(&mut self) {
        let mut at = 0;
        while let Some(&byte) = self.text.as_bytes().get(at) {
            at = if byte == b' ' {
                self.gap = self.gap.max(Gap::Joined);
                at + 1
            } else if IN_WORD[usize::from(byte)] {
                self.ascii_word(at)
            } else if byte.is_ascii() {
                self.ascii_symbol(byte, at)
            } else {
                self.beyond_ascii(at)
            };
        }
    }

    fn class(&self, c: char) -> Class {
        if c.is_ascii_alphabetic() {
            return Class::Letter(Script::Latin);
        }
        if c.is_ascii() {
            return if c.is_ascii_digit() || (self.lines == Lines::OfATerm && c == '*') {
                Class::Neutral
            } else {
                Class::Separator
            };
        }
        if is_unspaced(c) && c.is_alphanumeric() {
            return Class::Unspaced;
        }
        match c.is_alphanumeric() {
            true if c.is_numeric() => Class::Neutral,
            true => Class::Letter(c.script()),
            false if is_combining_mark(c) => Class::Neutral,
            false => Class::Separator,
        }
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    fn byte_at(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(b' ')
    }

    fn is_word_at(&self, at: usize) -> bool {
        self.char_at(at).is_some_and(|c| self.class(c) != Class::Separator)
    }

    fn beyond_ascii(&mut self, at: usize) -> usize {
        let c = self.char_at(at).expect("the position is within the text");
        let end = at + c.len_utf8();
        match self.class(c) {
            Class::Separator => {
                self.separator(c, at);
                end
            }
            Class::Unspaced => {
                let marks = self.text[end..].find(|c: char| !is_combining_mark(c)).unwrap_or(self.text.len() - end);
                self.push(at, end + marks, 0, true);
                end + marks
            }
            Class::Letter(_) | Class::Neutral => self.word(at, at),
        }
    }

    fn ascii_symbol(&mut self, byte: u8, at: usize) -> usize {
        if byte == b'.' && self.is_dot_word(at) {
            return self.word(at, at + 1);
        }
        if byte == b'*' && self.lines == Lines::OfATerm {
            return self.word(at, at);
        }
        self.separator(char::from(byte), at);
        at + 1
    }

    /// Whether the full stop at `at` begins a word like *.NET* or *.com*: after a blank, and not a sentence set badly.
    fn is_dot_word(&self, at: usize) -> bool {
        let before = self.text[..at].chars().next_back();
        if before.is_some_and(|c| !c.is_whitespace() && !matches!(c, '(' | '[' | '"' | '“' | '«' | '/' | '\'')) {
            return false;
        }
        let word = &self.text[at + 1..];
        let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        if end == 0 {
            return false;
        }
        let (start, end) = self.fold.source_range(at + 1, at + 1 + end);
        let source = &self.source[start..end];
        let one_case = source.chars().all(|c| !c.is_uppercase()) || source.chars().all(|c| !c.is_lowercase());
        one_case || source == "Net"
    }

    /// The word that starts with an ASCII letter or digit at `start`; returns where it ends. Most words have nothing else.
    fn ascii_word(&mut self, start: usize) -> usize {
        let rest = &self.text.as_bytes()[start..];
        let length = rest.iter().position(|&byte| !IN_WORD[usize::from(byte)]).unwrap_or(rest.len());
        let end = start + length;
        // What [`Self::word`] may take into a word.
        let goes_on = match self.byte_at(end) {
            b'+' | b'#' | b'&' | b'*' => true,
            b'.' | b',' => length == 1 || self.byte_at(end + 1).is_ascii_digit(),
            byte => !byte.is_ascii(),
        };
        if goes_on {
            return self.word(start, start);
        }
        self.push(start, end, 0, false);
        end
    }

    /// The word that starts at `start` and has been read up to `at`; returns where it ends.
    fn word(&mut self, start: usize, mut at: usize) -> usize {
        if let Some(end) = self.acronym(start) {
            return end;
        }
        let mut script = None;
        loop {
            while self.byte_at(at).is_ascii_alphanumeric() && at < self.text.len() {
                if self.byte_at(at).is_ascii_alphabetic()
                    && script.replace(Script::Latin).is_some_and(|other| other != Script::Latin)
                {
                    self.push(start, at, 0, false);
                    return at;
                }
                at += 1;
            }
            let Some(c) = self.char_at(at) else { break };
            match self.class(c) {
                Class::Neutral => at += c.len_utf8(),
                Class::Letter(own) if script.is_none_or(|script| script == own || own == Script::Inherited) => {
                    script = Some(own);
                    at += c.len_utf8();
                }
                Class::Separator if self.joins_within(c, start, at) => at += 1,
                _ => break,
            }
        }
        let short_len = at - start;
        let end = self.symbols_end(start, at);
        let short_len = if end == at + 1 && self.byte_at(at) == b'+' { short_len } else { 0 };
        self.push(start, end, short_len, false);
        end
    }

    /// Whether the symbol at `at` is within a word: *3.5*, *1,000*, *AT&T*.
    fn joins_within(&self, c: char, start: usize, at: usize) -> bool {
        let (before, after) = (self.byte_at(at.wrapping_sub(1)), self.byte_at(at + 1));
        match c {
            '.' | ',' => at > start && before.is_ascii_digit() && after.is_ascii_digit(),
            '&' => {
                let letters = |text: &str| text.bytes().take_while(u8::is_ascii_alphabetic).count();
                let (left, right) = (&self.text[start..at], &self.text[at + 1..]);
                let following = letters(right);
                (1..=3).contains(&left.len())
                    && letters(left) == left.len()
                    && (1..=3).contains(&following)
                    && !self.byte_at(at + 1 + following).is_ascii_alphanumeric()
            }
            _ => false,
        }
    }

    /// The end of the symbols that belong to the word `start..at`: *C++*, *C#*, *Disney+*.
    fn symbols_end(&self, start: usize, at: usize) -> usize {
        let tail = &self.text[at..];
        let symbols = tail.bytes().take_while(|byte| matches!(byte, b'+' | b'#')).count();
        let sharp_after_long = tail.starts_with('#') && at - start > 2;
        if symbols == 0 || symbols > 3 || sharp_after_long || self.is_word_at(at + symbols) { at } else { at + symbols }
    }

    /// *U.S.*, *R.A.T.P.*: single letters each with a full stop, as one word without them.
    fn acronym(&mut self, start: usize) -> Option<usize> {
        let mut at = start;
        while self.byte_at(at).is_ascii_alphabetic() && self.byte_at(at + 1) == b'.' {
            at += 2;
        }
        // The last letter may lack its full stop, as in *U.S* or before the end of a sentence.
        let open_ended = self.byte_at(at).is_ascii_alphabetic() && !self.byte_at(at + 1).is_ascii_alphanumeric();
        if at - start < 4 && !(at - start == 2 && open_ended) || (!open_ended && self.is_word_at(at)) {
            return None;
        }
        let end = if open_ended { at + 1 } else { at };
        let letters: String = self.text[start..end].chars().filter(|&c| c != '.').collect();
        self.push(start, end, 0, false);
        let token = self.tokens.last_mut().expect("a token was added");
        token.hash = hash_word(&letters);
        token.end = token.start + to_u32(letters.len());
        // Where it stands, so that words lie in their order; the blanks belong to none.
        let in_its_place = format!("{letters:length$}", length = end - start);
        self.folded.replace_range(self.base + start..self.base + end, &in_its_place);
        Some(end)
    }

    /// Adds the word `start..end` as it stands.
    fn push(&mut self, start: usize, end: usize, short_len: usize, unspaced: bool) {
        let (source_start, source_end) = self.fold.source_range(start, end);
        self.tokens.push(Token {
            hash: hash_word(&self.text[start..end]),
            start: to_u32(self.base + start),
            end: to_u32(self.base + end),
            source_start: to_u32(self.source_at + source_start),
            source_end: to_u32(self.source_at + source_end),
            halves: self.tokens.last().map_or(0, Token::halves_end),
            sentence: self.sentence,
            short_len: u16::try_from(short_len).unwrap_or(0),
            gap: self.gap,
            unspaced,
            first: false,
            last: false,
        });
        self.gap = Gap::Glued;
    }

    /// Takes note of a character between words.
    fn separator(&mut self, c: char, at: usize) {
        match c {
            '.' => self.full_stop(at),
            '!' | '?' | ';' | '|' | '。' | '｡' | '•' | '‖' => self.end_sentence(),
            '\n' => {
                let blank_line = self.text[at + 1..].chars().find(|c| !matches!(c, ' ' | '\t' | '\r')) == Some('\n');
                let is_end = blank_line || self.lines == Lines::Blocks;
                let gap = if is_end { Gap::Broken } else { self.gap.max(Gap::Joined) };
                self.end_sentence();
                self.gap = gap;
            }
            ',' | '、' | ':' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '=' => self.gap = Gap::Broken,
            _ => self.gap = self.gap.max(Gap::Joined),
        }
    }

    fn end_sentence(&mut self) {
        if self.tokens.last().is_some_and(|token| token.sentence == self.sentence) {
            self.sentence += 1;
        }
        self.gap = Gap::Broken;
    }

    fn full_stop(&mut self, at: usize) {
        let (before, after) = (self.text[..at].chars().next_back(), self.char_at(at + 1));
        let within_word = before.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
        if within_word && !self.lacks_blank(at) || self.is_abbreviation(at) {
            self.gap = self.gap.max(Gap::Joined);
        } else {
            self.end_sentence();
        }
    }

    /// *end.The next*: a sentence that ends without a blank after it.
    fn lacks_blank(&self, at: usize) -> bool {
        let source_char = |at: usize, to: usize| {
            let (start, _) = self.fold.source_range(at, to);
            self.source[start..].chars().next()
        };
        let cased = |offset: usize| {
            (at + offset < self.text.len() && self.text.is_char_boundary(at + offset))
                .then(|| source_char(at + offset, at + offset + 1))
                .flatten()
        };
        let before = self.text[..at].chars().next_back().is_some_and(char::is_lowercase);
        before && cased(1).is_some_and(char::is_uppercase) && cased(2).is_some_and(char::is_lowercase)
    }

    fn is_abbreviation(&self, at: usize) -> bool {
        let Some(token) = self.tokens.last().filter(|_| self.gap == Gap::Glued) else { return false };
        let word = &self.folded[token.start as usize..token.end as usize];
        debug_assert!(token.end as usize - self.base <= at, "the last word lies before the full stop");
        let published =
            &self.source[token.source_start as usize - self.source_at..token.source_end as usize - self.source_at];
        // An acronym has its own full stops.
        published.ends_with('.')
            || (word.len() == 1 && published.chars().all(char::is_uppercase))
            || ABBREVIATIONS.contains(&word)
    }
}
