//! One tag's rule as text: where its table stands in the config, and the config with another text in its place.
//!
//! Reads and replaces files; what a text means is found out by [`super::load_edited`].

use super::diagnostics::quoted;
use super::include::FileKind;
use super::tree::{self, Branch, Node};
use crate::model::TagName;
use std::io::Write as _;
use std::ops::Range;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The table of a tag, as written.
#[derive(Debug, Clone)]
pub struct RuleText {
    pub file: PathBuf,
    whole: String,
    span: Range<usize>,
}

/// A file of the config with another text than it has.
#[derive(Debug, Clone)]
pub struct Edit {
    pub path: PathBuf,
    pub text: String,
    /// What it has, as far as the edit knows.
    pub(super) before: String,
}

/// Why a rule has no text of its own, or another cannot take its place.
#[derive(Debug, thiserror::Error)]
pub enum RuleTextError {
    #[error("no file of the config has a table [tags.{0}]")]
    NotThere(String),
    #[error("{file}: the rule of `{tag}` is not one table [tags.{tag}] in a row; edit the file itself")]
    Scattered { file: String, tag: String },
    #[error("line {line}: {message}")]
    Syntax { line: usize, message: String },
    #[error("this must be the table [tags.{0}] and nothing else")]
    OtherTables(String),
    #[error("{0} was changed by somebody else meanwhile, so nothing was saved")]
    Changed(String),
    #[error("{path}: {error}")]
    Io { path: String, error: std::io::Error },
}

impl RuleText {
    /// The table of `tag` in the first of these files that has it.
    pub fn find(files: &[PathBuf], tag: &TagName) -> Result<RuleText, RuleTextError> {
        for file in files.iter().filter(|file| FileKind::of(file) == Some(FileKind::Toml)) {
            let whole = std::fs::read_to_string(file).map_err(|error| failed(file, error))?;
            let (table, _) = tree::parse(&whole);
            let Some((key, rule)) = entry(&table, tag) else { continue };
            let span = section(&whole, &table, key, rule)
                .ok_or_else(|| RuleTextError::Scattered { file: file.display().to_string(), tag: tag.0.clone() })?;
            return Ok(RuleText { file: file.clone(), whole, span });
        }
        Err(RuleTextError::NotThere(tag.0.clone()))
    }

    pub fn as_str(&self) -> &str {
        &self.whole[self.span.clone()]
    }

    /// The file with `text` for the table of `tag`, which is all that `text` may hold.
    pub fn replaced(&self, tag: &TagName, text: &str) -> Result<Edit, RuleTextError> {
        let text = text.replace("\r\n", "\n");
        let (table, errors) = tree::parse(&text);
        if let Some(error) = errors.first() {
            let line = text[..error.span().map_or(0, |span| span.start)].matches('\n').count() + 1;
            return Err(RuleTextError::Syntax { line, message: error.message().to_owned() });
        }
        if table.len() != 1 || entry(&table, tag).is_none() || tags(&table).is_none_or(|tags| tags.len() != 1) {
            return Err(RuleTextError::OtherTables(tag.0.clone()));
        }
        let (before, after) = (&self.whole[..self.span.start], &self.whole[self.span.end..]);
        let text = format!("{before}{}{after}", text.trim_end());
        Ok(Edit::of(&self.file, &self.whole, &text))
    }
}

impl Edit {
    /// With the line ends that the file had before: the Windows ones, if any were.
    #[must_use]
    pub fn of(path: &Path, before: &str, text: &str) -> Self {
        let line_end = if before.contains("\r\n") { "\r\n" } else { "\n" };
        let text = text.replace("\r\n", "\n").replace('\n', line_end);
        Self { path: path.to_owned(), text, before: before.to_owned() }
    }

    /// The other way round.
    #[must_use]
    pub fn undone(&self) -> Self {
        Self { path: self.path.clone(), text: self.before.clone(), before: self.text.clone() }
    }

