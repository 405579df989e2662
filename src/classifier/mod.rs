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
mod words;

pub use compiled_query::CompiledQuery;
pub use examples::ExampleFailure;
pub use explain::{ClauseExplanation, Explanation, PartExplanation};
pub use item::ItemText;
pub use program::CompileError;
pub use suggest::{Candidates, Suggestion};
pub use words::index_words;

use crate::model::{Correction, TagMatch, TagName, Timestamp};
use crate::query::RuleSet;
use clause::Gathered;
use evaluate::{Candidate, Reading, Scratch, Stamps};
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
    /// By term: the rules to look at when it is found, as a range of `calls`.
    touches: Vec<u32>,
    calls: Vec<Call>,
    /// Rules that may hold without any term.
    always: Vec<Candidate>,
    /// Numbers of the tags that rules both give and name.
    ruled_tags: Vec<u32>,
    scratch: ScratchPool,
}

/// A rule to look at when a term is found.
#[derive(Debug, Clone, Copy)]
struct Call {
    rule: u32,
    /// The fields in which the term alone makes the rule hold.
    sure_in: Fields,
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
        let mut by_term: Vec<Vec<Call>> = vec![Vec::new(); index.len()];
        let mut always = Vec::new();
        for (number, rule) in (0..).zip(&compiled) {
            match rule.triggers() {
                Some(terms) => {
                    let sufficient = rule.sufficient();
                    for term in terms {
                        let from = sufficient.partition_point(|(other, _)| *other < term);
                        let own = sufficient[from..].iter().take_while(|(other, _)| *other == term);
                        let mut sure_in = Fields::default();
                        own.for_each(|(_, fields)| sure_in.add(*fields));
                        by_term[term as usize].push(Call { rule: number, sure_in });
                    }
                }
                None => always.push(Candidate { rule: number, sure: false }),
            }
        }
        let touches = std::iter::once(0)
            .chain(by_term.iter().scan(0, |end, rules| {
                *end += fold::to_u32(rules.len());
                Some(*end)
            }))
            .collect();
        let calls = by_term.concat();
        let ruled_tags = compiled.iter().filter_map(|rule| rule.tag).collect();
        Ok(Classifier {
            index,
            fields,
            tag_names,
            rules: compiled,
            rank,
            touches,
            calls,
            always,
            ruled_tags,
            scratch: ScratchPool::default(),
        })
    }

    /// The tags that the rules give to an item, in the order of the rules, with their evidence. What a curator decided
    /// counts for the rules that name a tag, and is otherwise for the caller to apply.
    #[must_use]
    pub fn classify(&self, item: &ItemText<'_>, now: Timestamp) -> Vec<TagMatch> {
        self.judge(item, now, |reading, held| {
            let mut gathered = Gathered::default();
            held.map(|rule| rule.tag_match(reading, &self.tag_names, &mut gathered)).collect()
        })
    }

    /// The names of the tags that [`Self::classify`] gives, at less cost where nobody asks for evidence.
    #[must_use]
    pub fn tags(&self, item: &ItemText<'_>, now: Timestamp) -> Vec<&TagName> {
        self.judge(item, now, |_, held| held.map(|rule| &rule.name).collect())
    }

    /// Reads an item and hands the rules that hold, in their order, to `report`.
    fn judge<'a, T>(
        &'a self,
        item: &ItemText<'_>,
        now: Timestamp,
        report: impl FnOnce(&Reading<'_>, &mut dyn Iterator<Item = &'a Rule>) -> T,
    ) -> T {
        self.scratch.with(|scratch| {
            let mut touched = std::mem::take(&mut scratch.touched);
            let mut candidates = std::mem::take(&mut scratch.candidates);
            let mut reading = scratch.read(&self.index, self.fields, item, now, &self.tag_names);
            self.call_up(&reading, &mut touched, &mut candidates);
            self.keep_what_holds(&mut reading, item.corrections, &mut candidates);
            let mut held = candidates.iter().map(|candidate| &self.rules[candidate.rule as usize]);
            let result = report(&reading, &mut held);
            drop(reading);
            scratch.touched = touched;
            scratch.candidates = candidates;
            result
        })
    }

    /// The rules to look at, each once, those that tags of others decide after these.
    fn call_up(&self, reading: &Reading<'_>, touched: &mut Stamps, candidates: &mut Vec<Candidate>) {
        touched.clear(self.rules.len());
        candidates.clone_from(&self.always);
        let hits = reading.hits();
        for &term in &hits.found {
            let (start, end) = (self.touches[term as usize] as usize, self.touches[term as usize + 1] as usize);
            let calls = &self.calls[start..end];
            let found_in = if calls.is_empty() { Fields::default() } else { hits.fields_of(term) };
            for call in calls {
                if touched.mark(call.rule) {
                    let sure = !call.sure_in.common(found_in).is_empty();
                    candidates.push(Candidate { rule: call.rule, sure });
                }
            }
        }
        if !self.ruled_tags.is_empty() {
            candidates.sort_unstable_by_key(|candidate| self.rank[candidate.rule as usize]);
        }
    }

    fn keep_what_holds(&self, reading: &mut Reading<'_>, corrections: &[Correction], candidates: &mut Vec<Candidate>) {
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
            let holds = candidate.sure || rule.holds(reading);
            if let Some(tag) = rule.tag {
                reading.tags[tag as usize] = decided(&rule.name.0).unwrap_or(holds);
            }
            holds
        });
        candidates.sort_unstable();
    }

    /// The hash of each rule, in their order.
    pub fn rule_hashes(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.hash.as_str())
    }

    /// The hash of a tag's rule as compiled; `None` when there is no such tag.
    #[must_use]
    pub fn rule_hash(&self, tag: &str) -> Option<&str> {
        self.rules.iter().find(|rule| rule.name.0 == tag).map(|rule| rule.hash.as_str())
    }

    /// Bytes that the tables of the terms take, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.index.memory_bytes() + self.touches.len() * 4 + self.calls.len() * size_of::<Call>()
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
