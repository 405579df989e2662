//! The classifier: compiles rules once, then says which tags a text gets and why.
//!
//! Owns folding, words, matching, evidence, scoring and why-not. One evaluator serves rules, digests and search: what a
//! search shows is what a rule would tag. Pure: items and `now` come in, tags go out.

mod affixes;
mod calls;
mod clause;
mod compiled_query;
mod evaluate;
mod examples;
mod explain;
mod fold;
mod hits;
mod index;
mod item;
mod language;
mod lexicon;
mod pattern;
mod pieces;
mod program;
mod rule;
mod rule_hash;
mod stems;
mod suggest;
mod tokens;
mod words;

pub use compiled_query::{CompiledQueries, CompiledQuery};
pub use explain::{ClauseExplanation, Explanation, PartExplanation};
pub use item::ItemText;
pub use program::CompileError;
pub use rule_hash::rules_hash;
pub use suggest::{Candidates, Suggestion};
pub use words::index_words;

use crate::model::{Correction, TagMatch, TagName, Timestamp};
use crate::query::{RuleSet, Scope};
use calls::{Calls, Candidate, Met};
use clause::Gathered;
use evaluate::{Reading, Scratch};
use index::Index;
use program::{Compiler, Fields};
use rule::Rule;
use rule_hash::rule_hashes;
use std::sync::Mutex;
use words::IndexWords;

/// All rules of a config, compiled. Immutable; shared by threads.
#[derive(Debug)]
pub struct Classifier {
    index: Index,
    fields: Fields,
    tag_names: Vec<String>,
    rules: Vec<Rule>,
    /// Place of each rule in the order of dependency.
    rank: Vec<u32>,
    calls: Calls,
    /// Numbers of the tags that rules both give and name.
    ruled_tags: Vec<u32>,
    scratch: ScratchPool,
}

impl Classifier {
    /// Compiles rules.
    ///
    /// # Errors
    /// All that dangles or goes in circles. What is wrong within a query, parsing it has told.
    pub fn compile(rules: &RuleSet) -> Result<Classifier, Vec<CompileError>> {
        Self::compile_but_for(rules, |_| false)
    }

    /// Compiles the rules of a config, which has been checked when it was read.
    ///
    /// # Panics
    /// On rules that [`crate::config::load`] does not give.
    #[must_use]
    pub fn of_config(rules: &RuleSet) -> Classifier {
        Self::compile(rules).expect("a config whose rules dangle or go in circles is not read")
    }

    /// As [`Self::compile`], whatever is wrong that `is_fine`.
    fn compile_but_for(
        rules: &RuleSet,
        is_fine: impl Fn(&CompileError) -> bool,
    ) -> Result<Classifier, Vec<CompileError>> {
        let mut compiler = Compiler::new(&rules.lists);
        let hashed = rules.tags.iter().zip(rule_hashes(rules));
        let mut compiled: Vec<Rule> = hashed.map(|(rule, hash)| Rule::compile(rule, hash, &mut compiler)).collect();
        compiled.iter_mut().for_each(|rule| rule.tag = compiler.tag_number(&rule.name.0));
        let Compiler { index, tag_names, fields, mut errors, .. } = compiler;
        let order = rule::in_dependency_order(&compiled, &mut errors, &tag_names);
        errors.retain(|error| !is_fine(error));
        if !errors.is_empty() {
            return Err(errors);
        }
        let index = index.build();
        let mut rank = vec![0; compiled.len()];
        order.iter().zip(0..).for_each(|(&rule, place)| rank[rule as usize] = place);
        let calls = Calls::new(&compiled, &index);
        let ruled_tags = compiled.iter().filter_map(|rule| rule.tag).collect();
        Ok(Classifier {
            index,
            fields,
            tag_names,
            rules: compiled,
            rank,
            calls,
            ruled_tags,
            scratch: ScratchPool::default(),
        })
    }

    /// The tags that the rules give to an item, in the order of the rules, with their evidence. What a curator decided
    /// counts for the rules that name a tag, and is otherwise for the caller to apply.
    #[must_use]
    pub fn classify(&self, item: &ItemText<'_>, now: Timestamp) -> Vec<TagMatch> {
        self.judge(item, now, self.fields, |reading, held| self.matches(reading, held))
    }

