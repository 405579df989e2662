//! Typed reading of TOML tables that records every fault and goes on.
//!
//! serde stops at the first fault of a document; an operator wants all of them at once, so tables
//! are walked by hand. A key that is asked for is a known key: what was never asked for is reported.

use super::diagnostics::{Diagnostic, Report, did_you_mean, quoted};
use super::source::{FileId, Place};
use super::toml_string;
use super::tree::{Branch, Node};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The title of a feed's table.
pub(super) const FEED: &str = "the feed";

/// A parsed file.
pub(super) struct Document {
    pub file: FileId,
    pub table: Branch,
}

/// A value with its place.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub file: FileId,
    /// The key it stands under, for messages.
    pub name: &'a str,
    node: &'a Spanned<Node>,
    report: &'a Report,
}

/// A string with its place.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub text: &'a str,
    value: Value<'a>,
}

/// A key and its value.
#[derive(Clone)]
pub(super) struct Entry<'a> {
    pub key: &'a str,
    pub key_place: Place,
    pub value: Value<'a>,
}

/// A table whose keys are asked for one by one.
pub(super) struct Table<'a> {
    /// What it is, for messages: "[fetch]", "the feed".
    title: String,
    pub place: Option<Place>,
    entries: BTreeMap<&'a str, Entry<'a>>,
    asked: RefCell<Vec<&'static str>>,
    pub report: &'a Report,
}

impl<'a> Table<'a> {
    /// A table of the documents' roots, merged over files; a key given twice is reported.
    pub fn merged(documents: &'a [Document], name: &'static str, report: &'a Report) -> Self {
        let mut merged = Self::empty(format!("[{name}]"), report);
        for document in documents {
            let Some(value) = root_value(document, name, report) else { continue };
            let Some(table) = value.table(format!("[{name}]")) else { continue };
            merged.place = merged.place.or(table.place);
            for entry in table.entries.into_values() {
                merged.insert(entry, name);
            }
        }
        merged
    }

    fn empty(title: String, report: &'a Report) -> Self {
        Self { title, place: None, entries: BTreeMap::new(), asked: RefCell::default(), report }
    }

    fn insert(&mut self, entry: Entry<'a>, section: &str) {
        if let Some(first) = self.entries.get(entry.key) {
            let name = quoted(entry.key);
            let message = match section {
                "lists" | "tags" | "digests" => format!("the {} {name} is given twice", &section[..section.len() - 1]),
                _ => format!("{name} is given twice in [{section}]"),
            };
            let again = Diagnostic::error(entry.key_place.clone(), message).label("given again");
            self.report.add(again.related(first.key_place.clone(), "first given here").help("keep one of the two"));
        } else {
            self.entries.insert(entry.key, entry);
        }
    }

    /// The value under a key, which is known from now on.
    pub fn get(&self, key: &'static str) -> Option<Value<'a>> {
        self.asked.borrow_mut().push(key);
        self.entries.get(key).map(|entry| entry.value)
    }

    pub fn text(&self, key: &'static str, expected: &str) -> Option<Text<'a>> {
        self.get(key)?.text(expected)
    }

    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        self.get(key)?.boolean()
    }

    /// Where a key stands, else the table.
    pub fn place_of(&self, key: &str) -> Option<Place> {
        self.entries.get(key).map(|entry| entry.key_place.clone()).or_else(|| self.place.clone())
    }

    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// All entries in the order of files and lines; for tables whose keys are names of the operator's.
    pub fn into_entries(self) -> Vec<Entry<'a>> {
        let mut entries: Vec<_> = self.entries.into_values().collect();
        entries.sort_by_key(|entry| (entry.key_place.file, entry.key_place.span.start));
        entries
    }

    /// Reports that a key which must be there is not.
    pub fn missing(&self, key: &str, what: &str) {
        let message = format!("{} has no `{key}`", self.title);
        self.report.add(Diagnostic::error(self.place.clone(), message).help(what).resting_on_absence());
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        // Of those of which a config has one each, and of the one that it has many of.
        if self.title.starts_with('[') && self.title.ends_with(']') || self.title == FEED {
            self.report.note_keys(&asked, &self.title);
        }
        for entry in self.entries.values().filter(|entry| !asked.contains(&entry.key)) {
            let message = format!("unknown key {} in {}", quoted(entry.key), self.title);
            let help = did_you_mean(entry.key, asked.iter().copied()).unwrap_or_else(|| {
                let mut known: Vec<_> = asked.clone();
                known.sort_unstable();
                known.dedup();
                format!("known keys: {}", known.join(", "))
            });
            self.report.add(Diagnostic::error(entry.key_place.clone(), message).help(help).of_stray_key(entry.key));
        }
    }
}

