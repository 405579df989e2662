//! From the entry file to all files: reading, decoding, `include` by glob.
//!
//! The only part of the config, with secrets, that touches the file system. Order is deterministic:
//! entry file first, then what it includes in the order written, each glob sorted by path.

use super::diagnostics::{BAD_TOML, Diagnostic, Report, did_you_mean, quoted};
use super::reader::{Document, Text, root_value};
use super::rule_text::Edit;
use super::source::{FileId, Place, Source};
use super::stamps::FileStamps;
use super::tree::{self, Branch};
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::DirEntry;
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// Longest file that is read; a list of 100,000 feeds takes 20 MB.
const LONGEST_FILE_BYTES: u64 = 64 << 20;

/// All files of a config.
#[derive(Default)]
pub(super) struct Files {
    pub documents: Vec<Document>,
    /// OPML files, still as text in the report.
    pub opml: Vec<FileId>,
    /// Every file that was read.
    pub paths: Vec<PathBuf>,
    pub stamps: FileStamps,
    pub syntax_errors: Vec<Place>,
}

/// A file that is to be read.
struct Pending {
    path: PathBuf,
    /// The `include` that named it; `None` for the entry file.
    named_at: Option<Place>,
    kind: FileKind,
}

/// What a file of the config is, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Toml,
    Opml,
}

impl FileKind {
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_string_lossy().to_ascii_lowercase().as_str() {
            "toml" => Some(Self::Toml),
            "opml" | "xml" => Some(Self::Opml),
            _ => None,
        }
    }
}

/// Reads the entry file and all that it includes, over any number of levels; for the files of `edits` their texts.
pub(super) fn read_all(entry: &Path, edits: &[Edit], report: &Report) -> Files {
    let mut files = Files::default();
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([Pending { path: entry.to_owned(), named_at: None, kind: FileKind::Toml }]);
    while let Some(pending) = queue.pop_front() {
        // A file that two patterns match, or that includes itself by a glob, is one file.
        let identity = pending.path.canonicalize().unwrap_or_else(|_| pending.path.clone());
        if !seen.insert(identity) {
            continue;
        }
        files.stamps.note(&pending.path);
        let edited = edits.iter().find(|edit| edit.path == pending.path).map(|edit| edit.text.clone());
        let Some(text) = edited.or_else(|| read(&pending, report)) else { continue };
        let file = report.add_source(pending.path.display().to_string(), text);
        files.paths.push(pending.path.clone());
        if pending.kind == FileKind::Opml {
            files.opml.push(file);
            continue;
        }
        let document = parse(file, report, &mut files.syntax_errors);
        queue.extend(includes(&document, &pending.path, report));
        files.documents.push(document);
    }
    files
}

fn read(pending: &Pending, report: &Report) -> Option<String> {
    let shown = quoted(&pending.path.display().to_string());
    let bytes = match read_bytes(pending) {
        Ok(bytes) => bytes,
        Err(error) => {
            let fault = Diagnostic::error(pending.named_at.clone(), format!("cannot read {shown}: {error}"));
            let is_missing = error.kind() == ErrorKind::NotFound && pending.named_at.is_some();
            report.add(fault.help_if(is_missing.then(|| instead_of(&pending.path))));
            return None;
        }
    };
    if pending.kind == FileKind::Opml {
        return Some(super::opml::decode(bytes));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let readable = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let file = report.add_source(pending.path.display().to_string(), readable);
            let place = Place { file, span: at..at + char::REPLACEMENT_CHARACTER.len_utf8() };
            report.add(Diagnostic::error(place, "this is not UTF-8").help("save the file as UTF-8"));
            None
        }
    }
}

/// What to do about an included file that is not there.
fn instead_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = directory.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    let beside = beside.filter(|path| FileKind::of(path).is_some() && path.exists());
    let names: Vec<_> = beside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    did_you_mean(&name, names.iter().map(String::as_str))
        .unwrap_or_else(|| "paths are relative to the file that they stand in; a pattern may match no file".to_owned())
}

