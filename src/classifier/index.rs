//! All terms of all rules, looked for in one pass over a field's words.
//!
//! Measured on items of 600 characters: a filter on the hash of each word and of each pair of words beats an
//! Aho-Corasick automaton at a fraction of its memory, and serves scripts without spaces as well, whose characters are
//! words here. An automaton is left for what is sought within words, `*part*`, and for the literals of regular expressions.

use super::hits::Hits;
use super::language;
use super::pattern::{Form, Glob, Pattern};
use super::tokens::{FieldText, Token};
use crate::model::Field;
use crate::query::compile_regex;
use daachorse::CharwiseDoubleArrayAhoCorasick;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Number of a pattern in its index.
pub(super) type PatternId = u32;

/// What a term asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Sought {
    Words(Pattern),
    Stem(String),
    Regex(String),
}

/// Longest text in bytes that a regular expression is run on: time is the text's length times the program's size.
const REGEX_TEXT_BYTES: usize = 64 * 1024;
/// Shortest literal that is worth looking for before a regular expression is run.
const MIN_REQUIRED_BYTES: usize = 3;

#[derive(Default)]
pub(super) struct Index {
    patterns: Vec<Option<Pattern>>,
    /// Per slot of a hash: is it a word sought alone, the first of a pair, a pair?
    filter: Box<[u8]>,
    singles: AnchorTable<u64>,
    pairs: AnchorTable<u64>,
    prefixes: AnchorTable<Edge>,
    suffixes: AnchorTable<Edge>,
    pieces: Option<CharwiseDoubleArrayAhoCorasick<u32>>,
    /// What a piece found calls for, by the number of the piece.
    calls: Vec<Vec<Call>>,
    stems: Vec<StemTable>,
    regexes: Vec<SoughtRegex>,
}

const SINGLE: u8 = 1;
const FIRST_OF_PAIR: u8 = 2;
const PAIR: u8 = 4;

/// A place in a pattern by which it is found: `offset` words from its start.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    pattern: PatternId,
    offset: u8,
}

/// The first or last bytes of a word, at most four, with their number.
type Edge = (u8, u32);

#[derive(Debug, Clone, Copy)]
enum Call {
    Glob(Anchor),
    Regex(usize),
}

#[derive(Debug)]
struct StemTable {
    /// Index in [`language::STEMMED`].
    language: usize,
    by_stem: HashMap<String, Vec<PatternId>>,
    first_chars: BTreeSet<char>,
}

#[derive(Debug)]
struct SoughtRegex {
    pattern: PatternId,
    regex: Regex,
    /// Whether one of its literals has to be found first.
    guarded: bool,
}

/// Anchors by a key; the keys of one table lie in one map, their anchors in one vector.
#[derive(Debug)]
struct AnchorTable<K> {
    ranges: HashMap<K, (u32, u32), BuildHasherDefault<KeyHasher>>,
    anchors: Vec<Anchor>,
}

impl<K> Default for AnchorTable<K> {
    fn default() -> Self {
        AnchorTable { ranges: HashMap::default(), anchors: Vec::new() }
    }
}

impl<K: std::hash::Hash + Ord + Copy> AnchorTable<K> {
    fn new(mut entries: Vec<(K, Anchor)>) -> Self {
        entries.sort_by_key(|(key, anchor)| (*key, anchor.pattern, anchor.offset));
        let mut table = AnchorTable::default();
        for (key, anchor) in entries {
            let at = u32::try_from(table.anchors.len()).expect("fewer than 2^32 terms");
            table.ranges.entry(key).or_insert((at, at)).1 += 1;
            table.anchors.push(anchor);
        }
        table
    }

    fn get(&self, key: K) -> &[Anchor] {
        self.ranges.get(&key).map_or(&[], |&(start, end)| &self.anchors[start as usize..end as usize])
    }

    fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }
}

/// Keys are hashes already, or a few bytes.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }
    fn write_u8(&mut self, number: u8) {
        self.write_u64(u64::from(number));
    }
    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(26) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
        self.0 ^= self.0 >> 32;
    }
}

fn mix(first: u64, second: u64) -> u64 {
    (first.rotate_left(21) ^ second).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

fn prefix_edge(word: &str, length: usize) -> Edge {
    edge(word.as_bytes().iter().take(length))
}

fn suffix_edge(word: &str, length: usize) -> Edge {
    edge(word.as_bytes().iter().rev().take(length))
}

fn edge<'a>(bytes: impl Iterator<Item = &'a u8>) -> Edge {
    bytes.fold((0, 0), |(length, key), &byte| (length + 1, key << 8 | u32::from(byte)))
}

/// The terms of an index while it is gathered.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    ids: HashMap<Sought, PatternId>,
    sought: Vec<Sought>,
}

