//! What is wrong, or doubtful, in a config: gathered over all files, then shown at once.
//!
//! Owns the three forms of a diagnostic: for the terminal, for a log line, for machines. What is
//! wrong is decided elsewhere.

use super::secrets;
use super::source::{FileId, Place, Source};
use crate::query::{Severity, nearest};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use std::cell::{Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// What the message of a syntax error begins with.
pub(super) const BAD_TOML: &str = "bad TOML: ";

/// One fault, or one doubt.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    pub severity: Severity,
    pub message: String,
    /// What to do, or what was probably meant.
    pub help: Option<String>,
    place: Option<Place>,
    /// Said at the caret.
    label: Option<String>,
    /// Other places that belong to it: where a name was first given.
    related: Vec<(Place, String)>,
    /// Its source line holds a secret that must not be shown again.
    hides_source: bool,
    /// Rests on something not being there, which a syntax error may have hidden.
    from_absence: bool,
    /// A key that its table does not have; another may.
    stray_key: Option<String>,
}

impl Diagnostic {
    pub(super) fn error(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            help: None,
            place: place.into(),
            label: None,
            related: Vec::new(),
            hides_source: false,
            from_absence: false,
            stray_key: None,
        }
    }

    pub(super) fn warning(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(super) fn help_if(self, help: Option<String>) -> Self {
        Self { help, ..self }
    }

    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    pub(super) fn related(mut self, place: Place, label: impl Into<String>) -> Self {
        self.related.push((place, label.into()));
        self
    }

    pub(super) fn hiding_source(self) -> Self {
        Self { hides_source: true, ..self }
    }

    pub(super) fn of_stray_key(self, key: &str) -> Self {
        Self { stray_key: Some(key.to_owned()), ..self }
    }

    pub(super) fn resting_on_absence(self) -> Self {
        Self { from_absence: true, ..self }
    }
}

/// The machine form of a diagnostic.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct PlacedMessage {
    pub file: Option<String>,
    /// From 1.
    pub line: Option<usize>,
    /// From 1, in characters.
    pub column: Option<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// Diagnostics of a whole config, in the order of files and lines.
#[derive(Clone, Default)]
pub struct Diagnostics {
    sources: Arc<Vec<Source>>,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Each diagnostic with its source line and caret; with colours if `styled`.
    pub fn render(&self, styled: bool) -> String {
        let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for diagnostic in &self.list {
            out.push_str(&renderer.render(&[self.group(diagnostic)]));
            out.push_str("\n\n");
        }
        out
    }

    /// Other diagnostics of the same files.
    pub(super) fn with_same_sources(&self, list: Vec<Diagnostic>) -> Self {
        Self { sources: Arc::clone(&self.sources), list }
    }

    /// One line a diagnostic: `file:line:column: message (help)`.
    pub fn lines(&self) -> Vec<String> {
        self.placed().into_iter().map(|placed| line(&placed)).collect()
    }

    /// The machine form.
    pub fn placed(&self) -> Vec<PlacedMessage> {
        self.list.iter().map(|diagnostic| self.placed_message(diagnostic)).collect()
    }

    fn placed_message(&self, diagnostic: &Diagnostic) -> PlacedMessage {
        let place = diagnostic.place.as_ref().map(|place| {
            let source = &self.sources[place.file];
            (source.path.clone(), source.line_and_column(place.span.start))
        });
        let (file, line, column) = match place {
            Some((file, (line, column))) => (Some(file), Some(line), Some(column)),
            None => (None, None, None),
        };
        PlacedMessage { file, line, column, message: diagnostic.message.clone(), help: diagnostic.help.clone() }
    }

    fn group<'a>(&'a self, diagnostic: &'a Diagnostic) -> Group<'a> {
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()));
        if let Some(place) = diagnostic.place.as_ref().filter(|_| diagnostic.hides_source) {
            let source = &self.sources[place.file];
            let (line, column) = source.line_and_column(place.span.start);
            group = group.element(Origin::path(source.path.as_str()).line(line).char_column(column));
        } else if let Some(place) = &diagnostic.place {
            group = group.element(self.snippet(place, diagnostic.label.as_deref(), AnnotationKind::Primary));
        }
        for (place, label) in &diagnostic.related {
            group = group.element(self.snippet(place, Some(label), AnnotationKind::Context));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        group
    }

    fn snippet<'a>(
        &'a self,
        place: &'a Place,
        label: Option<&'a str>,
        kind: AnnotationKind,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let source = &self.sources[place.file];
        let (text, line, span) = source.excerpt(&place.span);
        Snippet::source(text).path(source.path.as_str()).line_start(line).annotation(kind.span(span).label(label))
    }
}