/// The entry point may be a pipe: a shell makes one of `--config <(…)`. One that a pattern came upon would be waited for.
fn read_bytes(pending: &Pending) -> std::io::Result<Vec<u8>> {
    let fault = |message: &str| Err(std::io::Error::other(message));
    let metadata = std::fs::metadata(&pending.path)?;
    if metadata.is_dir() {
        return fault("it is a directory");
    }
    if pending.named_at.is_some() && !metadata.is_file() {
        return fault("it is a pipe, a socket or a device, not a file");
    }
    let mut bytes = Vec::new();
    std::fs::File::open(&pending.path)?.take(LONGEST_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_FILE_BYTES {
        return fault("it is larger than 64 MiB");
    }
    Ok(bytes)
}

fn parse(file: FileId, report: &Report, syntax_errors: &mut Vec<Place>) -> Document {
    let (table, errors) = tree::parse(&report.source(file).text);
    for error in errors {
        let place = Place { file, span: error.span().unwrap_or(0..0) };
        let fault = Diagnostic::error(place.clone(), format!("{BAD_TOML}{}", error.message()));
        let first =
            if error.message() == "duplicate key" { first_key(&table, &report.source(file), &place) } else { None };
        report.add(match first {
            Some(span) => {
                fault.label("given again").related(Place { file, span }, "first given here").help("keep one of the two")
            }
            None => fault,
        });
        syntax_errors.push(place);
    }
    Document { file, table }
}

/// Where a key that is given again was given first: the same table header, else the nearest key of that name, above it.
fn first_key(table: &Branch, source: &Source, again: &Place) -> Option<Range<usize>> {
    let (line, _, span) = source.excerpt(&again.span);
    if line.trim_start().starts_with('[') {
        let above = &source.text[..again.span.start - span.start];
        let start = above.find(&format!("{line}\n"))?;
        return Some(start + span.start..start + span.end);
    }
    let name = source.text.get(again.span.clone())?.trim_matches(['"', '\'']);
    let mut nearest: Option<Range<usize>> = None;
    tree::walk_keys(table, &mut |key| {
        let is_above = key.get_ref() == name && key.span().end <= again.span.start;
        if is_above && nearest.as_ref().is_none_or(|nearest| nearest.start < key.span().start) {
            nearest = Some(key.span());
        }
    });
    nearest
}

fn includes(document: &Document, path: &Path, report: &Report) -> Vec<Pending> {
    let Some(value) = root_value(document, "include", report) else { return Vec::new() };
    let directory = path.parent().unwrap_or(Path::new(""));
    let patterns = value.texts("an array of file names and patterns such as [\"feeds.toml\", \"tags/*.toml\"]");
    patterns.into_iter().flat_map(|pattern| matching(pattern, directory, report)).collect()
}

/// The files that one pattern names, sorted.
fn matching(pattern: Text<'_>, directory: &Path, report: &Report) -> Vec<Pending> {
    let is_glob = is_glob(pattern.text);
    let mut paths = if is_glob { glob_paths(pattern, directory, report) } else { vec![directory.join(pattern.text)] };
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let Some(kind) = FileKind::of(&path) else {
            let message = format!("{} is neither .toml nor .opml", quoted(&path.display().to_string()));
            let doubt = if is_glob { Diagnostic::warning } else { Diagnostic::error };
            report.add(doubt(Some(pattern.place()), message).help("only such files are read"));
            continue;
        };
        found.push(Pending { path, named_at: Some(pattern.place()), kind });
    }
    found
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn glob_paths(pattern: Text<'_>, directory: &Path, report: &Report) -> Vec<PathBuf> {
    let parts = match parts(pattern.text) {
        Ok(parts) => parts,
        Err(error) => {
            report.add(pattern.error(format!("bad pattern {}: {}", quoted(pattern.text), error.msg)));
            return Vec::new();
        }
    };
    let mut walk = Walk::default();
    walk.follow(directory, &parts);
    for (path, error) in walk.unread {
        let shown = quoted(&path.display().to_string());
        report.add(pattern.error(format!("cannot read the directory {shown}: {error}")));
    }
    if walk.found.is_empty() {
        let message = format!("{} matches no file", quoted(pattern.text));
        report.add(
            Diagnostic::warning(pattern.place(), message).help("patterns are relative to the file that they stand in"),
        );
    }
    walk.found
}

/// What stands between the slashes of a pattern.
enum Part {
    Name(OsString),
    Pattern(glob::Pattern),
    AnyDepth,
}

fn parts(pattern: &str) -> Result<Vec<Part>, glob::PatternError> {
    let components = Path::new(pattern).components().filter(|component| *component != Component::CurDir);
    let part = |component: Component<'_>| match component.as_os_str().to_string_lossy() {
        text if text == "**" => Ok(Part::AnyDepth),
        text if is_glob(&text) => Ok(Part::Pattern(glob::Pattern::new(&text)?)),
        _ => Ok(Part::Name(component.as_os_str().to_owned())),
    };
    components.map(part).collect()
}

/// The files that a pattern matches. The walk of the `glob` crate panics at a name that is not UTF-8, or passes over it;
/// here such a name matches as it is shown.
#[derive(Default)]
struct Walk {
    found: Vec<PathBuf>,
    unread: Vec<(PathBuf, std::io::Error)>,
}

impl Walk {
    fn follow(&mut self, path: &Path, parts: &[Part]) {
        match parts.split_first() {
            None if path.symlink_metadata().is_err() => {}
            // That `*` matches directories too is no fault; one with the name of a file is.
            None if path.is_dir() && FileKind::of(path).is_none() => {}
            None => self.found.push(path.to_owned()),
            Some((Part::Name(name), rest)) => self.follow(&path.join(name), rest),
            Some((Part::Pattern(pattern), rest)) => {
                for (name, _) in self.visible(path).iter().filter(|(name, _)| pattern.matches(&name.to_string_lossy()))
                {
                    self.follow(&path.join(name), rest);
                }
            }
            Some((Part::AnyDepth, rest)) => {
                self.follow(path, rest);
                for (name, _) in self.visible(path).iter().filter(|(_, is_directory)| *is_directory) {
                    self.follow(&path.join(name), parts);
                }
            }
        }
    }

    /// The names in a directory that do not begin with a dot, and whether they are directories themselves, links apart.
    fn visible(&mut self, directory: &Path) -> Vec<(OsString, bool)> {
        let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let entry = |entry: std::io::Result<DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name(), entry.file_type()?.is_dir()))
        };
        let mut names = match here.read_dir().and_then(|entries| entries.map(entry).collect::<Result<Vec<_>, _>>()) {
            Ok(names) => names,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Vec::new(),
            Err(error) => {
                self.unread.push((directory.to_owned(), error));
                Vec::new()
            }
        };
        names.retain(|(name, _)| !name.as_encoded_bytes().starts_with(b"."));
        names
    }
}
