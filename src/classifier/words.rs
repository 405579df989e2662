//! The words that an index finds items by, and what a query needs of them.
//!
//! Both sides cut texts with the tokens that matching works on, so that the index never lacks an item that a query holds
//! for. What it offers beyond those, the evaluator turns down.

use super::fold::to_u32;
use super::item::ItemText;
use super::pattern::{Form, Pattern, Word};
use super::program::Fields;
use super::tokens::{FieldText, Gap, hash_word};
use crate::model::{Field, Needed, TagName};
use crate::query::{Expr, ExprKind, Query, Term, is_unspaced};
use std::collections::BTreeMap;

/// The fields whose words are indexed: those that an item has of itself and that hold language.
pub(super) const INDEXED: [Field; 5] = [Field::Title, Field::Summary, Field::Content, Field::Category, Field::Author];
/// The symbols that words of the index hold beside letters and digits: those of `C++`, `C#`, `3.5`, `1,000`, `AT&T`.
const SYMBOLS: &[u8] = b"+#.,&";
/// Most bytes of a word in the index; a longer one is known by its start.
const MAX_WORD_BYTES: usize = 32;

/// The words of an item with blanks between them, each once.
#[must_use]
pub fn index_words(item: &ItemText<'_>) -> String {
    let mut words = IndexWords::default();
    let mut text = FieldText::default();
    for field in INDEXED {
        text.refill(field, item, &item.field_text(field));
        words.add_text(&text);
    }
    words.words
}

/// Words with blanks between them, and where each stands: most words of a text come more than once, its summary's above
/// all, and telling so here costs a fraction of what it costs the index.
#[derive(Debug, Default)]
pub(super) struct IndexWords {
    pub words: String,
    /// Start and end of each, at its hash or the next free place; 0 and 0 where none is.
    places: Vec<(u32, u32)>,
    count: usize,
    pair: String,
}

impl IndexWords {
    pub fn add_text(&mut self, text: &FieldText) {
        // Most words come once: a buffer that grows by doubling would be copied again and again.
        self.words.reserve(text.folded.len() / 2);
        for (at, token) in text.tokens.iter().enumerate() {
            let word = text.text(token);
            let next = text.tokens.get(at + 1).filter(|next| token.unspaced && next.unspaced && next.gap == Gap::Glued);
            match next {
                Some(next) => {
                    let mut pair = std::mem::take(&mut self.pair);
                    pair.clear();
                    pair.extend([word, text.text(next)]);
                    self.add(&pair, hash_word(&pair));
                    self.pair = pair;
                }
                None => self.add(word, token.hash),
            }
            if token.short_len > 0 {
                let short = text.short_text(token);
                self.add(short, hash_word(short));
            }
        }
    }

    /// Adds as much of the word as the index has of it, unless that is there already.
    fn add(&mut self, word: &str, hash: u64) {
        let known = indexed(word);
        let hash = if known.len() == word.len() { hash } else { hash_word(known) };
        if known.is_empty() {
            return;
        }
        if self.count * 2 >= self.places.len() {
            self.grow();
        }
        let place = self.place_of(known, hash);
        if self.places[place].1 == 0 {
            let start = self.words.len();
            self.words.push_str(known);
            self.places[place] = (to_u32(start), to_u32(self.words.len()));
            self.count += 1;
            self.words.push(' ');
        }
    }

