//! From what a document says to clean items: one-line titles, plain and safe texts, absolute links, sane facts.

use super::draft::{Channel, Draft, DraftItem, Link, Text, TextKind};
use super::text::Dialect;
use super::url::{absolute, leads_elsewhere};
use super::{FeedFormat, MAX_ITEMS, ParsedFeed, ReadContext, dates, html, identity, reference, text};
use crate::model::{Enclosure, ItemContent, Timestamp, without_query};
use feed_rs::model::Entry;
use std::borrow::Cow;
use std::cell::LazyCell;
use url::Url;

/// Longest title, in bytes.
const MAX_TITLE_BYTES: usize = 4 * 1024;
/// Combining marks in a row that a writing system needs; more are a flood.
const MAX_MARKS: usize = 8;

/// Drops shells, and keeps of too many items the newest. Items without a date count as old as their place.
pub(super) fn prune(draft: &mut Draft<'_>) {
    draft.items.retain(|item| !item.is_shell());
    if draft.items.len() <= MAX_ITEMS {
        return;
    }
    let mut by_age: Vec<(Option<Timestamp>, usize)> = draft.items.iter().map(claimed_at).zip(0..).collect();
    by_age.sort_by_key(|(claimed_at, place)| (std::cmp::Reverse(*claimed_at), *place));
    let mut keep = vec![false; draft.items.len()];
    for (_, index) in by_age.iter().take(MAX_ITEMS) {
        keep[*index] = true;
    }
    draft.overflow += draft.items.len() - MAX_ITEMS;
    let mut keep = keep.into_iter();
    draft.items.retain(|_| keep.next().unwrap_or(false));
}

fn claimed_at(item: &DraftItem<'_>) -> Option<Timestamp> {
    [&item.published, &item.updated, &item.created].into_iter().flatten().find_map(|text| dates::parse(text))
}

/// Makes the feed of a draft and of what feed-rs read for its items.
pub(super) fn normalise(
    format: FeedFormat,
    draft: Draft<'_>,
    entries: &[Option<Entry>],
    context: &ReadContext<'_>,
) -> ParsedFeed {
    let bases = Bases::new(&draft, context);
    let channel = &draft.channel;
    let language = channel.language.as_deref().and_then(language_tag);
    let mut notes = Notes::default();
    let contents = draft
        .items
        .iter()
        .zip(entries)
        .map(|(item, entry)| {
            let mut content = content(item, entry.as_ref(), &bases, &mut notes);
            let declared = || item.language.as_deref().and_then(language_tag).or_else(|| language.clone());
            let before = || context.language_before.map(str::to_owned);
            content.language = context.language.map(str::to_owned).or_else(declared).or_else(before);
            content
        })
        .collect();
    let mut warnings = draft.warnings;
    if draft.is_broken {
        warnings.push("the markup is broken; what could be read was kept".to_owned());
    }
    if draft.items.is_empty() && draft.item_elements > 0 {
        warnings.push(format!("{} items were empty and left out", draft.item_elements));
    }
    if draft.overflow > 0 {
        warnings.push(format!("{} items beyond the newest {MAX_ITEMS} were left out", draft.overflow));
    }
    let skip_hours =
        channel.skip_hours.iter().filter_map(|hour| hour_of_day(hour)).fold(0, |hours, hour| hours | 1 << hour);
    let skip_days = channel.skip_days.iter().filter_map(|day| day_of_week(day)).fold(0, |days, day| days | 1 << day);
    if skip_hours == ALL_HOURS || skip_days == ALL_DAYS {
        warnings.push("it asks to skip all hours or all days, which is ignored".to_owned());
    }
    notes.add_to(&mut warnings);
    ParsedFeed {
        format,
        title: channel.title.as_ref().map(title).filter(|title| !title.is_empty()),
        link: site_link(channel).and_then(|link| bases.resolve(&link.href, link.base)).map(|link| site(link, context)),
        language,
        hubs: channel
            .links
            .iter()
            .filter(|link| link.rel == "hub")
            .filter_map(|link| bases.resolve(&link.href, link.base))
            .collect(),
        self_url: channel
            .links
            .iter()
            .find(|link| link.rel == "self")
            .and_then(|link| bases.resolve(&link.href, link.base)),
        ttl_s: channel.ttl.as_deref().and_then(ttl_s),
        skip_hours,
        skip_days,
        sy_interval_s: sy_interval_s(channel),
        items: identity::identify(contents),
        overflow: draft.overflow,
        is_broken: draft.is_broken,
        warnings,
    }
}