/// Reports what stands at the top of a document and is none of its sections.
pub(super) fn check_sections(documents: &[Document], sections: &[&str], report: &Report) {
    for document in documents {
        for key in document.table.keys().filter(|key| !sections.contains(&key.get_ref().as_ref())) {
            let place = Place { file: document.file, span: key.span() };
            let known = || format!("known ones: {}", sections.join(", "));
            let help = did_you_mean(key.get_ref(), sections.iter().copied()).unwrap_or_else(known);
            report.add(Diagnostic::error(place, format!("unknown table or key {}", quoted(key.get_ref()))).help(help));
        }
    }
}

/// What stands under a name at the top of a document.
pub(super) fn root_value<'a>(document: &'a Document, name: &'a str, report: &'a Report) -> Option<Value<'a>> {
    let node = document.table.get(name)?;
    Some(Value { file: document.file, name, node, report })
}

impl<'a> Value<'a> {
    pub fn place(&self) -> Place {
        Place { file: self.file, span: self.node.span() }
    }

    pub fn report(&self) -> &'a Report {
        self.report
    }

    pub fn is_table(&self) -> bool {
        matches!(self.node.get_ref(), Node::Table(_))
    }

    pub fn is_text(&self) -> bool {
        matches!(self.node.get_ref(), Node::Text(_))
    }

    pub fn is_array(&self) -> bool {
        matches!(self.node.get_ref(), Node::Array(_))
    }

    /// Reports that the value is of the wrong type.
    pub fn mismatch(&self, expected: &str) {
        let message = format!("{} must be {expected}", quoted(self.name));
        let label = format!("this is {}", self.node.get_ref().type_name());
        self.report.add(Diagnostic::error(self.place(), message).label(label));
    }

    pub fn text(self, expected: &str) -> Option<Text<'a>> {
        let Node::Text(text) = self.node.get_ref() else {
            self.mismatch(expected);
            return None;
        };
        Some(Text { text, value: self })
    }

    pub fn boolean(&self) -> Option<bool> {
        let Node::Boolean(boolean) = self.node.get_ref() else {
            self.mismatch("true or false");
            return None;
        };
        Some(*boolean)
    }

    pub fn integer(&self, allowed: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let expected = || format!("a whole number from {} to {}", allowed.start(), allowed.end());
        let Node::Integer(integer) = self.node.get_ref() else {
            self.mismatch(&expected());
            return None;
        };
        let number = integer.filter(|number| allowed.contains(number));
        if number.is_none() {
            let message = format!("{} must be {}", quoted(self.name), expected());
            self.report.add(Diagnostic::error(self.place(), message));
        }
        number
    }

    /// A number, whole or not.
    pub fn number(&self) -> Option<f64> {
        let number = match self.node.get_ref() {
            Node::Float(float) => Some(*float).filter(|number| number.is_finite()),
            Node::Integer(integer) => integer.and_then(|integer| i32::try_from(integer).ok()).map(f64::from),
            _ => None,
        };
        if number.is_none() {
            self.mismatch("a number");
        }
        number
    }

    /// The elements of an array.
    pub fn array(&self, expected: &str) -> Option<Vec<Value<'a>>> {
        let Node::Array(array) = self.node.get_ref() else {
            self.mismatch(expected);
            return None;
        };
        let Self { file, name, report, .. } = *self;
        Some(array.iter().map(|node| Value { file, name, node, report }).collect())
    }

    /// An array of strings; elements of other types are reported and left out.
    pub fn texts(&self, expected: &str) -> Vec<Text<'a>> {
        let elements = self.array(expected).unwrap_or_default();
        elements.into_iter().filter_map(|element| element.text(expected)).collect()
    }

    pub fn table(&self, title: impl Into<String>) -> Option<Table<'a>> {
        let title = title.into();
        let Node::Table(table) = self.node.get_ref() else {
            self.mismatch(&format!("a table ({title})"));
            return None;
        };
        let Self { file, report, .. } = *self;
        let mut out = Table::empty(title, report);
        out.place = Some(self.place());
        for (key, node) in table {
            let name: &str = key.get_ref();
            let value = Value { file, name, node, report };
            out.entries.insert(name, Entry { key: name, key_place: Place { file, span: key.span() }, value });
        }
        Some(out)
    }
}

impl<'a> Text<'a> {
    pub fn place(&self) -> Place {
        self.value.place()
    }

    pub fn report(&self) -> &'a Report {
        self.value.report
    }

    /// As a path, relative to the file that it stands in.
    pub fn beside(&self) -> PathBuf {
        let source = self.value.report.source(self.value.file);
        Path::new(&source.path).parent().unwrap_or(Path::new("")).join(self.text)
    }

    /// The place in the file of a byte range of the text.
    pub fn place_within(&self, range: &Range<usize>) -> Place {
        let Place { file, span } = self.place();
        let within = {
            let source = self.value.report.source(file);
            toml_string::raw_span(&source.text[span.clone()], range)
        };
        Place { file, span: span.start + within.start..span.start + within.end }
    }

    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.place(), message)
    }
}
