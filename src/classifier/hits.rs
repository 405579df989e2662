//! Where terms were found in an item, by term and by field.

use super::index::PatternId;
use super::program::{Fields, Terms};
use crate::model::Field;
use crate::query::Scope;

/// The number of [`Field`]s.
pub(super) const FIELDS: usize = Field::Tag as usize + 1;

/// One occurrence of a term.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub field: Field,
    /// Words of the field; empty when a regular expression found no word.
    pub start: u32,
    pub end: u32,
    /// Bytes of the field's published text.
    pub source_start: u32,
    pub source_end: u32,
    /// Number of the term's next hit, 0 for none.
    next: u32,
}

#[derive(Debug, Default)]
pub(super) struct Hits {
    round: u32,
    /// Per term: the round in which it was last found, its first and last hit in it, and the fields of all.
    terms: Vec<TermHits>,
    /// A bit for each term found in any field of [`Fields::TEXT`]. Most terms that rules ask for are not there, and this
    /// fits the fastest cache.
    in_text: Vec<u64>,
    /// By field: a bit for each term found in it.
    in_field: [Vec<u64>; FIELDS],
    /// The fields in which any was found.
    fields: Fields,
    /// A bit for each term that was looked for late: see [`Hits::begin_look`].
    looked_for: Vec<u64>,
    /// The first stands for "none".
    all: Vec<Hit>,
    /// The terms found in this round, in the order found.
    pub found: Vec<PatternId>,
}

#[derive(Debug, Clone, Copy, Default)]
struct TermHits {
    round: u32,
    first: u32,
    last: u32,
    fields: Fields,
}

impl Hits {
    /// Starts on the next item.
    pub fn clear(&mut self, terms: usize) {
        self.terms.resize(terms, TermHits::default());
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.terms.fill(TermHits::default());
            self.round = 1;
        }
        let Self { fields, in_field, in_text, looked_for, found, .. } = self;
        let touched = fields.iter().map(|field| field as usize);
        touched.for_each(|field| found.iter().for_each(|&term| in_field[field][place(term).0] = 0));
        found.iter().for_each(|&term| in_text[place(term).0] = 0);
        looked_for.fill(0);
        for set in in_field.iter_mut().chain([in_text, looked_for]) {
            set.resize(terms.div_ceil(64), 0);
        }
        self.fields = Fields::default();
        self.found.clear();
        self.all.clear();
        self.all.push(Hit { field: Field::Title, start: 0, end: 0, source_start: 0, source_end: 0, next: 0 });
    }

    /// Notes an occurrence; one that was just noted is not noted twice.
    pub fn add(&mut self, term: PatternId, field: Field, words: (usize, usize), source: (u32, u32)) {
        let number = super::fold::to_u32(self.all.len());
        let (start, end) = (super::fold::to_u32(words.0), super::fold::to_u32(words.1));
        let entry = &mut self.terms[term as usize];
        if entry.round == self.round {
            let last = &mut self.all[entry.last as usize];
            if last.field == field && last.start == start && last.source_start == source.0 {
                return;
            }
            last.next = number;
            entry.last = number;
        } else {
            *entry = TermHits { round: self.round, first: number, last: number, fields: Fields::default() };
            self.found.push(term);
        }
        if !entry.fields.contains(field) {
            entry.fields.add(Fields::of(Scope::Field(field)));
            self.mark(term, field);
        }
        self.all.push(Hit { field, start, end, source_start: source.0, source_end: source.1, next: 0 });
    }

    fn mark(&mut self, term: PatternId, field: Field) {
        let (word, bit) = place(term);
        self.in_field[field as usize][word] |= bit;
        self.fields.add(Fields::of(Scope::Field(field)));
        if Fields::TEXT.contains(field) {
            self.in_text[word] |= bit;
        }
    }

    /// Whether this is the first look for a term that is not sought while the fields are read.
    pub fn begin_look(&mut self, term: PatternId) -> bool {
        let (word, bit) = place(term);
        let is_first = self.looked_for[word] & bit == 0;
        self.looked_for[word] |= bit;
        is_first
    }

    /// The fields in which a term of [`Self::found`] was found.
    pub fn fields_of(&self, term: PatternId) -> Fields {
        self.terms[term as usize].fields
    }

    /// Whether a term was found in any field.
    pub fn is_found(&self, term: PatternId) -> bool {
        self.terms[term as usize].round == self.round
    }

    /// Whether one of the terms was found in their fields.
    pub fn any_of(&self, terms: &Terms) -> bool {
        let set = self.found_in(terms.fields);
        terms.meet(|word| set[word as usize])
    }

    /// The hits of those terms that were found in their fields, by term; some of these hits may lie in other fields.
    pub fn of<'a>(&'a self, terms: &'a Terms) -> impl Iterator<Item = &'a Hit> {
        let set = self.found_in(terms.fields);
        terms.common_with(|word| set[word as usize]).flat_map(|term| self.of_term(term))
    }

    /// In the order found.
    fn of_term(&self, term: PatternId) -> impl Iterator<Item = &Hit> {
        let mut next = self.terms[term as usize].first;
        std::iter::from_fn(move || {
            let hit = (next != 0).then(|| &self.all[next as usize])?;
            next = hit.next;
            Some(hit)
        })
    }

    /// The set of what was found in the fields of a query: those of a text, or one.
    fn found_in(&self, fields: Fields) -> &[u64] {
        match fields.single() {
            Some(field) => &self.in_field[field],
            None => &self.in_text,
        }
    }
}

/// The word of a set in which a term's bit is, and that bit.
fn place(term: PatternId) -> (usize, u64) {
    (term as usize / 64, 1 << (term % 64))
}
