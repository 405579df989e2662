//! The words that an index finds items by, and what a query needs of them.
//!
//! Both sides cut texts with the tokens that matching works on, so that the index never lacks an item that a query holds
//! for. What it offers beyond those, the evaluator turns down.

use super::item::ItemText;
use super::pattern::{Form, Pattern, Word};
use super::program::Fields;
use super::tokens::{FieldText, Gap};
use crate::model::{Field, Needed, TagName};
use crate::query::{Expr, ExprKind, Query, Term, is_unspaced};
use std::collections::{BTreeMap, BTreeSet};

/// The fields whose words are indexed: those that an item has of itself and that hold language.
const INDEXED: [Field; 5] = [Field::Title, Field::Summary, Field::Content, Field::Category, Field::Author];
/// The symbols that words of the index hold beside letters and digits: those of `C++`, `C#`, `3.5`, `1,000`, `AT&T`.
const SYMBOLS: &[u8] = b"+#.,&";
/// Most bytes of a word in the index; a longer one is known by its start.
const MAX_WORD_BYTES: usize = 32;

/// The words of an item, each once, with blanks between them.
#[must_use]
pub fn index_words(item: &ItemText<'_>) -> String {
    let mut words = BTreeSet::new();
    let mut text = FieldText::default();
    for field in INDEXED {
        text.clear();
        let mut at = 0;
        for value in item.values(field) {
            text.append(&value, at);
            at += value.len() + 1;
        }
        for (at, token) in text.tokens.iter().enumerate() {
            let word = text.text(token);
            let next = text.tokens.get(at + 1).filter(|next| token.unspaced && next.unspaced && next.gap == Gap::Glued);
            match next {
                Some(next) => add(&mut words, &format!("{word}{}", text.text(next))),
                None => add(&mut words, word),
            }
            if token.short_len > 0 {
                add(&mut words, text.short_text(token));
            }
        }
    }
    let mut joined = String::with_capacity(words.iter().map(|word| word.len() + 1).sum());
    for word in words {
        joined.push_str(&word);
        joined.push(' ');
    }
    joined
}

fn add(words: &mut BTreeSet<String>, word: &str) {
    let word = indexed(word);
    if !word.is_empty() && !words.contains(word) {
        words.insert(word.to_owned());
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
        ExprKind::Not(_) | ExprKind::Compare(_) => Needed::Anything,
        ExprKind::Scope(scope, inner) => of_expr(inner, Fields::of(*scope), lists),
        ExprKind::Proximity { left, operator, .. } if operator.negated => of_expr(left, fields, lists),
        ExprKind::Proximity { left, right, .. } => {
            Needed::all([of_expr(left, fields, lists), of_expr(right, fields, lists)])
        }
        ExprKind::Term(Term::Text { text, exact }) if fields.iter().all(|field| INDEXED.contains(&field)) => {
            Pattern::new(text, *exact).map_or(Needed::Anything, |pattern| of_words(&pattern.words))
        }
        // An expression may hold across words, a stem under many forms.
        ExprKind::Term(_) => Needed::Anything,
        ExprKind::List(name) => {
            let terms = lists.get(name).into_iter().flatten();
            Needed::any(terms.map(|term| of_expr(&term.root, fields, lists)))
        }
        ExprKind::Tag(name) => Needed::Tag(TagName(name.clone())),
    }
}

/// Words in a row: characters of a run by the pairs that they make, the rest by themselves.
fn of_words(words: &[Word]) -> Needed {
    let run = |word: &Word| match &word.form {
        Form::Literal { text, .. } if text.starts_with(|c: char| is_unspaced(c) && c.is_alphanumeric()) => {
            Some(text.clone())
        }
        _ => None,
    };
    let follows = |word: &Word| run(word).filter(|_| word.gap == Gap::Glued);
    let each = words.iter().enumerate().map(|(at, word)| match (&word.form, run(word)) {
        (_, Some(first)) => match words.get(at + 1).and_then(follows) {
            Some(second) => exactly(&format!("{first}{second}")),
            // Whatever follows in the text is part of the word that the index has; after a pair, that is known already.
            None if at > 0 && run(&words[at - 1]).is_some() && word.gap == Gap::Glued => Needed::Anything,
            None => starting(&first),
        },
        (Form::Literal { text, .. }, None) => exactly(text),
        (Form::Glob(glob), None) if !glob.open_start => {
            glob.pieces.first().map_or(Needed::Anything, |piece| starting(piece))
        }
        (Form::Glob(_), None) => Needed::Anything,
    });
    Needed::all(each)
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