    /// As [`Self::classify`], with what [`index_words`] makes of the item: its fields are read once for both.
    #[must_use]
    pub fn classify_with_words(&self, item: &ItemText<'_>, now: Timestamp) -> (Vec<TagMatch>, String) {
        let mut fields = self.fields;
        words::INDEXED.iter().for_each(|field| fields.add(Fields::of(Scope::Field(*field))));
        let mut words = IndexWords::default();
        let tags = self.judge(item, now, fields, |reading, held| {
            words::INDEXED.iter().for_each(|field| words.add_text(reading.text(*field)));
            self.matches(reading, held)
        });
        (tags, words.words)
    }

    fn matches<'a>(&'a self, reading: &Reading<'_>, held: &mut dyn Iterator<Item = &'a Rule>) -> Vec<TagMatch> {
        let mut gathered = Gathered::default();
        held.map(|rule| rule.tag_match(reading, &self.tag_names, &mut gathered)).collect()
    }

    /// The names of the tags that [`Self::classify`] gives, at less cost where nobody asks for evidence.
    #[must_use]
    pub fn tags(&self, item: &ItemText<'_>, now: Timestamp) -> Vec<&TagName> {
        self.judge(item, now, self.fields, |_, held| held.map(|rule| &rule.name).collect())
    }

    /// Reads these fields of an item and hands the rules that hold, in their order, to `report`.
    fn judge<'a, T>(
        &'a self,
        item: &ItemText<'_>,
        now: Timestamp,
        fields: Fields,
        report: impl FnOnce(&Reading<'_>, &mut dyn Iterator<Item = &'a Rule>) -> T,
    ) -> T {
        self.scratch.with(|scratch| {
            let mut met = std::mem::take(&mut scratch.met);
            let mut candidates = std::mem::take(&mut scratch.candidates);
            let mut reading = scratch.read(&self.index, fields, item, now, &self.tag_names);
            reading.look_for(self.calls.awaited.iter().copied());
            self.calls.call_up(&reading.hits(), &mut met, &mut candidates);
            self.keep_what_holds(&mut reading, item.corrections, &met, &mut candidates);
            let mut held = candidates.iter().map(|candidate| &self.rules[candidate.rule as usize]);
            let result = report(&reading, &mut held);
            drop(reading);
            scratch.met = met;
            scratch.candidates = candidates;
            result
        })
    }

    /// Of the rules called up, those that hold, in their order.
    fn keep_what_holds(
        &self,
        reading: &mut Reading<'_>,
        corrections: &[Correction],
        met: &Met,
        candidates: &mut Vec<Candidate>,
    ) {
        if !self.ruled_tags.is_empty() {
            candidates.sort_unstable_by_key(|candidate| self.rank[candidate.rule as usize]);
        }
        let decided = |name: &str| corrections.iter().find(|(tag, _)| tag.0 == name).map(|(_, present)| *present);
        // What a rule decides here is decided by the rule, whatever tags the item brought; but a curator before all.
        for &tag in &self.ruled_tags {
            reading.tags[tag as usize] = decided(&self.tag_names[tag as usize]).unwrap_or(false);
        }
        candidates.retain(|candidate| {
            if candidate.sure && self.ruled_tags.is_empty() {
                return true;
            }
            let rule = &self.rules[candidate.rule as usize];
            let may_hold = |clause| self.calls.may_hold(candidate.rule, clause, met);
            let holds = candidate.sure || rule.holds(reading, may_hold);
            if let Some(tag) = rule.tag {
                reading.tags[tag as usize] = decided(&rule.name.0).unwrap_or(holds);
            }
            holds
        });
        candidates.sort_unstable();
    }

    /// The hash of a tag's rule as compiled; `None` when there is no such tag.
    #[must_use]
    pub fn rule_hash(&self, tag: &str) -> Option<&str> {
        self.rules.iter().find(|rule| rule.name.0 == tag).map(|rule| rule.hash.as_str())
    }
}

/// Buffers that calls in turn, or side by side in threads, use again.
#[derive(Debug, Default)]
struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let pooled = self.0.lock().ok().and_then(|mut pool| pool.pop());
        let mut scratch = pooled.unwrap_or_default();
        let result = work(&mut scratch);
        if let Ok(mut pool) = self.0.lock() {
            pool.push(scratch);
        }
        result
    }
}

#[cfg(test)]
mod manual_tests;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod rule_tests;
#[cfg(test)]
mod tests;