/// What was odd in items, counted, to be told once a document.
#[derive(Default)]
struct Notes {
    bad_dates: usize,
    bad_date: String,
    shown_as_text: usize,
}

impl Notes {
    fn add_to(self, warnings: &mut Vec<String>) {
        if self.bad_dates > 0 {
            warnings.push(format!(
                "{} dates could not be read, for example {:?}",
                self.bad_dates,
                html::cut(&self.bad_date, 80)
            ));
        }
        if self.shown_as_text > 0 {
            warnings.push(format!(
                "the markup of {} items was too deep or too much and is shown as text",
                self.shown_as_text
            ));
        }
    }

    fn check_date(&mut self, said: Option<&Cow<'_, str>>, read: Option<Timestamp>) {
        if let (Some(said), None) = (said, read) {
            self.bad_dates += 1;
            if self.bad_date.is_empty() {
                self.bad_date = said.clone().into_owned();
            }
        }
    }
}

fn content(item: &DraftItem<'_>, entry: Option<&Entry>, bases: &Bases, notes: &mut Notes) -> ItemContent {
    let published = item.published.as_ref().or(item.created.as_ref().filter(|_| item.updated.is_none()));
    let published_at = published.and_then(|said| dates::parse(said));
    let updated_at = item.updated.as_ref().and_then(|said| dates::parse(said));
    notes.check_date(item.published.as_ref(), published_at);
    notes.check_date(item.updated.as_ref(), updated_at);
    let summary = item.summary.as_ref().or(item.summary_fallback.as_ref().filter(|_| item.content.is_none()));
    // The HTML of an item is its content; of a teaser with markup, the teaser.
    let link = item_link(item, bases);
    let shown = item.content.as_ref().or(summary).map(|text| read(text, link.as_deref(), bases));
    notes.shown_as_text += usize::from(shown.as_ref().is_some_and(|shown| shown.is_flood));
    let (content_html, shown_text) = shown.map(|shown| (shown.html, shown.text)).unwrap_or_default();
    let (summary, content_text) = match &item.content {
        Some(_) => (summary.map(plain).unwrap_or_default(), shown_text),
        None => (shown_text, String::new()),
    };
    ItemContent {
        guid: item.guid.as_deref().map(str::to_owned),
        link,
        title: item.title.as_ref().map(title).unwrap_or_default(),
        authors: authors(item, entry),
        published_at,
        updated_at,
        categories: categories(item),
        summary,
        content_html,
        content_text,
        enclosures: enclosures(item, entry, bases),
        language: None,
    }
}

/// A title as a person would read it: one line, markup and references gone.
fn title(title: &Text<'_>) -> String {
    let source = html::cut(&title.source, 4 * MAX_TITLE_BYTES);
    let text = match title.kind {
        TextKind::Html => text::to_text(source),
        TextKind::Plain => said_plain(source),
        _ => text::to_text_loose(source),
    };
    let mut line = without_mark_floods(one_line(text));
    line.truncate(line.floor_char_boundary(MAX_TITLE_BYTES));
    line
}

/// The one line of a text whose white space is tidy already.
fn one_line(text: String) -> String {
    if text.contains('\n') { text.replace('\n', " ") } else { text }
}

fn without_mark_floods(line: String) -> String {
    let is_mark = unicode_normalization::char::is_combining_mark;
    if line.is_ascii() || !line.chars().any(is_mark) {
        return line;
    }
    let mut marks = 0;
    line.chars()
        .filter(|c| {
            marks = if is_mark(*c) { marks + 1 } else { 0 };
            marks <= MAX_MARKS
        })
        .collect()
}

/// The words of a text; a line break ends a block.
fn plain(text: &Text<'_>) -> String {
    let source = html::cut_html(&text.source);
    match text.kind {
        TextKind::Html => text::to_text(source),
        TextKind::Plain => said_plain(source),
        _ => text::to_text_loose(source),
    }
}

