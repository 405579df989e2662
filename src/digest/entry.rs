//! What an entry says: a story, or an issue with its stories, as a subscriber reads it.
//!
//! Builds the words; `issue_text` and `export` give them their form. Reads nothing but its arguments.

use crate::digest::identity::source_id;
use crate::digest::{Publisher, issue_text};
use crate::model::{
    EntryLink, EntrySource, Field, Item, Membership, PublishedEntry, Story, TagMatch, TagOrigin, Timestamp,
    without_query,
};
use maud::{PreEscaped, html};
use std::fmt::Write as _;

/// Characters of a text that stands for a missing title.
const TITLE_CHARS: usize = 120;
/// Characters of a text that stands for a missing summary, and of a summary in an issue.
pub(super) const SUMMARY_CHARS: usize = 280;
/// Characters of a quotation in a reason.
const QUOTE_CHARS: usize = 80;
/// Quotations in a reason: enough to believe it, short enough to be one line.
const QUOTES_PER_REASON: usize = 3;

/// A story as an entry: what its first item says, whom else to read it from, and why it is here.
#[must_use]
pub fn story_entry(story: &Story, membership: &Membership, publisher: &Publisher) -> PublishedEntry {
    let first = story.first();
    let tags = story_tags(story);
    let reasons: Vec<String> = tags.iter().map(|tag| reason(tag)).collect();
    let other_sources = other_sources(story);
    let published_at = first.ordered_at();
    PublishedEntry {
        id: membership.entry_id.clone(),
        title: title(first),
        url: first.content.link.clone(),
        published_at,
        updated_at: updated_at(membership, published_at),
        authors: first.content.authors.clone(),
        categories: tags.iter().map(|tag| publisher.category(&tag.tag)).collect(),
        summary: summary(first),
        content_html: story_html(first, &other_sources, &reasons),
        source: Some(source(first)),
        other_sources,
        reasons,
        language: first.content.language.clone(),
        enclosures: first.content.enclosures.clone(),
    }
}

/// An entry that did not change since it entered is as old as its story: a new rule that fills a digest
/// with old stories does not lift them over the news in readers that sort by the last change.
fn updated_at(membership: &Membership, published_at: Timestamp) -> Timestamp {
    if membership.updated_at > membership.entered_at { membership.updated_at.max(published_at) } else { published_at }
}

/// The feed that told it, for all to know: its address may be told in part only.
fn source(item: &Item) -> EntrySource {
    let feed_url = without_query(&item.feed_url).to_owned();
    let is_whole = feed_url.len() == item.feed_url.len();
    EntrySource {
        id: if is_whole { feed_url.clone() } else { source_id(&item.feed_url) },
        title: item.feed_title.clone(),
        feed_url,
        site_url: item.site_url.clone(),
    }
}

fn title(item: &Item) -> String {
    let content = &item.content;
    let candidates = [&content.title, &content.summary, &content.content_text];
    let text = candidates.into_iter().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let found = text.into_iter().find(|text| !text.is_empty());
    found.map_or_else(
        || content.link.clone().unwrap_or_else(|| item.feed_title.clone()),
        |text| abridged(&text, TITLE_CHARS),
    )
}

/// The publisher's summary, or the beginning of the text.
fn summary(item: &Item) -> String {
    let content = &item.content;
    if content.summary.trim().is_empty() {
        abridged(content.content_text.trim(), SUMMARY_CHARS)
    } else {
        content.summary.clone()
    }
}

/// At most `max_chars` characters, with an ellipsis when some were left off: between words, where there are any.
#[must_use]
pub fn abridged(text: &str, max_chars: usize) -> String {
    /// Characters of a word that are given up for it to be left off as a whole.
    const WORD_CHARS: usize = 24;
    let Some((end, next)) = text.char_indices().nth(max_chars) else { return text.to_owned() };
    let kept = &text[..end];
    let last = kept.char_indices().rev().take(WORD_CHARS).find(|(_, c)| c.is_whitespace());
    let kept = match last {
        Some((at, _)) if !next.is_whitespace() => &kept[..at],
        _ => kept,
    };
    format!("{}…", kept.trim_end())
}

/// The tags of all items, by name; of one tag the match that says most: by hand, else with the highest score.
fn story_tags(story: &Story) -> Vec<&TagMatch> {
    let mut tags: Vec<&TagMatch> = story.items.iter().flat_map(|item| &item.tags).collect();
    // The sort is stable, so among equals the first item's match stays.
    tags.sort_by(|a, b| {
        let by_strength = (b.origin == TagOrigin::Hand).cmp(&(a.origin == TagOrigin::Hand));
        a.tag.cmp(&b.tag).then(by_strength).then(b.score.total_cmp(&a.score))
    });
    tags.dedup_by(|a, b| a.tag == b.tag);
    tags
}

/// Why a tag was given, as a line: `french-ai: “Mistral AI” in the title`.
#[must_use]
pub fn reason(tag: &TagMatch) -> String {
    let name = &tag.tag.0;
    if tag.origin == TagOrigin::Hand {
        return format!("{name}: given by hand");
    }
    let mut quotes: Vec<(String, Field)> = Vec::new();
    for evidence in &tag.evidence {
        let quote =
            (abridged(&evidence.text.split_whitespace().collect::<Vec<_>>().join(" "), QUOTE_CHARS), evidence.field);
        if !quotes.contains(&quote) {
            quotes.push(quote);
        }
    }
    if quotes.is_empty() {
        return format!("{name}: its rule holds");
    }
    let mut line = format!("{name}: ");
    for (index, (quote, field)) in quotes.iter().take(QUOTES_PER_REASON).enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        let is_last_of_field = quotes.iter().take(QUOTES_PER_REASON).nth(index + 1).is_none_or(|next| next.1 != *field);
        let place = if is_last_of_field { place(*field) } else { "" };
        let _ = write!(line, "{separator}“{quote}”{place}");
    }
    line
}

/// Where a quotation stands, in words.
fn place(field: Field) -> &'static str {
    match field {
        Field::Title => " in the title",
        Field::Summary => " in the summary",
        Field::Content => " in the text",
        Field::Author => " among the authors",
        Field::Category => " among the publisher's categories",
        Field::Url => " in the address",
        Field::Host => " in the site's name",
        Field::Feed => " in the feed's name",
        Field::Group => " among the feed's groups",
        Field::Lang => " as its language",
        Field::Tag => " among its tags",
    }
}

/// The other feeds that tell the story, each once, in the order in which they told it.
fn other_sources(story: &Story) -> Vec<EntryLink> {
    let mut seen = vec![story.first().feed_id];
    let mut links = Vec::new();
    for item in &story.items[1..] {
        if !seen.contains(&item.feed_id) {
            seen.push(item.feed_id);
            links.push(EntryLink { title: item.feed_title.clone(), url: item.content.link.clone() });
        }
    }
    links
}

fn story_html(item: &Item, other_sources: &[EntryLink], reasons: &[String]) -> String {
    let content = &item.content;
    html! {
        @if !content.content_html.trim().is_empty() {
            (PreEscaped(&content.content_html))
        } @else if !content.summary.trim().is_empty() {
            @for paragraph in content.summary.lines().filter(|line| !line.trim().is_empty()) { p { (paragraph) } }
        } @else if let Some(url) = &content.link {
            // The item is a headline: an entry without any content would be empty in a reader.
            p { a href=(url) { (title(item)) } }
        }
        @if !other_sources.is_empty() {
            p { "Also told by " (issue_text::links(other_sources)) "." }
        }
        (issue_text::reasons(reasons))
    }
    .into_string()
}
