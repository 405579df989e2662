//! Which module may use which, and which crates are named where: the walls of ARCHITECTURE.md.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module and what it may use. `cli` and `app` see everything; nobody uses them but `main` and `cli`.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("query", &["model"]),
    ("classifier", &["model", "query"]),
    ("config", &["model", "query"]),
    ("feed", &["model"]),
    ("fetch", &["config", "model"]),
    ("stories", &["model"]),
    ("notices", &["model"]),
    ("pace", &["config", "model"]),
    ("store", &["model", "threads"]),
    ("digest", &["model"]),
    ("export", &["model"]),
    ("refresh", &["classifier", "config", "digest", "feed", "fetch", "model", "pace", "stories", "store", "threads"]),
    ("scheduler", &["config", "digest", "model", "notices", "pace", "refresh", "store"]),
    ("search", &["classifier", "model", "query", "store"]),
    ("http", &["classifier", "config", "digest", "export", "model", "notices", "scheduler", "search", "store"]),
    ("delivery", &["config", "digest", "export", "fetch", "http", "model", "refresh", "store"]),
    ("demo", &["config", "model"]),
    ("service", &[]),
    ("threads", &[]),
];

const SEES_EVERYTHING: &[&str] = &["app", "cli", "lib", "main"];

/// A crate and the only modules that name it.
const CRATES: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("reqwest", &["fetch"]),
    ("axum", &["http"]),
    ("feed_rs", &["feed"]),
    ("tokio_cron_scheduler", &["scheduler"]),
    ("daachorse", &["classifier", "feed"]),
    ("ammonia", &["feed"]),
    ("dom_smoothie", &["feed"]),
    ("lettre", &["delivery"]),
    ("maud", &["http", "digest", "delivery"]),
    ("clap", &["cli"]),
];

/// The wall clock is read here alone; everything else is given `now`.
const CLOCK_READERS: &[&str] = &["app", "scheduler", "cli"];

#[test]
fn modules_use_only_what_lies_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let mut faults = Vec::new();
    for source in sources() {
        if SEES_EVERYTHING.contains(&source.module.as_str()) {
            continue;
        }
        let Some(below) = allowed.get(source.module.as_str()) else {
            faults.push(format!("{}: module `{}` has no line in DIRECTIONS", source.path.display(), source.module));
            continue;
        };
        for (line, text) in source.code() {
            for used in modules_named(text) {
                if used != source.module && !below.contains(&used.as_str()) {
                    faults.push(format!("{}:{line}: `{}` may not use `{used}`", source.path.display(), source.module));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut faults = Vec::new();
    for source in sources() {
        for (line, text) in source.code() {
            for (name, homes) in CRATES {
                if names_crate(text, name) && !homes.contains(&source.module.as_str()) {
                    faults.push(format!("{}:{line}: `{name}` belongs to {homes:?}", source.path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_wall_clock_is_read_in_few_places() {
    let mut faults = Vec::new();
    for source in sources().into_iter().filter(|source| !CLOCK_READERS.contains(&source.module.as_str())) {
        for (line, text) in source.code() {
            if ["Timestamp::now", "SystemTime::now", "Utc::now", "Zoned::now", "ZonedDateTime::now"]
                .iter()
                .any(|call| text.contains(call))
            {
                faults.push(format!("{}:{line}: {}", source.path.display(), text.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_module_is_in_the_map_of_the_architecture() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    for (module, _) in DIRECTIONS {
        assert!(map.contains(&format!("`{module}")), "ARCHITECTURE.md does not speak of `{module}`");
    }
}

#[test]
fn the_scanner_sees_what_it_looks_for() {
    assert_eq!(modules_named("use crate::store::{Store, StoreError};"), ["store"]);
    assert_eq!(modules_named("let x = crate::fetch::Client::new(); use crate::model;"), ["fetch", "model"]);
    assert_eq!(modules_named("use crate::{feed::read, model::Item};"), ["feed", "model"]);
    assert!(names_crate("use rusqlite::Connection;", "rusqlite"));
    assert!(!names_crate("use tokio_rusqlite::Connection;", "rusqlite"));
}

struct Source {
    path: PathBuf,
    module: String,
    text: String,
}

impl Source {
    /// Numbered lines up to the tests, without comments: tests and prose may name anything.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered
            .take_while(|(_, line)| !line.contains("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(&root().join("src"), &mut found);
    assert!(found.len() > 20, "the sources are where they are expected");
    found
}

fn collect(directory: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("the sources can be listed") {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
            let inner = path.strip_prefix(root().join("src")).expect("below src");
            let first = inner.components().next().expect("a name").as_os_str().to_string_lossy();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).expect("the source can be read");
            found.push(Source { path: inner.to_owned(), module, text });
        }
    }
}

fn is_test(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// Modules of the crate that a line names: `crate::a::…` and `crate::{a::…, b::…}`.
fn modules_named(line: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => named.extend(list.split(',').filter_map(first_word)),
            None => named.extend(first_word(rest)),
        }
    }
    named.retain(|name| name.chars().next().is_some_and(char::is_lowercase));
    named
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(&format!("{name}::")).any(|(at, _)| {
        !line[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || before == '_' || before == ':')
    })
}
