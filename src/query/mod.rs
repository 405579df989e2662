//! The query language: one language for tagging rules, digests and search.

mod rules;
pub use rules::{RuleSet, ScoreClause, TagRule};

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query;

/// What is wrong, or doubtful, in a query: where, what, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryDiagnostic {
    pub severity: Severity,
    /// Bytes of the query's text.
    pub span: std::ops::Range<usize>,
    pub message: String,
    /// What was probably meant, or what to do.
    pub help: Option<String>,
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
pub fn parse(text: &str) -> Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>> {
    let _ = text;
    Ok((Query, Vec::new()))
}

/// A term of a list: like [`parse`], but a text with blanks is a phrase: `Mistral AI`, `=AI`, `LLM*`, `@other-list`.
///
/// # Errors
/// As [`parse`].
pub fn parse_term(text: &str) -> Result<(Query, Vec<QueryDiagnostic>), Vec<QueryDiagnostic>> {
    parse(text)
}
