//! `[lists]` and `[tags.NAME]`: from tables to a parsed [`RuleSet`].
//!
//! Owns the keys of a rule, and that a rule has a way to hold. What a query means is the business of
//! `query` and `classifier`.

use super::diagnostics::{Diagnostic, Report, quoted};
use super::reader::{Document, Entry, Table, Text, Value};
use super::references::{Graph, References};
use super::{Example, FeedSettings, values};
use crate::model::TagName;
use crate::query::{self, Query, QueryDiagnostic, ReferenceKind, RuleSet, ScoreClause, Severity, TagRule};
use std::collections::BTreeSet;

/// The rules, their examples, and who refers to whom.
pub(super) struct Rules {
    pub set: RuleSet,
    pub examples: Vec<Example>,
    pub graph: Graph,
}

/// Reads all lists and tags.
pub(super) fn read(documents: &[Document], feeds: &[FeedSettings], report: &Report) -> Rules {
    let mut rules = Rules { set: RuleSet::default(), examples: Vec::new(), graph: Graph::new(feeds) };
    for entry in Table::merged(documents, "lists", report).into_entries() {
        check_list_name(&entry, report);
        let mut references = References::default();
        let expected = "an array of terms such as [\"Mistral AI\", \"=AI\", \"@other-list\"]";
        rules.set.lists.insert(entry.key.to_owned(), terms(entry.value, expected, query::parse_term, &mut references));
        rules.graph.insert(ReferenceKind::List, entry.key, entry.key_place, references);
    }
    for entry in Table::merged(documents, "tags", report).into_entries() {
        check_name("tag", &entry, report);
        let mut references = References::default();
        rules.set.tags.extend(tag(&entry, &mut references, &mut rules.examples));
        rules.graph.insert(ReferenceKind::Tag, entry.key, entry.key_place, references);
    }
    rules.graph.check(report);
    rules
}

/// Reports a name that cannot be one.
pub(super) fn check_name(what: &str, entry: &Entry<'_>, report: &Report) {
    if let Some(fault) = values::name_fault(entry.key) {
        let message = format!("{} cannot be the name of a {what}: {fault}", quoted(entry.key));
        let help = values::name_like(entry.key).map(|name| format!("write `{name}`"));
        report.add(Diagnostic::error(entry.key_place.clone(), message).help_if(help));
    }
}

/// A list's name stands only in queries, so it may be of any script.
fn check_list_name(entry: &Entry<'_>, report: &Report) {
    if entry.key.is_empty() || !entry.key.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) {
        let message = format!("{} cannot be the name of a list", quoted(entry.key));
        report.add(Diagnostic::error(entry.key_place.clone(), message).help("write letters, digits, `-`, `_` and `.`"));
    }
}

fn terms(value: Value<'_>, expected: &str, parse: fn(&str) -> Parsed, references: &mut References) -> Vec<Query> {
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
    terms.into_iter().filter_map(|text| parsed(text, parse(text.text), references)).collect()
}

/// A query, its diagnostics and references recorded where they stand in the file.
pub(super) fn query(text: Text<'_>, references: &mut References) -> Option<Query> {
    parsed(text, query::parse(text.text), references)
}

type Parsed = Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>>;

fn parsed(text: Text<'_>, parsed: Parsed, references: &mut References) -> Option<Query> {
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
    references.offer_a_fact |= query.as_ref().is_some_and(Query::offers_a_fact);
    for (group, span) in query.iter().flat_map(Query::groups) {
        references.groups.push((group.to_owned(), text.place_within(&span)));
    }
    for reference in query.iter().flat_map(Query::references) {
        let place = text.place_within(&reference.span);
        references.names.push((reference, place));
    }
    query
}

