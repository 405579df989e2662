//! Hosts, whom the limits, the pauses and a server's wish to be left alone speak for; addresses as a log tells them.

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

/// An address as a log tells it. A query may hold the key of a private feed, and logs are read by others than configs.
#[derive(Debug, Clone, Copy)]
pub struct WithoutQuery<'a>(pub &'a str);

impl std::fmt::Display for WithoutQuery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = self.0.find(['?', '#']).unwrap_or(self.0.len());
        f.write_str(&self.0[..end])?;
        f.write_str(if end < self.0.len() { "?…" } else { "" })
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
        }
    }
}
