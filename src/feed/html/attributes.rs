//! What an element of an item's content may say in attributes: a few names, safe addresses, and nothing that counts
//! its readers.

use super::super::lexer::Tag;
use super::super::url::is_plain_address;
use super::Base;
use daachorse::DoubleArrayAhoCorasick;
use std::borrow::Cow;
use std::sync::LazyLock;
use url::Url;

/// The most attributes that one element may keep: those of an image.
pub(super) const MAX_KEPT: usize = 6;

/// The name of an attribute that an element may keep. Both names must be in lower case.
pub(super) fn allowed(element: &str, name: &str) -> Option<&'static str> {
    Some(match (element, name) {
        (_, "lang") => "lang",
        (_, "title") => "title",
        ("a", "href") => "href",
        ("a", "hreflang") => "hreflang",
        ("bdo", "dir") => "dir",
        ("blockquote" | "del" | "ins" | "q", "cite") => "cite",
        ("del" | "ins", "datetime") => "datetime",
        ("ol", "start") => "start",
        ("img", "src") => "src",
        ("img", "alt") => "alt",
        ("img", "width") => "width",
        ("img", "height") => "height",
        ("td" | "th", "colspan") => "colspan",
        ("td" | "th", "rowspan") => "rowspan",
        ("th", "scope") => "scope",
        _ => return None,
    })
}

/// An address that may stand in `href` or `src`: http, https, for links also mailto; made absolute.
pub(super) fn safe_address<'v>(value: &'v str, base: Base<'_>, is_link: bool) -> Option<Cow<'v, str>> {
    let value = value.trim();
    if is_plain_address(value) {
        return Some(Cow::Borrowed(value));
    }
    let has = |scheme: &str| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if has("http://") || has("https://") {
        return Url::parse(value).is_ok().then_some(Cow::Borrowed(value));
    }
    if has("mailto:") {
        return is_link.then_some(Cow::Borrowed(value));
    }
    let url = match base() {
        Some(base) => base.join(value).ok()?,
        None if value.starts_with("//") => Url::parse(&format!("https:{value}")).ok()?,
        None => return None,
    };
    matches!(url.scheme(), "http" | "https").then(|| Cow::Owned(url.into()))
}

/// Whether an image is one that nobody is meant to see: of one pixel, or from an address that only counts readers.
pub(super) fn is_tracker(tag: &Tag<'_>) -> bool {
    let (mut width, mut height, mut source) = (None, None, None);
    for (name, value) in tag.attributes() {
        let said = match name.len() {
            3 if name.eq_ignore_ascii_case("src") => &mut source,
            5 if name.eq_ignore_ascii_case("width") => &mut width,
            6 if name.eq_ignore_ascii_case("height") => &mut height,
            _ => continue,
        };
        said.get_or_insert(value);
    }
    let is_tiny =
        |size: Option<&str>| size.is_some_and(|size| matches!(size.trim().trim_end_matches("px").trim(), "0" | "1"));
    if is_tiny(width) && is_tiny(height) {
        return true;
    }
    source.is_none_or(|source| TRACKERS.find_iter(source).next().is_some())
}

static TRACKERS: LazyLock<DoubleArrayAhoCorasick<usize>> =
    LazyLock::new(|| DoubleArrayAhoCorasick::new(COUNTERS).expect("invariant: no part stands twice in the list"));

/// Parts of addresses that serve counters, not pictures.
const COUNTERS: [&str; 20] = [
    "://feeds.feedburner.com/~r/",
    "://feeds.feedburner.com/~ff/",
    "://feedproxy.google.com/~r/",
    "feedsportal.com/c/",
    "://pixel.wp.com/",
    "://stats.wordpress.com/b.gif",
    "://feeds.wordpress.com/",
    "://b.scorecardresearch.com/",
    "://www.google-analytics.com/",
    "://pixel.quantserve.com/",
    "doubleclick.net/",
    "://rss.buysellads.com/",
    "://a.rfihub.com/",
    "://ads.pheedo.com/",
    "://www.pheedo.com/",
    "://feedads.g.doubleclick.net/",
    "://imp.constantcontact.com/",
    "medium.com/_/stat?",
    "://blogger.googleusercontent.com/tracker/",
    "://www.facebook.com/tr?",
];
