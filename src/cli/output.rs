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

/// The same, for what a renderer has coloured for a terminal.
pub(super) fn tell_coloured(message: &str) {
    let _ = writeln!(io::stderr(), "{}", coloured(message));
}

/// A text as [`printable`], line by line, but for its colours.
fn coloured(message: &str) -> String {
    let mut parts = message.split("\u{1b}[");
    let plain = |text: &str| text.split('\n').map(printable).collect::<Vec<_>>().join("\n");
    let mut out = plain(parts.next().unwrap_or_default());
    for part in parts {
        let numbers = part.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(part.len());
        match part[numbers..].strip_prefix('m') {
            Some(rest) => {
                out.push_str("\u{1b}[");
                out.push_str(&part[..numbers]);
                out.push('m');
                out.push_str(&plain(rest));
            }
            None => out.push_str(&plain(part)),
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_coloured_keeps_its_colours_and_nothing_else_that_a_terminal_obeys() {
        let check = |given: &str, shown: &str| assert_eq!(coloured(given), shown, "{given:?}");
        check("\u{1b}[1m\u{1b}[91merror\u{1b}[0m: a\n  |", "\u{1b}[1m\u{1b}[91merror\u{1b}[0m: a\n  |");
        check("a\u{1b}[38;5;9mb\u{1b}[2Jc\rd\u{1b}]0;e\u{7}", "a\u{1b}[38;5;9mb2Jc d ]0;e ");
        check("a\u{1b}[", "a");
    }
}
