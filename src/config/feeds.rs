//! `[[feeds]]` and OPML files: one feed for each URL, however often it is listed.
//!
//! Owns the keys of a feed and the merging of lists; knows nothing of how feeds are polled.

use super::diagnostics::{Diagnostic, Report, quoted};
use super::include::Files;
use super::reader::{FEED, Table, Value, root_value};
use super::secrets::Secrets;
use super::source::{FileId, Place};
use super::{FeedSettings, FetchSettings, Interval, opml, service, values};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use url::Url;

/// All feeds, those of TOML files first, in the order of files and lines.
pub(super) fn read(files: &Files, fetch: &FetchSettings, secrets: &Secrets<'_>) -> Vec<FeedSettings> {
    let mut feeds = Feeds { report: secrets.report, list: Vec::new(), places: HashMap::new() };
    for document in &files.documents {
        let elements = root_value(document, "feeds", secrets.report).and_then(|value| value.array("[[feeds]] tables"));
        for value in elements.unwrap_or_default() {
            if let Some((feed, place)) = feed(value, fetch, secrets) {
                feeds.add(feed, place);
            }
        }
    }
    for file in &files.opml {
        feeds.add_opml(*file);
    }
    feeds.list.shrink_to_fit();
    feeds.list
}

struct Feeds<'a> {
    report: &'a Report,
    list: Vec<FeedSettings>,
    /// Index and place of each URL.
    places: HashMap<Url, (usize, Place)>,
}

impl Feeds<'_> {
    fn add(&mut self, feed: FeedSettings, place: Place) {
        match self.places.entry(feed.url.clone()) {
            Entry::Occupied(first) => {
                let message = format!("the feed {} is listed twice", quoted(feed.url.as_str()));
                let fault = Diagnostic::error(place, message).label("listed again");
                let (_, first) = first.get();
                self.report
                    .add(fault.related(first.clone(), "first listed here").help("remove one, and join their groups"));
            }
            Entry::Vacant(free) => {
                free.insert((self.list.len(), place));
                self.list.push(feed);
            }
        }
    }

    /// An outline of a feed that is listed already adds its groups; what TOML says of the feed stands.
    fn add_opml(&mut self, file: FileId) {
        let outlines = opml::read(&self.report.source(file).text);
        for problem in outlines.problems {
            let place = Place { file, span: problem.span };
            let diagnostic = if problem.is_fatal { Diagnostic::error } else { Diagnostic::warning };
            let diagnostic = diagnostic(Some(place), problem.message);
            self.report.add(if problem.is_secret { diagnostic.hiding_source() } else { diagnostic });
        }
        for outline in outlines.feeds {
            match self.places.entry(outline.url.clone()) {
                Entry::Occupied(first) => {
                    let feed = &mut self.list[first.get().0];
                    feed.title = feed.title.take().or(outline.title);
                    feed.language = feed.language.take().or(outline.language);
                    let missing = outline.groups.into_iter().filter(|group| !feed.groups.contains(group));
                    feed.groups.extend(missing.collect::<Vec<_>>());
                }
                Entry::Vacant(free) => {
                    free.insert((self.list.len(), Place { file, span: outline.span }));
                    self.list.push(FeedSettings {
                        title: outline.title,
                        groups: outline.groups,
                        language: outline.language,
                        enabled: outline.enabled,
                        ..FeedSettings::new(outline.url)
                    });
                }
            }
        }
    }
}

/// One `[[feeds]]` table and the place of its URL.
fn feed(value: Value<'_>, fetch: &FetchSettings, secrets: &Secrets<'_>) -> Option<(FeedSettings, Place)> {
    let table = value.table(FEED)?;
    let url = table.text("url", "a web address");
    if !table.has("url") {
        table.missing("url", "write `url = \"https://…\"`");
    }
    let settings = FeedSettings {
        title: table
            .text("title", "a string")
            .map(|text| text.text.trim().to_owned())
            .filter(|title| !title.is_empty()),
        groups: groups(&table),
        interval: interval(&table, fetch),
        language: table.text("language", "a language such as \"fr\"").and_then(values::language),
        full_text: table.boolean("full_text").unwrap_or(false),
        host_limits: table.boolean("host_limits").unwrap_or(true),
        enabled: table.boolean("enabled").unwrap_or(true),
        headers: table.get("headers").map(|value| headers(value, secrets)).unwrap_or_default(),
        basic_auth: table
            .get("basic_auth")
            .and_then(|value| service::basic_auth(value, "basic_auth", secrets))
            .map(|login| (login.username, login.password)),
        proxy: table.get("proxy").and_then(|value| service::proxy(value, secrets)),
        ..FeedSettings::new(url.and_then(values::web_address).unwrap_or_else(nowhere))
    };
    table.finish();
    let place = url?.place();
    (settings.url != nowhere()).then_some((settings, place))
}

/// Stands for the address of a feed whose own was reported, while its other keys are read.
fn nowhere() -> Url {
    Url::parse("about:blank").expect("a constant URL")
}

fn groups(table: &Table<'_>) -> Vec<String> {
    let Some(value) = table.get("groups") else { return Vec::new() };
    let mut groups: Vec<String> = Vec::new();
    for text in value.texts("an array of strings") {
        let group = text.text.trim();
        if group.is_empty() {
            table.report.add(text.error("a group has a name"));
        } else if !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    groups
}

/// `interval` or `cron`, not both.
fn interval(table: &Table<'_>, fetch: &FetchSettings) -> Option<Interval> {
    let interval = table.get("interval").and_then(service::interval);
    let cron = table.text("cron", "a cron expression").and_then(values::cron);
    if table.has("interval") && table.has("cron") {
        let message = "a feed has an `interval` or a `cron`, not both";
        let fault = Diagnostic::error(table.place_of("cron"), message);
        table.report.add(match table.place_of("interval") {
            Some(place) => fault.related(place, "the other one"),
            None => fault,
        });
    }
    let bounded = |(interval, value)| service::within_bounds(interval, value, fetch.min_interval, fetch.max_interval);
    interval.map(bounded).or(cron.map(Interval::Cron))
}

/// Headers to send; those that carry credentials come from a secret.
fn headers(value: Value<'_>, secrets: &Secrets<'_>) -> Vec<(String, String)> {
    const SECRET: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];
    const OURS: [&str; 6] =
        ["host", "content-length", "connection", "transfer-encoding", "if-none-match", "if-modified-since"];
    let Some(table) = value.table("headers") else { return Vec::new() };
    let mut headers = Vec::new();
    for entry in table.into_entries() {
        let name = entry.key.to_ascii_lowercase();
        let fault = |message: String| Diagnostic::error(entry.key_place.clone(), message);
        if name.is_empty()
            || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte))
        {
            secrets.report.add(fault(format!("{} is not a header's name", quoted(entry.key))));
        } else if OURS.contains(&name.as_str()) {
            secrets.report.add(fault(format!("the header {} is set by veille itself", quoted(entry.key))));
        } else if entry.value.is_table() || SECRET.contains(&name.as_str()) {
            let secret = secrets.alone(entry.value, "the header");
            headers.extend(secret.map(|secret| (entry.key.to_owned(), secret.0)));
        } else if let Some(text) = entry.value.text("a string, or a table that names a secret") {
            if text.text.chars().any(char::is_control) {
                secrets.report.add(text.error("a header's value holds no control characters"));
            } else {
                headers.push((entry.key.to_owned(), text.text.to_owned()));
            }
        }
    }
    headers
}
