//! One query of a rule, compiled, with its alternatives: the parts between top-level ORs, each with the label by which
//! evidence names it. Bounds what evidence a rule gives; decides nothing about whether it holds.

use super::evaluate::{Reading, Span};
use super::program::{Compiler, Fields, Node, any_of};
use crate::model::{Evidence, Field, TagName};
use crate::query::Query;

/// Most characters of a label; a longer one is cut.
const MAX_LABEL_CHARS: usize = 120;
/// Most spans of evidence that an alternative gives in one field: a word repeated a thousand times proves nothing more.
const MAX_SPANS_PER_FIELD: usize = 8;
/// Most spans of evidence of one rule, shared by its alternatives.
const MAX_SPANS: usize = 24;

#[derive(Debug)]
pub(super) struct Clause {
    pub node: Node,
    /// `match: mistral NEAR/3 ai`
    pub label: Box<str>,
    /// Empty for a query without an OR at its top, whose one alternative is the clause itself.
    alternatives: Box<[Alternative]>,
}

/// What holds the clause when it holds alone.
#[derive(Debug)]
struct Alternative {
    node: Node,
    label: Box<str>,
}

impl Clause {
    /// Compiles a query; `part` is what the config calls it, `used_by` names its place in errors.
    pub fn compile(query: &Query, part: &str, used_by: &str, compiler: &mut Compiler<'_>) -> Clause {
        let label = label(part, query.text());
        let parts = query.root.alternatives();
        if parts.len() == 1 {
            return Clause { node: compiler.query(query, used_by), label, alternatives: Box::default() };
        }
        compiler.used_by(used_by);
        let alternatives: Box<[Alternative]> = parts
            .iter()
            .map(|expr| Alternative {
                node: compiler.expr(expr, Fields::TEXT),
                label: self::label(part, &expr.to_string()),
            })
            .collect();
        let node = any_of(alternatives.iter().map(|alternative| alternative.node.clone()).collect());
        Clause { node, label, alternatives }
    }

    fn alternatives(&self) -> impl Iterator<Item = (&Node, &str)> {
        let whole = self.alternatives.is_empty().then_some((&self.node, &*self.label));
        whole.into_iter().chain(self.alternatives.iter().map(|part| (&part.node, &*part.label)))
    }
}

/// `part: query` on one line, cut where it gets long.
fn label(part: &str, query: &str) -> Box<str> {
    let words: Vec<&str> = query.split_whitespace().collect();
    shortened(format!("{part}: {}", words.join(" "))).into()
}

/// A text cut to the length of a label.
pub(super) fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_LABEL_CHARS) {
        let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
        text.truncate(last);
        text.truncate(text.trim_end().len());
        text.push('…');
    }
    text
}

/// Spans on their way to evidence; buffers that the rules of an item use in turn.
#[derive(Debug, Default)]
pub(super) struct Gathered<'a> {
    spans: Vec<Span>,
    labelled: Vec<(&'a str, Span)>,
}

impl<'a> Gathered<'a> {
    /// The evidence of some clauses of a rule, those that hold: by alternative, in the order of the text.
    pub fn evidence(
        &mut self,
        rule: &TagName,
        clauses: impl Iterator<Item = &'a Clause>,
        reading: &Reading<'_>,
        tag_names: &[String],
    ) -> Vec<Evidence> {
        let Gathered { spans, labelled } = self;
        labelled.clear();
        for (node, label) in clauses.flat_map(Clause::alternatives) {
            reading.evidence(node, spans);
            spans.sort_unstable();
            spans.dedup();
            labelled.extend(spans.drain(..).map(|span| (label, span)));
        }
        let fits = |most: &usize| labelled.len() <= *most || kept(labelled, *most).count() <= MAX_SPANS;
        let per_field = (1..=MAX_SPANS_PER_FIELD).rev().find(fits).unwrap_or(1);
        let mut evidence: Vec<Evidence> = Vec::with_capacity(labelled.len().min(MAX_SPANS));
        for &(label, span) in kept(labelled, per_field).take(MAX_SPANS) {
            let published = published(rule, label, span, reading, tag_names);
            // Two alternatives may have one label: a term written twice, long ones cut alike.
            if !evidence.contains(&published) {
                evidence.push(published);
            }
        }
        evidence
    }
}

/// A span as stored: characters of its field, whose text it quotes.
fn published(rule: &TagName, label: &str, span: Span, reading: &Reading<'_>, tag_names: &[String]) -> Evidence {
    let source = if span.field == Field::Tag { &tag_names[span.tag as usize] } else { reading.source(span.field) };
    let span = if span.field == Field::Tag { Span { end: source.len(), ..span } } else { span };
    let text = &source[span.start..span.end];
    let start = source[..span.start].chars().count();
    Evidence {
        rule: rule.0.clone(),
        clause: label.to_string(),
        field: span.field,
        start,
        end: start + text.chars().count(),
        text: text.to_string(),
    }
}

/// Of each alternative and field the first `most` spans.
fn kept<'a, 'b>(found: &'b [(&'a str, Span)], most: usize) -> impl Iterator<Item = &'b (&'a str, Span)> {
    found.iter().enumerate().filter_map(move |(at, span)| {
        let same = |before: &(&str, Span)| std::ptr::eq(before.0, span.0) && before.1.field == span.1.field;
        let crowded = at >= most && found[at - most..at].iter().all(same);
        (!crowded).then_some(span)
    })
}
