//! `[lists]` and `[tags.NAME]`: from tables to a parsed [`RuleSet`].
//!
//! Owns the keys of a rule and checks that everything a rule refers to exists and nothing refers to
//! itself. What a query means is the business of `query` and `classifier`.

use super::diagnostics::{Diagnostic, Report, did_you_mean, quoted};
use super::reader::{Document, Entry, Table, Text, Value};
use super::source::Place;
use super::values;
use crate::model::TagName;
use crate::query::{self, Query, QueryDiagnostic, ReferenceKind, RuleSet, ScoreClause, Severity, TagRule};
use std::collections::{BTreeMap, BTreeSet};

/// The rules, and where each tag stands.
pub(super) struct Rules {
    pub set: RuleSet,
    pub tag_places: BTreeMap<String, Place>,
}

/// A query with what it refers to and where.
pub(super) struct Referring {
    pub query: Query,
    lists: Vec<(String, Place)>,
    tags: Vec<(String, Place)>,
}

/// Reads all lists and tags.
pub(super) fn read(documents: &[Document], report: &Report) -> Rules {
    let mut graph = Graph::default();
    let mut set = RuleSet::default();
    for entry in Table::merged(documents, "lists", report).into_entries() {
        check_list_name(&entry, report);
        let terms = list(entry.value);
        graph.lists.insert(entry.key.to_owned(), Node::new(entry.key_place.clone(), &terms));
        set.lists.insert(entry.key.to_owned(), terms.into_iter().map(|term| term.query).collect());
    }
    for entry in Table::merged(documents, "tags", report).into_entries() {
        check_name("tag", &entry, report);
        let mut queries = Vec::new();
        if let Some(tag) = tag(&entry, &mut queries) {
            set.tags.push(tag);
        }
        graph.tags.insert(entry.key.to_owned(), Node::new(entry.key_place.clone(), &queries));
    }
    graph.check(report);
    let tag_places = graph.tags.into_iter().map(|(name, node)| (name, node.place)).collect();
    Rules { set, tag_places }
}

/// Reports a name that cannot be one.
pub(super) fn check_name(what: &str, entry: &Entry<'_>, report: &Report) {
    if let Some(fault) = values::name_fault(entry.key) {
        let message = format!("{} cannot be the name of a {what}: {fault}", quoted(entry.key));
        report.add(Diagnostic::error(entry.key_place.clone(), message));
    }
}

/// A list's name stands only in queries, so it may be of any script.
fn check_list_name(entry: &Entry<'_>, report: &Report) {
    if entry.key.is_empty() || !entry.key.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) {
        let message = format!("{} cannot be the name of a list", quoted(entry.key));
        report.add(Diagnostic::error(entry.key_place.clone(), message).help("write letters, digits, `-`, `_` and `.`"));
    }
}

fn list(value: Value<'_>) -> Vec<Referring> {
    terms(value, "an array of terms such as [\"Mistral AI\", \"=AI\", \"@other-list\"]")
}

fn terms(value: Value<'_>, expected: &str) -> Vec<Referring> {
    let terms = value.texts(expected);
    if terms.is_empty() && value.is_array() {
        let message = format!("{} is empty, so it never matches", quoted(value.name));
        value.report().add(Diagnostic::warning(value.place(), message));
    }
    let mut seen = BTreeSet::new();
    for term in &terms {
        if !seen.insert(term.text) {
            let message = format!("{} stands twice in {}", quoted(term.text), quoted(value.name));
            value.report().add(Diagnostic::warning(term.place(), message).help("remove one"));
        }
    }
    terms.into_iter().filter_map(|text| parsed(text, query::parse_term(text.text))).collect()
}

/// A query with its references, its diagnostics recorded where they stand in the file.
pub(super) fn query(text: Text<'_>) -> Option<Referring> {
    parsed(text, query::parse(text.text))
}

type Parsed = Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>>;

