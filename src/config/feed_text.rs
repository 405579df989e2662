//! The addresses of feeds as text: a file of the config with other ones in their places, all else as it was written.

use super::rule_text::Edit;
use super::values::parse_web_address;
use std::path::Path;
use toml_edit::{DocumentMut, Item, TableLike, Value};
use url::Url;

const BYTE_ORDER_MARK: &str = "\u{FEFF}";

/// A file with new addresses in it.
#[derive(Debug)]
pub struct Readdressed {
    pub edit: Edit,
    pub lines: Vec<ChangedLine>,
}

/// A line of the file that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedLine {
    /// Index of the move among those that were given.
    pub index: usize,
    /// Counted from 1.
    pub number: usize,
    pub before: String,
    pub after: String,
}

impl Readdressed {
    /// Puts each of these new addresses where `path` lists the old one. `None`: it lists none of them.
    ///
    /// # Errors
    /// Why the file cannot be changed in these places alone.
    pub fn of(path: &Path, moves: &[(Url, Url)]) -> Result<Option<Self>, String> {
        let name = path.display();
        let before = std::fs::read_to_string(path).map_err(|error| format!("{name} cannot be read: {error}"))?;
        let mut text = before.clone();
        let mut lines = Vec::new();
        // One move at a time: each is to change one line.
        for (index, (from, to)) in moves.iter().enumerate() {
            let Some(after) = readdress(&text, from, to).map_err(|error| format!("{name}: {error}"))? else { continue };
            let after = Edit::of(path, &before, &after).text;
            let line = only_change(&text, &after)
                .ok_or_else(|| format!("{name}: the address of {from} stands alone in no line; change it by hand"))?;
            lines.push(ChangedLine { index, ..line });
            text = after;
        }
        Ok((!lines.is_empty()).then(|| Self { edit: Edit { path: path.to_owned(), text, before }, lines }))
    }
}

/// The text with `to` as the address of the feed at `from`; `None` when no feed is listed there.
fn readdress(text: &str, from: &Url, to: &Url) -> Result<Option<String>, toml_edit::TomlError> {
    // Most files list no feeds at all, and parsing for editing is slow.
    if !text.contains("feeds") {
        return Ok(None);
    }
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK } else { "" };
    let mut document: DocumentMut = text[mark.len()..].parse()?;
    let mut found = false;
    let mut visit = |table: &mut dyn TableLike| {
        let Some(value) = table.get_mut("url").and_then(Item::as_value_mut) else { return };
        if value.as_str().and_then(|url| parse_web_address(url).ok()).as_ref() == Some(from) {
            let decor = value.decor().clone();
            *value = Value::from(to.as_str());
            *value.decor_mut() = decor;
            found = true;
        }
    };
    match document.get_mut("feeds") {
        Some(Item::ArrayOfTables(tables)) => tables.iter_mut().for_each(|table| visit(table)),
        Some(Item::Value(Value::Array(array))) => {
            array.iter_mut().filter_map(Value::as_inline_table_mut).for_each(|table| visit(table));
        }
        _ => {}
    }
    // The editor writes every line end as the Unix one, and one after the last value.
    let edited = document.to_string();
    let edited = if text.ends_with('\n') { edited.as_str() } else { edited.trim_end_matches('\n') };
    Ok(found.then(|| mark.to_owned() + edited))
}

/// The one line in which two texts differ; `None` when they differ in more, or in their line ends.
fn only_change(before: &str, after: &str) -> Option<ChangedLine> {
    let (before, after) = (before.split('\n'), after.split('\n'));
    if before.clone().count() != after.clone().count() {
        return None;
    }
    let mut changes = before.zip(after).enumerate().filter(|(_, (before, after))| before != after);
    let (at, (before, after)) = changes.next()?;
    let line = ChangedLine { index: 0, number: at + 1, before: before.trim().into(), after: after.trim().into() };
    changes.next().is_none().then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("feeds.toml");
        std::fs::write(&path, text).unwrap();
        let moves = [("https://old.test/a?b", "https://new.test/\"é\""), ("https://old.test/2", "https://new.test/2")]
            .map(|(from, to)| (Url::parse(from).unwrap(), Url::parse(to).unwrap()));
        let made = Readdressed::of(&path, &moves).unwrap();
        assert_eq!(made.as_ref().map(|made| made.edit.text.as_str()), expected);
        if let Some(made) = made {
            assert_eq!(made.edit.undone().text, text);
        }
    }

    #[test]
    fn an_address_is_replaced_and_nothing_else() {
        let text = |url: &str| {
            format!(
                "# Mine.\n[fetch]   # how\nmin_interval = '1h'\n\n[[feeds]]  # first\nurl   = {url}   # since 2019\n\
                 groups = [ 'a',\n  \"b\", ] # two\n\n[[feeds]]\nurl = \"https://old.test/other\"\n# the end"
            )
        };
        check(&text("'https://old.test/a?b#top'"), Some(&text("\"https://new.test/%22%C3%A9%22\"")));
        check(&text("\"https://old.test/a\""), None);
    }

    #[test]
    fn two_feeds_of_an_inline_array_are_replaced_each_in_its_line() {
        check(
            "feeds = [\n  { url = 'https://old.test/a?b', title = 'A' }, # a\n  { title = 'B', url = 'https://old.test/2' },\n]\n",
            Some(
                "feeds = [\n  { url = \"https://new.test/%22%C3%A9%22\", title = 'A' }, # a\n  { title = 'B', url = \"https://new.test/2\" },\n]\n",
            ),
        );
    }

    #[test]
    fn a_byte_order_mark_stays_and_a_last_line_without_an_end() {
        let text = |url: &str| format!("\u{FEFF}[[feeds]]\nurl = {url}");
        check(&text("'https://old.test/2'"), Some(&text("\"https://new.test/2\"")));
    }

    #[test]
    fn windows_line_ends_stay() {
        let text = |url: &str| format!("[[feeds]]\r\nurl = {url}\r\n");
        check(&text("'https://old.test/2'"), Some(&text("\"https://new.test/2\"")));
    }
}
