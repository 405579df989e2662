//! Terms that set a tag's items apart from the rest: words, pairs of words, and runs of two to four characters of
//! scripts without spaces, folded and cut as queries are.
//!
//! Two passes: [`Candidates::gather`] over the tag's items, then [`Candidates::count`] over all. Pure.

use super::item::ItemText;
use super::program::Fields;
use super::tokens::{FieldText, Gap, Token};
use std::collections::{HashMap, HashSet};

/// Longest run of characters of an unspaced script that is taken for a word.
const MAX_RUN: usize = 4;
/// A term in fewer of the tag's items is chance.
const MIN_ITEMS: u32 = 2;
/// Most terms that are counted: those in the most of the tag's items.
const MAX_CANDIDATES: usize = 200_000;

/// Terms of the tag's items, with the items that hold each.
#[derive(Debug, Default)]
pub struct Candidates {
    terms: HashMap<Box<str>, Counts>,
    totals: Totals,
    scratch: FieldText,
}

/// Items that hold a term.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    gathered: u32,
    with_tag: u32,
    others: u32,
    /// Of the tag's items, those that its rule misses.
    missed: u32,
    /// Of the others, those that its rule rightly leaves alone.
    spared: u32,
}

/// Items in all.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    with_tag: u32,
    others: u32,
    /// Given by the rule, rightly and wrongly.
    right: u32,
    wrong: u32,
}

/// A term, how it is spread, and what it would be worth.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Suggestion {
    /// As it may stand in a query.
    pub term: String,
    pub items_with_tag: u32,
    pub other_items: u32,
    /// Dunning's log-likelihood ratio of the term with the tag: how far from chance.
    pub log_likelihood: f64,
    /// F1 of the term alone.
    pub f1: f64,
    /// What adding the term to the rule would add to its F1.
    pub f1_added: f64,
}

impl Candidates {
    /// Takes note of the terms of one of the tag's items.
    pub fn gather(&mut self, item: &ItemText<'_>) {
        for term in terms_of(item, &mut self.scratch) {
            self.terms.entry(term).or_default().gathered += 1;
        }
    }

    /// Ends gathering: what is too rare to tell anything is dropped.
    pub fn keep_frequent(&mut self) {
        self.terms.retain(|_, counts| counts.gathered >= MIN_ITEMS);
        if self.terms.len() > MAX_CANDIDATES {
            let mut gathered: Vec<u32> = self.terms.values().map(|counts| counts.gathered).collect();
            gathered.sort_unstable_by(|a, b| b.cmp(a));
            let least = gathered[MAX_CANDIDATES - 1];
            self.terms.retain(|_, counts| counts.gathered > least);
        }
    }

    /// Counts the candidates in an item that should have the tag (`wanted`) or not, and has it by the rule (`given`)
    /// or not.
    pub fn count(&mut self, item: &ItemText<'_>, wanted: bool, given: bool) {
        let totals = &mut self.totals;
        let (of_all, of_given) =
            if wanted { (&mut totals.with_tag, &mut totals.right) } else { (&mut totals.others, &mut totals.wrong) };
        *of_all += 1;
        *of_given += u32::from(given);
        for term in terms_of(item, &mut self.scratch) {
            let Some(counts) = self.terms.get_mut(&term) else { continue };
            if wanted {
                counts.with_tag += 1;
                counts.missed += u32::from(!given);
            } else {
                counts.others += 1;
                counts.spared += u32::from(!given);
            }
        }
    }

    /// The terms that are more frequent with the tag than without, at most `limit`: by what they add to F1 if that is
    /// what is asked for, then by log-likelihood.
    #[must_use]
    pub fn rank(&self, limit: usize, by_f1_added: bool) -> Vec<Suggestion> {
        let mut ranked: Vec<Suggestion> =
            self.terms.iter().filter_map(|(term, counts)| self.judge(term, *counts)).collect();
        ranked.sort_by(|a, b| {
            let gain = if by_f1_added { b.f1_added.total_cmp(&a.f1_added) } else { std::cmp::Ordering::Equal };
            gain.then(b.log_likelihood.total_cmp(&a.log_likelihood))
                // Of equals the plainer one: a word before a pair, and of runs the longest.
                .then(a.term.contains(' ').cmp(&b.term.contains(' ')))
                .then(b.term.len().cmp(&a.term.len()))
                .then_with(|| a.term.cmp(&b.term))
        });
        ranked.truncate(limit);
        ranked
    }

    fn judge(&self, term: &str, counts: Counts) -> Option<Suggestion> {
        let Totals { with_tag, others, right, wrong } = self.totals;
        let is_typical =
            u64::from(counts.with_tag) * u64::from(others) > u64::from(counts.others) * u64::from(with_tag);
        if !is_typical || counts.with_tag < MIN_ITEMS {
            return None;
        }
        let now = f1(right, wrong, with_tag);
        Some(Suggestion {
            term: as_query(term),
            items_with_tag: counts.with_tag,
            other_items: counts.others,
            log_likelihood: log_likelihood(counts.with_tag, with_tag, counts.others, others),
            f1: f1(counts.with_tag, counts.others, with_tag),
            f1_added: f1(right + counts.missed, wrong + counts.spared, with_tag) - now,
        })
    }
}