    /// Writes the text beside the file, with the file's owner and permissions, and moves it over it: a reader sees the
    /// old text or the new one. A symbolic link stays one. Of edits that are saved at once none undoes another: what is no
    /// longer as it was is left alone.
    pub fn save(&self) -> Result<(), RuleTextError> {
        let path = self.path.canonicalize().map_err(|error| failed(&self.path, error))?;
        let _turn = turn_in(path.parent().unwrap_or(Path::new("/"))).map_err(|error| failed(&self.path, error))?;
        if std::fs::read(&path).map_err(|error| failed(&self.path, error))? != self.before.as_bytes() {
            return Err(RuleTextError::Changed(quoted(&self.path.display().to_string())));
        }
        let partial = path.with_extension("toml.partial");
        let saved = || {
            let mut file = std::fs::File::create(&partial)?;
            file.write_all(self.text.as_bytes())?;
            // On the disk before it takes the other's place: a power cut leaves one of them.
            file.sync_all()?;
            let of_old = std::fs::metadata(&path)?;
            // Root edits what belongs to the service. Nobody else may give a file away.
            #[cfg(unix)]
            let _ = std::os::unix::fs::chown(&partial, Some(of_old.uid()), Some(of_old.gid()));
            std::fs::set_permissions(&partial, of_old.permissions())?;
            std::fs::rename(&partial, &path)
        };
        saved().map_err(|error| {
            // Half a file is of no use to anyone.
            let _ = std::fs::remove_file(&partial);
            failed(&self.path, error)
        })
    }
}

/// Waits until nobody else saves an edit in the directory; others wait until the file is closed.
fn turn_in(directory: &Path) -> std::io::Result<std::fs::File> {
    let lock = std::fs::File::open(directory)?;
    lock.lock()?;
    Ok(lock)
}

fn failed(path: &Path, error: std::io::Error) -> RuleTextError {
    RuleTextError::Io { path: quoted(&path.display().to_string()), error }
}

fn tags(table: &Branch) -> Option<&Branch> {
    table.iter().find(|(key, _)| key.get_ref() == "tags").and_then(|(_, value)| branch(value))
}

fn branch(value: &Spanned<Node>) -> Option<&Branch> {
    if let Node::Table(table) = value.get_ref() { Some(table) } else { None }
}

fn entry<'a>(table: &'a Branch, tag: &TagName) -> Option<(&'a Spanned<String>, &'a Branch)> {
    let (key, value) = tags(table)?.iter().find(|(key, _)| *key.get_ref() == tag.0)?;
    Some((key, branch(value)?))
}

/// From the line of the header to the end of the last value's line; `None` when the rule is no table with a header, or
/// something else stands within.
fn section(text: &str, table: &Branch, key: &Spanned<String>, rule: &Branch) -> Option<Range<usize>> {
    let start = text[..key.span().start].rfind('\n').map_or(0, |at| at + 1);
    let header = text[start..].lines().next()?;
    if !header.trim_start().starts_with('[') || header.trim_start().starts_with("[[") {
        return None;
    }
    let last = end_of(rule, key.span().end);
    let end = text[last..].find('\n').map_or(text.len(), |at| last + at);
    let span = start..end;
    let mut keys_within = 0;
    tree::walk_keys(table, &mut |key| keys_within += usize::from(span.contains(&key.span().start)));
    let mut own_keys = 0;
    tree::walk_keys(rule, &mut |key| own_keys += usize::from(span.contains(&key.span().start)));
    // The header's own: `tags`, which is one key however many tables it heads, and the name.
    (keys_within <= own_keys + 2).then_some(span)
}

