//! Addresses as the formats want them: RFC 3986 in RSS and JSON Feed, a subset of the IRIs that Atom allows.
//!
//! What browsers accept is more: `|` in a query, `[` in a path. Publishers link so, validators and strict readers refuse it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The address with whatever RFC 3986 has no place for percent-encoded. Every server reads both alike.
pub(super) fn uri(address: &str) -> Cow<'_, str> {
    if (0..address.len()).all(|at| is_allowed(address.as_bytes(), at)) {
        return Cow::Borrowed(address);
    }
    let bytes = address.as_bytes();
    let mut encoded = String::with_capacity(address.len() + 16);
    for (at, byte) in bytes.iter().enumerate() {
        if is_allowed(bytes, at) {
            encoded.push(char::from(*byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    Cow::Owned(encoded)
}

/// Whether the byte may stand as it is: unreserved and reserved characters, a `%` that begins an escape. Brackets are
/// for a literal IPv6 address alone.
fn is_allowed(address: &[u8], at: usize) -> bool {
    let is_hex = |at: usize| address.get(at).is_some_and(u8::is_ascii_hexdigit);
    match address[at] {
        b'%' => is_hex(at + 1) && is_hex(at + 2),
        b'[' => address[..at].ends_with(b"//") || address[..at].ends_with(b"@"),
        b']' => {
            matches!(address.get(at + 1), None | Some(b':' | b'/' | b'?' | b'#')) && opens_with_bracket(address, at)
        }
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&'()*+,;=".contains(&byte),
    }
}

/// Whether the `]` closes the host's bracket: nothing but an IPv6 address stands between.
fn opens_with_bracket(address: &[u8], close: usize) -> bool {
    let inside = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let start = address[..close].iter().rposition(|byte| !inside(byte));
    start.is_some_and(|open| address[open] == b'[' && is_allowed(address, open))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, expected: &str) {
        assert_eq!(uri(address), expected);
        assert_eq!(uri(expected), expected, "encoding twice is encoding once");
        assert_eq!(url::Url::parse(expected).unwrap().as_str(), expected, "a browser reads the same");
    }

    #[test]
    fn a_plain_address_stays_as_it_is() {
        for address in ["https://example.org/", "https://example.org/a%20b?c=d&e=%F0#f", "http://[::1]:8787/a"] {
            check(address, address);
        }
    }

    #[test]
    fn what_an_address_cannot_hold_is_encoded() {
        check("https://example.org/a[1]?x=a|b^c`d{e}", "https://example.org/a%5B1%5D?x=a%7Cb%5Ec%60d%7Be%7D");
        check("https://example.org/?q=<b>&x=]]>", "https://example.org/?q=%3Cb%3E&x=%5D%5D%3E");
        check("https://example.org/法", "https://example.org/%E6%B3%95");
        check("https://example.org/100%", "https://example.org/100%25");
    }
}
