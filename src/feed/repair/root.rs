//! The element that makes a document a feed, past whatever junk stands before it.

use super::super::lexer::{Lexer, Tag, Token};
use super::super::{FeedError, FeedFormat};

/// Skips junk (blanks, warnings of PHP, a second prolog) to the element that makes the document a feed.
pub(super) fn find<'a>(lexer: &mut Lexer<'a>) -> Result<(Tag<'a>, FeedFormat), FeedError> {
    let mut is_page = false;
    for token in lexer.by_ref() {
        match token {
            Token::Start(tag) => {
                if let Some(format) = root_format(&tag) {
                    return Ok((tag, format));
                }
                is_page |=
                    matches!(tag.name.to_ascii_lowercase().as_str(), "html" | "head" | "body" | "title" | "meta");
            }
            Token::Other(other) => {
                is_page |= other.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype html"));
            }
            _ => {}
        }
    }
    Err(if is_page { FeedError::WebPage } else { FeedError::NotAFeed })
}

fn root_format(tag: &Tag<'_>) -> Option<FeedFormat> {
    let local = tag.name.rsplit(':').next().unwrap_or(tag.name);
    if local.eq_ignore_ascii_case("rss") {
        let version = tag.attribute("version").unwrap_or_default().trim();
        return Some(if version.starts_with("0.9") { FeedFormat::Rss0 } else { FeedFormat::Rss2 });
    }
    if local.eq_ignore_ascii_case("rdf") {
        let is_old = tag.attributes().any(|(_, value)| value.contains("netscape.com/rdf/simple/0.9"));
        return Some(if is_old { FeedFormat::Rss0 } else { FeedFormat::Rss1 });
    }
    if local.eq_ignore_ascii_case("feed") || local.eq_ignore_ascii_case("entry") {
        return Some(FeedFormat::Atom);
    }
    // A channel without its root element, and CDF, which is no more than that.
    (local.eq_ignore_ascii_case("channel") || local == "item").then_some(FeedFormat::Rss0)
}
