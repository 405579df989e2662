//! What a rule that is not in force would do: tried on the newest items, beside the rules that are.

use super::AppState;
use crate::classifier::{Classifier, ItemText};
use crate::config::{self, Diagnostics, Edit, Environment, Loaded, RuleText, RuleTextError, Settings};
use crate::model::{Evidence, ItemId, StoredText, TagName, Timestamp, without_queries};
use crate::store::{ReadTx, StoreError};
use std::path::PathBuf;

const BATCH_ITEMS: usize = 500;
/// Items of each list that are kept to be shown.
const SHOWN: usize = 25;

/// The config as files, which the workbench reads rules from and writes them to.
#[derive(Debug, Clone)]
pub struct ConfigFiles {
    /// The entry file.
    pub path: PathBuf,
    pub environment: Environment,
}

impl ConfigFiles {
    /// Messages as anyone may read them: the files named as seen from the entry file, which tells nothing of this machine, and
    /// addresses without their queries, which may hold a key.
    #[must_use]
    pub fn for_all(&self, text: &str) -> String {
        let text = without_queries(text);
        let directory = self.path.parent().filter(|directory| directory.is_absolute() && directory.parent().is_some());
        match directory {
            Some(directory) => text.replace(&format!("{}/", directory.display()), ""),
            None => text,
        }
    }
}

/// Why a rule cannot be tried.
#[derive(Debug)]
pub(super) enum Fault {
    Text(RuleTextError),
    Config(Diagnostics),
}

impl Fault {
    /// In plain text, lines as `veille check` prints them.
    pub(super) fn lines(&self) -> String {
        match self {
            Fault::Text(error) => error.to_string(),
            Fault::Config(diagnostics) => diagnostics.render(false),
        }
    }
}

/// A rule that the config would take.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) edit: Edit,
    /// Doubts about it, in lines; empty for none.
    pub(super) doubts: String,
    /// Its examples that do not hold.
    pub(super) failed_examples: String,
    after: Classifier,
}

/// An item that the rule tags, before or after, and why.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) item: StoredText,
    pub(super) evidence: Vec<Evidence>,
}

/// What the rule would change, newest first.
#[derive(Debug, Default)]
pub(super) struct Preview {
    pub(super) looked_at: usize,
    /// Whether that was the whole archive.
    pub(super) is_whole: bool,
    pub(super) gained: Hits,
    pub(super) lost: Hits,
    pub(super) kept: Hits,
}

/// All that were found, and the first of them.
#[derive(Debug, Default)]
pub(super) struct Hits {
    pub(super) count: usize,
    pub(super) first: Vec<Hit>,
}

impl Hits {
    fn add(&mut self, item: StoredText, evidence: Vec<Evidence>) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(Hit { item, evidence });
        }
    }
}

/// The rule's text as its file has it.
pub(super) fn text_of(settings: &Settings, tag: &TagName) -> Result<RuleText, RuleTextError> {
    RuleText::find(&settings.files, tag)
}

/// The config with `text` for the tag's rule. Reads files: for a blocking thread.
pub(super) fn try_rule(state: &AppState, current: &RuleText, tag: &TagName, text: &str) -> Result<Trial, Fault> {
    let edit = current.replaced(tag, text).map_err(Fault::Text)?;
    let files = &state.config;
    let loaded = config::load_edited(&files.path, &files.environment, std::slice::from_ref(&edit))
        .map_err(|refused| Fault::Config(refused.errors))?;
    let after = Classifier::of_config(&loaded.settings.rules);
    let failed_examples = files.for_all(&failed_examples(&loaded, &after, tag, state.now()));
    let file = edit.path.display().to_string();
    let of_file = loaded.warnings.lines().into_iter().filter(|line| line.starts_with(&file));
    let doubts = files.for_all(&of_file.collect::<Vec<_>>().join("\n"));
    Ok(Trial { edit, doubts, failed_examples, after })
}

fn failed_examples(loaded: &Loaded, classifier: &Classifier, tag: &TagName, now: Timestamp) -> String {
    let fault = |example: &config::Example| {
        let is_of_rule = example.tag == *tag;
        is_of_rule.then(|| classifier.example_fault(tag, &example.text, example.must_match, now))?
    };
    loaded.failed_examples(fault).render(false)
}

/// Puts both rule sets to the newest items until `proceed` says no.
///
/// # Errors
/// The store cannot be read.
pub(super) fn preview(
    tx: &ReadTx<'_>,
    (before, trial): (&Classifier, &Trial),
    tag: &TagName,
    now: Timestamp,
    mut proceed: impl FnMut() -> bool,
) -> Result<Preview, StoreError> {
    let mut preview = Preview::default();
    let mut place: Option<ItemId> = None;
    loop {
        let batch = tx.newest_texts(place, BATCH_ITEMS)?;
        place = batch.last().map(|item| item.id);
        preview.looked_at += batch.len();
        preview.is_whole = batch.len() < BATCH_ITEMS;
        for item in batch {
            let had = evidence_for(before, &item, tag, now);
            match (had, evidence_for(&trial.after, &item, tag, now)) {
                (None, Some(found)) => preview.gained.add(item, found),
                (Some(found), None) => preview.lost.add(item, found),
                (Some(_), Some(found)) => preview.kept.add(item, found),
                (None, None) => {}
            }
        }
        if preview.is_whole || !proceed() {
            return Ok(preview);
        }
    }
}

/// Why these rules give the tag, if they do; most items lack it, so evidence is gathered for the others alone.
fn evidence_for(rules: &Classifier, item: &StoredText, tag: &TagName, now: Timestamp) -> Option<Vec<Evidence>> {
    let text = ItemText::from_stored(item);
    if !rules.tags(&text, now).contains(&tag) {
        return None;
    }
    rules.classify(&text, now).into_iter().find(|found| found.tag == *tag).map(|found| found.evidence)
}