fn parsed(text: Text<'_>, parsed: Parsed) -> Option<Referring> {
    let (query, diagnostics) = match parsed {
        Ok((query, lints)) => (Some(query), lints),
        Err(faults) => (None, faults),
    };
    for found in diagnostics {
        let place = text.place_within(&found.span);
        let diagnostic = match found.severity {
            Severity::Error => Diagnostic::error(place, found.message),
            Severity::Warning => Diagnostic::warning(place, found.message),
        };
        text.report().add(diagnostic.help_if(found.help));
    }
    let query = query?;
    let (mut lists, mut tags) = (Vec::new(), Vec::new());
    for reference in query.references() {
        let place = text.place_within(&reference.span);
        match reference.kind {
            ReferenceKind::List => lists.push((reference.name, place)),
            ReferenceKind::Tag => tags.push((reference.name, place)),
        }
    }
    Some(Referring { query, lists, tags })
}

fn tag(entry: &Entry<'_>, queries: &mut Vec<Referring>) -> Option<TagRule> {
    let table = entry.value.table(format!("[tags.{}]", entry.key))?;
    let keep = |referring: Referring, queries: &mut Vec<Referring>| {
        let query = referring.query.clone();
        queries.push(referring);
        query
    };
    let any = table.get("any").map(|value| terms(value, "an array of terms")).unwrap_or_default();
    let matches = table.text("match", "a query").and_then(query);
    let except = table.text("except", "a query").and_then(query);
    let clauses = table.get("score").map(score).unwrap_or_default();
    let threshold = table.get("threshold").and_then(|value| value.number());
    check_clauses(&table, &clauses, threshold);
    let title = table.text("title", "a string").map(|text| text.text.trim().to_owned());
    let (examples_match, examples_no_match) = table.get("examples").map(examples).unwrap_or_default();
    let rule = TagRule {
        name: TagName(entry.key.to_owned()),
        title: title.filter(|title| !title.is_empty()).unwrap_or_else(|| entry.key.to_owned()),
        any: any.into_iter().map(|referring| keep(referring, queries)).collect(),
        matches: matches.map(|referring| keep(referring, queries)),
        except: except.map(|referring| keep(referring, queries)),
        score: clauses
            .into_iter()
            .map(|(referring, weight)| ScoreClause { query: keep(referring, queries), weight })
            .collect(),
        threshold: threshold.unwrap_or(1.0),
        examples_match,
        examples_no_match,
        publish: table.boolean("publish").unwrap_or(true),
    };
    table.finish();
    Some(rule)
}

/// A rule that cannot hold, or has no way to, is a mistake.
fn check_clauses(table: &Table<'_>, clauses: &[(Referring, f64)], threshold: Option<f64>) {
    if !["any", "match", "score"].iter().any(|key| table.has(key)) {
        table.missing("any", "a tag needs `any`, `match` or `score`");
    }
    if table.has("threshold") && !table.has("score") {
        let message = "`threshold` needs `score`";
        table.report.add(Diagnostic::error(table.place_of("threshold"), message).from_absence());
    }
    if threshold.is_some_and(|threshold| threshold <= 0.0) {
        let message = "`threshold` must be above zero, else every item has the tag";
        table.report.add(Diagnostic::error(table.place_of("threshold"), message));
    }
    let most: f64 = clauses.iter().map(|(_, weight)| weight.max(0.0)).sum();
    let threshold = threshold.unwrap_or(1.0);
    if !clauses.is_empty() && most < threshold {
        let message = format!("the weights add up to {most} at most and never reach the threshold of {threshold}");
        table.report.add(Diagnostic::error(table.place_of("score"), message).from_absence());
    }
}

fn score(value: Value<'_>) -> Vec<(Referring, f64)> {
    let expected = "an array of tables such as [{ match = \"relocat*\", weight = 2 }]";
    let mut clauses = Vec::new();
    for element in value.array(expected).unwrap_or_default() {
        let Some(table) = element.table("the clause of `score`") else { continue };
        let clause = table.text("match", "a query").and_then(query);
        if !table.has("match") {
            table.missing("match", "write `match = '…'`");
        }
        let weight = table.get("weight").map_or(Some(1.0), |value| value.number());
        if weight == Some(0.0) {
            table.report.add(Diagnostic::error(table.place_of("weight"), "a `weight` of zero changes nothing"));
        }
        table.finish();
        clauses.extend(clause.zip(weight));
    }
    clauses
}

