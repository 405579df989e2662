//! The query language: one language for tagging rules, digests and search.
//!
//! Owns text -> syntax tree -> text, and all that can be said of a query without matching it: diagnostics with
//! byte spans, lints, references to lists and tags. It knows nothing of folding, tokens or items; that is `classifier`.
//! The manual is `docs/query-language.md`, whose examples are run by tests.

mod compare;
mod lexer;
mod lint;
mod parser;
mod print;
mod rules;
mod tree;

pub use compare::{CompareOp, Comparison};
pub(crate) use lint::{compile_regex, is_unspaced};
pub use rules::{RuleSet, ScoreClause, TagRule, sum_of_weights};
pub use tree::{Expr, ExprKind, Proximity, ProximityKind, Query, Reference, ReferenceKind, Scope, Term};

use std::ops::Range;

/// Largest `n` of `NEAR/n`, in words. Beyond it, "near" says no more than AND does.
pub const MAX_DISTANCE_WORDS: u16 = 100;
/// `n` where `NEAR` or `BEFORE` is written without one.
pub const DEFAULT_DISTANCE_WORDS: u16 = 10;
/// Deepest nesting of parentheses, NOT, scopes and chained NEARs.
pub const MAX_DEPTH: usize = 64;
/// Longest query, in bytes.
pub const MAX_QUERY_BYTES: usize = 256 * 1024;
/// Largest compiled program of one `/regex/`, in bytes. With 1 MiB, `a{0,1000}a{0,1000}a{0,1000}b` takes seconds
/// on 64 KiB of text; with 128 KiB every pattern tried stays within 22 ms.
pub const MAX_REGEX_PROGRAM_BYTES: usize = 128 * 1024;

/// What is wrong, or doubtful, in a query: where, what, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryDiagnostic {
    pub severity: Severity,
    /// Bytes of the query's text.
    pub span: Range<usize>,
    pub message: String,
    /// What was probably meant, or what to do.
    pub help: Option<String>,
}

impl QueryDiagnostic {
    fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        QueryDiagnostic { severity: Severity::Error, span, message: message.into(), help: None }
    }

    fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        QueryDiagnostic { severity: Severity::Warning, ..Self::error(span, message) }
    }

    fn with_help(self, help: impl Into<String>) -> Self {
        QueryDiagnostic { help: Some(help.into()), ..self }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

/// A query with its lints, or all that is wrong with it.
///
/// # Errors
/// At least one diagnostic of severity [`Severity::Error`].
///
/// ```
/// let (query, lints) = veille::query::parse("mistral NOT NEAR/3 bugatti").unwrap();
/// assert_eq!(query.to_string(), "mistral NOT NEAR/3 bugatti");
/// assert!(lints.is_empty());
/// let errors = veille::query::parse("mistral or lighton").unwrap_err();
/// assert_eq!(errors[0].span, 8..10);
/// ```
pub fn parse(text: &str) -> Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>> {
    finish(text, parser::parse_query(text), false)
}

/// A term of a list: like [`parse`], but a text with blanks is a phrase: `Mistral AI`, `=AI`, `LLM*`, `@other-list`.
///
/// # Errors
/// As [`parse`]; a text that can only be a query (`a NEAR/3 b`) is one.
pub fn parse_term(text: &str) -> Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>> {
    // A list may stand beside a NEAR, so that its terms may well be everyday ones.
    finish(text, parser::parse_list_term(text), true)
}

/// A term that holds alone, as those of a rule's `any` do: as [`parse_term`], but that a word of every text is a doubt.
///
/// # Errors
/// As [`parse_term`].
pub fn parse_lone_term(text: &str) -> Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>> {
    finish(text, parser::parse_list_term(text), false)
}

fn finish(
    text: &str,
    (root, mut diagnostics): (Option<Expr>, Vec<QueryDiagnostic>),
    beside_another: bool,
) -> Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>> {
    if let Some(root) = &root {
        lint::lint(text, root, beside_another, &mut diagnostics);
    }
    diagnostics.sort_by_key(|d| (d.span.start, d.span.end));
    diagnostics.dedup();
    let failed = diagnostics.iter().any(|d| d.severity == Severity::Error);
    match root {
        Some(root) if !failed => Ok((Query { root, text: text.to_string() }, diagnostics)),
        _ => Err(diagnostics),
    }
}

/// The known name that was probably meant; of equals the first.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LEAST_SIMILARITY: f64 = 0.8;
    let scored = known.into_iter().map(|known| (strsim::jaro_winkler(known, name), known));
    let near = scored.filter(|(similarity, _)| *similarity >= LEAST_SIMILARITY);
    near.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1))).map(|(_, known)| known)
}

#[cfg(test)]
mod tests;
