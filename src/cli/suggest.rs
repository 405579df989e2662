//! `veille suggest`: terms that set a tag's items apart, for whoever writes its rule.

use super::item_lines::{self, ItemLine};
use super::output::{print_json, print_lines, printable, tell};
use super::why::unknown_tag;
use super::{Context, Workplace};
use crate::classifier::{Candidates, Classifier, ItemText, Suggestion};
use crate::model::{ItemId, TagName, Timestamp};
use crate::refresh::Watch;
use crate::store::{ItemFilter, ReadTx, StoreError};
use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Items read at once.
const BATCH_ITEMS: usize = 500;

/// Rank the terms that set a tag's items apart from the rest, with what each would add to the rule's F1
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A tag of the config
    tag: String,
    /// Labelled items as `veille eval` reads them, instead of the stored ones with their tags
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Most terms shown
    #[arg(long, default_value_t = 40, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    tag: &'a str,
    terms: Vec<Suggestion>,
}

/// Exit code 1 when there is nothing to suggest.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let tag = TagName(args.tag.clone());
    let terms = match &args.labels {
        Some(file) => from_labels(file, &tag, context)?.rank(args.limit, true),
        None => from_store(&tag, context)?.rank(args.limit, false),
    };
    let is_empty = terms.is_empty();
    if context.json {
        print_json(&Answer { tag: &tag.0, terms })?;
    } else if !is_empty {
        print_lines(table(&terms))?;
    } else {
        tell(format_args!("veille: {}: no term is in two of its items and rarer elsewhere", tag.0));
    }
    Ok(if is_empty { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Against labels: the tag's items are those that are labelled with it.
fn from_labels(file: &Path, tag: &TagName, context: &Context) -> anyhow::Result<Candidates> {
    let classifier = super::check::classifier(context)?;
    anyhow::ensure!(classifier.rule_hash(&tag.0).is_some(), "{}: the config has no such tag", tag.0);
    let mut candidates = Candidates::default();
    let is_wanted = |item: &ItemLine| item.labels().contains(&tag.0);
    let mut items = Vec::new();
    let now = Timestamp::now();
    let judge =
        |item: &ItemLine| (item.clone(), is_wanted(item), is_given(&classifier, &item.plain().text(), tag, now));
    let bad_lines = item_lines::for_each(file, judge, |batch| {
        items.extend(batch);
        Ok(())
    })?;
    anyhow::ensure!(bad_lines == 0, "{}: {bad_lines} lines are no items", file.display());
    items.iter().filter(|(_, wanted, _)| *wanted).for_each(|(item, ..)| candidates.gather(&item.plain().text()));
    candidates.keep_frequent();
    for (item, wanted, given) in &items {
        candidates.count(&item.plain().text(), *wanted, *given);
    }
    Ok(candidates)
}

fn is_given(classifier: &Classifier, item: &ItemText<'_>, tag: &TagName, now: Timestamp) -> bool {
    classifier.tags(item, now).contains(&tag)
}

/// Against the store: the tag's items are those that carry it, corrections by hand included.
fn from_store(tag: &TagName, context: &Context) -> anyhow::Result<Candidates> {
    let workplace = Workplace::for_reading(context)?;
    let (_, watch) = workplace.surroundings()?;
    if watch.classifier().rule_hash(&tag.0).is_none() {
        return Err(unknown_tag(&tag.0, &watch));
    }
    let (tag, now) = (tag.clone(), Workplace::now());
    Ok(workplace.block_on(async |store| store.read(move |tx| stored(tx, &tag, &watch, now)).await)?)
}

fn stored(tx: &ReadTx<'_>, tag: &TagName, watch: &Watch, now: Timestamp) -> Result<Candidates, StoreError> {
    let mut candidates = Candidates::default();
    let mut with_tag: HashSet<ItemId> = HashSet::new();
    let mut filter = ItemFilter { tag: Some(tag.clone()), limit: BATCH_ITEMS, ..ItemFilter::default() };
    loop {
        let items = tx.newest_items(&filter)?;
        items.iter().for_each(|item| candidates.gather(&ItemText::from_item(item)));
        with_tag.extend(items.iter().map(|item| item.id));
        filter.before = items.last().map(|item| item.id);
        if items.len() < BATCH_ITEMS {
            break;
        }
    }
    candidates.keep_frequent();
    let mut after = ItemId(0);
    loop {
        let items = tx.texts_after(after, BATCH_ITEMS)?;
        let Some(last) = items.last() else { return Ok(candidates) };
        after = last.id;
        for item in &items {
            let text = ItemText::from_stored(item);
            candidates.count(&text, with_tag.contains(&item.id), is_given(watch.classifier(), &text, tag, now));
        }
    }
}

fn table(terms: &[Suggestion]) -> Vec<String> {
    let mut lines = vec!["with tag   others  log-likelihood     F1  F1 added  term".to_owned()];
    lines.extend(terms.iter().map(|term| {
        let Suggestion { items_with_tag, other_items, log_likelihood, f1, f1_added, .. } = term;
        printable(&format!(
            "{items_with_tag:>8} {other_items:>8} {log_likelihood:>15.1} {f1:>6.3} {f1_added:>+9.3}  {}",
            term.term
        ))
    }));
    lines
}