/// Where the last value of a table ends, not before `end`.
fn end_of(table: &Branch, end: usize) -> usize {
    table.iter().fold(end, |end, (key, value)| match value.get_ref() {
        Node::Table(inner) => end_of(inner, end.max(key.span().end)),
        _ => end.max(value.span().end),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# jobs\n[lists]\njobs = [\"job\"]\n\n# Cuts of jobs.\n[tags.layoffs]\ntitle = \"Layoffs\" # shown\n\
        any = [\n  \"layoff*\", # the verb\n]\nexamples.match = [\"a layoff\"]\n\n[tags.chips]\nany = [\"chips\"]\n";

    fn rule_text(directory: &Path, text: &str, tag: &str) -> Result<RuleText, RuleTextError> {
        let file = directory.join("rules.toml");
        std::fs::write(&file, text).unwrap();
        RuleText::find(&[directory.join("feeds.opml"), file], &TagName(tag.into()))
    }

    #[test]
    fn a_rule_is_taken_out_whole_and_another_put_in_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let tag = TagName("layoffs".into());
        let found = rule_text(directory.path(), FILE, "layoffs").unwrap();
        assert!(found.as_str().starts_with("[tags.layoffs]\ntitle"), "{}", found.as_str());
        assert!(found.as_str().ends_with("examples.match = [\"a layoff\"]"), "{}", found.as_str());
        let edit = found.replaced(&tag, "[tags.layoffs]\r\nany = [\"laid off\"]\r\n\r\n").unwrap();
        let expected = "# jobs\n[lists]\njobs = [\"job\"]\n\n# Cuts of jobs.\n[tags.layoffs]\nany = [\"laid off\"]\n\n\
            [tags.chips]\nany = [\"chips\"]\n";
        assert_eq!(edit.text, expected);
        edit.save().unwrap();
        assert_eq!(std::fs::read_to_string(&found.file).unwrap(), expected);
        assert_eq!(rule_text(directory.path(), FILE, "chips").unwrap().as_str(), "[tags.chips]\nany = [\"chips\"]");
    }

    #[test]
    fn an_edit_of_what_has_changed_meanwhile_is_not_saved() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("feeds.toml");
        std::fs::write(&path, "").unwrap();
        let [one, other] = ["# one", "# other"].map(|text| Edit::of(&path, "", text));
        one.save().unwrap();
        assert!(matches!(other.save(), Err(RuleTextError::Changed(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# one");
        one.undone().save().unwrap();
        other.save().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# other");
    }

    #[test]
    fn windows_line_ends_stay() {
        let directory = tempfile::tempdir().unwrap();
        let text = FILE.replace('\n', "\r\n");
        let found = rule_text(directory.path(), &text, "chips").unwrap();
        let edit = found.replaced(&TagName("chips".into()), "[tags.chips]\nany = [\"wafers\"]").unwrap();
        assert_eq!(edit.text, text.replace("[\"chips\"]", "[\"wafers\"]"));
    }

    #[cfg(unix)]
    #[test]
    fn an_edited_file_keeps_its_owner_and_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("feeds.toml");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        // Without root it stays ours, and is kept so.
        let _ = std::os::unix::fs::chown(&path, Some(1000), Some(1000));
        let before = std::fs::metadata(&path).unwrap();
        Edit::of(&path, "", "# edited").save().unwrap();
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((after.uid(), after.gid(), after.mode()), (before.uid(), before.gid(), before.mode()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# edited");
    }

    #[test]
    fn what_is_not_this_rule_alone_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let tag = TagName("layoffs".into());
        let found = rule_text(directory.path(), FILE, "layoffs").unwrap();
        let refused = |text: &str| found.replaced(&tag, text).unwrap_err().to_string();
        assert_eq!(refused("[tags.other]\nany = []"), "this must be the table [tags.layoffs] and nothing else");
        assert_eq!(
            refused("[tags.layoffs]\nany = [\"a\"]\n[http]\nlisten = \"x\""),
            "this must be the table [tags.layoffs] and nothing else"
        );
        assert!(refused("[tags.layoffs]\nany = [\"a\n").starts_with("line 2: "));
    }

    #[test]
    fn a_rule_without_a_table_of_its_own_is_left_to_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let error = |text: &str| rule_text(directory.path(), text, "a").unwrap_err().to_string();
        assert!(error("[tags]\na = { any = [\"x\"] }\n").contains("edit the file itself"));
        assert!(
            error("[tags.a]\nany = [\"x\"]\n[http]\nlisten = \"y\"\n[tags.a.examples]\nmatch = [\"x\"]\n")
                .contains("in a row")
        );
        assert_eq!(error("[lists]\n"), "no file of the config has a table [tags.a]");
    }
}
