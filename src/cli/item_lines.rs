//! JSON Lines of items, as `veille tag` and `veille eval` read them: streamed, tagged on all cores, in order.
//!
//! Owns the form of a line and the way from plain-text evidence back to the fields as they were given.

use super::input;
use super::output::tell;
use crate::classifier::{Classifier, ItemText};
use crate::feed::{MappedText, to_text_mapped};
use crate::model::{Evidence, Field, TagMatch, Timestamp, without_query};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Most lines that are tagged side by side; what is held in memory at a time.
const BATCH_LINES: usize = 1_024;
/// What is read of a file at once: about a batch of news items.
const BUFFER_BYTES: usize = 1 << 20;

/// An item as given; only the id must be there.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object")]
pub(super) struct ItemLine {
    pub id: Value,
    title: Option<String>,
    summary: Option<String>,
    content: Option<String>,
    url: Option<String>,
    author: Option<String>,
    categories: Option<Vec<String>>,
    lang: Option<String>,
    feed: Option<String>,
    groups: Option<Vec<String>>,
    #[serde(default, deserialize_with = "instant")]
    published_at: Option<Timestamp>,
    /// The true labels, which only `eval` looks at.
    tags: Option<Vec<String>>,
    /// Everything else, to break figures down by.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl ItemLine {
    /// The true labels.
    pub fn labels(&self) -> &[String] {
        self.tags.as_deref().unwrap_or_default()
    }

    /// The values of any field, as texts: each element of an array, none of what is absent.
    pub fn values(&self, field: &str) -> Vec<String> {
        let texts = |texts: &Option<Vec<String>>| texts.clone().unwrap_or_default();
        match field {
            "lang" => self.lang.clone().into_iter().collect(),
            "feed" => self.feed.clone().into_iter().collect(),
            "author" => self.author.clone().into_iter().collect(),
            "url" => self.url.clone().into_iter().collect(),
            "groups" => texts(&self.groups),
            "categories" => texts(&self.categories),
            other => self.others.get(other).map(values_of).unwrap_or_default(),
        }
    }

    /// The item without markup.
    pub fn plain(&self) -> PlainItem<'_> {
        let text = |text: &Option<String>| to_text_mapped(text.as_deref().unwrap_or_default());
        // A title is one line, however it is broken.
        let title = self.title.as_deref().unwrap_or_default().replace(['\n', '\r'], " ");
        PlainItem { line: self, title, summary: text(&self.summary), content: text(&self.content) }
    }

    /// The tags that the rules give it, with evidence in the fields as given.
    pub fn tagged(&self, classifier: &Classifier, now: Timestamp) -> Vec<TagMatch> {
        let plain = self.plain();
        let PlainItem { summary, content, .. } = &plain;
        let mut matches = classifier.classify(&plain.text(), now);
        for evidence in matches.iter_mut().flat_map(|matched| &mut matched.evidence) {
            match evidence.field {
                Field::Title => evidence.text = as_given(evidence, self.title.as_deref()),
                Field::Summary => give_back(evidence, summary, self.summary.as_deref()),
                Field::Content => give_back(evidence, content, self.content.as_deref()),
                _ => {}
            }
        }
        matches
    }
}

/// An item without markup.
pub(super) struct PlainItem<'a> {
    line: &'a ItemLine,
    /// Character for character as given, but for line breaks.
    title: String,
    summary: MappedText,
    content: MappedText,
}

impl PlainItem<'_> {
    /// As rules see it.
    pub fn text(&self) -> ItemText<'_> {
        let line = self.line;
        ItemText {
            title: &self.title,
            summary: &self.summary.text,
            content: &self.content.text,
            authors: line.author.as_slice(),
            categories: line.categories.as_deref().unwrap_or_default(),
            url: line.url.as_deref().unwrap_or_default(),
            // A title or an address: one text, in which evidence has its place. The key of an address is no part of it.
            feed_title: line.feed.as_deref().map_or("", without_query),
            feed_url: "",
            groups: line.groups.as_deref().unwrap_or_default(),
            language: line.lang.as_deref().filter(|language| !language.is_empty()),
            published_at: line.published_at,
            tags: &[],
            corrections: &[],
        }
    }
}

fn values_of(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(elements) => elements.iter().flat_map(values_of).collect(),
        other => vec![other.to_string()],
    }
}

/// Moves evidence from the plain text to the field as given, markup and all.
fn give_back(evidence: &mut Evidence, text: &MappedText, source: Option<&str>) {
    let range = text.source_range(evidence.start..evidence.end);
    (evidence.start, evidence.end) = (range.start, range.end);
    evidence.text = as_given(evidence, source);
}

/// The span of a field as given.
fn as_given(evidence: &Evidence, source: Option<&str>) -> String {
    source.unwrap_or_default().chars().skip(evidence.start).take(evidence.end - evidence.start).collect()
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let fault = || D::Error::custom(format!("`published_at` is no instant such as \"2026-11-24T08:00:00Z\": {text:?}"));
    text.parse().map(Some).map_err(|_| fault())
}

