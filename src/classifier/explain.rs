//! Why, and why not: a tag's rule taken apart over one item, clause by clause and operand by operand, with how near a
//! failed one came. The parts are judged by the evaluator that tags.

use super::Classifier;
use super::clause::{self, Clause, Gathered};
use super::evaluate::{Occurrence, Reading, Scratch};
use super::item::ItemText;
use super::program::{Compiler, Fields, Node};
use super::rule::Rule;
use crate::model::{Evidence, Field, TagName, Timestamp};
use crate::query::{Comparison, Expr, ExprKind, Proximity, ProximityKind, Query, RuleSet, Term};
use serde::Serialize;
use std::fmt::Write as _;

/// What a tag's rule makes of an item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    pub tag: TagName,
    pub holds: bool,
    /// Sum of the weights that hold; 0 for a rule without weights.
    pub score: f64,
    /// What the sum has to reach; `None` for a rule without weights.
    pub threshold: Option<f64>,
    pub rule_hash: String,
    pub clauses: Vec<ClauseExplanation>,
}

/// One clause of a rule: `any: …`, `match: …`, `score[0]: …`, `except: …`; its evidence names the alternatives that held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClauseExplanation {
    pub clause: String,
    /// The weight of a `score` clause.
    pub weight: Option<f64>,
    pub holds: bool,
    pub evidence: Vec<Evidence>,
    pub part: PartExplanation,
}

/// A query or an operand of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartExplanation {
    pub query: String,
    pub holds: bool,
    /// How near it came, or what stood in its way.
    pub note: Option<String>,
    pub parts: Vec<PartExplanation>,
}

impl Classifier {
    /// Takes the rule of `tag` apart over an item; `rules` are those that this classifier was compiled from. `None` when
    /// there is no such tag.
    #[must_use]
    pub fn explain(&self, rules: &RuleSet, item: &ItemText<'_>, tag: &str, now: Timestamp) -> Option<Explanation> {
        let source = rules.tags.iter().find(|rule| rule.name.0 == tag)?;
        let given = self.tags(item, now);
        let decided = |name: &str| item.corrections.iter().find(|(tag, _)| tag.0 == name).map(|(_, present)| *present);
        let given = given.iter().map(|tag| tag.0.as_str()).filter(|tag| decided(tag).is_none());
        let by_hand = item.corrections.iter().filter(|(_, present)| *present).map(|(tag, _)| tag.0.as_str());
        let own: Vec<&str> =
            item.tags.iter().copied().filter(|tag| rules.tags.iter().all(|rule| rule.name.0 != *tag)).collect();
        let tags: Vec<&str> = given.chain(by_hand).chain(own).collect();
        let item = ItemText { tags: &tags, ..*item };

        let mut compiler = Compiler::new(&rules.lists);
        let rule = Rule::compile(source, self.rule_hash(tag)?.to_owned(), &mut compiler);
        let planned = plan_clauses(&rule, source, &mut compiler);
        let Compiler { index, tag_names, fields, .. } = compiler;
        let index = index.build();
        let mut scratch = Scratch::default();
        let reading = scratch.read(&index, fields, &item, now, &tag_names);
        let clauses = planned.iter().map(|planned| planned.explain(&rule.name, &reading, &tag_names)).collect();
        Some(Explanation {
            tag: rule.name.clone(),
            holds: rule.holds(&reading, |_| true),
            score: rule.weight(&reading, |_| true),
            threshold: (!rule.score.is_empty()).then_some(rule.threshold),
            rule_hash: rule.hash.clone(),
            clauses,
        })
    }
}

impl Explanation {
    /// The explanation as indented lines for a reader.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let verdict = if self.holds { "holds" } else { "does not hold" };
        let score =
            self.threshold.map_or_else(String::new, |threshold| format!(", score {} of {threshold}", self.score));
        let mut lines = vec![format!("{} {verdict}{score}", self.tag.0)];
        for clause in &self.clauses {
            let weight = clause.weight.map_or_else(String::new, |weight| format!(" (weight {weight})"));
            lines.push(format!("  {} {}{weight}", mark(clause.holds), clause.clause));
            let spans = clause.evidence.iter();
            lines.extend(
                spans.map(|span| format!("      {} {}-{}: {}", span.field.name(), span.start, span.end, span.text)),
            );
            lines.extend(clause.part.note.iter().map(|note| format!("      {note}")));
            clause.part.parts.iter().for_each(|part| part.lines(3, &mut lines));
        }
        lines
    }
}