/// A text that is said to be plain: HTML all the same where it closes a tag, since many publishers say it of
/// everything; else `<b>` in it is meant as written, and only references are resolved.
fn said_plain(source: &str) -> String {
    if text::closes_tag(source) {
        text::to_text_loose(source)
    } else {
        text::plain_to_text(&reference::resolve(source))
    }
}

/// A text for the eye and as words. Its relative links are those of its own page, unless the document says otherwise.
fn read(text: &Text<'_>, link: Option<&str>, bases: &Bases) -> html::Reading {
    let dialect = match text.kind {
        TextKind::Html => Some(Dialect::Html),
        TextKind::Unsaid => text::has_tag(html::cut_html(&text.source)).then_some(Dialect::Loose),
        TextKind::Plain => text::closes_tag(html::cut_html(&text.source)).then_some(Dialect::Loose),
        TextKind::Opaque => None,
    };
    if let Some(dialect) = dialect {
        let page =
            LazyCell::new(|| link.and_then(|link| Url::parse(link).ok()).filter(|page| !page.cannot_be_a_base()));
        let base = || bases.said(text.base).or_else(|| page.as_ref()).or(bases.document.as_ref());
        return html::read(&text.source, dialect, &base);
    }
    let text = plain(text);
    html::Reading { html: html::escaped_paragraphs(&text), text, is_flood: false }
}

/// Where the item is read: its alternate link (a page before any other kind), else a guid that is an address.
fn item_link(item: &DraftItem<'_>, bases: &Bases) -> Option<String> {
    if let Some(link) = alternate(&item.links).and_then(|link| bases.resolve(&link.href, link.base)) {
        return Some(link);
    }
    let guid = item.guid.as_deref().filter(|_| !item.guid_is_opaque)?;
    let is_address = guid.starts_with("http://") || guid.starts_with("https://") || guid.starts_with('/');
    is_address.then(|| bases.resolve(guid, item.base)).flatten()
}

/// A channel that gives its own address for its site must not tell the key in it.
fn site(link: String, context: &ReadContext<'_>) -> String {
    if link == context.base_url { without_query(&link).to_owned() } else { link }
}

fn site_link<'c, 'a>(channel: &'c Channel<'a>) -> Option<&'c Link<'a>> {
    alternate(&channel.links)
}

fn alternate<'c, 'a>(links: &'c [Link<'a>]) -> Option<&'c Link<'a>> {
    let is_page = |link: &&Link<'_>| link.media_type.as_deref().is_none_or(|kind| kind.contains("html"));
    let mut alternates = links.iter().filter(|link| link.rel == "alternate");
    alternates.clone().find(is_page).or_else(|| alternates.next())
}

fn authors(item: &DraftItem<'_>, entry: Option<&Entry>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        let name = one_line(text::to_text_loose(name));
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    };
    match entry {
        Some(entry) => entry
            .authors
            .iter()
            .filter_map(|person| person.name.as_ref().or(person.email.as_ref()))
            .for_each(|name| add(name)),
        None => item.authors.iter().for_each(|name| add(name)),
    }
    names
}

fn categories(item: &DraftItem<'_>) -> Vec<String> {
    let terms = item.categories.iter().map(|term| one_line(text::to_text_loose(term)));
    terms.filter(|term| !term.is_empty()).collect()
}

fn enclosures(item: &DraftItem<'_>, entry: Option<&Entry>, bases: &Bases) -> Vec<Enclosure> {
    let read = entry.into_iter().flat_map(|entry| &entry.media).flat_map(|object| &object.content);
    let mut read = read.filter_map(|content| {
        let url = content.url.as_ref()?.to_string();
        Some(Enclosure {
            url,
            media_type: content.content_type.as_ref().map(ToString::to_string),
            length: content.size,
        })
    });
    item.enclosures
        .iter()
        .filter_map(|draft| {
            // feed-rs drops an enclosure whose address is relative.
            if Url::parse(&draft.url).is_ok() {
                return read.next().filter(|enclosure| leads_elsewhere(&enclosure.url));
            }
            let url = bases.resolve(&draft.url, draft.base)?;
            let length = draft.length.as_ref().and_then(|length| length.trim().parse().ok());
            Some(Enclosure { url, media_type: draft.media_type.as_deref().map(str::to_owned), length })
        })
        .collect()
}

