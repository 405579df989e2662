//! Does a compiled query hold for an item, and where? The one evaluator of rules, digests and search.

use super::calls::{Candidate, Met};
use super::fold::to_u32;
use super::hits::{FIELDS, Hit, Hits};
use super::index::{Index, PatternId};
use super::item::ItemText;
use super::language;
use super::program::{Fields, Node, Terms};
use super::tokens::FieldText;
use crate::model::{Field, Timestamp};
use crate::query::{Proximity, ProximityKind};
use std::borrow::Cow;
use std::cell::{OnceCell, Ref, RefCell};
use std::cmp::Ordering;

/// Most places of one NEAR that are kept for what stands around it: a bound for hostile texts.
const MAX_OCCURRENCES: usize = 20_000;

/// Buffers for one item at a time.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    fields: [FieldText; FIELDS],
    pub hits: Hits,
    pub met: Met,
    /// Rules to look at, or those of them that hold.
    pub candidates: Vec<Candidate>,
}

/// An item read: its words, where the terms stand, its tags so far.
pub(super) struct Reading<'a> {
    pub item: &'a ItemText<'a>,
    sources: [Cow<'a, str>; FIELDS],
    fields: &'a [FieldText; FIELDS],
    index: &'a Index,
    /// What a query asks for late is added as it is evaluated.
    hits: RefCell<&'a mut Hits>,
    /// Told when it is first asked for: of all fields it alone is not there to be read, where nobody declared it.
    language: OnceCell<Option<String>>,
    /// The field, read when a query asks for it.
    language_field: OnceCell<FieldText>,
    pub now: Timestamp,
    /// By number of the tag's name, of those that a query names: whether the item has it.
    pub tags: Vec<bool>,
}

/// A stretch of published text that a query's holding rests on, in bytes of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub field: Field,
    pub start: usize,
    pub end: usize,
    /// For [`Field::Tag`]: the number of the tag's name.
    pub tag: u32,
}

/// A place in a field where a term stands, or the stretch over the two sides of a NEAR.
#[derive(Debug, Clone)]
pub(super) struct Occurrence {
    pub field: Field,
    pub start: u32,
    pub end: u32,
    source_start: u32,
    source_end: u32,
    /// The terms within, for the stretch of a NEAR.
    parts: Vec<Span>,
}

impl FieldText {
    /// Replaces the contents by a field of an item, whose text is `source`.
    pub fn refill(&mut self, field: Field, item: &ItemText<'_>, source: &str) {
        self.clear();
        match field {
            Field::Author | Field::Category | Field::Group | Field::Feed | Field::Tag => {
                let mut at = 0;
                for value in item.values(field) {
                    self.append(&value, at);
                    at += value.len() + 1;
                }
            }
            Field::Summary | Field::Content => self.append_blocks(source),
            _ => self.append(source, 0),
        }
    }
}

impl Scratch {
    /// Reads the fields that are looked at, and finds the terms of the index in them. The language is left until a query
    /// asks for it: to tell one that nobody declared takes as long as all the rest (measured on real feeds).
    pub fn read<'a>(
        &'a mut self,
        index: &'a Index,
        looked_at: Fields,
        item: &'a ItemText<'a>,
        now: Timestamp,
        tag_names: &[String],
    ) -> Reading<'a> {
        self.hits.clear(index.len());
        let mut sources: [Cow<'a, str>; FIELDS] = Default::default();
        let language = OnceCell::new();
        let of_stems = || language.get_or_init(|| language::of_item(item)).as_deref();
        for field in looked_at.iter().filter(|field| *field != Field::Lang) {
            let source = item.field_text(field);
            let text = &mut self.fields[field as usize];
            text.refill(field, item, &source);
            if !text.tokens.is_empty() {
                index.scan(field, text, &source, of_stems, &mut self.hits);
            }
            sources[field as usize] = source;
        }
        let tags = tag_names.iter().map(|name| item.tags.contains(&name.as_str())).collect();
        let (hits, language_field) = (RefCell::new(&mut self.hits), OnceCell::new());
        Reading { item, sources, fields: &self.fields, index, hits, language, language_field, now, tags }
    }
}

