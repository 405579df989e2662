//! The feeds that a web page announces, best first.

use super::lexer::{Lexer, Tag, Token};
use super::url::known_site;
use super::{reference, text};
use url::Url;

/// A feed that a page may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub url: String,
    pub title: Option<String>,
    /// Media type as the page gives it.
    pub media_type: Option<String>,
}

/// Candidates of a page in the order to try them: what it announces by `<link rel="alternate">` (comment feeds
/// last), the feed of a known site, and links that look like feeds. Reads at most 2 MB of the page.
pub fn discover(html: &str, base_url: &str) -> Vec<Candidate> {
    let html = super::html::cut(html, 2 * 1024 * 1024);
    let Ok(mut base) = Url::parse(base_url) else { return Vec::new() };
    let mut announced = Vec::new();
    let mut linked = Vec::new();
    let mut lexer = Lexer::new(html);
    while let Some(token) = lexer.next() {
        let Token::Start(tag) = token else { continue };
        match tag.name.to_ascii_lowercase().as_str() {
            "base" => base = value(&tag, "href").and_then(|href| base.join(&href).ok()).unwrap_or(base),
            "link" => announced.extend(announcement(&tag, &base)),
            "a" => linked.extend(feed_like(&tag, &base)),
            "script" | "style" => lexer.skip_element(tag.name),
            _ => {}
        }
    }
    announced.sort_by_key(is_of_comments);
    let known = known_site(base_url).map(|url| Candidate { url: url.into(), title: None, media_type: None });
    let mut candidates: Vec<Candidate> = Vec::new();
    for candidate in announced.into_iter().chain(known).chain(linked) {
        if candidates.len() < MAX_CANDIDATES && candidates.iter().all(|known| known.url != candidate.url) {
            candidates.push(candidate);
        }
    }
    candidates
}

const MAX_CANDIDATES: usize = 50;

fn value(tag: &Tag<'_>, name: &str) -> Option<String> {
    let value = reference::resolve(tag.attribute(name)?).trim().to_owned();
    (!value.is_empty()).then_some(value)
}

fn announcement(tag: &Tag<'_>, base: &Url) -> Option<Candidate> {
    let rel = value(tag, "rel")?.to_ascii_lowercase();
    let media_type = value(tag, "type").map(|kind| kind.to_ascii_lowercase());
    let is_alternate = rel.split_whitespace().any(|word| matches!(word, "alternate" | "feed"));
    let is_feed = media_type.as_deref().is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        matches!(
            kind,
            "application/rss+xml"
                | "application/atom+xml"
                | "application/rdf+xml"
                | "application/feed+json"
                | "application/xml"
                | "text/xml"
        )
    }) || rel.split_whitespace().any(|word| word == "feed")
        || (media_type.as_deref() == Some("application/json")
            && !tag.attribute("href")?.contains("/wp-json/")
            && !tag.attribute("href")?.contains("oembed"));
    if !(is_alternate && is_feed) {
        return None;
    }
    let url = address(tag, base)?;
    Some(Candidate { url, title: value(tag, "title").map(|title| text::one_line(&title)), media_type })
}

fn address(tag: &Tag<'_>, base: &Url) -> Option<String> {
    let href = value(tag, "href")?;
    // `feed:https://…` and `feed://…` are how old readers were called.
    let href = match href.strip_prefix("feed:") {
        Some(rest) if rest.starts_with("//") => format!("https:{rest}"),
        Some(rest) => rest.to_owned(),
        None => href,
    };
    let mut url = base.join(&href).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_fragment(None);
    Some(url.into())
}

/// A link in the page's text whose address ends as those of feeds do.
fn feed_like(tag: &Tag<'_>, base: &Url) -> Option<Candidate> {
    let url = address(tag, base)?;
    let path = Url::parse(&url).ok()?.path().trim_end_matches('/').to_ascii_lowercase();
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_feed = matches!(
        last,
        "feed"
            | "rss"
            | "atom"
            | "feed.xml"
            | "rss.xml"
            | "atom.xml"
            | "index.xml"
            | "index.rdf"
            | "feed.json"
            | "feeds"
    ) || [".rss", ".atom", ".rdf"].iter().any(|end| last.ends_with(end));
    is_feed.then_some(Candidate { url, title: value(tag, "title"), media_type: None })
}

fn is_of_comments(candidate: &Candidate) -> bool {
    let title = candidate.title.as_deref().unwrap_or_default().to_lowercase();
    ["comment", "kommentar", "comentario", "评论"].iter().any(|word| title.contains(word))
        || candidate.url.contains("/comments/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(html: &str, base: &str) -> Vec<String> {
        discover(html, base).into_iter().map(|candidate| candidate.url).collect()
    }

    #[test]
    fn announced_feeds_come_first_and_comment_feeds_last() {
        let html = r#"<html><head><base href="/b/">
            <link rel="alternate" type="application/rss+xml" title="Comments Feed" href="/comments/feed/">
            <link rel='alternate' type='application/atom+xml' title='Posts' href='atom.xml'>
            <link rel=stylesheet type=text/css href=x.css>
            <link rel="alternate" type="application/json" href="/wp-json/wp/v2/pages/2">
            </head><body><a href="/index.rss">RSS</a><a href="/about">x</a></body>"#;
        assert_eq!(
            urls(html, "https://example.org/x"),
            ["https://example.org/b/atom.xml", "https://example.org/comments/feed/", "https://example.org/index.rss"]
        );
    }

    #[test]
    fn known_sites_are_found_without_an_announcement() {
        assert_eq!(urls("<p>", "https://github.com/a/b"), ["https://github.com/a/b/releases.atom"]);
    }

    #[test]
    fn addresses_that_are_not_of_the_web_are_no_candidates() {
        let html = "<link rel=alternate type=application/rss+xml href='javascript:x'><link rel=alternate type=application/rss+xml href='feed://e.org/f'>";
        assert_eq!(urls(html, "https://example.org/"), ["https://e.org/f"]);
    }
}