/// The addresses that relative links are resolved against.
struct Bases {
    document: Option<Url>,
    inner: Vec<Option<Url>>,
}

impl Bases {
    fn new(draft: &Draft<'_>, context: &ReadContext<'_>) -> Self {
        let own = draft.channel.links.iter().filter(|link| matches!(&*link.rel, "self" | "alternate"));
        let candidates = std::iter::once(context.base_url).chain(own.map(|link| &*link.href));
        let mut document = candidates.filter_map(|url| Url::parse(url).ok()).find(|url| !url.cannot_be_a_base());
        // Only a reference to the document itself takes its query along, which may be the key of a private feed.
        if let Some(document) = &mut document {
            document.set_query(None);
        }
        Bases { document, inner: draft.bases.iter().map(|base| Url::parse(base).ok()).collect() }
    }

    fn of(&self, index: Option<usize>) -> Option<&Url> {
        self.said(index).or(self.document.as_ref())
    }

    /// What an `xml:base` says.
    fn said(&self, index: Option<usize>) -> Option<&Url> {
        index.and_then(|index| self.inner.get(index)?.as_ref())
    }

    /// An address as an absolute one, if it may become a link.
    fn resolve(&self, address: &str, index: Option<usize>) -> Option<String> {
        Some(absolute(address, self.of(index))).filter(|address| leads_elsewhere(address))
    }
}

/// A language tag in BCP 47 form, or none where the text cannot be one.
fn language_tag(said: &str) -> Option<String> {
    let tag = said.trim().replace('_', "-");
    let (language, rest) = tag.split_once('-').unwrap_or((&tag, ""));
    // Longer than the codes of ISO 639 are names, like `english`, and `x-default`.
    let is_code = (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_tag = is_code
        && tag.len() <= 35
        && rest.split('-').all(|part| part.len() <= 8 && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_tag.then_some(tag)
}

fn ttl_s(minutes: &str) -> Option<u64> {
    const MOST_MINUTES: u64 = 60 * 24 * 365;
    let minutes: u64 = minutes.trim().parse().ok()?;
    (1..=MOST_MINUTES).contains(&minutes).then(|| minutes * 60)
}

/// `24` is midnight in old feeds.
const ALL_HOURS: u32 = (1 << 24) - 1;
const ALL_DAYS: u8 = (1 << 7) - 1;

fn hour_of_day(hour: &str) -> Option<u8> {
    hour.trim().parse::<u8>().ok().filter(|hour| *hour <= 24).map(|hour| hour % 24)
}

fn day_of_week(day: &str) -> Option<usize> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let day = day.trim().to_ascii_lowercase();
    DAYS.iter().position(|start| day.starts_with(start))
}

fn sy_interval_s(channel: &Channel<'_>) -> Option<u64> {
    let period_s: u64 = match channel.update_period.as_deref()?.trim().to_ascii_lowercase().as_str() {
        "hourly" => 3_600,
        "daily" => 86_400,
        "weekly" => 7 * 86_400,
        "monthly" => 30 * 86_400,
        "yearly" => 365 * 86_400,
        _ => return None,
    };
    let frequency = channel.update_frequency.as_deref().map_or(Some(1), |said| said.trim().parse::<u64>().ok())?;
    (frequency > 0).then(|| (period_s / frequency).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_minutes_of_a_year_at_most() {
        for (said, expected) in [
            (" 60 ", Some(3_600)),
            ("0", None),
            ("-5", None),
            ("soon", None),
            ("525600", Some(31_536_000)),
            ("525601", None),
            ("606060606060606060", None),
        ] {
            assert_eq!(ttl_s(said), expected, "{said}");
        }
    }

    #[test]
    fn a_date_that_cannot_be_read_is_none_and_is_told() {
        let atom = "<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><title>t</title>\
                    <published>2026-11-24T10:00:00Z</published><updated>soon</updated></entry></feed>";
        let feed = crate::feed::read(atom.as_bytes(), &ReadContext::default()).expect("a feed");
        assert!(feed.items[0].content.published_at.is_some());
        assert_eq!(feed.items[0].content.updated_at, None);
        assert!(feed.warnings.iter().any(|warning| warning.contains("soon")), "{:?}", feed.warnings);
    }
}
