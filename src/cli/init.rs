//! `veille init`: a commented starter config, which is the French-AI watch that this project ships.

use super::Context;
use super::output::{print_json, print_lines};
use crate::config::SHIPPED;
use anyhow::Context as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write a commented starter config
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write it; made when it is not there
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes all files, or none when one of them is there already.
pub fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let files: Vec<(PathBuf, &str)> = SHIPPED.iter().map(|(name, text)| (args.directory.join(name), *text)).collect();
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        anyhow::bail!("{} exists already; nothing was written", path.display());
    }
    for (path, text) in &files {
        let directory = path.parent().expect("a file of the starter config has a directory");
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        // `create_new`: a file that came into being since we looked is not overwritten either.
        let mut file = std::fs::File::create_new(path).with_context(|| format!("cannot write {}", path.display()))?;
        file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let entry = args.directory.join("veille.toml").display().to_string();
    if context.json {
        let paths: Vec<_> = files.iter().map(|(path, _)| path.display().to_string()).collect();
        print_json(&serde_json::json!({ "config": entry, "files": paths }))?;
    } else {
        print_lines([
            format!("wrote {entry} and {} files beside it", files.len() - 1),
            format!("next: veille check --config {entry}"),
            format!("then: veille run --config {entry}"),
        ])?;
    }
    Ok(ExitCode::SUCCESS)
}