impl IndexBuilder {
    /// The number of what is sought; the same for the same.
    pub fn add(&mut self, sought: Sought) -> PatternId {
        let next = PatternId::try_from(self.sought.len()).expect("fewer than 2^32 terms");
        *self.ids.entry(sought).or_insert_with_key(|sought| {
            self.sought.push(sought.clone());
            next
        })
    }

    pub fn build(self) -> Index {
        let Self { ids, sought } = self;
        drop(ids);
        let mut plan = Plan::default();
        let mut index = Index::default();
        for (id, sought) in (0..).zip(sought) {
            let pattern = match sought {
                Sought::Words(pattern) => {
                    plan.place(id, &pattern);
                    Some(pattern)
                }
                Sought::Stem(word) => {
                    plan.stem(id, &word);
                    None
                }
                Sought::Regex(source) => {
                    plan.regex(id, &source);
                    None
                }
            };
            index.patterns.push(pattern);
        }
        plan.finish(&mut index);
        index
    }
}

/// Where each pattern will be anchored.
#[derive(Default)]
struct Plan {
    singles: Vec<(u64, Anchor)>,
    pairs: Vec<(u64, Anchor)>,
    firsts: Vec<u64>,
    prefixes: Vec<(Edge, Anchor)>,
    suffixes: Vec<(Edge, Anchor)>,
    pieces: BTreeMap<String, Vec<Call>>,
    stems: BTreeMap<usize, HashMap<String, Vec<PatternId>>>,
    regexes: Vec<SoughtRegex>,
}

impl Plan {
    /// By two literal words in a row if there are, else by one, else by a wildcard.
    fn place(&mut self, pattern: PatternId, sought: &Pattern) {
        let words = &sought.words[..sought.words.len().min(usize::from(u8::MAX))];
        let hash = |at: usize| match &words[at].form {
            Form::Literal { hash, .. } => Some(*hash),
            Form::Glob(_) => None,
        };
        let anchor = |at: usize| Anchor { pattern, offset: u8::try_from(at).expect("cut to 255 words") };
        let pair = (1..words.len()).find_map(|at| Some((at - 1, hash(at - 1)?, hash(at)?)));
        if let Some((at, first, second)) = pair {
            self.firsts.push(first);
            self.pairs.push((mix(first, second), anchor(at)));
        } else if let Some((at, hash)) = (0..words.len()).find_map(|at| Some((at, hash(at)?))) {
            self.singles.push((hash, anchor(at)));
        } else if let Form::Glob(glob) = &words[0].form {
            self.place_glob(glob, anchor(0));
        }
    }

    fn place_glob(&mut self, glob: &Glob, anchor: Anchor) {
        let (Some(first), Some(last)) = (glob.pieces.first(), glob.pieces.last()) else { return };
        if !glob.open_start {
            self.prefixes.push((prefix_edge(first, 4), anchor));
        } else if !glob.open_end {
            self.suffixes.push((suffix_edge(last, 4), anchor));
        } else {
            let longest = glob.pieces.iter().max_by_key(|piece| piece.len()).expect("there is a first piece");
            self.pieces.entry(longest.to_string()).or_default().push(Call::Glob(anchor));
        }
    }

    fn stem(&mut self, pattern: PatternId, word: &str) {
        for language in 0..language::STEMMED.len() {
            let stem = language::stem(language, word);
            self.stems.entry(language).or_default().entry(stem).or_default().push(pattern);
        }
    }

    fn regex(&mut self, pattern: PatternId, source: &str) {
        // A query with a bad one has not passed the parser; a rule set made by hand may hold one, which never matches.
        let Ok(regex) = compile_regex(source) else { return };
        let required = required_literals(source);
        let number = self.regexes.len();
        for literal in required.iter().flatten() {
            self.pieces.entry(literal.clone()).or_default().push(Call::Regex(number));
        }
        self.regexes.push(SoughtRegex { pattern, regex, guarded: required.is_some() });
    }

    fn finish(self, index: &mut Index) {
        let slots = ((self.singles.len() + self.pairs.len() * 2) * 32).next_power_of_two().max(1 << 12);
        let mut filter = vec![0; slots].into_boxed_slice();
        let mut mark = |hash: u64, bit: u8| filter[slot(hash, slots)] |= bit;
        self.singles.iter().for_each(|(hash, _)| mark(*hash, SINGLE));
        self.firsts.iter().for_each(|hash| mark(*hash, FIRST_OF_PAIR));
        self.pairs.iter().for_each(|(hash, _)| mark(*hash, PAIR));
        index.filter = filter;
        index.singles = AnchorTable::new(self.singles);
        index.pairs = AnchorTable::new(self.pairs);
        index.prefixes = AnchorTable::new(self.prefixes);
        index.suffixes = AnchorTable::new(self.suffixes);
        if !self.pieces.is_empty() {
            let numbered = self.pieces.keys().zip(0u32..);
            let automaton = CharwiseDoubleArrayAhoCorasick::with_values(numbered);
            index.pieces = Some(automaton.expect("pieces are distinct and not empty"));
        }
        index.calls = self.pieces.into_values().collect();
        index.stems = self.stems.into_iter().map(|(language, by_stem)| StemTable::new(language, by_stem)).collect();
        index.regexes = self.regexes;
    }
}