/// A term as it may stand in a query: in quotes when it is more than a plain word.
fn as_query(term: &str) -> String {
    if term.chars().all(char::is_alphanumeric) { term.to_owned() } else { format!("\"{term}\"") }
}

fn f1(right: u32, wrong: u32, wanted: u32) -> f64 {
    let whole = f64::from(right + wrong) + f64::from(wanted);
    if whole == 0.0 { 0.0 } else { 2.0 * f64::from(right) / whole }
}

/// Dunning 1993: twice the logarithm of how much likelier the counts are with a rate for each side than with one for
/// both. The two rows of the table are the items with the tag and the others, its columns with and without the term.
fn log_likelihood(with_tag: u32, all_with_tag: u32, others: u32, all_others: u32) -> f64 {
    let (a, b) = (f64::from(with_tag), f64::from(others));
    let (c, d) = (f64::from(all_with_tag) - a, f64::from(all_others) - b);
    let total = a + b + c + d;
    let part = |observed: f64, row: f64, column: f64| {
        if observed == 0.0 { 0.0 } else { observed * (observed * total / (row * column)).ln() }
    };
    2.0 * (part(a, a + c, a + b) + part(b, b + d, a + b) + part(c, a + c, c + d) + part(d, b + d, c + d))
}

/// The terms of an item's text, each once.
fn terms_of(item: &ItemText<'_>, scratch: &mut FieldText) -> HashSet<Box<str>> {
    let mut terms = HashSet::new();
    for field in Fields::TEXT.iter() {
        scratch.refill(field, item, &item.field_text(field));
        for (at, token) in scratch.tokens.iter().enumerate() {
            if token.unspaced {
                add_runs(scratch, at, &mut terms);
            } else {
                add_words(scratch, at, token, &mut terms);
            }
        }
    }
    terms
}

/// The runs of two to four characters that begin at `at`.
fn add_runs(text: &FieldText, at: usize, terms: &mut HashSet<Box<str>>) {
    let start = text.tokens[at].start as usize;
    for token in text.tokens[at + 1..].iter().take(MAX_RUN - 1) {
        if token.gap != Gap::Glued || !token.unspaced {
            break;
        }
        terms.insert(text.folded[start..token.end as usize].into());
    }
}

/// The word at `at`, and with the one after it.
fn add_words(text: &FieldText, at: usize, token: &Token, terms: &mut HashSet<Box<str>>) {
    let word = text.text(token);
    let is_word = |word: &str| word.chars().nth(1).is_some() && !word.chars().all(char::is_numeric);
    if is_word(word) {
        terms.insert(word.into());
    }
    if let Some(next) = text.tokens.get(at + 1)
        && !next.unspaced
        && next.gap <= Gap::Joined
        && next.sentence == token.sentence
        && (is_word(word) || is_word(text.text(next)))
    {
        terms.insert(format!("{word} {}", text.text(next)).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(items: &[(&str, bool, bool)]) -> Candidates {
        let mut candidates = Candidates::default();
        items.iter().filter(|item| item.1).for_each(|item| candidates.gather(&ItemText::from_title(item.0)));
        candidates.keep_frequent();
        items.iter().for_each(|item| candidates.count(&ItemText::from_title(item.0), item.1, item.2));
        candidates
    }

    #[test]
    fn the_log_likelihood_is_that_of_the_published_table() {
        // Dunning 1993, table 3: "the swiss" in a corpus of 31,777 bigrams, A(B) and so on: 110, 2442, 111, 29114.
        let found = log_likelihood(110, 110 + 111, 2442, 2442 + 29114);
        assert!((found - 270.72).abs() < 0.01, "{found}");
        assert!(log_likelihood(5, 10, 50, 100).abs() < 1e-9);
    }

    #[test]
    fn what_a_rule_misses_is_suggested_with_what_it_would_add() {
        let items = [
            ("Mistral opens an office", true, true),
            ("LightOn opens a bureau in Boston", true, false),
            ("LightOn hires in Boston", true, false),
            ("A storm in the south", false, false),
            ("The office of the mayor", false, false),
        ];
        let ranked = candidates(&items).rank(5, true);
        assert_eq!(ranked[0].term, "lighton");
        assert_eq!((ranked[0].items_with_tag, ranked[0].other_items), (2, 0));
        assert!((ranked[0].f1_added - 0.5).abs() < 1e-9, "from 1 of 3 to 3 of 3: {ranked:?}");
        assert!(ranked.iter().all(|suggestion| suggestion.term != "the"));
    }

    #[test]
    fn runs_of_an_unspaced_script_and_pairs_of_words_are_terms() {
        let mut scratch = FieldText::default();
        let terms = terms_of(&ItemText::from_title("法國AI公司 open-source, model"), &mut scratch);
        for term in ["法国", "公司", "ai", "open", "open source", "model"] {
            assert!(terms.contains(term), "{term}: {terms:?}");
        }
        assert!(!terms.contains("国ai") && !terms.contains("source model"), "{terms:?}");
    }
}