impl Reading<'_> {
    /// The published text of a field that was looked at.
    pub fn source(&self, field: Field) -> &str {
        match field {
            Field::Lang => self.language().unwrap_or_default(),
            _ => &self.sources[field as usize],
        }
    }

    /// The words of a field that was looked at.
    pub fn text(&self, field: Field) -> &FieldText {
        match field {
            Field::Lang => self.read_language(),
            _ => &self.fields[field as usize],
        }
    }

    fn language(&self) -> Option<&str> {
        self.language.get_or_init(|| language::of_item(self.item)).as_deref()
    }

    /// Reads the language, and finds the terms of the index in it, unless that was done.
    fn read_language(&self) -> &FieldText {
        self.language_field.get_or_init(|| {
            let (mut text, source) = (FieldText::default(), self.language().unwrap_or_default());
            text.append(source, 0);
            if !text.tokens.is_empty() {
                self.index.scan(Field::Lang, &text, source, || self.language(), &mut self.hits.borrow_mut());
            }
            text
        })
    }

    pub fn hits(&self) -> Ref<'_, Hits> {
        Ref::map(self.hits.borrow(), |hits| &**hits)
    }

    /// Looks for late terms, each once, and reads the language for those that are asked for in it.
    pub fn look_for(&self, terms: impl Iterator<Item = PatternId>) {
        for term in terms {
            let is_first = self.hits.borrow_mut().begin_look(term);
            for field in self.index.fields_of(term).iter().filter(|_| is_first) {
                let (text, source) = (self.text(field), self.source(field));
                if !text.tokens.is_empty() {
                    self.index.scan_late(term, field, text, source, &mut self.hits.borrow_mut());
                }
            }
        }
    }

    pub fn holds(&self, node: &Node) -> bool {
        match node {
            Node::All(parts) => parts.iter().all(|part| self.holds(part)),
            Node::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Node::Not(inner) => !self.holds(inner),
            Node::Terms(terms) => self.any_hit(terms),
            Node::Tag(number) => self.tags[*number as usize],
            Node::Compare(comparison) => comparison.holds(self.item.published_at, self.words(), self.now),
            Node::Proximity { left, operator, right } => {
                let left_only = operator.negated;
                if !self.may_occur(left) || (!left_only && !self.may_occur(right)) {
                    return false;
                }
                let (left, right) = (self.occurrences(left), self.occurrences(right));
                self.first_related(&left, *operator, &right)
            }
        }
    }

    /// The spans that the holding of `node` rests on, unsorted; none for what does not hold, or holds by absence.
    pub fn evidence(&self, node: &Node, spans: &mut Vec<Span>) {
        match node {
            Node::All(parts) => {
                if self.holds(node) {
                    parts.iter().for_each(|part| self.evidence(part, spans));
                }
            }
            Node::Any(parts) => parts.iter().for_each(|part| self.evidence(part, spans)),
            Node::Terms(terms) => self.each_hit(terms, |hit| spans.push(span_of(hit))),
            Node::Proximity { .. } if self.may_occur(node) => {
                self.occurrences(node).iter().for_each(|occurrence| occurrence.spans(spans));
            }
            Node::Tag(number) if self.tags[*number as usize] => {
                spans.push(Span { field: Field::Tag, start: 0, end: 0, tag: *number });
            }
            Node::Not(_) | Node::Compare(_) | Node::Proximity { .. } | Node::Tag(_) => {}
        }
    }

    /// Words of title, summary and content; two characters of an unspaced script are one.
    pub fn words(&self) -> u64 {
        let halves =
            [Field::Title, Field::Summary, Field::Content].map(|field| u64::from(self.fields[field as usize].halves()));
        halves.iter().sum::<u64>().div_ceil(2)
    }

    fn any_hit(&self, terms: &Terms) -> bool {
        let found = |hits: &Hits| {
            if terms.fields.are_plain() {
                hits.any_of(terms)
            } else {
                hits.of(terms).any(|hit| self.accepts(hit, terms.fields))
            }
        };
        if found(&self.hits.borrow()) {
            return true;
        }
        self.look_for_late(terms) && found(&self.hits.borrow())
    }

    /// Looks for those of the terms that were not sought while the fields were read. Whether there are any.
    fn look_for_late(&self, terms: &Terms) -> bool {
        let of_language = terms.fields.contains(Field::Lang);
        if of_language {
            self.read_language();
        }
        if terms.has_regex {
            self.look_for(self.index.late_among(terms));
        }
        of_language || terms.has_regex
    }

    fn each_hit(&self, terms: &Terms, visit: impl FnMut(&Hit)) {
        self.look_for_late(terms);
        self.hits.borrow().of(terms).filter(|hit| self.accepts(hit, terms.fields)).for_each(visit);
    }

    /// Whether a hit lies in the fields asked for. A group is matched whole, a language by its first part, and a host of
    /// several labels to its end: `host:example.org` is not *example.org.elsewhere.net*.
    fn accepts(&self, hit: &Hit, fields: Fields) -> bool {
        if !fields.contains(hit.field) {
            return false;
        }
        let tokens = &self.text(hit.field).tokens;
        let first = |hit: &Hit| tokens.get(hit.start as usize).is_some_and(|token| token.first);
        let last = |hit: &Hit| hit.end > hit.start && tokens[hit.end as usize - 1].last;
        match hit.field {
            Field::Group => first(hit) && last(hit),
            Field::Lang => first(hit),
            Field::Host => hit.end - hit.start < 2 || last(hit),
            _ => true,
        }
    }

    /// A quick answer: false when there is no occurrence for sure.
    fn may_occur(&self, node: &Node) -> bool {
        match node {
            Node::Terms(terms) => self.any_hit(terms),
            Node::Any(parts) => parts.iter().any(|part| self.may_occur(part)),
            Node::Proximity { left, operator, right } => {
                self.may_occur(left) && (operator.negated || self.may_occur(right))
            }
            Node::All(_) | Node::Not(_) | Node::Tag(_) | Node::Compare(_) => false,
        }
    }

    /// Where `node` stands, by field and place. What has no place, NEAR cannot take: the parser has said so.
    pub fn occurrences(&self, node: &Node) -> Vec<Occurrence> {
        let mut found = Vec::new();
        match node {
            Node::Terms(terms) => self.each_hit(terms, |hit| found.push(Occurrence::of(hit))),
            Node::Any(parts) => parts.iter().for_each(|part| found.extend(self.occurrences(part))),
            Node::Proximity { left, operator, right } => {
                found = self.related(self.occurrences(left), *operator, &self.occurrences(right));
            }
            Node::All(_) | Node::Not(_) | Node::Tag(_) | Node::Compare(_) => {}
        }
        found.sort_by(Occurrence::order);
        found.dedup_by(|a, b| a.order(b) == Ordering::Equal);
        found
    }

    fn related(&self, left: Vec<Occurrence>, operator: Proximity, right: &[Occurrence]) -> Vec<Occurrence> {
        let longest = longest(right);
        if operator.negated {
            return left
                .into_iter()
                .filter(|a| !self.window(a, operator, right, longest).iter().any(|b| self.are_related(a, operator, b)))
                .collect();
        }
        let mut found = Vec::new();
        for a in &left {
            for b in self.window(a, operator, right, longest) {
                if self.are_related(a, operator, b) {
                    found.push(a.joined(b));
                }
            }
            if found.len() >= MAX_OCCURRENCES {
                break;
            }
        }
        found
    }

    fn first_related(&self, left: &[Occurrence], operator: Proximity, right: &[Occurrence]) -> bool {
        let longest = longest(right);
        left.iter().any(|a| {
            self.window(a, operator, right, longest).iter().any(|b| self.are_related(a, operator, b))
                != operator.negated
        })
    }

    /// The part of `right`, sorted by place, that can be related to `a`.
    fn window<'b>(
        &self,
        a: &Occurrence,
        operator: Proximity,
        right: &'b [Occurrence],
        longest: u32,
    ) -> &'b [Occurrence] {
        let reach = match operator.distance {
            // A word is at least half a word in NEAR's count.
            Some(words) => u32::from(words) * 2,
            None => to_u32(self.text(a.field).tokens.len()),
        };
        let from = a.start.saturating_sub(reach.saturating_add(longest));
        let to = a.end.saturating_add(reach);
        let start = right.partition_point(|b| (b.field, b.start) < (a.field, from));
        let end = right.partition_point(|b| (b.field, b.start) <= (a.field, to));
        &right[start..end]
    }

    pub fn are_related(&self, a: &Occurrence, operator: Proximity, b: &Occurrence) -> bool {
        let Some(distance) = self.distance_words(a, b) else { return false };
        if distance == 0 {
            // One stretch of text is not near itself, but it may lie within the stretch of another NEAR.
            let distinct = operator.negated || !a.parts.is_empty() || !b.parts.is_empty();
            if !distinct || operator.kind == ProximityKind::Before {
                return false;
            }
        }
        if operator.kind == ProximityKind::Before && a.end > b.start {
            return false;
        }
        operator.distance.is_none_or(|most| distance <= u32::from(most))
            && (operator.kind != ProximityKind::Sentence || self.in_one_sentence(a, b))
    }

    /// How many words `b` is from `a`: 0 for an overlap, 1 side by side; `None` in different fields.
    pub fn distance_words(&self, a: &Occurrence, b: &Occurrence) -> Option<u32> {
        if a.field != b.field {
            return None;
        }
        let text = &self.fields[a.field as usize];
        let (first, second) = if a.start <= b.start { (a, b) } else { (b, a) };
        if second.start < first.end || (second.start == first.start && second.end == first.end) {
            return Some(0);
        }
        let begin = |at: u32| text.tokens.get(at as usize).map_or_else(|| text.halves(), |token| token.halves);
        let finish =
            if first.end > first.start { text.tokens[first.end as usize - 1].halves_end() } else { begin(first.start) };
        Some((begin(second.start) - finish).div_ceil(2) + 1)
    }

    pub fn in_one_sentence(&self, a: &Occurrence, b: &Occurrence) -> bool {
        let tokens = &self.fields[a.field as usize].tokens;
        let sentence = |at: u32| tokens.get(at as usize).or(tokens.last()).map(|token| token.sentence);
        let first = sentence(a.start.min(b.start));
        first == sentence(a.end.max(b.end).saturating_sub(1).max(a.start.max(b.start)))
    }

    /// An occurrence as published.
    pub fn words_of(&self, occurrence: &Occurrence) -> &str {
        &self.source(occurrence.field)[occurrence.source_start as usize..occurrence.source_end as usize]
    }
}

