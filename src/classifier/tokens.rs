//! Folded text to words: whole words where a script has spaces, single characters where it has none, each with its
//! place, its sentence, and what separates it from the word before.

mod scanner;

use super::fold::Folded;
use scanner::Scanner;

/// What stands between a word and the one before it, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Gap {
    /// Nothing: a change of script, or characters of a run.
    Glued,
    /// Space, hyphen, slash, apostrophe, quote, a mere line break.
    Joined,
    /// Comma, full stop, colon, parenthesis, blank line, the end of a block: no phrase crosses it.
    Broken,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub hash: u64,
    /// Bytes of [`FieldText::folded`].
    pub start: u32,
    pub end: u32,
    /// Bytes of the field's text as published.
    pub source_start: u32,
    pub source_end: u32,
    /// Half words before it: a word counts two, a character of an unspaced script one.
    pub halves: u32,
    pub sentence: u32,
    /// Length of the word without a `+` at its end: *Disney+* is also found as `Disney`. 0 for other words.
    pub short_len: u16,
    pub gap: Gap,
    pub unspaced: bool,
    /// Whether it is the first or the last word of its value, in a field with several.
    pub first: bool,
    pub last: bool,
}

impl Token {
    /// Half words up to its end.
    pub fn halves_end(&self) -> u32 {
        self.halves + if self.unspaced { 1 } else { 2 }
    }
}

/// What the lines of a text are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// A line break is as good as a blank to a phrase, though a sentence ends there.
    Joined,
    /// Each is a block, which no phrase leaves.
    Blocks,
    /// As `Joined`, in a term, whose `*` is a part of a word.
    OfATerm,
}

/// One field of an item: its words.
#[derive(Debug, Default)]
pub(super) struct FieldText {
    pub folded: String,
    pub tokens: Vec<Token>,
    fold: Folded,
    sentence: u32,
}

impl FieldText {
    pub fn clear(&mut self) {
        self.folded.clear();
        self.tokens.clear();
        self.sentence = 0;
    }

    pub fn text(&self, token: &Token) -> &str {
        &self.folded[token.start as usize..token.end as usize]
    }

    pub fn bytes(&self, token: &Token) -> &[u8] {
        &self.folded.as_bytes()[token.start as usize..token.end as usize]
    }

    pub fn short_text(&self, token: &Token) -> &str {
        &self.folded[token.start as usize..token.start as usize + token.short_len as usize]
    }

    /// Half words in all.
    pub fn halves(&self) -> u32 {
        self.tokens.last().map_or(0, Token::halves_end)
    }

    /// Adds a value that starts at byte `source_at` of the field's text.
    pub fn append(&mut self, source: &str, source_at: usize) {
        self.append_with(source, source_at, Lines::Joined);
    }

    /// Adds a text of blocks, a line each: that of markup.
    pub fn append_blocks(&mut self, source: &str) {
        self.append_with(source, 0, Lines::Blocks);
    }

    /// Adds the text of a term, in which `*` is a part of a word.
    pub fn append_term(&mut self, term: &str) {
        self.append_with(term, 0, Lines::OfATerm);
    }

    fn append_with(&mut self, source: &str, source_at: usize, lines: Lines) {
        self.fold.refill(source);
        let first = self.tokens.len();
        let base = self.folded.len();
        self.folded.push_str(&self.fold.text);
        let mut scanner = Scanner {
            text: &self.fold.text,
            source,
            source_at,
            fold: &self.fold,
            base,
            lines,
            folded: &mut self.folded,
            tokens: &mut self.tokens,
            gap: Gap::Broken,
            sentence: self.sentence,
        };
        scanner.run();
        self.sentence = scanner.sentence + 1;
        if let Some(token) = self.tokens.get_mut(first) {
            token.first = true;
        }
        if self.tokens.len() > first {
            self.tokens.last_mut().expect("a token was added").last = true;
        }
    }
}

/// A hash of a word, eight bytes at a time.
pub(super) fn hash_word(word: &str) -> u64 {
    let bytes = word.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64;
    let mut mix = |number: u64| {
        hash = (hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        hash ^= hash >> 29;
    };
    if bytes.len() > 8 {
        bytes.as_chunks().0.iter().for_each(|chunk| mix(u64::from_le_bytes(*chunk)));
    }
    mix(last_bytes(bytes));
    hash ^ (hash >> 32)
}

/// The last eight bytes as a number; of fewer all, some of them twice, since copying a length that varies is dear.
fn last_bytes(bytes: &[u8]) -> u64 {
    if let Some(last) = bytes.last_chunk() {
        return u64::from_le_bytes(*last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        return u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last));
    }
    match *bytes {
        [] => 0,
        [first] => u64::from(first),
        [first, .., last] => u64::from_le_bytes([first, bytes[1], last, 0, 0, 0, 0, 0]),
    }
}