/// A line of the input: what came of it, or in which column and why it is no item.
pub(super) type Outcome<T> = Result<T, (usize, String)>;

/// Reads the lines of a file (`-`: standard input), works on them on all cores and hands the results over in order,
/// those of a batch together: as many as there are before the next line has to be waited for.
///
/// Bad lines are reported on standard error by file and line, and do not stop the others. Gives their number.
pub(super) fn for_each<T: Send>(
    file: &Path,
    work: impl Fn(&ItemLine) -> T + Sync,
    mut take: impl FnMut(Vec<T>) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let name = file.display().to_string();
    let source = input::open(file).map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, source);
    let mut bad_lines = 0;
    let mut line_number = 0;
    loop {
        let batch = read_batch(&name, &mut reader, &mut line_number)?;
        if batch.is_empty() {
            return Ok(bad_lines);
        }
        let mut results = Vec::new();
        for ((line, _), outcome) in batch.iter().zip(side_by_side(&batch, &work)) {
            match outcome {
                Ok(result) => results.push(result),
                Err((column, error)) => {
                    bad_lines += 1;
                    tell(format_args!("{name}:{line}:{column}: this is no item: {error}"));
                }
            }
        }
        take(results)?;
    }
}

/// Lines with their numbers, without the blank ones. A line that is not UTF-8 is a bad line, not an end.
///
/// Whoever wrote a line may wait for its answer before writing the next: once there is a line, no more is waited for.
fn read_batch<R: Read>(
    name: &str,
    reader: &mut BufReader<R>,
    line_number: &mut usize,
) -> anyhow::Result<Vec<(usize, Vec<u8>)>> {
    let mut batch = Vec::new();
    while batch.is_empty() || (batch.len() < BATCH_LINES && reader.buffer().contains(&b'\n')) {
        let mut line = Vec::new();
        let read =
            reader.read_until(b'\n', &mut line).map_err(|error| anyhow::anyhow!("cannot read {name}: {error}"))?;
        if read == 0 {
            break;
        }
        *line_number += 1;
        if !line.iter().all(u8::is_ascii_whitespace) {
            batch.push((*line_number, line));
        }
    }
    Ok(batch)
}

fn side_by_side<T: Send>(batch: &[(usize, Vec<u8>)], work: &(impl Fn(&ItemLine) -> T + Sync)) -> Vec<Outcome<T>> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = batch.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = batch
            .chunks(share)
            .map(|lines| scope.spawn(|| lines.iter().map(|(_, line)| parsed(line).map(|item| work(&item))).collect()))
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<Outcome<T>>>| match worker.join() {
            Ok(outcomes) => outcomes,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().flat_map(join).collect()
    })
}

fn parsed(line: &[u8]) -> Outcome<ItemLine> {
    let item: ItemLine =
        serde_json::from_slice(line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(line)).map_err(|error| {
            let place = format!(" at line {} column {}", error.line(), error.column());
            (error.column().max(1), error.to_string().replace(&place, ""))
        })?;
    match item.id {
        Value::String(_) | Value::Number(_) => Ok(item),
        _ => Err((1, "`id` is neither a text nor a number".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_in_markup_is_given_back_as_it_stands_there() {
        let source = "<p>Chez <b>R&amp;D</b> Mistral</p>";
        let text = to_text_mapped(source);
        let at = text.text.find("R&D").expect("in the plain text");
        let start = text.text[..at].chars().count();
        let mut evidence = Evidence {
            rule: String::new(),
            clause: String::new(),
            field: Field::Summary,
            start,
            end: start + 3,
            text: "R&D".to_owned(),
        };
        give_back(&mut evidence, &text, Some(source));
        assert_eq!(evidence.text, "R&amp;D");
        assert_eq!(
            evidence.text,
            source.chars().skip(evidence.start).take(evidence.end - evidence.start).collect::<String>()
        );
    }

    #[test]
    fn any_field_breaks_figures_down() {
        let item = parsed(br#"{"id": 7, "lang": "fr", "sample": ["a", "b"], "unsure": true, "source": null}"#)
            .expect("an item");
        assert_eq!(item.values("lang"), ["fr"]);
        assert_eq!(item.values("sample"), ["a", "b"]);
        assert_eq!(item.values("unsure"), ["true"]);
        assert!(item.values("source").is_empty() && item.values("absent").is_empty());
    }

    #[test]
    fn a_line_without_an_id_is_no_item() {
        for line in [r#"{"title": "x"}"#, r#"{"id": null}"#, "[]", "{", r#"{"id": "x", "title": 7}"#] {
            assert!(parsed(line.as_bytes()).is_err(), "{line}");
        }
    }
}
