//! Parts that several pages share: stories in a list, tags, instants, links that leave.

use super::layout::Site;
use crate::digest::abridged;
use crate::export::Format;
use crate::model::{Item, Story, TagName, Timestamp};
use jiff::civil::Date;
use maud::{Markup, html};

pub(super) const NO_TITLE: &str = "(no title)";

/// Characters of a summary in a list; two lines of it are shown.
const SUMMARY_CHARS: usize = 280;

/// Stories under the days that they belong to, in the order given.
pub(super) fn stories_by_day(site: &Site, stories: &[Story]) -> Markup {
    let days = stories.chunk_by(|a, b| date(site, shown_at(a)) == date(site, shown_at(b)));
    html! {
        @for of_one_day in days {
            h2.day { (day_name(site, shown_at(&of_one_day[0]))) }
            (stories_list(site, of_one_day))
        }
    }
}

pub(super) fn stories_list(site: &Site, stories: &[Story]) -> Markup {
    html! { ol.stories { @for story in stories { li { (story_in_list(site, story)) } } } }
}

fn story_in_list(site: &Site, story: &Story) -> Markup {
    let item = story.first();
    let others = other_feeds(story);
    let more = html! {
        @if others > 0 { " · and " (others) " more " (plural(others, "source", "sources")) }
        " · " a href={ "/stories/" (story.id.0) } aria-label={ "Why: " (title(item)) } { "why" }
    };
    in_list(site, item, &more, &story_tags(story))
}

/// Items one by one, each as its own feed tells it.
pub(super) fn items_list(site: &Site, items: &[Item]) -> Markup {
    html! { ol.stories { @for item in items { li { (item_in_list(site, item)) } } } }
}

fn item_in_list(site: &Site, item: &Item) -> Markup {
    let more = html! {
        " · " a href={ "/items/" (item.id.0) } aria-label={ "Text and tags: " (title(item)) } { "text and tags" }
    };
    in_list(site, item, &more, &item.tags.iter().map(|tag| &tag.tag).collect::<Vec<_>>())
}

/// `more` follows its feed and its time.
fn in_list(site: &Site, item: &Item, more: &Markup, tagged: &[&TagName]) -> Markup {
    let summary = summary(item);
    html! {
        article {
            h3 lang=[item.content.language.as_deref()] { (link_out(item.content.link.as_deref(), title(item))) }
            @if !summary.is_empty() { p.summary dir="auto" { (summary) } }
            p.meta { bdi { (item.feed_title) } " · " (time(site, item.ordered_at())) (more) }
            (tags(site, tagged))
        }
    }
}

/// The instant that a story is listed under: that of its first item.
fn shown_at(story: &Story) -> Timestamp {
    story.first().ordered_at()
}

/// How many feeds besides the first one tell it.
fn other_feeds(story: &Story) -> usize {
    let mut feeds: Vec<_> = story.items.iter().map(|item| item.feed_id).collect();
    feeds.sort_unstable();
    feeds.dedup();
    feeds.len() - 1
}

/// The tags of all its items, each once, by name.
pub(super) fn story_tags(story: &Story) -> Vec<&TagName> {
    let mut tags: Vec<_> = story.items.iter().flat_map(|item| &item.tags).map(|tag| &tag.tag).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

pub(super) fn tags(site: &Site, tags: &[&TagName]) -> Markup {
    html! {
        @if !tags.is_empty() {
            ul.tags aria-label="Tags" { @for tag in tags { li { a href={ "/tags/" (tag.0) } { (site.tag_title(tag)) } } } }
        }
    }
}

/// What to call an item; publishers leave titles out.
pub(super) fn title(item: &Item) -> &str {
    let content = &item.content;
    first_line([&content.title, &content.summary, &content.content_text])
        .or(content.link.as_deref())
        .unwrap_or(NO_TITLE)
}

/// Of the first of an item's texts that begins with one.
pub(super) fn first_line(texts: [&str; 3]) -> Option<&str> {
    let first_lines = texts.into_iter().filter_map(|text| text.lines().next());
    first_lines.map(str::trim).find(|text| !text.is_empty())
}

fn summary(item: &Item) -> String {
    let content = &item.content;
    let text = if content.summary.trim().is_empty() { &content.content_text } else { &content.summary };
    if text.trim() == title(item) { String::new() } else { cut(text, SUMMARY_CHARS) }
}

/// The text on one line, and not more of it than this.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    abridged(&line, max_chars)
}

/// A web address; a page makes a link of no other.
pub(super) fn web(url: Option<&str>) -> Option<&str> {
    url.filter(|url| url.starts_with("https://") || url.starts_with("http://"))
}

/// A link to elsewhere: it takes neither our name nor our good word along.
pub(super) fn link_out(url: Option<&str>, text: &str) -> Markup {
    html! {
        @match web(url) {
            Some(url) => a href=(url) rel="noopener noreferrer nofollow ugc" { bdi { (text) } },
            None => bdi { (text) },
        }
    }
}

/// An instant: the hour today, else with its day.
pub(super) fn time(site: &Site, at: Timestamp) -> Markup {
    let local = at.to_zoned_datetime(site.time_zone().clone());
    let format = match date(site, at) {
        day if day == date(site, site.now) => "%H:%M",
        day if day.year() == date(site, site.now).year() => "%-d %b, %H:%M",
        _ => "%-d %b %Y",
    };
    html! { time datetime=(at) title=(local.strftime("%A %-d %B %Y, %H:%M:%S %Z")) { (local.strftime(format)) } }
}

fn day_name(site: &Site, at: Timestamp) -> String {
    let (day, today) = (date(site, at), date(site, site.now));
    if day == today {
        "Today".to_owned()
    } else if day.tomorrow().is_ok_and(|next| next == today) {
        "Yesterday".to_owned()
    } else if day.year() == today.year() {
        day.strftime("%A %-d %B").to_string()
    } else {
        day.strftime("%A %-d %B %Y").to_string()
    }
}

fn date(site: &Site, at: Timestamp) -> Date {
    site.time_zone().to_datetime(at).date()
}

pub(super) fn plural<'a>(count: usize, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// In the head of a page: where readers that are given its address find the digest at this path.
pub(super) fn discovery(path: &str, title: &str) -> Markup {
    html! {
        @for format in Format::ALL {
            link rel="alternate" type=(format.media_type()) title=(title) href={ "/" (path) "." (format.extension()) };
        }
    }
}

/// Where to subscribe to the digest at this path.
pub(super) fn formats(path: &str) -> Markup {
    html! {
        ul.formats {
            @for (extension, label) in [("atom", "Atom"), ("rss", "RSS"), ("json", "JSON Feed")] {
                li { a href={ "/" (path) "." (extension) } { (label) } }
            }
        }
    }
}