fn line(placed: &PlacedMessage) -> String {
    let mut out = String::new();
    if let (Some(file), Some(line), Some(column)) = (&placed.file, placed.line, placed.column) {
        let _ = write!(out, "{file}:{line}:{column}: ");
    }
    out.push_str(&placed.message);
    if let Some(help) = &placed.help {
        let _ = write!(out, " ({help})");
    }
    out
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

impl std::error::Error for Diagnostics {}

/// What gathers diagnostics while the config is read.
#[derive(Debug, Default)]
pub(super) struct Report {
    sources: RefCell<Vec<Source>>,
    found: RefCell<Vec<Diagnostic>>,
    /// The keys of the tables that were read, with a table that has them.
    keys: RefCell<BTreeMap<&'static str, String>>,
}

impl Report {
    pub fn add(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// Notes the keys of a table; where several have one, the first counts.
    pub fn note_keys(&self, keys: &[&'static str], table: &str) {
        let mut known = self.keys.borrow_mut();
        for key in keys {
            known.entry(key).or_insert_with(|| table.to_owned());
        }
    }

    pub fn add_source(&self, path: String, text: String) -> FileId {
        let mut sources = self.sources.borrow_mut();
        sources.push(Source::new(path, text));
        sources.len() - 1
    }

    pub fn source(&self, file: FileId) -> Ref<'_, Source> {
        Ref::map(self.sources.borrow(), |sources| &sources[file])
    }

    /// All that was found: first what forbids the config, then what does not.
    pub fn finish(self) -> (Diagnostics, Diagnostics) {
        let sources = Arc::new(self.sources.into_inner());
        let mut found = self.found.into_inner();
        let keys = self.keys.into_inner();
        for diagnostic in &mut found {
            let key = diagnostic.stray_key.as_deref();
            let belongs = |(key, table)| format!("`{key}` belongs in {table}");
            diagnostic.help = key.and_then(|key| keys.get_key_value(key)).map(belongs).or(diagnostic.help.take());
        }
        hide_lines_with_secrets(&mut found, &sources);
        let (errors, warnings) = found.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
        let sorted = |mut list: Vec<Diagnostic>| {
            list.sort_by_key(|diagnostic| diagnostic.place.as_ref().map(|place| (place.file, place.span.start)));
            Diagnostics { sources: sources.clone(), list }
        };
        (sorted(errors), sorted(warnings))
    }

    /// Drops what a syntax error may have caused: faults on its line, and things not found.
    pub fn drop_consequences(&self, syntax_errors: &[Place]) {
        if syntax_errors.is_empty() {
            return;
        }
        let sources = self.sources.borrow();
        let line_of = |place: &Place| (place.file, sources[place.file].line_and_column(place.span.start).0);
        let broken: BTreeSet<_> = syntax_errors.iter().map(line_of).collect();
        self.found.borrow_mut().retain(|diagnostic| {
            let syntax = diagnostic.message.starts_with(BAD_TOML);
            let on_broken_line = diagnostic.place.as_ref().is_some_and(|place| broken.contains(&line_of(place)));
            syntax || !(diagnostic.from_absence || on_broken_line)
        });
    }
}

/// A line that shows a secret, or that one diagnostic must not show, none shows.
fn hide_lines_with_secrets(found: &mut [Diagnostic], sources: &[Source]) {
    let line = |place: &Place| (place.file, sources[place.file].line_and_column(place.span.start).0);
    let line_of = |diagnostic: &Diagnostic| diagnostic.place.as_ref().map(line);
    let hidden: BTreeSet<_> = found.iter().filter(|diagnostic| diagnostic.hides_source).filter_map(line_of).collect();
    let is_hidden = |place: &Place| {
        let (shown, ..) = sources[place.file].excerpt(&place.span);
        hidden.contains(&line(place)) || shown.lines().any(secrets::shows_secret)
    };
    for diagnostic in found {
        diagnostic.hides_source |= diagnostic.place.as_ref().is_some_and(is_hidden);
        diagnostic.related.retain(|(place, _)| !is_hidden(place));
    }
}

/// A text of the config within a message: in backticks, without control characters, not endless.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST_CHARACTERS: usize = 80;
    let mut out = String::from("`");
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST_CHARACTERS {
            out.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}') {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out.push('`');
    out
}

/// The known name that was probably meant, as help.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|known| format!("did you mean `{known}`?"))
}