impl StemTable {
    fn new(language: usize, by_stem: HashMap<String, Vec<PatternId>>) -> Self {
        let first_chars = by_stem.keys().filter_map(|stem| stem.chars().next()).collect();
        StemTable { language, by_stem, first_chars }
    }

    /// Stemming is dear, and leaves the first letter alone but where a language has prefixes.
    fn may_hold(&self, folded: &str) -> bool {
        let has_prefixes = language::STEMMED[self.language].0 == "ar";
        has_prefixes || folded.chars().next().is_some_and(|first| self.first_chars.contains(&first))
    }
}

fn slot(hash: u64, slots: usize) -> usize {
    usize::try_from(hash & (slots as u64 - 1)).expect("masked to the number of slots")
}

/// Literals of which every match of the expression holds one, in lower case; `None` when there are no such.
fn required_literals(source: &str) -> Option<Vec<String>> {
    let hir = regex_syntax::parse(source).ok()?;
    required_of(&hir)
}

fn required_of(hir: &regex_syntax::hir::Hir) -> Option<Vec<String>> {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            // Only ASCII: folding keeps its neighbours from changing it.
            let best = text.split(|c: char| !c.is_ascii_alphanumeric()).max_by_key(|piece| piece.len())?;
            (best.len() >= MIN_REQUIRED_BYTES).then(|| vec![best.to_ascii_lowercase()])
        }
        HirKind::Capture(capture) => required_of(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required_of(&repetition.sub),
        HirKind::Concat(parts) => {
            parts.iter().filter_map(required_of).max_by_key(|found| found.iter().map(String::len).min().unwrap_or(0))
        }
        HirKind::Alternation(parts) => {
            let all: Option<Vec<Vec<String>>> = parts.iter().map(required_of).collect();
            Some(all?.concat())
        }
        _ => None,
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("terms", &self.len()).finish_non_exhaustive()
    }
}

impl Index {
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether an item's language has to be known.
    pub fn asks_for_language(&self) -> bool {
        !self.stems.is_empty()
    }

    /// Bytes held by the tables, about.
    pub fn memory_bytes(&self) -> usize {
        let table = |ranges: usize, anchors: usize| ranges * 24 + anchors * size_of::<Anchor>();
        let words: usize = self
            .patterns
            .iter()
            .flatten()
            .map(|pattern| pattern.words.len() * (size_of::<super::pattern::Word>() + 8))
            .sum();
        self.filter.len()
            + self.patterns.len() * size_of::<Option<Pattern>>()
            + words
            + table(self.singles.ranges.capacity(), self.singles.anchors.len())
            + table(self.pairs.ranges.capacity(), self.pairs.anchors.len())
            + self.pieces.as_ref().map_or(0, CharwiseDoubleArrayAhoCorasick::heap_bytes)
    }

    /// Finds every term in a field; `source` is its text as published, of which `text` holds the words.
    pub fn scan(&self, field: Field, text: &FieldText, source: &str, language: Option<&str>, hits: &mut Hits) {
        let scan = Scan { index: self, field, text, source };
        scan.words(hits);
        if !self.prefixes.is_empty() || !self.suffixes.is_empty() {
            scan.wildcards(hits);
        }
        if !self.stems.is_empty() {
            scan.stems(language, hits);
        }
        if self.pieces.is_some() || !self.regexes.is_empty() {
            scan.pieces(hits);
        }
    }
}

struct Scan<'a> {
    index: &'a Index,
    field: Field,
    text: &'a FieldText,
    source: &'a str,
}

