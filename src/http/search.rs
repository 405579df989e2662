//! Search by the query language, with the evaluator of the rules: what is found here is what a rule would tag.
//!
//! Walks the archive from the newest item on, so that the first page is quick however large the archive is;
//! a walk that finds too little within its bound says where to go on.

use crate::classifier::{CompiledQuery, ItemText};
use crate::model::{Item, ItemId, Timestamp};
use crate::query::{self, QueryDiagnostic, RuleSet};
use crate::store::{ItemFilter, ReadTx, StoreError};

/// Items read at once.
const BATCH_ITEMS: usize = 200;
/// Items looked at for one page, about a second's work; a rare word is sought further with the next page.
const MAX_LOOKED_AT: usize = 10_000;

/// What was found, newest first.
#[derive(Debug)]
pub struct Found {
    pub items: Vec<Item>,
    /// Where the next page begins; `None` when the archive is through.
    pub before: Option<ItemId>,
}

/// A text as a query over these rules' lists.
///
/// # Errors
/// What is wrong with it, a line each: the column, the fault, and what to do.
pub fn compile(text: &str, rules: &RuleSet) -> Result<CompiledQuery, Vec<String>> {
    let (query, _lints) =
        query::parse(text).map_err(|faults| faults.iter().map(|fault| describe(text, fault)).collect::<Vec<_>>())?;
    CompiledQuery::compile(&query, &rules.lists).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn describe(text: &str, fault: &QueryDiagnostic) -> String {
    let column = text.get(..fault.span.start).map_or(1, |before| before.chars().count() + 1);
    let help = fault.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    format!("column {column}: {}{help}", fault.message)
}

/// The newest items that the query holds for, from those older than `before`; at most `limit`.
///
/// # Errors
/// The store cannot be read.
pub fn search(
    tx: &ReadTx<'_>,
    query: &CompiledQuery,
    before: Option<ItemId>,
    limit: usize,
    now: Timestamp,
) -> Result<Found, StoreError> {
    let mut found = Found { items: Vec::new(), before };
    let mut looked_at = 0;
    while looked_at < MAX_LOOKED_AT {
        let filter = ItemFilter { before: found.before, limit: BATCH_ITEMS, ..ItemFilter::default() };
        let batch = tx.newest_items(&filter)?;
        let is_last = batch.len() < BATCH_ITEMS;
        looked_at += batch.len();
        for item in batch {
            found.before = Some(item.id);
            if holds(query, &item, now) {
                found.items.push(item);
                if found.items.len() == limit {
                    return Ok(found);
                }
            }
        }
        if is_last {
            found.before = None;
            return Ok(found);
        }
    }
    Ok(found)
}

fn holds(query: &CompiledQuery, item: &Item, now: Timestamp) -> bool {
    let tags: Vec<&str> = item.tags.iter().map(|tag| tag.tag.0.as_str()).collect();
    query.matches(&ItemText { tags: &tags, ..ItemText::from_item(item) }, now)
}
