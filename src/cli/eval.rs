//! `veille eval`: how well the rules do against labelled items; touches no store.

use super::Context;
use super::check::classifier;
use super::item_lines;
use super::output::{print_json, print_lines, printable};
use crate::model::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

/// Precision, recall and F1 of each tag against labelled JSON Lines
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Items as `veille tag` reads them, with the true labels in "tags"; `-` for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Break the figures down by a field of the items, such as lang
    #[arg(long, value_name = "FIELD")]
    by: Option<String>,
}

/// How often a tag was rightly given, wrongly given, and missed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    tp: u64,
    fp: u64,
    r#fn: u64,
}

/// The counts of each tag.
type Tally = BTreeMap<String, Counts>;

/// Counts and what follows from them. A ratio of nothing to nothing is 0, as other tools have it.
#[derive(Debug, Serialize, PartialEq)]
struct Figures {
    tp: u64,
    fp: u64,
    r#fn: u64,
    precision: f64,
    recall: f64,
    f1: f64,
}

#[derive(Debug, Serialize)]
struct Evaluation {
    tags: BTreeMap<String, Figures>,
    /// By value of the field, then by tag.
    by: BTreeMap<String, BTreeMap<String, Figures>>,
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "no file holds 2^53 items")]
    fn figures(self) -> Figures {
        let ratio = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let Self { tp, fp, r#fn } = self;
        Figures {
            tp,
            fp,
            r#fn,
            precision: ratio(tp, tp + fp),
            recall: ratio(tp, tp + r#fn),
            f1: ratio(2 * tp, 2 * tp + fp + r#fn),
        }
    }
}

/// One item's part in the evaluation.
struct Judged {
    given: BTreeSet<String>,
    labels: BTreeSet<String>,
    by: Vec<String>,
}

/// Prints the figures. Exit code 2 when a line was no item.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let classifier = classifier(context)?;
    let now = Timestamp::now();
    let judge = |item: &item_lines::ItemLine| Judged {
        given: classifier.tags(&item.plain().text(), now).into_iter().map(|tag| tag.0.clone()).collect(),
        labels: item.labels().iter().cloned().collect(),
        by: args.by.as_deref().map(|field| item.values(field)).unwrap_or_default(),
    };
    let mut tally = Tally::new();
    let mut by: BTreeMap<String, Tally> = BTreeMap::new();
    let bad_lines = item_lines::for_each(&args.file, judge, |items| {
        for item in &items {
            count(&mut tally, item);
            let unnamed = || (args.by.is_some() && item.by.is_empty()).then(String::new);
            for value in item.by.iter().cloned().chain(unnamed()) {
                count(by.entry(value).or_default(), item);
            }
        }
        Ok(())
    })?;
    let evaluation = Evaluation {
        tags: figures(&tally),
        by: by.iter().map(|(value, tally)| (value.clone(), figures(tally))).collect(),
    };
    if context.json {
        print_json(&evaluation)?;
    } else {
        print_lines(table(&evaluation, args.by.as_deref()))?;
    }
    Ok(if bad_lines == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn count(tally: &mut Tally, item: &Judged) {
    for tag in item.given.union(&item.labels) {
        let counts = tally.entry(tag.clone()).or_default();
        match (item.given.contains(tag), item.labels.contains(tag)) {
            (true, true) => counts.tp += 1,
            (true, false) => counts.fp += 1,
            (false, _) => counts.r#fn += 1,
        }
    }
}

fn figures(tally: &Tally) -> BTreeMap<String, Figures> {
    tally.iter().map(|(tag, counts)| (tag.clone(), counts.figures())).collect()
}

fn table(evaluation: &Evaluation, by: Option<&str>) -> Vec<String> {
    let mut lines = section("all items", &evaluation.tags);
    for (value, figures) in &evaluation.by {
        lines.push(String::new());
        lines.extend(section(&format!("{} = {value}", by.unwrap_or_default()), figures));
    }
    lines
}

fn section(title: &str, figures: &BTreeMap<String, Figures>) -> Vec<String> {
    let width = figures.keys().map(|tag| tag.chars().count()).max().unwrap_or_default().max(title.chars().count());
    let title = printable(title);
    let mut lines = vec![format!("{title:width$}     tp     fp     fn  precision  recall     f1")];
    lines.extend(figures.iter().map(|(tag, figures)| {
        let Figures { tp, fp, r#fn, precision, recall, f1 } = figures;
        let tag = printable(tag);
        format!("{tag:width$} {tp:>6} {fp:>6} {fn:>6} {precision:>10.3} {recall:>7.3} {f1:>6.3}")
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_from_counts() {
        let figures = Counts { tp: 3, fp: 1, r#fn: 2 }.figures();
        assert_eq!((figures.precision, figures.recall), (0.75, 0.6));
        assert!((figures.f1 - 2.0 / 3.0).abs() < 1e-12);
        let none = Counts::default().figures();
        assert_eq!((none.precision, none.recall, none.f1), (0.0, 0.0, 0.0));
    }

    #[test]
    fn a_tag_is_right_wrong_or_missed() {
        let set = |tags: &[&str]| tags.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let mut tally = Tally::new();
        count(&mut tally, &Judged { given: set(&["a", "b"]), labels: set(&["a", "c"]), by: Vec::new() });
        assert_eq!(tally["a"], Counts { tp: 1, fp: 0, r#fn: 0 });
        assert_eq!(tally["b"], Counts { tp: 0, fp: 1, r#fn: 0 });
        assert_eq!(tally["c"], Counts { tp: 0, fp: 0, r#fn: 1 });
    }
}