/// Texts that must get the tag, and texts that must not.
fn examples(value: Value<'_>) -> (Vec<String>, Vec<String>) {
    let Some(table) = value.table("examples") else { return Default::default() };
    let texts = |key| -> Vec<String> {
        let texts = table.get(key).map(|value| value.texts("an array of strings")).unwrap_or_default();
        texts.into_iter().map(|text| text.text.to_owned()).collect()
    };
    let examples = (texts("match"), texts("no_match"));
    table.finish();
    examples
}

/// Reports references to tags that do not exist; for queries outside of rules.
pub(super) fn check_tag_references(
    referring: &Referring,
    tags: &BTreeMap<String, Place>,
    lists: &RuleSet,
    report: &Report,
) {
    for (name, place) in referring.tags.iter().filter(|(name, _)| !tags.contains_key(name)) {
        dangling("tag", name, place, tags.keys(), report);
    }
    for (name, place) in referring.lists.iter().filter(|(name, _)| !lists.lists.contains_key(name)) {
        dangling("list", name, place, lists.lists.keys(), report);
    }
}

fn dangling<'a>(what: &str, name: &str, place: &Place, known: impl Iterator<Item = &'a String>, report: &Report) {
    let message = format!("there is no {what} {}", quoted(name));
    let help = did_you_mean(name, known.map(String::as_str));
    report.add(Diagnostic::error(place.clone(), message).help_if(help).from_absence());
}

/// Who refers to whom.
#[derive(Default)]
struct Graph {
    lists: BTreeMap<String, Node>,
    tags: BTreeMap<String, Node>,
}

struct Node {
    place: Place,
    lists: Vec<(String, Place)>,
    tags: Vec<(String, Place)>,
}

impl Node {
    fn new(place: Place, queries: &[Referring]) -> Self {
        let lists = queries.iter().flat_map(|referring| referring.lists.iter().cloned()).collect();
        let tags = queries.iter().flat_map(|referring| referring.tags.iter().cloned()).collect();
        Self { place, lists, tags }
    }
}

impl Graph {
    fn check(&self, report: &Report) {
        for node in self.lists.values().chain(self.tags.values()) {
            for (name, place) in node.lists.iter().filter(|(name, _)| !self.lists.contains_key(name)) {
                dangling("list", name, place, self.lists.keys(), report);
            }
            for (name, place) in node.tags.iter().filter(|(name, _)| !self.tags.contains_key(name)) {
                dangling("tag", name, place, self.tags.keys(), report);
            }
        }
        cycles("list", &self.lists, |node| &node.lists, report);
        cycles("tag", &self.tags, |node| &node.tags, report);
    }
}

/// Reports each cycle once, at the reference that closes it.
fn cycles(what: &str, nodes: &BTreeMap<String, Node>, edges: impl Fn(&Node) -> &Vec<(String, Place)>, report: &Report) {
    let mut done = BTreeSet::new();
    for start in nodes.keys() {
        // An explicit stack: a chain of lists may be as long as a file.
        let mut path: Vec<(&String, usize)> = vec![(start, 0)];
        while let Some((name, next)) = path.last_mut() {
            let name = *name;
            let edge = if done.contains(name) { None } else { nodes.get(name).and_then(|node| edges(node).get(*next)) };
            let Some((target, place)) = edge else {
                done.insert(name);
                path.pop();
                continue;
            };
            *next += 1;
            if let Some(at) = path.iter().position(|(on_path, _)| *on_path == target) {
                let through: Vec<_> =
                    path[at..].iter().map(|(name, _)| name.as_str()).chain([target.as_str()]).collect();
                let message = format!("the {what} {} refers to itself: {}", quoted(target), through.join(" → "));
                report.add(Diagnostic::error(place.clone(), message));
            } else if let Some((target, _)) = nodes.get_key_value(target) {
                path.push((target, 0));
            }
        }
    }
}
