//! Where terms were found in an item, by term. Emptied by raising a number, not by clearing.

use super::index::PatternId;
use super::program::Fields;
use crate::model::Field;
use crate::query::Scope;

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
    /// A bit for each term found: most terms that rules ask for are not there, and this fits the fastest cache.
    present: Vec<u64>,
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
        self.found.iter().for_each(|&term| self.present[term as usize / 64] = 0);
        self.present.resize(terms.div_ceil(64), 0);
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
            entry.fields.add(Fields::of(Scope::Field(field)));
        } else {
            let fields = Fields::of(Scope::Field(field));
            *entry = TermHits { round: self.round, first: number, last: number, fields };
            self.present[term as usize / 64] |= 1 << (term % 64);
            self.found.push(term);
        }
        self.all.push(Hit { field, start, end, source_start: source.0, source_end: source.1, next: 0 });
    }

    /// The fields in which a term of [`Self::found`] was found.
    pub fn fields_of(&self, term: PatternId) -> Fields {
        self.terms[term as usize].fields
    }

    /// Whether a term was found in any field.
    pub fn is_found(&self, term: PatternId) -> bool {
        self.present[term as usize / 64] >> (term % 64) & 1 == 1
    }

    /// The hits of a term, in the order found.
    pub fn of(&self, term: PatternId) -> impl Iterator<Item = &Hit> {
        let mut next = if self.is_found(term) { self.terms[term as usize].first } else { 0 };
        std::iter::from_fn(move || {
            let hit = (next != 0).then(|| &self.all[next as usize])?;
            next = hit.next;
            Some(hit)
        })
    }
}
