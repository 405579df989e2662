//! Hosts: whom the limits, the pauses and a server's wish to be left alone speak for.

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
}
