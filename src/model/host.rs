//! Hosts, whom the limits, the pauses and a server's wish to be left alone speak for; addresses as others are told them.

use std::fmt::Write as _;
use url::Url;

/// Host and port of an address, in one spelling; the address itself when it is none.
///
/// A 429 or 503 speaks for this host and port (RFC 9110 section 4.3.1: an origin is scheme, host and port, and one
/// machine answers for both schemes).
#[must_use]
pub fn host_of(address: &str) -> String {
    Url::parse(address).map_or_else(|_| address.to_owned(), |url| host_of_url(&url))
}

/// As [`host_of`], of an address that has been read.
#[must_use]
pub fn host_of_url(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// A feed's address as whoever does not run veille is told it: in digests, on pages, by the API, to searches. A query may
/// hold the key of a private feed; what is left is an address still.
#[must_use]
pub fn without_query(address: &str) -> &str {
    &address[..address.find(['?', '#']).unwrap_or(address.len())]
}

/// The same in words, as a log tells it: a mark stands for what was left out.
#[derive(Debug, Clone, Copy)]
pub struct WithoutQuery<'a>(pub &'a str);

impl std::fmt::Display for WithoutQuery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = without_query(self.0);
        f.write_str(told)?;
        f.write_str(if told.len() < self.0.len() { "?…" } else { "" })
    }
}

/// A text, as a diagnostic that shows a line of the config, with a mark for the query of each address in it. An address ends
/// where its quotes do, else at white space.
#[must_use]
pub fn without_queries(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let is_of_scheme = |character: &char| character.is_ascii_alphanumeric();
        let before = rest[..at].chars().rev().find(|character| !is_of_scheme(character));
        let quote = before.filter(|character| matches!(character, '"' | '\'' | '`'));
        let ends = |character: char| match quote {
            Some(quote) => character == quote || character == '\n',
            None => character.is_whitespace(),
        };
        let end = rest[at..].find(ends).map_or(rest.len(), |length| at + length);
        let _ = write!(told, "{}{}", &rest[..at], WithoutQuery(&rest[at..end]));
        rest = &rest[end..];
    }
    told + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_tells_no_query_of_an_address_in_it() {
        for (text, told) in [
            ("no address? none", "no address? none"),
            ("the feed `https://a.test/f?k=s` is listed twice?", "the feed `https://a.test/f?…` is listed twice?"),
            ("1 | url = \"https://a.test/f?k=it's s\" # why?\n  | ^", "1 | url = \"https://a.test/f?…\" # why?\n  | ^"),
            (
                "'https://a.test/?s' and https://b.test/#s or http://c.test/",
                "'https://a.test/?…' and https://b.test/?… or http://c.test/",
            ),
            ("url = \"https://a.test/f?k=s\n  | ^", "url = \"https://a.test/f?…\n  | ^"),
            ("https://法.test/é?s", "https://法.test/é?…"),
        ] {
            assert_eq!(without_queries(text), told);
        }
    }

    #[test]
    fn a_host_has_one_spelling() {
        for (address, host) in [
            ("http://Example.org/feed", "example.org:80"),
            ("https://example.org:443/other?q#f", "example.org:443"),
            ("http://user:secret@example.org:8080/", "example.org:8080"),
            ("http://[::1]:8899/f", "[::1]:8899"),
            ("no address", "no address"),
        ] {
            assert_eq!(host_of(address), host, "{address}");
        }
    }

    #[test]
    fn a_log_tells_no_query() {
        for (address, told) in [
            ("https://example.org/feed.xml", "https://example.org/feed.xml"),
            ("https://example.org/feed?key=secret#top", "https://example.org/feed?…"),
            ("https://example.org/#secret", "https://example.org/?…"),
        ] {
            assert_eq!(WithoutQuery(address).to_string(), told);
            assert_eq!(without_query(address), told.trim_end_matches("?…"));
        }
    }
}