fn tag(entry: &Entry<'_>, references: &mut References, examples: &mut Vec<Example>) -> Option<TagRule> {
    let table = entry.value.table(format!("the tag {}", quoted(entry.key)))?;
    let name = TagName(entry.key.to_owned());
    let title = table.text("title", "a string").map(|text| text.text.trim()).filter(|title| !title.is_empty());
    let any = table
        .get("any")
        .map(|value| terms(value, "an array of terms", query::parse_lone_term, references))
        .unwrap_or_default();
    let matches = table.text("match", "a query").and_then(|text| query(text, references));
    let except = table.text("except", "a query").and_then(|text| query(text, references));
    let score = table.get("score").map(|value| score(value, references)).unwrap_or_default();
    let threshold = table.get("threshold").and_then(|value| value.number());
    check_clauses(&table, &score, threshold);
    examples.extend(table.get("examples").into_iter().flat_map(|value| self::examples(value, &name)));
    let rule = TagRule {
        title: title.unwrap_or(entry.key).to_owned(),
        name,
        any,
        matches,
        except,
        score,
        threshold: threshold.unwrap_or(TagRule::DEFAULT_THRESHOLD),
        publish: table.boolean("publish").unwrap_or(true),
    };
    table.finish();
    Some(rule)
}

/// A rule that cannot hold, or has no way to, is a mistake.
fn check_clauses(table: &Table<'_>, clauses: &[ScoreClause], threshold: Option<f64>) {
    if !["any", "match", "score"].iter().any(|key| table.has(key)) {
        table.missing("any`, `match` or `score", "without one of them it never holds");
    }
    if table.has("threshold") && !table.has("score") {
        let message = "`threshold` needs `score`";
        table.report.add(Diagnostic::error(table.place_of("threshold"), message).resting_on_absence());
    }
    if threshold.is_some_and(|threshold| threshold <= 0.0) {
        let message = "`threshold` must be above zero, else every item has the tag";
        table.report.add(Diagnostic::error(table.place_of("threshold"), message));
    }
    let most = query::sum_of_weights(clauses.iter().map(|clause| clause.weight.max(0.0)));
    let threshold = threshold.unwrap_or(TagRule::DEFAULT_THRESHOLD);
    if !clauses.is_empty() && most < threshold {
        let message = format!("the weights add up to {most} at most and never reach the threshold of {threshold}");
        table.report.add(Diagnostic::error(table.place_of("score"), message).resting_on_absence());
    }
}

fn score(value: Value<'_>, references: &mut References) -> Vec<ScoreClause> {
    let expected = "an array of tables such as [{ match = \"relocat*\", weight = 2 }]";
    let mut clauses = Vec::new();
    let elements = value.array(expected);
    if elements.as_ref().is_some_and(Vec::is_empty) {
        value.report().add(Diagnostic::warning(value.place(), "`score` is empty, so it never matches"));
    }
    for element in elements.unwrap_or_default() {
        let Some(table) = element.table("the clause of `score`") else { continue };
        let query = table.text("match", "a query").and_then(|text| query(text, references));
        if !table.has("match") {
            table.missing("match", "write `match = '…'`");
        }
        let weight = table.get("weight").map_or(Some(1.0), |value| value.number());
        if weight == Some(0.0) {
            table.report.add(Diagnostic::error(table.place_of("weight"), "a `weight` of zero changes nothing"));
        }
        table.finish();
        clauses.extend(query.zip(weight).map(|(query, weight)| ScoreClause { query, weight }));
    }
    clauses
}

/// Texts that must get the tag, and texts that must not.
fn examples(value: Value<'_>, tag: &TagName) -> Vec<Example> {
    let Some(table) = value.table("examples") else { return Vec::new() };
    let mut examples = Vec::new();
    for (key, must_match) in [("match", true), ("no_match", false)] {
        let texts = table.get(key).map(|value| value.texts("an array of strings")).unwrap_or_default();
        examples.extend(texts.into_iter().map(|text| Example {
            tag: tag.clone(),
            text: text.text.to_owned(),
            must_match,
            place: text.place(),
        }));
    }
    table.finish();
    examples
}
