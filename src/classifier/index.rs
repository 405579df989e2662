//! All terms of all rules, looked for in one pass over a field's words.
//!
//! Measured on items of 600 characters: looking each word up, and each pair of words, beats an Aho-Corasick automaton at
//! a fraction of its memory, and serves scripts without spaces as well, whose characters are words here. An automaton is
//! left for what is sought within words.

use super::affixes::Affixes;
use super::hits::Hits;
use super::lexicon::{Lexicon, LexiconBuilder, WordId};
use super::pattern::{Form, Pattern};
use super::pieces::{Pieces, PiecesBuilder};
use super::program::{Fields, Terms};
use super::stems::Stems;
use super::tokens::{FieldText, Gap, Token, hash_word};
use crate::model::Field;
use std::collections::HashMap;

/// Number of a term in its index.
pub(super) type PatternId = u32;

/// What a term asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Sought {
    Words(Pattern),
    Stem(String),
    Regex(String),
}

#[derive(Default)]
pub(super) struct Index {
    /// By term: where it counts. Most are asked for in titles alone.
    fields: Vec<Fields>,
    lexicon: Lexicon,
    /// By word: where its anchors start in `alone` and in `after`; one more for the end of the last.
    starts: Vec<[u32; 2]>,
    /// Anchors at a word.
    alone: Vec<Anchor>,
    /// Anchors at two words in a row, with the first of them; by the second, then by the first.
    after: Vec<(WordId, Anchor)>,
    /// The patterns that an anchor does not settle.
    patterns: Vec<Pattern>,
    affixes: Affixes,
    pieces: Pieces,
    stems: Stems,
    /// A bit for each term that is looked for when a query asks.
    late: Vec<u64>,
}

/// A place in a term by which it is found, and what else has to be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    term: PatternId,
    check: Check,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    /// The term is one word, and that was found.
    Word,
    /// The term is two words, which were found; the widest gap between them that it takes.
    Pair(Gap),
    /// The whole pattern, which starts so many words before.
    Whole { pattern: u32, offset: u8 },
}

/// The terms of an index while it is gathered.
#[derive(Debug, Default)]
pub(super) struct IndexBuilder {
    ids: HashMap<Sought, PatternId>,
    /// With the fields that any query looks for it in.
    sought: Vec<(Sought, Fields)>,
}

impl IndexBuilder {
    /// The number of what is sought in `fields`; the same for the same.
    pub fn add(&mut self, sought: Sought, fields: Fields) -> PatternId {
        let next = PatternId::try_from(self.sought.len()).expect("fewer than 2^32 terms");
        let number = *self.ids.entry(sought).or_insert_with_key(|sought| {
            self.sought.push((sought.clone(), fields));
            next
        });
        self.sought[number as usize].1.add(fields);
        number
    }

    pub fn build(self) -> Index {
        let Self { ids, sought } = self;
        drop(ids);
        let mut plan = Plan::default();
        for (term, (sought, fields)) in (0..).zip(sought) {
            plan.fields.push(fields);
            match sought {
                Sought::Words(pattern) => plan.place(term, pattern, fields),
                Sought::Stem(word) => plan.stems.add(term, &word),
                Sought::Regex(source) => plan.pieces.add_regex(term, &source, fields),
            }
        }
        plan.finish()
    }
}

/// Where each term will be anchored.
#[derive(Default)]
struct Plan {
    fields: Vec<Fields>,
    lexicon: LexiconBuilder,
    alone: Vec<(WordId, Anchor)>,
    /// By the second word, then the first.
    after: Vec<(WordId, WordId, Anchor)>,
    patterns: Vec<Pattern>,
    affixes: Affixes,
    pieces: PiecesBuilder,
    stems: Stems,
}

impl Plan {
    /// By two literal words in a row if there are, else by one, else by a wildcard.
    fn place(&mut self, term: PatternId, pattern: Pattern, fields: Fields) {
        let words = &pattern.words[..pattern.words.len().min(usize::from(u8::MAX))];
        let literal = |at: usize| match &words.get(at)?.form {
            Form::Literal(text) => Some(&**text),
            Form::Glob(_) => None,
        };
        let settled = match (&*pattern.words, pattern.exact) {
            ([_], false) => Some(Check::Word),
            ([_, second], false) => Some(Check::Pair(second.gap)),
            _ => None,
        };
        let number = super::fold::to_u32(self.patterns.len());
        let whole = |at: usize| {
            let offset = u8::try_from(at).expect("cut to 255 words");
            Anchor { term, check: Check::Whole { pattern: number, offset } }
        };
        let anchor = |at: usize| settled.map_or_else(|| whole(at), |check| Anchor { term, check });
        if let Some((at, first, second)) = (0..words.len()).find_map(|at| Some((at, literal(at)?, literal(at + 1)?))) {
            let (first, second) = (self.lexicon.add(first), self.lexicon.add(second));
            self.after.push((second, first, anchor(at)));
            if settled.is_some() {
                return;
            }
        } else if let Some((at, word)) = (0..words.len()).find_map(|at| Some((at, literal(at)?))) {
            let is_all = words.len() == 1;
            self.alone.push((self.lexicon.add(word), if is_all { anchor(at) } else { whole(at) }));
            if is_all && settled.is_some() {
                return;
            }
        } else if let Form::Glob(glob) = &words[0].form
            && !self.affixes.add(glob, whole(0), fields)
        {
            self.pieces.add_glob(glob, whole(0), fields);
        }
        self.patterns.push(pattern);
    }

