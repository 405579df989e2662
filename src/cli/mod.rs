//! The command line: one file a command, no logic beyond arguments and printing.
//!
//! Exit 0: done. 1: the answer is no (a check failed, nothing was found). 2: the arguments, the config
//! or the data directory must be mended first; the message says how.

mod backup;
mod check;
mod correct;
mod demo;
mod diff;
mod digests;
mod eval;
mod export;
mod feeds;
mod init;
mod input;
mod item_lines;
mod logging;
mod output;
mod packaging;
mod parse;
mod poll;
mod progress;
mod retag;
mod run;
mod search;
mod status;
mod stored_item;
mod suggest;
mod tag;
mod why;
mod workplace;

use crate::app;
use crate::refresh::discovery::DiscoveryError;
use clap::{Parser, Subcommand};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use workplace::Workplace;

/// A self-hosted technology watch: polls feeds, tags items by rules you can read, publishes digests.
#[derive(Debug, Parser)]
#[command(name = "veille", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    context: Context,
    #[command(subcommand)]
    command: Command,
}

const CONFIG_HELP: &str =
    "The config's entry point [default: $VEILLE_CONFIG, else ./config/veille.toml, else /etc/veille/veille.toml]";

/// What every command shares.
#[derive(Debug, Clone, clap::Args)]
pub struct Context {
    #[arg(long, global = true, value_name = "PATH", help = CONFIG_HELP)]
    pub config: Option<PathBuf>,
    /// Where the database lives [default: as configured, else the state directory of systemd or XDG]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Log more (-v: each refresh, -vv: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log only errors, and report nothing of what was done
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Poll(poll::Args),
    Parse(parse::Args),
    Feeds(feeds::Args),
    Digests(digests::Args),
    Export(export::Args),
    Status(status::Args),
    Backup(backup::Args),
    Demo(demo::Args),
    Completions(packaging::CompletionsArgs),
    Man(packaging::ManArgs),
    Check(check::Args),
    Tag(tag::Args),
    Eval(eval::Args),
    Init(init::Args),
    Why(why::Args),
    Search(search::Args),
    #[command(alias = "tag-item")]
    Correct(correct::Args),
    Retag(retag::Args),
    Diff(diff::Args),
    Suggest(suggest::Args),
}

/// Runs the command of the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse_from(search::sparing_negations(std::env::args_os()));
    logging::start(&arguments.context);
    match run(&arguments) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::tell(format_args!("veille: {error:#}"));
            exit_code(&error)
        }
    }
}

/// 2 is for what must be mended first. Where starting again may help it is another: a panic's own; 1 when the address to listen
/// on is taken, or is not there yet, as at boot. 1 is also that of a site that has no feed, or does not answer.
fn exit_code(error: &anyhow::Error) -> ExitCode {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    ExitCode::from(match kind {
        _ if error.is::<app::Panicked>() => 101,
        _ if error.is::<DiscoveryError>() => 1,
        Some(io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable) => 1,
        _ => 2,
    })
}

/// Whether a command stopped because whoever reads its output has seen enough.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = match error.downcast_ref::<io::Error>() {
        Some(error) => Some(error.kind()),
        None => error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind),
    };
    kind == Some(io::ErrorKind::BrokenPipe)
}

fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let context = &arguments.context;
    match &arguments.command {
        Command::Run(args) => run::run(args, context),
        Command::Poll(args) => poll::run(args, context),
        Command::Parse(args) => parse::run(args),
        Command::Feeds(args) => feeds::run(args, context),
        Command::Digests(args) => digests::run(args, context),
        Command::Export(args) => export::run(args, context),
        Command::Status(args) => status::run(args, context),
        Command::Backup(args) => backup::run(args, context),
        Command::Demo(args) => demo::run(args, context),
        Command::Completions(args) => packaging::completions(args),
        Command::Man(args) => packaging::man(args),
        Command::Check(args) => check::run(args, context),
        Command::Tag(args) => tag::run(args, context),
        Command::Eval(args) => eval::run(args, context),
        Command::Init(args) => init::run(args, context),
        Command::Why(args) => why::run(args, context),
        Command::Search(args) => search::run(args, context),
        Command::Correct(args) => correct::run(args, context),
        Command::Retag(args) => retag::run(args, context),
        Command::Diff(args) => diff::run(args, context),
        Command::Suggest(args) => suggest::run(args, context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_argument_is_explained() {
        fn check(command: &clap::Command) {
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{}: {}", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}
