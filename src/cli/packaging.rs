//! `veille completions` and `veille man`: what packagers need.

use anyhow::Context as _;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    /// The shell that is to know our commands
    shell: Shell,
}

/// Print the manual page, or that of a command
#[derive(Debug, clap::Args)]
pub struct ManArgs {
    /// The command, such as `poll` or `feeds add`
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

pub fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Arguments::command(), "veille", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut command = super::Arguments::command();
    // Names the commands as their pages name each other: `veille-feeds-add`.
    command.build();
    for name in &args.command {
        let found = command.find_subcommand(name).cloned();
        command = found.with_context(|| format!("`{}` is no command", args.command.join(" ")))?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).source(concat!("veille ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    std::io::stdout().lock().write_all(&page)?;
    Ok(ExitCode::SUCCESS)
}