    /// Where the word is, or where it would be.
    fn place_of(&self, word: &str, hash: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut place = usize::try_from(hash).unwrap_or(usize::MAX) & mask;
        loop {
            let (start, end) = self.places[place];
            if end == 0 || self.words.as_bytes()[start as usize..end as usize] == *word.as_bytes() {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let larger = vec![(0, 0); (self.places.len() * 2).max(512)];
        for (start, end) in std::mem::replace(&mut self.places, larger).into_iter().filter(|place| place.1 > 0) {
            let word = &self.words[start as usize..end as usize];
            let place = self.place_of(word, hash_word(word));
            self.places[place] = (start, end);
        }
    }
}

/// As much of a word as the index has of it.
fn indexed(word: &str) -> &str {
    let known = |byte: u8| !byte.is_ascii() || byte.is_ascii_alphanumeric() || SYMBOLS.contains(&byte);
    let end = word.bytes().position(|byte| !known(byte)).unwrap_or(word.len());
    &word[..word.floor_char_boundary(end.min(MAX_WORD_BYTES))]
}

/// What an item must have for a query over these lists to hold. The lists are known to be without circles.
pub(super) fn needed(query: &Query, lists: &BTreeMap<String, Vec<Query>>) -> Needed {
    of_expr(&query.root, Fields::TEXT, lists)
}

fn of_expr(expr: &Expr, fields: Fields, lists: &BTreeMap<String, Vec<Query>>) -> Needed {
    let each = |parts: &[Expr]| parts.iter().map(|part| of_expr(part, fields, lists)).collect::<Vec<_>>();
    match &expr.kind {
        ExprKind::And(parts) => Needed::all(each(parts)),
        ExprKind::Or(parts) => Needed::any(each(parts)),
        ExprKind::Scope(scope, inner) => of_expr(inner, Fields::of(*scope), lists),
        ExprKind::Proximity { left, operator, .. } if operator.negated => of_expr(left, fields, lists),
        ExprKind::Proximity { left, right, .. } => {
            Needed::all([of_expr(left, fields, lists), of_expr(right, fields, lists)])
        }
        ExprKind::Term(Term::Text { text, exact }) if fields.iter().all(|field| INDEXED.contains(&field)) => {
            Pattern::new(text, *exact).map_or(Needed::Anything, |pattern| of_words(&pattern.words))
        }
        // What holds by absence needs nothing; an expression may hold across words, a stem under many forms.
        ExprKind::Not(_) | ExprKind::Compare(_) | ExprKind::Term(_) => Needed::Anything,
        ExprKind::List(name) => {
            let terms = lists.get(name).into_iter().flatten();
            Needed::any(terms.map(|term| of_expr(&term.root, fields, lists)))
        }
        ExprKind::Tag(name) => Needed::Tag(TagName(name.clone())),
    }
}

/// Words in a row: characters of a run by the pairs that they make, the rest by themselves.
fn of_words(words: &[Word]) -> Needed {
    let in_run = |at: usize| words.get(at).and_then(literal).filter(|text| is_of_a_run(text));
    let in_same_run = |at: usize| in_run(at).filter(|_| words[at].gap == Gap::Glued);
    let each = words.iter().enumerate().map(|(at, word)| match (in_run(at), literal(word), &word.form) {
        (Some(first), ..) => match in_same_run(at + 1) {
            Some(second) => exactly(&format!("{first}{second}")),
            // The pair before it holds it.
            None if at > 0 && in_run(at - 1).is_some() && word.gap == Gap::Glued => Needed::Anything,
            // What follows it in the text is a part of the word that the index has.
            None => starting(first),
        },
        (None, Some(text), _) => exactly(text),
        (None, None, Form::Glob(glob)) if !glob.open_start => {
            glob.pieces.first().map_or(Needed::Anything, |piece| starting(piece))
        }
        (None, None, _) => Needed::Anything,
    });
    Needed::all(each)
}

fn literal(word: &Word) -> Option<&str> {
    match &word.form {
        Form::Literal(text) => Some(text),
        Form::Glob(_) => None,
    }
}

/// Whether a word is a character of a script without spaces.
fn is_of_a_run(word: &str) -> bool {
    word.starts_with(|c: char| is_unspaced(c) && c.is_alphanumeric())
}

fn exactly(word: &str) -> Needed {
    match indexed(word) {
        "" => Needed::Anything,
        word => Needed::Word(word.to_owned()),
    }
}

fn starting(start: &str) -> Needed {
    match indexed(start) {
        "" => Needed::Anything,
        start => Needed::WordStart(start.to_owned()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::query;

    /// Whether an index that has these words and tags of an item offers it.
    pub(in super::super) fn has(needed: &Needed, words: &str, tags: &[&str]) -> bool {
        match needed {
            Needed::Anything => true,
            Needed::Word(word) => words.split(' ').any(|own| own == word),
            Needed::WordStart(start) => words.split(' ').any(|own| own.starts_with(start)),
            Needed::Tag(tag) => tags.contains(&tag.0.as_str()),
            Needed::All(parts) => parts.iter().all(|part| has(part, words, tags)),
            Needed::Any(parts) => parts.iter().any(|part| has(part, words, tags)),
        }
    }

    fn told(needed: &Needed) -> String {
        let joined =
            |parts: &[Needed], sign: &str| format!("({})", parts.iter().map(told).collect::<Vec<_>>().join(sign));
        match needed {
            Needed::Anything => "anything".to_owned(),
            Needed::Word(word) => word.clone(),
            Needed::WordStart(start) => format!("{start}*"),
            Needed::Tag(tag) => format!("tag:{}", tag.0),
            Needed::All(parts) => joined(parts, " & "),
            Needed::Any(parts) => joined(parts, " | "),
        }
    }

    #[test]
    fn a_query_needs_what_no_item_that_it_holds_for_can_lack() {
        let terms = |text: &str| query::parse(text).expect("a term").0;
        let many = (0..1_000).map(|number| terms(&format!("word{number}"))).collect();
        let lists =
            BTreeMap::from([("ai".to_owned(), vec![terms("=AI"), terms("人工智能")]), ("many".to_owned(), many)]);
        let check = |query: &str, expected: &str| {
            let (query, _) = query::parse(query).unwrap_or_else(|faults| panic!("{query}: {faults:?}"));
            assert_eq!(told(&needed(&query, &lists)), expected, "{query}");
        };
        check("Zeppelin", "zeppelin");
        check("\"Élan vital\" NEAR/3 relocat*", "(elan & vital & relocat*)");
        check("法国", "法国");
        check("法", "法*");
        check("\"法国 AI公司\"", "(法国 & ai & 公司)");
        check("人工智能", "(人工 & 工智 & 智能)");
        check("C++ OR AT&T OR .NET OR 3.5", "(c++ | at&t | .net | 3.5)");
        check("@ai France", "((ai | (人工 & 工智 & 智能)) & france)");
        check("@many France", "france");
        check("France NOT Paris", "france");
        check("Mistral NOT NEAR/3 Bugatti", "mistral");
        check("tag:french-ai words>300", "tag:french-ai");
        check("title:(wind* OR storm)", "(wind* | storm)");
        check("author:doe category:ai", "(doe & ai)");
        check("France OR ~relocate", "anything");
        check("*ization OR /zep+elin/", "anything");
        check("url:mistral", "anything");
        check("-France", "anything");
        check(&format!("x{}", "y".repeat(100)), &format!("x{}", "y".repeat(31)));
    }

    #[test]
    fn an_item_has_its_words_and_runs_as_pairs() {
        let item = ItemText {
            title: "Disney+ and AT&T, and Élan",
            summary: "法国AI公司。国",
            categories: &["Ünï code".to_owned()],
            ..ItemText::default()
        };
        let words = index_words(&item);
        assert_eq!(words, "disney+ disney and at&t elan 法国 国 ai 公司 司 uni code ");
    }
}