    fn finish(mut self) -> Index {
        self.alone.sort_by_key(|&(word, anchor)| (word, anchor.term));
        self.after.sort_by_key(|&(second, first, anchor)| (second, first, anchor.term));
        let lexicon = self.lexicon.build();
        let (mut alone, mut after) = (0, 0);
        let starts = (0..=super::fold::to_u32(lexicon.len()))
            .map(|word| {
                alone += self.alone[alone..].partition_point(|entry| entry.0 < word);
                after += self.after[after..].partition_point(|entry| entry.0 < word);
                [super::fold::to_u32(alone), super::fold::to_u32(after)]
            })
            .collect();
        let pieces = self.pieces.build();
        let mut late = vec![0; self.fields.len().div_ceil(64)];
        pieces.late().for_each(|term| late[term as usize / 64] |= 1 << (term % 64));
        Index {
            fields: self.fields,
            lexicon,
            starts,
            alone: self.alone.into_iter().map(|(_, anchor)| anchor).collect(),
            after: self.after.into_iter().map(|(_, first, anchor)| (first, anchor)).collect(),
            patterns: self.patterns,
            affixes: self.affixes,
            pieces,
            stems: self.stems,
            late,
        }
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("terms", &self.len()).finish_non_exhaustive()
    }
}

impl Index {
    /// How many terms there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Where a term counts.
    pub fn fields_of(&self, term: PatternId) -> Fields {
        self.fields[term as usize]
    }

    /// Whether a term is not found by [`Self::scan`], but by [`Self::scan_late`].
    pub fn is_late(&self, term: PatternId) -> bool {
        self.late[term as usize / 64] >> (term % 64) & 1 == 1
    }

    /// Those of some terms that are late.
    pub fn late_among(&self, terms: &Terms) -> impl Iterator<Item = PatternId> {
        terms.common_with(|word| self.late[word as usize])
    }

    /// Finds every term in a field but the late ones; `source` is its text as published, of which `text` holds the words.
    /// The item's language is asked for where stems are sought.
    pub fn scan<'l>(
        &self,
        field: Field,
        text: &FieldText,
        source: &str,
        language: impl FnOnce() -> Option<&'l str>,
        hits: &mut Hits,
    ) {
        let mut scan = Scan { index: self, field, text, source, hits };
        scan.words();
        self.affixes.scan(&mut scan);
        self.stems.scan(language, &mut scan);
        self.pieces.scan(&mut scan);
    }

    /// Finds a late term in a field.
    pub fn scan_late(&self, term: PatternId, field: Field, text: &FieldText, source: &str, hits: &mut Hits) {
        self.pieces.scan_late(term, &mut Scan { index: self, field, text, source, hits });
    }

    fn find(&self, hash: u64, word: &str) -> Option<WordId> {
        self.lexicon.find(hash, word)
    }

    /// Anchors at `word`.
    fn alone(&self, word: WordId) -> &[Anchor] {
        let (from, to) = (self.starts[word as usize][0], self.starts[word as usize + 1][0]);
        &self.alone[from as usize..to as usize]
    }

    /// Anchors at `first` with `second` right after it.
    fn after(&self, first: WordId, second: WordId) -> &[(WordId, Anchor)] {
        let (from, to) = (self.starts[second as usize][1], self.starts[second as usize + 1][1]);
        let pairs = &self.after[from as usize..to as usize];
        let start = pairs.partition_point(|&(other, _)| other < first);
        let count = pairs[start..].iter().take_while(|&&(other, _)| other == first).count();
        &pairs[start..start + count]
    }
}

/// The look at one field.
pub(super) struct Scan<'a> {
    index: &'a Index,
    pub field: Field,
    pub text: &'a FieldText,
    /// The field as published.
    pub source: &'a str,
    pub hits: &'a mut Hits,
}

impl Scan<'_> {
    fn words(&mut self) {
        let (index, text) = (self.index, self.text);
        let mut before = [None, None];
        for (at, token) in text.tokens.iter().enumerate() {
            // Most words of a text are in no term.
            if token.short_len == 0 && !index.lexicon.may_have(token.hash) {
                before = [None, None];
                continue;
            }
            let words = [index.find(token.hash, text.text(token)), self.short_form(token)];
            for word in words.into_iter().flatten() {
                index.alone(word).iter().for_each(|anchor| self.anchored(*anchor, at));
                for first in before.into_iter().flatten() {
                    index.after(first, word).iter().for_each(|(_, anchor)| self.anchored(*anchor, at - 1));
                }
            }
            before = words;
        }
    }

    /// A word like *Disney+* without the `+`.
    fn short_form(&self, token: &Token) -> Option<WordId> {
        let short = (token.short_len > 0).then(|| self.text.short_text(token))?;
        self.index.find(hash_word(short), short)
    }

    /// Tries the term that has its anchor at word `at`.
    pub fn anchored(&mut self, anchor: Anchor, at: usize) {
        if !self.is_wanted(anchor.term) {
            return;
        }
        let words = match anchor.check {
            Check::Word => 1,
            Check::Pair(widest) if self.text.tokens[at + 1].gap <= widest => 2,
            Check::Pair(_) => return,
            Check::Whole { pattern, offset } => {
                let pattern = &self.index.patterns[pattern as usize];
                let Some(start) = at.checked_sub(usize::from(offset)) else { return };
                if pattern.matches_at(self.text, start, self.source) {
                    self.hit(anchor.term, start, start + pattern.words.len());
                }
                return;
            }
        };
        self.hit(anchor.term, at, at + words);
    }

    /// Whether any query looks for a term in this field.
    pub fn is_wanted(&self, term: PatternId) -> bool {
        self.index.fields[term as usize].contains(self.field)
    }

    /// Notes that a term stands at some words.
    pub fn hit(&mut self, term: PatternId, start: usize, end: usize) {
        let (first, last) = (&self.text.tokens[start], &self.text.tokens[end - 1]);
        self.hits.add(term, self.field, (start, end), (first.source_start, last.source_end));
    }
}