impl Scan<'_> {
    fn words(&self, hits: &mut Hits) {
        let (index, slots) = (self.index, self.index.filter.len());
        let mut first_of_pair: Option<u64> = None;
        for (at, token) in self.text.tokens.iter().enumerate() {
            let flags = index.filter[slot(token.hash, slots)];
            if flags & SINGLE != 0 {
                self.anchored(index.singles.get(token.hash), at, hits);
            }
            if let Some(first) = first_of_pair {
                let key = mix(first, token.hash);
                if index.filter[slot(key, slots)] & PAIR != 0 {
                    self.anchored(index.pairs.get(key), at - 1, hits);
                }
            }
            first_of_pair = (flags & FIRST_OF_PAIR != 0).then_some(token.hash);
            if token.short_len > 0 || at.checked_sub(1).is_some_and(|before| self.text.tokens[before].short_len > 0) {
                self.short_forms(at, token, hits);
            }
        }
    }

    /// As [`Self::words`], for a word like *Disney+*, and the one after it, by its form without the `+`.
    fn short_forms(&self, at: usize, token: &Token, hits: &mut Hits) {
        let hashes = |token: &Token| {
            let short = (token.short_len > 0).then(|| super::tokens::hash_word(self.text.short_text(token)));
            std::iter::once(token.hash).chain(short)
        };
        if token.short_len > 0 {
            hashes(token).skip(1).for_each(|hash| self.anchored(self.index.singles.get(hash), at, hits));
        }
        let Some(before) = at.checked_sub(1) else { return };
        for first in hashes(&self.text.tokens[before]) {
            for second in hashes(token) {
                self.anchored(self.index.pairs.get(mix(first, second)), before, hits);
            }
        }
    }

    fn wildcards(&self, hits: &mut Hits) {
        for (at, token) in self.text.tokens.iter().enumerate() {
            let word = self.text.text(token);
            for length in 1..=word.len().min(4) {
                self.edges(&self.index.prefixes, prefix_edge(word, length), at, hits);
                self.edges(&self.index.suffixes, suffix_edge(word, length), at, hits);
            }
        }
    }

    fn edges(&self, table: &AnchorTable<Edge>, edge: Edge, at: usize, hits: &mut Hits) {
        if !table.is_empty() {
            self.anchored(table.get(edge), at, hits);
        }
    }

    /// Tries the patterns that have `anchors` at word `at`.
    fn anchored(&self, anchors: &[Anchor], at: usize, hits: &mut Hits) {
        for anchor in anchors {
            let Some(start) = at.checked_sub(usize::from(anchor.offset)) else { continue };
            let pattern =
                self.index.patterns[anchor.pattern as usize].as_ref().expect("only patterns of words have anchors");
            if pattern.matches_at(self.text, start, self.source) {
                self.hit(anchor.pattern, start, start + pattern.words.len(), hits);
            }
        }
    }

    fn hit(&self, pattern: PatternId, start: usize, end: usize, hits: &mut Hits) {
        let (first, last) = (&self.text.tokens[start], &self.text.tokens[end - 1]);
        hits.add(pattern, self.field, (start, end), (first.source_start, last.source_end));
    }

    fn stems(&self, language: Option<&str>, hits: &mut Hits) {
        let wanted = language::stemmers_for(language);
        for table in self.index.stems.iter().filter(|table| wanted.contains(&table.language)) {
            for (at, token) in self.text.tokens.iter().enumerate() {
                let published = &self.source[token.source_start as usize..token.source_end as usize];
                if token.unspaced || !table.may_hold(self.text.text(token)) || !language::is_stemmable(published) {
                    continue;
                }
                for &pattern in table.by_stem.get(&language::stem(table.language, published)).into_iter().flatten() {
                    self.hit(pattern, at, at + 1, hits);
                }
            }
        }
    }

    /// Wildcards open on both sides, and regular expressions.
    fn pieces(&self, hits: &mut Hits) {
        let mut due: Vec<usize> = (0..self.index.regexes.len()).filter(|&at| !self.index.regexes[at].guarded).collect();
        if let Some(automaton) = &self.index.pieces {
            for found in automaton.find_overlapping_iter(&self.text.folded) {
                for call in &self.index.calls[found.value() as usize] {
                    match *call {
                        Call::Regex(number) => due.push(number),
                        Call::Glob(anchor) => {
                            let tokens = &self.text.tokens;
                            let at = tokens.partition_point(|token| (token.end as usize) < found.end());
                            if tokens.get(at).is_some_and(|token| token.start as usize <= found.start()) {
                                self.anchored(&[anchor], at, hits);
                            }
                        }
                    }
                }
            }
        }
        due.sort_unstable();
        due.dedup();
        for number in due {
            self.regex(&self.index.regexes[number], hits);
        }
    }

    fn regex(&self, sought: &SoughtRegex, hits: &mut Hits) {
        let tokens = &self.text.tokens;
        let text = &self.source[..self.source.floor_char_boundary(REGEX_TEXT_BYTES)];
        for found in sought.regex.find_iter(text).filter(|found| !found.is_empty()) {
            let start = tokens.partition_point(|token| (token.source_end as usize) <= found.start());
            let end = tokens.partition_point(|token| (token.source_start as usize) < found.end());
            let span = (super::fold::to_u32(found.start()), super::fold::to_u32(found.end()));
            hits.add(sought.pattern, self.field, (start, end.max(start)), span);
        }
    }
}