fn longest(occurrences: &[Occurrence]) -> u32 {
    occurrences.iter().map(|occurrence| occurrence.end - occurrence.start).max().unwrap_or(0)
}

fn span_of(hit: &Hit) -> Span {
    Span { field: hit.field, start: hit.source_start as usize, end: hit.source_end as usize, tag: 0 }
}

impl Occurrence {
    fn of(hit: &Hit) -> Self {
        Occurrence {
            field: hit.field,
            start: hit.start,
            end: hit.end,
            source_start: hit.source_start,
            source_end: hit.source_end,
            parts: Vec::new(),
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        let key =
            |o: &Self| (o.field, o.start, o.end, o.parts.is_empty(), if o.start == o.end { o.source_start } else { 0 });
        key(self).cmp(&key(other))
    }

    fn spans(&self, spans: &mut Vec<Span>) {
        if self.parts.is_empty() {
            spans.push(Span {
                field: self.field,
                start: self.source_start as usize,
                end: self.source_end as usize,
                tag: 0,
            });
        } else {
            spans.extend(&self.parts);
        }
    }

    fn joined(&self, other: &Self) -> Self {
        let mut parts = Vec::with_capacity(2);
        self.spans(&mut parts);
        other.spans(&mut parts);
        Occurrence {
            field: self.field,
            start: self.start.min(other.start),
            end: self.end.max(other.end),
            source_start: self.source_start.min(other.source_start),
            source_end: self.source_end.max(other.source_end),
            parts,
        }
    }
}
