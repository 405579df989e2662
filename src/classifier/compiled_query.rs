//! A single query, compiled: what digests and search ask, by the evaluator of the rules.

use super::clause::{Clause, Gathered};
use super::evaluate::Scratch;
use super::index::Index;
use super::item::ItemText;
use super::program::{CompileError, Compiler, Fields};
use super::words;
use super::{Classifier, ScratchPool};
use crate::model::{Evidence, Needed, TagName, Timestamp};
use crate::query::{Query, RuleSet, TagRule};
use std::collections::BTreeMap;

/// The buffers of all queries: they grow to the longest text read, and a config may have hundreds of digests.
static SCRATCH: ScratchPool = ScratchPool::new();

/// A query ready to be put to items. Immutable; shared by threads.
#[derive(Debug)]
pub struct CompiledQuery {
    index: Index,
    fields: Fields,
    tag_names: Vec<String>,
    clause: Clause,
    needed: Needed,
}

impl CompiledQuery {
    /// Compiles a query that may use `lists`. Its tags are those that an item brings, so no name of a tag is unknown here.
    ///
    /// # Errors
    /// Lists that dangle or go in circles.
    pub fn compile(query: &Query, lists: &BTreeMap<String, Vec<Query>>) -> Result<CompiledQuery, Vec<CompileError>> {
        let mut compiler = Compiler::new(lists);
        let clause = Clause::compile(query, "query", "the query", &mut compiler);
        let Compiler { index, tag_names, fields, errors, .. } = compiler;
        if !errors.is_empty() {
            return Err(errors);
        }
        let needed = words::needed(query, lists);
        Ok(CompiledQuery { index: index.build(), fields, tag_names, clause, needed })
    }

    /// What an item must have for the query to hold, for an index to answer.
    #[must_use]
    pub fn needed(&self) -> &Needed {
        &self.needed
    }

    /// Whether the tags that an item has matter.
    #[must_use]
    pub fn names_tags(&self) -> bool {
        !self.tag_names.is_empty()
    }

    /// Tags of which an item must have one for the query to hold; `None` when it may hold without any.
    #[must_use]
    pub fn needed_tags(&self) -> Option<Vec<&str>> {
        let needed = self.clause.node.needed_tags()?;
        Some(needed.into_iter().map(|number| self.tag_names[number as usize].as_str()).collect())
    }

    /// Whether the query holds for an item, seen from `now`.
    #[must_use]
    pub fn matches(&self, item: &ItemText<'_>, now: Timestamp) -> bool {
        SCRATCH.with(|scratch: &mut Scratch| {
            let reading = scratch.read(&self.index, self.fields, item, now, &self.tag_names);
            reading.holds(&self.clause.node)
        })
    }

    /// The spans that made the query hold; `None` when it does not.
    #[must_use]
    pub fn evidence(&self, item: &ItemText<'_>, now: Timestamp) -> Option<Vec<Evidence>> {
        SCRATCH.with(|scratch: &mut Scratch| {
            let reading = scratch.read(&self.index, self.fields, item, now, &self.tag_names);
            if !reading.holds(&self.clause.node) {
                return None;
            }
            let name = TagName("query".to_string());
            Some(Gathered::default().evidence(&name, std::iter::once(&self.clause), &reading, &self.tag_names))
        })
    }
}

/// Queries compiled together: an item is read once for all of them. For digests, of which there may be hundreds.
#[derive(Debug)]
pub struct CompiledQueries(Classifier);

impl CompiledQueries {
    /// Compiles queries that may use `lists`.
    ///
    /// # Errors
    /// Lists that dangle or go in circles.
    pub fn compile<'a>(
        queries: impl Iterator<Item = &'a Query>,
        lists: &BTreeMap<String, Vec<Query>>,
    ) -> Result<Self, Vec<CompileError>> {
        // Rules by number, after a sign that no tag's name has: no query names one.
        let rule = |(number, query): (usize, &Query)| TagRule {
            matches: Some(query.clone()),
            ..TagRule::new(format!("/{number}"))
        };
        let tags: Vec<TagRule> = queries.enumerate().map(rule).collect();
        // Lists are long, and most configs have no such digest.
        let lists = if tags.is_empty() { BTreeMap::new() } else { lists.clone() };
        // Their tags are those that an item brings.
        let is_fine = |error: &CompileError| matches!(error, CompileError::UnknownTag { .. });
        Classifier::compile_but_for(&RuleSet { lists, tags }, is_fine).map(Self)
    }

    /// The numbers of those that hold for an item, seen from `now`.
    pub fn holding(&self, item: &ItemText<'_>, now: Timestamp) -> impl Iterator<Item = usize> {
        self.0.tags(item, now).into_iter().filter_map(|rule| rule.0.strip_prefix('/')?.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(query: &str, item: &ItemText<'_>) -> bool {
        let (query, _) = crate::query::parse(query).unwrap();
        CompiledQuery::compile(&query, &BTreeMap::new()).unwrap().matches(item, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn queries_share_their_buffers_and_no_more_than_them() {
        let long = "Mistral opens an office. ".repeat(1_000);
        let item = ItemText { title: &long, summary: &long, content: &long, ..ItemText::default() };
        let empty = ItemText::default();
        for query in ["office", "content:office", "words>10", "office NEAR/3 mistral", "author:office OR title:office"]
        {
            assert!(holds(query, &item), "{query}");
            assert!(!holds(query, &empty), "{query} holds for what another item said");
        }
        assert_eq!(SCRATCH.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn queries_compiled_together_hold_as_each_alone() {
        let texts = [
            "office NEAR/3 mistral",
            "NOT office",
            "tag:ai AND office",
            "words<2 OR age<1d",
            "author:office",
            "nothing",
        ];
        let queries: Vec<Query> = texts.iter().map(|text| crate::query::parse(text).unwrap().0).collect();
        let together = CompiledQueries::compile(queries.iter(), &BTreeMap::new()).unwrap();
        for (title, tags) in [("Mistral opens an office", &["ai"][..]), ("office", &[]), ("", &["/1"])] {
            let item = ItemText { title, tags, ..ItemText::default() };
            let alone: Vec<usize> = (0..texts.len()).filter(|number| holds(texts[*number], &item)).collect();
            let mut found: Vec<usize> = together.holding(&item, Timestamp::UNIX_EPOCH).collect();
            found.sort_unstable();
            assert_eq!(found, alone, "{title}");
        }
    }
}
