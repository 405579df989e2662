//! Secrets: from a file, the environment or systemd's credentials, never from the config itself.
//!
//! Reads small files and nothing else. A secret's text never enters a message.

use super::Secret;
use super::diagnostics::{Diagnostic, Report, quoted};
use super::environment::Environment;
use super::reader::{Table, Text, Value};
use std::path::Path;

const LONGEST_SECRET_BYTES: usize = 64 << 10;

/// Where secrets come from, for one load of a config.
pub(super) struct Secrets<'a> {
    pub environment: &'a Environment,
    pub report: &'a Report,
}

/// The keys of a secret: of a password in its user's table, or alone in a table.
pub(super) struct Keys {
    literal: &'static str,
    file: &'static str,
    variable: &'static str,
}

pub(super) const PASSWORD: Keys = Keys { literal: "password", file: "password_file", variable: "password_env" };
const ALONE: Keys = Keys { literal: "value", file: "file", variable: "env" };

/// Whether a line of a config shows a secret: someone wrote one where only its place may stand, or into an address.
pub(super) fn shows_secret(line: &str) -> bool {
    let is_shown_by = |(at, _): (usize, &str)| {
        let (before, after) = (line[..at].trim_end(), line[at + 1..].trim_start());
        let key = before.trim_end_matches(['"', '\'']);
        let start = key.rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).map_or(0, |at| at + 1);
        is_key_of_secret(&key[start..].to_ascii_lowercase()) && !after.starts_with('{')
    };
    line.match_indices('=').any(is_shown_by) || line.match_indices("://").any(|(at, _)| names_user(&line[at + 3..]))
}

/// Of those that take a secret's place, of a header that carries one, and of what they are mistaken for.
fn is_key_of_secret(key: &str) -> bool {
    const ENDS: [&str; 9] =
        ["password", "passwd", "token", "secret", "login", "auth", "authorization", "cookie", "api-key"];
    key == ALONE.literal || ENDS.iter().any(|end| key.ends_with(end))
}

/// Whether an address, told without its scheme, has a user's name in it, and so a password, most likely.
fn names_user(address: &str) -> bool {
    let authority = address.split(['/', '?', '#', '"', '\'', ' ']).next().unwrap_or_default();
    authority.contains('@')
}

impl Secrets<'_> {
    /// The secret of a key that takes nothing else: `KEY = { file = "…" }`.
    pub fn alone(&self, value: Value<'_>, title: &str) -> Option<Secret> {
        if !value.is_table() {
            let how = format!(
                "write `{} = {{ file = \"…\" }}`, `{{ env = \"…\" }}` or `{{ credential = \"…\" }}`",
                value.name
            );
            self.literal(value, how);
            return None;
        }
        let table = value.table(title)?;
        let secret = self.read(&table, &ALONE);
        table.finish();
        secret
    }

    /// Reports a secret that stands in the config.
    pub fn literal(&self, value: Value<'_>, how: String) {
        let message = format!("{} holds a secret, and none may stand in the config", quoted(value.name));
        self.report.add(Diagnostic::error(value.place(), message).help(how).hiding_source());
    }

    /// The secret that a table points to; every fault is reported.
    pub fn read(&self, table: &Table<'_>, keys: &Keys) -> Option<Secret> {
        let how = format!(
            "write `{} = \"path\"`, `{} = \"VARIABLE\"` or `credential = \"name\"` (a file in $CREDENTIALS_DIRECTORY)",
            keys.file, keys.variable
        );
        if let Some(literal) = table.get(keys.literal) {
            self.literal(literal, how);
            return None;
        }
        let file = table.text(keys.file, "a path");
        let variable = table.text(keys.variable, "the name of an environment variable");
        let credential = table.text("credential", "the name of a file in $CREDENTIALS_DIRECTORY");
        match (file, variable, credential) {
            (Some(file), None, None) => self.read_file(file, &file.beside()),
            (None, Some(variable), None) => self.read_variable(variable),
            (None, None, Some(credential)) => self.read_credential(credential),
            (None, None, None) if [keys.file, keys.variable, "credential"].iter().any(|key| table.has(key)) => None,
            (None, None, None) => {
                self.report
                    .add(Diagnostic::error(table.place.clone(), "no secret is given").help(how).resting_on_absence());
                None
            }
            _ => {
                self.report
                    .add(Diagnostic::error(table.place.clone(), "a secret comes from one place, not from several"));
                None
            }
        }
    }

    fn read_file(&self, text: Text<'_>, path: &Path) -> Option<Secret> {
        match std::fs::read(path) {
            Ok(bytes) => self.secret(text, bytes),
            Err(error) => {
                let message = format!("cannot read the secret {}: {error}", quoted(&path.display().to_string()));
                self.out_of_reach(text.error(message))
            }
        }
    }

    fn read_variable(&self, text: Text<'_>) -> Option<Secret> {
        if let Some(value) = self.environment.variable(text.text) {
            return self.secret(text, value.as_encoded_bytes().to_vec());
        }
        self.out_of_reach(text.error(format!("the environment variable {} is not set", quoted(text.text))))
    }

    fn read_credential(&self, text: Text<'_>) -> Option<Secret> {
        const HELP: &str = "systemd sets it for a service with LoadCredential=";
        if text.text.contains('/') || text.text.starts_with('.') || text.text.is_empty() {
            let message = format!("{} is not the name of a credential", quoted(text.text));
            self.report.add(text.error(message).help(HELP));
            return None;
        }
        if let Some(directory) = self.environment.variable("CREDENTIALS_DIRECTORY") {
            return self.read_file(text, &Path::new(directory).join(text.text));
        }
        self.out_of_reach(text.error("there are no credentials: $CREDENTIALS_DIRECTORY is not set").help(HELP))
    }

    /// A secret that cannot be had where we run: a fault, but for who has no use for it.
    fn out_of_reach(&self, fault: Diagnostic) -> Option<Secret> {
        if self.environment.spares_secrets() {
            return Some(Secret(String::new()));
        }
        self.report.add(fault);
        None
    }

    /// Without the newline that editors leave at a file's end.
    fn secret(&self, text: Text<'_>, mut bytes: Vec<u8>) -> Option<Secret> {
        while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            bytes.pop();
        }
        let fault = match String::from_utf8(bytes) {
            Ok(secret) if secret.is_empty() => "is empty",
            Ok(secret) if secret.len() > LONGEST_SECRET_BYTES => "is longer than 64 KiB",
            Ok(secret) if secret.chars().any(char::is_control) => "holds a line break or a control character",
            Ok(secret) => return Some(Secret(secret)),
            Err(_) => "is not UTF-8",
        };
        self.report.add(text.error(format!("the secret {} {fault}", quoted(text.text))));
        None
    }
}
