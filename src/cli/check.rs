//! `veille check`: the whole config, and every rule example.

use super::Context;
use super::output::{print_json, print_lines, tell, tell_coloured};
use crate::classifier::Classifier;
use crate::config::{self, Diagnostics, Environment, Loaded, PlacedMessage, Refused};
use crate::model::Timestamp;
use serde::Serialize;
use std::io::IsTerminal;
use std::process::ExitCode;

/// Validate the whole config and run every rule example
#[derive(Debug, clap::Args)]
pub struct Args {}

/// The answer for programs.
#[derive(Serialize)]
struct Verdict {
    ok: bool,
    errors: Vec<PlacedMessage>,
    warnings: Vec<PlacedMessage>,
}

/// Exit code 2 when the config has an error, 1 when an example does not hold.
pub fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    match load(context, |environment| environment)? {
        Err(refused) => {
            show(context, &refused.errors, &refused.warnings)?;
            Ok(ExitCode::from(2))
        }
        Ok(loaded) => {
            let failed = failed_examples(&loaded);
            show(context, &failed, &loaded.warnings)?;
            if !failed.is_empty() {
                return Ok(ExitCode::from(1));
            }
            if !context.json {
                print_lines([summary(&loaded)])?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The compiled rules of the config at hand, for commands that touch no store.
pub(super) fn classifier(context: &Context) -> anyhow::Result<Classifier> {
    let loaded = load(context, Environment::without_secrets)?.map_err(|Refused { errors, .. }| {
        let plural = if errors.len() == 1 { "" } else { "s" };
        anyhow::anyhow!("the config has {} error{plural}\n\n{errors}", errors.len())
    })?;
    Ok(Classifier::of_config(&loaded.settings.rules))
}

fn load(context: &Context, adjust: impl FnOnce(Environment) -> Environment) -> anyhow::Result<Result<Loaded, Refused>> {
    // No data is touched, so nobody has to say where they are: a unit of systemd has no $HOME.
    let data_dir = context.data_dir.clone().unwrap_or_default();
    let environment = adjust(Environment::new(std::env::vars_os()).with_data_dir(Some(data_dir)));
    let path = config::find(context.config.as_deref(), &environment)?;
    Ok(config::load(&path, &environment))
}

/// Every example that got the tag and must not, or did not and must.
fn failed_examples(loaded: &Loaded) -> Diagnostics {
    let (classifier, now) = (Classifier::of_config(&loaded.settings.rules), Timestamp::now());
    loaded.failed_examples(|example| classifier.example_fault(&example.tag, &example.text, example.must_match, now))
}

/// Diagnostics on standard error as for any command; the machine form on standard output.
fn show(context: &Context, errors: &Diagnostics, warnings: &Diagnostics) -> anyhow::Result<()> {
    if context.json {
        return print_json(&Verdict { ok: errors.is_empty(), errors: errors.placed(), warnings: warnings.placed() });
    }
    let styled = std::io::stderr().is_terminal();
    let shown = errors.render(styled) + &warnings.render(styled);
    if let Some(shown) = shown.strip_suffix('\n') {
        tell_coloured(shown);
    }
    if !errors.is_empty() {
        let plural = if errors.len() == 1 { "" } else { "s" };
        tell(format_args!("{} error{plural}", errors.len()));
    }
    Ok(())
}

fn summary(loaded: &Loaded) -> String {
    let settings = &loaded.settings;
    format!(
        "the config is right: {} feeds, {} tags, {} digests; {} examples hold",
        settings.feeds.len(),
        settings.rules.tags.len(),
        settings.digests.len(),
        loaded.examples.len(),
    )
}
