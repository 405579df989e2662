//! `veille search`: items by the query language, newest first.

use super::output::{print_json, print_lines, tell};
use super::progress::Progress;
use super::stored_item::{ItemSummary, lines};
use super::{Context, Workplace};
use crate::classifier::{CompiledQuery, ItemText};
use crate::model::{Evidence, Item, Timestamp};
use crate::search::{Fault, compile, doubts, index_items, search};
use crate::store::{Store, StoreError};
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use anyhow::bail;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use std::ffi::OsString;
use std::process::ExitCode;

/// Fewer items that the index of words lacks are read sooner than they are indexed.
const WORTH_INDEXING: usize = 1_000;

/// Find items by the query language, newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A query, as rules and digests have them; several words need no quotes
    #[arg(required = true, num_args = 1.., value_name = "QUERY")]
    query: Vec<String>,
    /// Most items shown
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

/// The process's arguments, with a blank before each that is a negation of the query's (`-word`) and no option of ours:
/// so it is read as a part of the query.
pub fn sparing_negations(arguments: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let is_negation = |argument: &OsString| {
        let negated = argument.to_str().and_then(|text| text.strip_prefix('-')).unwrap_or_default();
        !negated.is_empty() && !negated.starts_with('-') && !negated.bytes().all(|byte| b"hqvV".contains(&byte))
    };
    let mut is_search = false;
    arguments.map(move |argument| {
        is_search |= argument == "search";
        if !(is_search && is_negation(&argument)) {
            return argument;
        }
        let mut spared = OsString::from(" ");
        spared.push(argument);
        spared
    })
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    query: &'a str,
    items: Vec<FoundItem>,
    /// Whether there may be more than the limit shows.
    more: bool,
}

#[derive(Debug, Serialize)]
struct FoundItem {
    #[serde(flatten)]
    item: ItemSummary,
    evidence: Vec<Evidence>,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let words: Vec<&str> = args.query.iter().map(|word| word.trim_start()).collect();
    let text = words.join(" ");
    let query = match compile(&text, &workplace.settings.rules, usize::MAX) {
        Ok(query) => query,
        Err(faults) => bail!("this is not a query\n{}", render(&text, &faults, &Level::ERROR)),
    };
    let doubts = doubts(&text, &workplace.settings.rules);
    if !doubts.is_empty() && !context.quiet {
        tell(render(&text, &doubts, &Level::WARNING));
    }
    let (limit, now) = (args.limit, Workplace::now());
    let (found, query) = workplace.block_on(async |store| {
        if query.needed().names_words() {
            index_first(store).await?;
        }
        store.read(move |tx| Ok((search(tx, &query, None, limit, now, || true)?, query))).await
    })?;
    if context.json {
        let items = found.items.iter().map(|item| FoundItem::new(item, &query, now)).collect();
        print_json(&Answer { query: &text, items, more: found.before.is_some() })?;
    } else {
        print_lines(found.items.iter().flat_map(lines))?;
    }
    Ok(if found.items.is_empty() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Indexes what new feeds brought since the last search; the daemon does so by itself.
async fn index_first(store: &Store) -> Result<(), StoreError> {
    let unindexed = store.read(|tx| tx.unindexed_count()).await?;
    if unindexed < WORTH_INDEXING {
        return Ok(());
    }
    let mut progress = Progress::of(unindexed, "items indexed for searching");
    let indexed = index_items(store, |done| {
        progress.reach(done);
        true
    });
    if let Err(error) = indexed.await {
        tracing::warn!(%error, "the index of words cannot be written: the search reads the items that it lacks");
    }
    Ok(())
}

impl FoundItem {
    fn new(item: &Item, query: &CompiledQuery, now: Timestamp) -> Self {
        let tags: Vec<&str> = item.tags.iter().map(|tag| tag.tag.0.as_str()).collect();
        let text = ItemText { tags: &tags, ..ItemText::from_item(item) };
        Self { item: ItemSummary::from(item), evidence: query.evidence(&text, now).unwrap_or_default() }
    }
}

/// Each fault with the query and a caret below it.
fn render(query: &str, faults: &[Fault], level: &Level<'_>) -> String {
    let renderer = Renderer::plain();
    let one = |fault: &Fault| {
        let span = fault.span.start.min(query.len())..fault.span.end.min(query.len());
        let snippet = Snippet::source(query).annotation(AnnotationKind::Primary.span(span));
        let mut group = level.clone().primary_title(fault.message.as_str()).element(snippet);
        if let Some(help) = &fault.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    };
    faults.iter().map(one).collect::<Vec<_>>().join("\n\n")
}
