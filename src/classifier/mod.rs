//! The classifier: compiles rules once, then says which tags a text gets and why.
//!
//! Owns folding, words, matching, evidence, scoring and why-not. One evaluator serves rules, digests and search: what a
//! search shows is what a rule would tag. Pure: items and `now` come in, tags go out.

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
mod pattern;
mod program;
mod rule;
mod suggest;
mod tokens;

pub use compiled_query::CompiledQuery;
pub use examples::ExampleFailure;
pub use explain::{ClauseExplanation, Explanation, PartExplanation};
pub use item::ItemText;
pub use program::CompileError;
pub use suggest::{Candidates, Suggestion};

use crate::model::{TagMatch, Timestamp};
use crate::query::RuleSet;
use clause::Gathered;
use evaluate::Scratch;
use index::Index;
use program::{Compiler, Fields};
use rule::Rule;
use std::sync::Mutex;

/// All rules of a config, compiled. Immutable; shared by threads.
#[derive(Debug)]
pub struct Classifier {
    index: Index,
    fields: Fields,
    tag_names: Vec<String>,
    rules: Vec<Rule>,
    /// Place of each rule in the order of dependency.
    rank: Vec<u32>,
    /// By term: the rules to look at when it is found, as a range of `touched`.
    touches: Vec<u32>,
    touched: Vec<u32>,
    /// Rules that may hold without any term.
    always: Vec<u32>,
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
        let mut compiler = Compiler::new(&rules.lists);
        let mut compiled: Vec<Rule> = rules.tags.iter().map(|rule| Rule::compile(rule, rules, &mut compiler)).collect();
        compiled.iter_mut().for_each(|rule| rule.tag = compiler.tag_number(&rule.name.0));
        let Compiler { index, tag_names, fields, mut errors, .. } = compiler;
        let order = rule::in_dependency_order(&compiled, &mut errors, &tag_names);
        if !errors.is_empty() {
            return Err(errors);
        }
        let index = index.build();
        let mut rank = vec![0; compiled.len()];
        order.iter().zip(0..).for_each(|(&rule, place)| rank[rule as usize] = place);
        let mut by_term: Vec<Vec<u32>> = vec![Vec::new(); index.len()];
        let mut always = Vec::new();
        for (number, rule) in (0..).zip(&compiled) {
            match rule.triggers() {
                Some(terms) => terms.iter().for_each(|&term| by_term[term as usize].push(number)),
                None => always.push(number),
            }
        }
        let touches = std::iter::once(0)
            .chain(by_term.iter().scan(0, |end, rules| {
                *end += fold::to_u32(rules.len());
                Some(*end)
            }))
            .collect();
        let touched = by_term.concat();
        let ruled_tags = compiled.iter().filter_map(|rule| rule.tag).collect();
        Ok(Classifier {
            index,
            fields,
            tag_names,
            rules: compiled,
            rank,
            touches,
            touched,
            always,
            ruled_tags,
            scratch: ScratchPool::default(),
        })
    }

    /// The tags that the rules give to an item, in the order of the rules, with their evidence.
    #[must_use]
    pub fn classify(&self, item: &ItemText<'_>, now: Timestamp) -> Vec<TagMatch> {
        self.scratch.with(|scratch| self.classify_with(scratch, item, now))
    }

    fn classify_with(&self, scratch: &mut Scratch, item: &ItemText<'_>, now: Timestamp) -> Vec<TagMatch> {
        let mut touched = std::mem::take(&mut scratch.touched);
        let mut candidates = std::mem::take(&mut scratch.candidates);
        candidates.clone_from(&self.always);
        touched.resize(self.rules.len(), 0);
        scratch.round = scratch.round.wrapping_add(1);
        if scratch.round == 0 {
            touched.fill(0);
            scratch.round = 1;
        }
        let round = scratch.round;
        let mut reading = scratch.read(&self.index, self.fields, item, now, &self.tag_names);
        for &term in &reading.hits().found {
            let (start, end) = (self.touches[term as usize], self.touches[term as usize + 1]);
            for &rule in &self.touched[start as usize..end as usize] {
                if std::mem::replace(&mut touched[rule as usize], round) != round {
                    candidates.push(rule);
                }
            }
        }
        candidates.sort_unstable_by_key(|&rule| self.rank[rule as usize]);
        // What a rule decides here is decided by the rule, whatever tags the item brought.
        self.ruled_tags.iter().for_each(|&tag| reading.tags[tag as usize] = false);
        candidates.retain(|&number| {
            let rule = &self.rules[number as usize];
            let holds = rule.holds(&reading);
            if let Some(tag) = rule.tag {
                reading.tags[tag as usize] = holds;
            }
            holds
        });
        candidates.sort_unstable();
        let mut gathered = Gathered::default();
        let matches = candidates
            .iter()
            .map(|&number| self.rules[number as usize].tag_match(&reading, &self.tag_names, &mut gathered))
            .collect();
        drop(reading);
        scratch.touched = touched;
        scratch.candidates = candidates;
        matches
    }

    /// The hash of a tag's rule as compiled; `None` when there is no such tag.
    #[must_use]
    pub fn rule_hash(&self, tag: &str) -> Option<&str> {
        self.rules.iter().find(|rule| rule.name.0 == tag).map(|rule| rule.hash.as_str())
    }

    /// Bytes that the tables of the terms take, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes() + (self.touches.len() + self.touched.len()) * 4
    }
}

/// Buffers that calls in turn, or side by side in threads, use again.
#[derive(Debug, Default)]
struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
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