impl PartExplanation {
    fn lines(&self, depth: usize, lines: &mut Vec<String>) {
        let note = self.note.as_ref().map_or_else(String::new, |note| format!("  — {note}"));
        lines.push(format!("{}{} {}{note}", "  ".repeat(depth), mark(self.holds), self.query));
        self.parts.iter().for_each(|part| part.lines(depth + 1, lines));
    }
}

fn mark(holds: bool) -> &'static str {
    if holds { "✓" } else { "✗" }
}

/// A clause with the parts it will be explained by, all compiled into one index.
struct PlannedClause<'a> {
    clause: &'a Clause,
    weight: Option<f64>,
    part: PlannedPart,
}

struct PlannedPart {
    query: String,
    node: Node,
    kind: PartKind,
    parts: Vec<PlannedPart>,
}

enum PartKind {
    /// A word or phrase, with looser forms of it that the text may hold instead.
    Term {
        looser: Vec<(&'static str, Node)>,
    },
    /// A term in a field that says one thing of the item, its feed or its author.
    Said(Field),
    Compare(Comparison),
    List,
    Not,
    Proximity(Proximity),
    Other,
}

fn plan_clauses<'a>(
    rule: &'a Rule,
    source: &crate::query::TagRule,
    compiler: &mut Compiler<'_>,
) -> Vec<PlannedClause<'a>> {
    let mut plan = |clause: &'a Clause, query: &Query, weight| PlannedClause {
        clause,
        weight,
        part: plan_part(&query.root, Fields::TEXT, compiler),
    };
    let mut planned: Vec<_> =
        rule.any.iter().zip(&source.any).map(|(clause, query)| plan(clause, query, None)).collect();
    planned.extend(rule.matches.iter().zip(&source.matches).map(|(clause, query)| plan(clause, query, None)));
    planned.extend(
        rule.score.iter().zip(&source.score).map(|((clause, weight), score)| plan(clause, &score.query, Some(*weight))),
    );
    planned.extend(rule.except.iter().zip(&source.except).map(|(clause, query)| plan(clause, query, None)));
    planned
}

fn plan_part(expr: &Expr, fields: Fields, compiler: &mut Compiler<'_>) -> PlannedPart {
    let node = compiler.expr(expr, fields);
    let query = clause::shortened(expr.to_string());
    let mut plan = |expr: &Expr| plan_part(expr, fields, compiler);
    let (kind, parts) = match &expr.kind {
        ExprKind::And(parts) | ExprKind::Or(parts) => (PartKind::Other, parts.iter().map(plan).collect()),
        ExprKind::Not(inner) => (PartKind::Not, vec![plan(inner)]),
        ExprKind::Proximity { left, operator, right } => {
            (PartKind::Proximity(*operator), vec![plan(left), plan(right)])
        }
        ExprKind::Scope(scope, inner) => {
            let inner = plan_part(inner, Fields::of(*scope), compiler);
            (inner.kind, inner.parts)
        }
        ExprKind::Term(term) => match said_in(fields) {
            Some(field) => (PartKind::Said(field), Vec::new()),
            None => (PartKind::Term { looser: plan_looser(term, fields, compiler) }, Vec::new()),
        },
        ExprKind::List(_) => (PartKind::List, Vec::new()),
        ExprKind::Compare(comparison) => (PartKind::Compare(comparison.clone()), Vec::new()),
        ExprKind::Tag(_) => (PartKind::Other, Vec::new()),
    };
    PlannedPart { query, node, kind, parts }
}

fn said_in(fields: Fields) -> Option<Field> {
    const SAYING: [Field; 5] = [Field::Author, Field::Host, Field::Feed, Field::Group, Field::Lang];
    SAYING.into_iter().find(|field| fields.single() == Some(*field as usize))
}

/// What the text may hold where a term was not found: other case or accents, or the word within another.
fn plan_looser(term: &Term, fields: Fields, compiler: &mut Compiler<'_>) -> Vec<(&'static str, Node)> {
    let Term::Text { text, exact } = term else { return Vec::new() };
    let mut forms = Vec::new();
    if *exact {
        forms.push(("in other case or accents", text.clone()));
    }
    if text.chars().all(char::is_alphanumeric) {
        forms.push(("only within", format!("*{text}*")));
    }
    let mut compile = |text| {
        let kind = ExprKind::Term(Term::Text { text, exact: false });
        compiler.expr(&Expr { kind, span: 0..0 }, fields)
    };
    forms.into_iter().map(|(how, text)| (how, compile(text))).collect()
}

