//! Hosts, whom the limits, the pauses and a server's wish to be left alone speak for; addresses as others are told them.

use url::Url;

/// Host and port of an address, in one spelling; the address itself when it is none.
///
/// A 429 or 503 speaks for this host and port (RFC 9110 section 4.3.1: an origin is scheme, host and port, and one
/// machine answers for both schemes).
#[must_use]
pub fn host_of(address: &str) -> String {
    let Ok(url) = Url::parse(address) else { return address.to_owned() };
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

#[cfg(test)]
mod tests {
    use super::*;

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
