//! `veille correct`: a tag given or taken away by hand, which wins over every later run.

use super::output::{print_json, print_lines};
use super::stored_item::{ItemSummary, find, lines, say_not_found};
use super::why::unknown_tag;
use super::{Context, Workplace};
use crate::model::{DigestName, Item, TagName};
use crate::refresh::{Watch, archive};
use anyhow::bail;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

/// Give an item a tag by hand, take one away, or take a correction back
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An item's id or URL
    item: String,
    /// +TAG gives it, -TAG takes it away, whatever the rules say; =TAG leaves it to the rules again
    #[arg(allow_hyphen_values = true, value_name = "+TAG|-TAG|=TAG")]
    correction: Correction,
    /// Print the lines that make the item an example of the tag's rule
    #[arg(long)]
    example: bool,
}

/// A decision on one tag.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Correction {
    tag: TagName,
    /// Whether the item has it; `None`: as the rules say.
    present: Option<bool>,
}

impl FromStr for Correction {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text.chars();
        let present = match rest.next() {
            Some('+') => Some(true),
            Some('-') => Some(false),
            Some('=') => None,
            _ => return Err("a correction is +TAG, -TAG or =TAG".to_owned()),
        };
        match rest.as_str() {
            "" => Err("the name of a tag is missing".to_owned()),
            name => Ok(Self { tag: TagName(name.to_owned()), present }),
        }
    }
}

pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    // Beside the daemon: one small write, which waits for the daemon's to end.
    let workplace = Workplace::for_reading(context)?;
    let (_, watch) = workplace.surroundings()?;
    let Correction { tag, present } = args.correction.clone();
    let is_known = watch.settings.rules.tags.iter().any(|rule| rule.name == tag);
    if present == Some(true) && !is_known {
        return Err(unknown_tag(&tag.0, &watch));
    }
    let corrected = match correct(&workplace, args, Arc::clone(&watch)) {
        Err(error) => return Err(unheard_of(&workplace, watch)?.unwrap_or(error)),
        Ok(corrected) => corrected,
    };
    let Some(item) = corrected else {
        say_not_found(&args.item);
        return Ok(ExitCode::from(1));
    };
    if args.example && !is_known {
        bail!("{}: the config has no such tag, so there is no rule to give an example of", tag.0);
    }
    if context.json {
        print_json(&ItemSummary::from(&item))?;
    } else if args.example {
        print_lines(example(&item, &args.correction))?;
    } else {
        print_lines(lines(&item))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn correct(workplace: &Workplace, args: &Args, watch: Arc<Watch>) -> anyhow::Result<Option<Item>> {
    let (named, Correction { tag, present }) = (args.item.clone(), args.correction.clone());
    let now = Workplace::now();
    let corrected = workplace.block_on(async |store| {
        store
            .write(move |tx| {
                let Some(item) = find(&tx.as_read(), &named)? else { return Ok(None) };
                archive::correct(tx, item.id, &tag, present, &watch, now)
            })
            .await
    })?;
    Ok(corrected)
}

/// What to do where the config has a digest that the store has not heard of.
fn unheard_of(workplace: &Workplace, watch: Arc<Watch>) -> anyhow::Result<Option<anyhow::Error>> {
    let unknown = workplace.block_on(async |store| {
        store
            .read(move |tx| {
                for digest in &watch.digests {
                    if tx.created_at(&digest.spec.name)?.is_none() {
                        return Ok(Some(digest.spec.name.clone()));
                    }
                }
                Ok(None)
            })
            .await
    })?;
    let told = |name: DigestName| {
        anyhow::anyhow!(
            "the store has not heard of the digest `{}` yet: a daemon that reads this config, or `veille retag`, tells it",
            name.0
        )
    };
    Ok(unknown.map(told))
}

/// The lines to paste into the tag's table.
fn example(item: &Item, correction: &Correction) -> Vec<String> {
    let content = &item.content;
    let text = if content.title.trim().is_empty() { &content.summary } else { &content.title };
    let has_it = item.tags.iter().any(|tag| tag.tag == correction.tag);
    let key = if has_it { "match" } else { "no_match" };
    vec![
        format!("# [tags.{}], among the others of its list:", toml_key(&correction.tag.0)),
        format!("examples.{key} = [{}]", toml::Value::String(text.split_whitespace().collect::<Vec<_>>().join(" "))),
    ]
}

fn toml_key(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_bare { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_is_a_sign_and_a_tag() {
        let read = |text: &str| text.parse::<Correction>();
        for (text, present) in [("+a-b", Some(true)), ("-a-b", Some(false)), ("=a-b", None)] {
            assert_eq!(read(text), Ok(Correction { tag: TagName("a-b".into()), present }), "{text}");
        }
        for text in ["", "a", "+", "-", "="] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
