//! Printing: JSON for programs, lines for people, and never a raw escape sequence from a feed.

use super::Context;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// Prints one JSON document and a line break.
pub(super) fn print_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    print_lines([serde_json::to_string_pretty(value)?])
}

/// Says what a command has done: in JSON for programs, in lines for people, not at all for those who want no report (`-q`).
pub(super) fn report<T: Serialize>(
    context: &Context,
    done: &T,
    lines: impl FnOnce() -> Vec<String>,
) -> anyhow::Result<()> {
    match context {
        Context { json: true, .. } => print_json(done),
        Context { quiet: true, .. } => Ok(()),
        _ => print_lines(lines()),
    }
}

/// Tells whoever runs the command, on standard error. When that is closed or full nobody is told; the exit code tells all
/// the same.
pub(super) fn tell(message: impl Display) {
    let lines: Vec<String> = message.to_string().split('\n').map(printable).collect();
    let _ = writeln!(io::stderr(), "{}", lines.join("\n"));
}

/// Text from a feed as it may stand on a terminal: no control characters, no marks that turn the
/// direction of what follows (U+202A-202E, U+2066-2069).
pub(super) fn printable(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !turns(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Who reads them and has seen enough changes nothing about the command's answer: `veille … | head` is no failure.
pub(super) fn print_lines(lines: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        match writeln!(out, "{line}") {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            other => other?,
        }
    }
    Ok(())
}

/// The name that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LIKE_ENOUGH: f64 = 0.75;
    let scored = known.map(|other| (strsim::jaro_winkler(name, other), other));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > LIKE_ENOUGH).then_some(best.1)
}
