//! `[digests.NAME]`, and the stream digest that every tag is.
//!
//! Owns the keys of a digest and its schedule's forms. A configured digest may not take the name of
//! a tag that publishes itself: the curator says `publish = false` there, so nothing is hidden.

use super::diagnostics::{Diagnostic, quoted};
use super::reader::{Document, Entry, Table, Text};
use super::references::References;
use super::rules::{self, Rules};
use super::secrets::Secrets;
use super::{DigestSettings, outputs, values};
use crate::model::{DigestKind, DigestName, DigestSpec, FEED_HEALTH, GroupBy, Schedule};
use crate::query;
use jiff::civil::{Time, Weekday};

/// Entries in one document of a digest, unless it says otherwise.
const DEFAULT_LIMIT: usize = 100;
const MOST_ENTRIES: i64 = 1_000;

/// All digests: the configured ones in the order of files and lines, then those of the tags.
pub(super) fn read(
    documents: &[Document],
    rules: &Rules,
    has_smtp: bool,
    secrets: &Secrets<'_>,
) -> Vec<DigestSettings> {
    let report = secrets.report;
    let mut digests = Vec::new();
    for tag in rules.set.tags.iter().filter(|tag| tag.publish && tag.name.0 == FEED_HEALTH) {
        let place = rules.graph.place_of_tag(&tag.name.0).clone();
        let message = format!("the tag {} has the name of veille's own digest of feeds", quoted(FEED_HEALTH));
        report.add(Diagnostic::error(place, message).help("write `publish = false` in the tag, or rename it"));
    }
    for entry in Table::merged(documents, "digests", report).into_entries() {
        rules::check_name("digest", &entry, report);
        if entry.key == FEED_HEALTH {
            let message = format!("{} is veille's own digest of what becomes of feeds", quoted(FEED_HEALTH));
            report.add(Diagnostic::error(entry.key_place.clone(), message).help("give this digest another name"));
        }
        if let Some(tag) = rules.set.tags.iter().find(|tag| tag.publish && tag.name.0 == entry.key) {
            let message = format!("the digest {} has the name of a tag, which is a digest itself", quoted(entry.key));
            let fault = Diagnostic::error(entry.key_place.clone(), message);
            let help = "write `publish = false` in the tag, or rename the digest";
            report.add(fault.related(rules.graph.place_of_tag(&tag.name.0).clone(), "the tag").help(help));
        }
        digests.extend(digest(&entry, rules, has_smtp, secrets));
    }
    digests.extend(rules.set.tags.iter().filter(|tag| tag.publish).filter_map(of_tag));
    digests
}

/// The stream digest of a tag. `None`: its name, which was reported, makes no query.
fn of_tag(tag: &query::TagRule) -> Option<DigestSettings> {
    let query_text = format!("tag:{}", tag.name.0);
    let (query, _) = query::parse(&query_text).ok()?;
    let spec = DigestSpec {
        name: DigestName(tag.name.0.clone()),
        title: tag.title.clone(),
        description: None,
        kind: DigestKind::Stream,
        private: false,
        limit: DEFAULT_LIMIT,
    };
    Some(DigestSettings { spec, query, query_text, from_tag: true, webhooks: Vec::new(), mail_to: Vec::new() })
}

fn digest(entry: &Entry<'_>, rules: &Rules, has_smtp: bool, secrets: &Secrets<'_>) -> Option<DigestSettings> {
    let table = entry.value.table(format!("the digest {}", quoted(entry.key)))?;
    let query_text = table.text("query", "a query");
    if !table.has("query") {
        table.missing("query", "write `query = 'tag:…'`");
    }
    let mut references = References::default();
    let query = query_text.and_then(|text| rules::query(text, &mut references));
    rules.graph.check_references(&references, table.report);
    let line =
        |key| table.text(key, "a string").map(|text| text.text.trim().to_owned()).filter(|text| !text.is_empty());
    let limit = table.get("limit").and_then(|value| value.integer(1..=MOST_ENTRIES));
    let spec = DigestSpec {
        name: DigestName(entry.key.to_owned()),
        title: line("title").unwrap_or_else(|| entry.key.to_owned()),
        description: line("description"),
        kind: kind(&table),
        private: table.boolean("private").unwrap_or(false),
        limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT),
    };
    let webhooks = outputs::webhooks(&table, secrets);
    let mail_to = outputs::mail_to(&table, has_smtp);
    table.finish();
    let query_text = query_text?.text.to_owned();
    Some(DigestSettings { spec, query: query?, query_text, from_tag: false, webhooks, mail_to })
}

/// Periodic with `every` or `cron`, else a stream.
fn kind(table: &Table<'_>) -> DigestKind {
    let group_by = table.text("group_by", "\"tag\", \"feed\" or \"none\"").and_then(group_by);
    let empty_issues = table.boolean("empty_issues");
    let schedule = schedule(table);
    if !table.has("every") && !table.has("cron") {
        for key in ["at", "group_by", "empty_issues"].into_iter().filter(|key| table.has(key)) {
            let message = format!("`{key}` is for a periodic digest, and this one is a stream");
            let fault = Diagnostic::error(table.place_of(key), message);
            table.report.add(fault.help("write `every = \"day\"`, or another period, or `cron`").resting_on_absence());
        }
    }
    let Some(schedule) = schedule else { return DigestKind::Stream };
    DigestKind::Periodic {
        schedule,
        group_by: group_by.unwrap_or_default(),
        empty_issues: empty_issues.unwrap_or(false),
    }
}

