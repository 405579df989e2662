//! Hashes: of a rule, which dates the evidence that it gave; of all rules, by which an archive is known to be in line.

use crate::query::{Query, ReferenceKind, RuleSet, TagRule};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

/// Counts the ways in which rules have been matched: to be raised with every change that gives a text other tags.
const ENGINE: &str = "2";

/// Of all rules, and of how they are matched: what was tagged by another hash is to be tagged anew.
#[must_use]
pub fn rules_hash(rules: &RuleSet) -> String {
    let mut hash = Sha256::new_with_prefix(ENGINE);
    for rule in rule_hashes(rules) {
        hash.update([0]);
        hash.update(rule);
    }
    hex(&hash.finalize()[..16])
}

/// The hash of each rule, in their order.
pub(super) fn rule_hashes(rules: &RuleSet) -> Vec<String> {
    let mut hashes = RuleHashes { lists: &rules.lists, written: HashMap::new() };
    rules.tags.iter().map(|rule| hashes.of(rule)).collect()
}

/// Hashes of rules over the same lists. A list is written out once, however many rules name it.
struct RuleHashes<'a> {
    lists: &'a BTreeMap<String, Vec<Query>>,
    written: HashMap<String, WrittenList>,
}

struct WrittenList {
    text: String,
    /// The lists that it names.
    uses: Vec<String>,
}

impl RuleHashes<'_> {
    /// A hash of all that decides whether the rule holds: its queries as they mean, its weights, the lists it uses.
    fn of(&mut self, rule: &TagRule) -> String {
        let mut text = String::new();
        let mut lists = BTreeSet::new();
        let mut line = |part: &str, query: &Query| {
            self.collect(lists_of(query), &mut lists);
            writeln!(text, "{part}: {query}").expect("writing to a string cannot fail");
        };
        rule.any.iter().for_each(|query| line("any", query));
        rule.matches.iter().for_each(|query| line("match", query));
        rule.except.iter().for_each(|query| line("except", query));
        rule.score.iter().for_each(|clause| line(&format!("score {}", clause.weight), &clause.query));
        if !rule.score.is_empty() {
            writeln!(text, "threshold: {}", rule.threshold).expect("writing to a string cannot fail");
        }
        for list in lists {
            text.push_str(&self.written(&list).text);
        }
        hex(&Sha256::digest(text.as_bytes())[..8])
    }

    /// Lists, with those that they use.
    fn collect(&mut self, lists: Vec<String>, found: &mut BTreeSet<String>) {
        for list in lists {
            if found.insert(list.clone()) {
                let uses = self.written(&list).uses.clone();
                self.collect(uses, found);
            }
        }
    }

    /// A list that does not exist is empty here; compiling tells of it.
    fn written(&mut self, name: &str) -> &WrittenList {
        let lists = self.lists;
        let write = || WrittenList::new(name, lists.get(name).map_or(&[], Vec::as_slice));
        self.written.entry(name.to_owned()).or_insert_with(write)
    }
}

impl WrittenList {
    fn new(name: &str, terms: &[Query]) -> Self {
        let mut text = format!("list {name}\n");
        for term in terms {
            writeln!(text, "  {term}").expect("writing to a string cannot fail");
        }
        Self { text, uses: terms.iter().flat_map(lists_of).collect() }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lists_of(query: &Query) -> Vec<String> {
    let lists = query.references().into_iter().filter(|reference| reference.kind == ReferenceKind::List);
    lists.map(|list| list.name).collect()
}