impl PlannedClause<'_> {
    fn explain(&self, tag: &TagName, reading: &Reading<'_>, tag_names: &[String]) -> ClauseExplanation {
        let part = self.part.explain(reading);
        let evidence = Gathered::default().evidence(tag, std::iter::once(self.clause), reading, tag_names);
        let clause = self.clause.label.to_string();
        ClauseExplanation { clause, weight: self.weight, holds: part.holds, evidence, part }
    }
}

impl PlannedPart {
    fn explain(&self, reading: &Reading<'_>) -> PartExplanation {
        let holds = reading.holds(&self.node);
        let note = if holds { None } else { self.note(reading) };
        let parts = self.parts.iter().map(|part| part.explain(reading)).collect();
        PartExplanation { query: self.query.clone(), holds, note, parts }
    }

    fn note(&self, reading: &Reading<'_>) -> Option<String> {
        match &self.kind {
            PartKind::Term { looser } => Some(missing_term(looser, reading)),
            PartKind::Said(field) => Some(said(reading.source(*field))),
            PartKind::Compare(comparison) => Some(compared(comparison, reading)),
            PartKind::List => Some("none of its terms is there".to_string()),
            PartKind::Not => {
                let found = reading.occurrences(&self.parts[0].node);
                found.first().map(|found| format!("*{}* is there, in {}", reading.words_of(found), found.field.name()))
            }
            PartKind::Proximity(operator) => Some(self.how_near(*operator, reading)),
            PartKind::Other => None,
        }
    }

    fn how_near(&self, operator: Proximity, reading: &Reading<'_>) -> String {
        let [left, right] = &self.parts[..] else { return String::new() };
        let (a, b) = (reading.occurrences(&left.node), reading.occurrences(&right.node));
        for (side, found) in [(left, &a), (right, &b)] {
            if found.is_empty() {
                return format!("`{}` is nowhere", side.query);
            }
        }
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
        let measured = pairs.filter_map(|(a, b)| Some((reading.distance_words(a, b)?, a, b)));
        let Some((words, a, b)) = measured.min_by_key(|(words, a, b)| (*words == 0, *words, a.start, b.start)) else {
            return "both are there, but never in the same field".to_string();
        };
        let mut note = nearest_pair(words, a, b, reading);
        if operator.negated {
            let _ = write!(note, "; no `{}` is free of `{}`", left.query, right.query);
        } else if operator.kind == ProximityKind::Before && b.start < a.end {
            note.push_str(", in the other order");
        } else if operator.kind == ProximityKind::Sentence && !reading.in_one_sentence(a, b) {
            note.push_str(", in different sentences");
        }
        note
    }
}

/// What a field says in place of what was asked for.
fn said(text: &str) -> String {
    match text {
        "" => "there is none".to_string(),
        text => format!("it is *{}*", clause::shortened(text.replace('\n', ", "))),
    }
}

/// What a value was compared with.
fn compared(comparison: &Comparison, reading: &Reading<'_>) -> String {
    let undated = || "it has no date".to_string();
    match (comparison, reading.item.published_at) {
        (Comparison::Words { .. }, _) => format!("it has {}", reading.words()),
        (Comparison::Published { .. }, at) => at.map_or_else(undated, |at| format!("it is of {at:.0}")),
        (Comparison::Age { .. }, at) => at.map_or_else(undated, |at| {
            let hours = reading.now.duration_since(at).as_hours();
            if hours < 48 { format!("it is {hours}h old") } else { format!("it is {}d old", hours / 24) }
        }),
    }
}

fn missing_term(looser: &[(&'static str, Node)], reading: &Reading<'_>) -> String {
    for (how, node) in looser {
        if let Some(found) = reading.occurrences(node).first() {
            return format!("not there; {how} *{}*, in {}", reading.words_of(found), found.field.name());
        }
    }
    "not there".to_string()
}

fn nearest_pair(words: u32, a: &Occurrence, b: &Occurrence, reading: &Reading<'_>) -> String {
    let (first, second) = if a.start <= b.start { (a, b) } else { (b, a) };
    let (first, second) = (reading.words_of(first), reading.words_of(second));
    match words {
        0 => format!("nearest: *{first}* and *{second}* overlap in {}", a.field.name()),
        1 => format!("nearest: *{first}* beside *{second}* in {}", a.field.name()),
        _ => format!("nearest: *{first}* … *{second}*, {words} words apart in {}", a.field.name()),
    }
}