fn group_by(text: Text<'_>) -> Option<GroupBy> {
    match text.text {
        "tag" => Some(GroupBy::Tag),
        "feed" => Some(GroupBy::Feed),
        "none" => Some(GroupBy::None),
        other => {
            let message = format!("{} is nothing to group by", quoted(other));
            text.report().add(text.error(message).help("write \"tag\", \"feed\" or \"none\""));
            None
        }
    }
}

fn schedule(table: &Table<'_>) -> Option<Schedule> {
    let every = table.text("every", "\"day\", \"week\" or \"month\"");
    let cron = table.text("cron", "a cron expression");
    let at = table.text("at", "a time such as \"08:00\" or \"Mon 08:00\"");
    for other in ["every", "at"].into_iter().filter(|key| table.has("cron") && table.has(key)) {
        let message = format!("a digest has `cron` or `{other}`, not both");
        table.report.add(Diagnostic::error(table.place_of("cron"), message));
    }
    match (every, cron) {
        (Some(every), _) => period(every, at),
        (None, Some(cron)) => values::cron(cron).map(Schedule::Cron),
        (None, None) => None,
    }
}

fn period(every: Text<'_>, at: Option<Text<'_>>) -> Option<Schedule> {
    const MORNING: Time = Time::constant(8, 0, 0, 0);
    let form = match every.text {
        "day" => "\"08:00\"",
        "week" => "\"Mon 08:00\"",
        "month" => "\"1 08:00\"",
        other => {
            let message = format!("{} is not a period", quoted(other));
            let help = "write \"day\", \"week\" or \"month\", or use `cron` for others";
            every.report().add(every.error(message).help(help));
            return None;
        }
    };
    let schedule = match at {
        None => Some(match every.text {
            "day" => Schedule::Day { at: MORNING },
            "week" => Schedule::Week { on: Weekday::Monday, at: MORNING },
            _ => Schedule::Month { day: 1, at: MORNING },
        }),
        Some(at) => parse_at(every.text, at.text),
    };
    if let (None, Some(at)) = (&schedule, at) {
        let message = format!("{} is not a time for every {}", quoted(at.text), every.text);
        at.report().add(at.error(message).help(format!("write one such as {form}")));
    }
    schedule
}

fn parse_at(every: &str, at: &str) -> Option<Schedule> {
    let (day, time) = match at.trim().rsplit_once(char::is_whitespace) {
        Some((day, time)) => (Some(day.trim()), time),
        None => (None, at.trim()),
    };
    let at = clock_time(time)?;
    match (every, day) {
        ("day", None) => Some(Schedule::Day { at }),
        ("week", Some(day)) => Some(Schedule::Week { on: weekday(day)?, at }),
        ("month", Some(day)) => {
            let day = day.parse().ok().filter(|day| (1..=31).contains(day))?;
            Some(Schedule::Month { day, at })
        }
        _ => None,
    }
}

/// `8:00`, `08:00` or `08:00:30`.
fn clock_time(text: &str) -> Option<Time> {
    let mut parts = text.split(':').map(|part| {
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<i8>().ok()).flatten()
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().map_or(Some(0), |part| part)?;
    if parts.next().is_some() { None } else { Time::new(hour, minute, second, 0).ok() }
}

/// An English name of three letters or in full.
fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let text = text.to_ascii_lowercase();
    NAMES.iter().find(|(name, _)| *name == text || name[..3] == text).map(|(_, weekday)| *weekday)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_form_of_its_period() {
        let time = |hour, minute, second| Time::new(hour, minute, second, 0).expect("a time");
        let check = |every, at, expected: Option<Schedule>| assert_eq!(parse_at(every, at), expected, "{every} {at}");
        check("day", "08:00", Some(Schedule::Day { at: time(8, 0, 0) }));
        check("day", " 7:05:30 ", Some(Schedule::Day { at: time(7, 5, 30) }));
        check("week", "Mon 08:00", Some(Schedule::Week { on: Weekday::Monday, at: time(8, 0, 0) }));
        check("week", "sunday 23:59", Some(Schedule::Week { on: Weekday::Sunday, at: time(23, 59, 0) }));
        check("month", "31 00:00", Some(Schedule::Month { day: 31, at: time(0, 0, 0) }));
        for (every, bad) in [
            ("day", "24:00"),
            ("day", "8"),
            ("day", "Mon 08:00"),
            ("day", "08:00:00:00"),
            ("day", "+8:00"),
            ("week", "08:00"),
            ("week", "Lundi 08:00"),
            ("week", "1 08:00"),
            ("month", "0 08:00"),
            ("month", "32 08:00"),
            ("month", "Mon 08:00"),
        ] {
            check(every, bad, None);
        }
    }
}
