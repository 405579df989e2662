//! `veille why`: the evidence for an item's tags, or what one that it lacks was missing.

use super::output::{print_json, print_lines, printable};
use super::stored_item::{find, lines, say_not_found};
use super::{Context, Workplace};
use crate::classifier::{Explanation, ItemText};
use crate::model::{Evidence, Item, ItemId, TagMatch, TagName, TagOrigin, Timestamp};
use crate::query::nearest;
use crate::refresh::Watch;
use serde::Serialize;
use std::process::ExitCode;

/// Show the evidence for an item's tags, or what a tag that it lacks was missing
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An item's id or URL
    item: String,
    /// This tag alone; when the item lacks it: which clauses held, and how near the others came
    tag: Option<String>,
}

#[derive(Debug, Serialize)]
struct Answer {
    id: ItemId,
    title: String,
    url: Option<String>,
    feed: String,
    tags: Vec<TagAnswer>,
    corrections: Vec<Correction>,
    /// What the rule at hand makes of the item, when a tag was asked for that it lacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<Explanation>,
}

#[derive(Debug, Serialize)]
struct TagAnswer {
    tag: TagName,
    score: f64,
    origin: TagOrigin,
    rule_hash: String,
    /// Whether the rule at hand is another than the one that gave the tag; null when the tag rests on no rule.
    rule_changed: Option<bool>,
    evidence: Vec<Evidence>,
}

/// What a curator decided.
#[derive(Debug, Serialize)]
struct Correction {
    tag: TagName,
    present: bool,
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let workplace = Workplace::for_reading(context)?;
    let (_, watch) = workplace.surroundings()?;
    let named = args.item.clone();
    let found = workplace.block_on(async |store| {
        store
            .read(move |tx| {
                let Some(item) = find(tx, &named)? else { return Ok(None) };
                let corrections = tx.corrections(item.id)?;
                Ok(Some((item, corrections)))
            })
            .await
    })?;
    let Some((item, corrections)) = found else {
        say_not_found(&args.item);
        return Ok(ExitCode::from(1));
    };
    let answer = answer(&item, corrections, args.tag.as_deref(), &watch, Workplace::now())?;
    if context.json {
        print_json(&answer)?;
    } else {
        print_lines(story(&item, &answer, args.tag.as_deref()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(
    item: &Item,
    corrections: Vec<(TagName, bool)>,
    asked: Option<&str>,
    watch: &Watch,
    now: Timestamp,
) -> anyhow::Result<Answer> {
    let is_asked = |tag: &TagName| asked.is_none_or(|asked| tag.0 == asked);
    let tags: Vec<TagAnswer> =
        item.tags.iter().filter(|tag| is_asked(&tag.tag)).map(|tag| TagAnswer::new(tag, watch)).collect();
    let why_not = match asked {
        Some(asked) if tags.is_empty() => {
            let rules = &watch.settings.rules;
            let text = ItemText { corrections: &corrections, ..ItemText::from_item(item) };
            let explanation = watch.classifier().explain(rules, &text, asked, now);
            if explanation.is_none() && corrections.iter().all(|(tag, _)| !is_asked(tag)) {
                return Err(unknown_tag(asked, watch));
            }
            explanation
        }
        _ => None,
    };
    let corrections = corrections.into_iter().filter(|(tag, _)| is_asked(tag));
    let corrections = corrections.map(|(tag, present)| Correction { tag, present }).collect();
    Ok(Answer {
        id: item.id,
        title: item.content.title.clone(),
        url: item.content.link.clone(),
        feed: item.feed_title.clone(),
        tags,
        corrections,
        why_not,
    })
}

/// That the config has no such tag, with the one that was probably meant.
pub(super) fn unknown_tag(name: &str, watch: &Watch) -> anyhow::Error {
    let help = nearest(name, watch.settings.rules.tags.iter().map(|rule| rule.name.0.as_str())).map_or_else(
        || "; `veille status` lists those in use".to_owned(),
        |known| format!("; did you mean `{known}`?"),
    );
    anyhow::anyhow!("{name}: the config has no such tag{help}")
}

impl TagAnswer {
    fn new(tag: &TagMatch, watch: &Watch) -> Self {
        let by_rule = !tag.rule_hash.is_empty();
        Self {
            tag: tag.tag.clone(),
            score: tag.score,
            origin: tag.origin,
            rule_hash: tag.rule_hash.clone(),
            rule_changed: by_rule.then(|| watch.classifier().rule_hash(&tag.tag.0) != Some(tag.rule_hash.as_str())),
            evidence: tag.evidence.clone(),
        }
    }

    fn lines(&self, out: &mut Vec<String>) {
        let given = match (self.origin, self.rule_changed) {
            (TagOrigin::Hand, None) => "given by hand, no rule gives it",
            (TagOrigin::Hand, Some(_)) => "given by hand, and by its rule",
            (TagOrigin::Rule, Some(true)) => "given by its rule as it was: the rule has changed since",
            (TagOrigin::Rule, _) => "given by its rule",
        };
        let hash = if self.rule_hash.is_empty() { String::new() } else { format!(" (rule {})", self.rule_hash) };
        out.push(format!("{}: {given}{hash}", self.tag.0));
        let mut clause = "";
        for span in &self.evidence {
            if span.clause != clause {
                out.push(printable(&format!("  {}", span.clause)));
                clause = &span.clause;
            }
            out.push(printable(&format!("    {} {}-{}: {}", span.field.name(), span.start, span.end, span.text)));
        }
    }
}

/// The answer for people.
fn story(item: &Item, answer: &Answer, asked: Option<&str>) -> Vec<String> {
    let mut out: Vec<String> = lines(item).into();
    out.push(String::new());
    answer.tags.iter().for_each(|tag| tag.lines(&mut out));
    for correction in answer.corrections.iter().filter(|correction| !correction.present) {
        out.push(format!("{}: taken away by hand; `={0}` with `veille correct` takes that back", correction.tag.0));
    }
    if let Some(explanation) = &answer.why_not {
        out.extend(explanation.lines().iter().map(|line| printable(line)));
        if explanation.holds && answer.corrections.is_empty() {
            out.push("the rule holds now: `veille retag` gives the tag".to_owned());
        }
    }
    if answer.tags.is_empty() && answer.corrections.is_empty() && asked.is_none() {
        out.push("it has no tags; `veille why ITEM TAG` says what one was missing".to_owned());
    }
    out
}
