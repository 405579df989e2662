//! The config: files to validated settings, with diagnostics that name file, line and column.
//!
//! Pure but for [`load`], which reads files. Nothing is silently ignored, and all errors of all
//! files are reported at once. A config is valid as a whole or not at all: there is no half of one.

mod diagnostics;
mod digests;
mod environment;
mod feed_text;
mod feeds;
mod include;
pub mod opml;
mod outputs;
mod reader;
mod references;
mod rule_text;
mod rules;
mod secrets;
mod service;
mod settings;
mod shipped;
mod source;
mod stamps;
mod toml_string;
mod tree;
mod values;

pub use diagnostics::{Diagnostic, Diagnostics, PlacedMessage};
pub use environment::{Environment, NotFound, find};
pub use feed_text::{ChangedLine, Readdressed};
pub use include::FileKind;
pub use rule_text::{Edit, RuleText, RuleTextError};
pub use settings::*;
pub use shipped::{SHIPPED, ShippedFile};
pub use stamps::FileStamps;
pub use values::parse_web_address;

use crate::model::TagName;
use diagnostics::Report;
use secrets::Secrets;
use source::Place;
use std::path::Path;

/// A valid config, and what is doubtful in it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    pub warnings: Diagnostics,
    pub examples: Vec<Example>,
}

/// Why a config is not valid, and what is doubtful in it besides.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{errors}")]
pub struct Refused {
    /// Everything that is wrong, in all files, in their order.
    pub errors: Diagnostics,
    pub warnings: Diagnostics,
}

/// A text that must, or must not, get a tag.
#[derive(Debug, Clone)]
pub struct Example {
    pub tag: TagName,
    pub text: String,
    pub must_match: bool,
    place: Place,
}

impl Loaded {
    /// A diagnostic at each example for which `failure` tells why it does not hold.
    pub fn failed_examples(&self, failure: impl Fn(&Example) -> Option<String>) -> Diagnostics {
        let diagnostic = |example: &Example| {
            let why = failure(example)?;
            let verb = if example.must_match { "does not get" } else { "gets" };
            let message = format!("this example {verb} the tag `{}`", example.tag.0);
            Some(Diagnostic::error(example.place.clone(), message).help(why))
        };
        self.warnings.with_same_sources(self.examples.iter().filter_map(diagnostic).collect())
    }
}

/// Reads the entry file and all that it includes.
///
/// # Errors
/// Something in it is wrong.
pub fn load(path: &Path, environment: &Environment) -> Result<Loaded, Refused> {
    load_edited(path, environment, &[])
}

/// As [`load`], as if some files had other texts.
///
/// # Errors
/// Something would be wrong.
pub fn load_edited(path: &Path, environment: &Environment, edits: &[Edit]) -> Result<Loaded, Refused> {
    let report = Report::default();
    let files = include::read_all(path, edits, &report);
    let secrets = Secrets { environment, report: &report };
    let documents = &files.documents;
    reader::check_sections(documents, &SECTIONS, &report);
    let http = service::http(documents, &secrets);
    let fetch = service::fetch(documents, &http.public_url, &secrets);
    let feeds = feeds::read(&files, &fetch, &secrets);
    let rules = rules::read(documents, &feeds, &report);
    let smtp = outputs::smtp(documents, &secrets);
    let settings = Settings {
        service: service::service(documents, environment, &report),
        retention: service::retention(documents, &report),
        digests: digests::read(documents, &rules, smtp.is_some(), &secrets),
        feeds,
        smtp,
        rules: rules.set,
        http,
        fetch,
        files: files.paths,
        stamps: files.stamps,
    };
    report.drop_consequences(&files.syntax_errors);
    let (errors, warnings) = report.finish();
    if errors.is_empty() {
        Ok(Loaded { settings, warnings, examples: rules.examples })
    } else {
        Err(Refused { errors, warnings })
    }
}

/// What may stand at the top of a file.
const SECTIONS: [&str; 10] =
    ["include", "service", "http", "fetch", "retention", "smtp", "feeds", "lists", "tags", "digests"];
