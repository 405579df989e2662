//! Search by the query language, with the evaluator of the rules: what is found here is what a rule would tag.
//!
//! Walks the archive from the newest item on, so that the first page is quick however large the archive is; an index of
//! words spares it the items that cannot hold the query. A walk that is stopped before it has found enough says where to
//! go on.

mod index;
mod walk;

pub use index::index_items;

use crate::classifier::{CompileError, CompiledQuery, ItemText};
use crate::model::{Item, ItemId, StoredText, Timestamp};
use crate::query::{self, Reference, ReferenceKind, RuleSet, nearest};
use crate::store::{ReadTx, StoreError};
use std::ops::Range;
use walk::Walk;

/// What was found, newest first.
#[derive(Debug)]
pub struct Found {
    pub items: Vec<Item>,
    /// Where the next page begins; `None` when the archive is through.
    pub before: Option<ItemId>,
}

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Bytes of the query's text.
    pub span: Range<usize>,
    pub message: String,
    /// What was probably meant, or what to do.
    pub help: Option<String>,
}

impl Fault {
    /// The fault in one line, with its column in `query`.
    #[must_use]
    pub fn line(&self, query: &str) -> String {
        let column = query.get(..self.span.start).map_or(1, |before| before.chars().count() + 1);
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("column {column}: {}{help}", self.message)
    }
}

/// A text as a query over these rules' lists, of at most `max_terms` terms of its own.
///
/// # Errors
/// Everything that is wrong with it.
pub fn compile(text: &str, rules: &RuleSet, max_terms: usize) -> Result<CompiledQuery, Vec<Fault>> {
    let (query, _lints) = query::parse(text).map_err(|faults| {
        let errors = faults.into_iter().filter(|fault| fault.severity == query::Severity::Error);
        errors.map(|fault| Fault { span: fault.span, message: fault.message, help: fault.help }).collect::<Vec<_>>()
    })?;
    if let Some((_, span)) = query.terms().get(max_terms) {
        let message = format!("a search takes at most {max_terms} terms");
        return Err(vec![Fault { span: span.clone(), message, help: None }]);
    }
    CompiledQuery::compile(&query, &rules.lists)
        .map_err(|errors| errors.iter().map(|error| fault_of(error, &query, rules)).collect())
}

/// What is doubtful in a query that is one: its lints, and tags that these rules do not give.
#[must_use]
pub fn doubts(text: &str, rules: &RuleSet) -> Vec<Fault> {
    let Ok((query, lints)) = query::parse(text) else { return Vec::new() };
    let lints = lints.into_iter().map(|lint| Fault { span: lint.span, message: lint.message, help: lint.help });
    let tags = || rules.tags.iter().map(|rule| rule.name.0.as_str());
    let is_unknown =
        |reference: &Reference| reference.kind == ReferenceKind::Tag && tags().all(|tag| tag != reference.name);
    let unknown = query.references().into_iter().filter(is_unknown).map(|reference| Fault {
        message: format!("there is no tag `{}`", reference.name),
        help: nearest(&reference.name, tags()).map(|tag| format!("did you mean `{tag}`?")),
        span: reference.span,
    });
    lints.chain(unknown).collect()
}

/// Says where in the query the list stands that cannot be used.
fn fault_of(error: &CompileError, query: &query::Query, rules: &RuleSet) -> Fault {
    let name = match error {
        CompileError::UnknownList { name, .. }
        | CompileError::ListCycle { name, .. }
        | CompileError::ListWithoutPlace { name, .. } => Some(name),
        CompileError::UnknownTag { .. } | CompileError::TagCycle { .. } => None,
    };
    let reference = query.references().into_iter().find(|reference| Some(&reference.name) == name);
    let meant = nearest(name.map_or("", String::as_str), rules.lists.keys().map(String::as_str));
    let help = meant
        .filter(|_| matches!(error, CompileError::UnknownList { .. }))
        .map(|known| format!("did you mean `@{known}`?"));
    let span = reference.map_or(0..query.text().len(), |reference| reference.span);
    Fault { span, message: error.to_string(), help }
}

/// The newest items that the query holds for, from those older than `before`; at most `limit`. `proceed` is asked
/// after each batch; `false` ends the walk with what is found.
///
/// # Errors
/// The store cannot be read.
pub fn search(
    tx: &ReadTx<'_>,
    query: &CompiledQuery,
    before: Option<ItemId>,
    limit: usize,
    now: Timestamp,
    mut proceed: impl FnMut() -> bool,
) -> Result<Found, StoreError> {
    let mut hits: Vec<ItemId> = Vec::new();
    let mut walk = Walk::start(tx, query.needed(), before)?;
    let before = loop {
        let batch = walk.next(tx)?;
        for item in &batch.items {
            if hits.len() < limit && holds(tx, query, item, now)? {
                hits.push(item.id);
            }
        }
        if hits.len() == limit {
            break hits.last().copied().or(before);
        }
        if batch.is_last {
            break None;
        }
        if !proceed() {
            break batch.place;
        }
    };
    Ok(Found { items: tx.items_by_id(&hits)?, before })
}

fn holds(tx: &ReadTx<'_>, query: &CompiledQuery, item: &StoredText, now: Timestamp) -> Result<bool, StoreError> {
    let tags = if query.names_tags() { tx.tag_names(item.id)? } else { Vec::new() };
    let tags: Vec<&str> = tags.iter().map(|tag| tag.0.as_str()).collect();
    Ok(query.matches(&ItemText { tags: &tags, ..ItemText::from_stored(item) }, now))
}
