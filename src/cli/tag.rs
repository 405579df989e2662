//! `veille tag`: JSON Lines of items in, the same order out with their tags; touches no store.

use super::Context;
use super::check::classifier;
use super::item_lines;
use crate::model::{Evidence, TagMatch, TagName, Timestamp};
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Tag items by the rules of the config: JSON Lines in, JSON Lines out
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Items, a JSON object a line; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

/// An item of the answer.
#[derive(Serialize)]
struct Line {
    id: Value,
    tags: Vec<Given>,
}

#[derive(Serialize)]
struct Given {
    tag: TagName,
    score: f64,
    evidence: Vec<Evidence>,
}

impl From<TagMatch> for Given {
    fn from(matched: TagMatch) -> Self {
        Self { tag: matched.tag, score: matched.score, evidence: matched.evidence }
    }
}

/// Prints a line for each item. Exit code 2 when a line was no item.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let classifier = classifier(context)?;
    let now = Timestamp::now();
    let mut out = std::io::stdout().lock();
    let line = |item: &item_lines::ItemLine| {
        let tags = item.tagged(&classifier, now).into_iter().map(Given::from).collect();
        serde_json::to_vec(&Line { id: item.id.clone(), tags })
    };
    let bad_lines = item_lines::for_each(&args.file, line, |lines| {
        let mut answer = Vec::new();
        for line in lines {
            answer.extend(line?);
            answer.push(b'\n');
        }
        out.write_all(&answer)?;
        Ok(out.flush()?)
    })?;
    Ok(if bad_lines == 0 { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
