//! Character and entity references: `&amp;`, `&eacute;`, `&#233;`, `&#xE9;`, and the bare `&` that is none.

use memchr::memchr;
use std::borrow::Cow;
use std::ops::Range;

/// Resolves every reference that ends in `;` once; everything else stays as it is, a bare `&` included.
///
/// HTML's named entities count, since feeds use them without declaring them. A number from 128 to 159 is read
/// as windows-1252 (as browsers do); one that names no character becomes U+FFFD, a control character nothing.
pub(super) fn resolve(text: &str) -> Cow<'_, str> {
    if memchr(b'&', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut resolved = String::with_capacity(text.len());
    for (_, piece) in pieces(text) {
        match piece {
            Piece::Text(text) => resolved.push_str(text),
            Piece::Reference(Reference::Char(c)) => resolved.push(c),
            Piece::Reference(reference) => resolved.push_str(reference.as_str(&mut [0; 4])),
        }
    }
    Cow::Owned(resolved)
}

/// A part of a text.
pub(super) enum Piece<'a> {
    /// Text without references.
    Text(&'a str),
    /// A reference, or the bare `&` that stands for itself.
    Reference(Reference),
}

/// Cuts a text at its references: its parts, and which bytes each takes.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = (Range<usize>, Piece<'_>)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = &text[from..];
        let (length, piece) = if *rest.as_bytes().first()? == b'&' {
            let (length, reference) = read(rest).unwrap_or((1, Reference::Char('&')));
            (length, Piece::Reference(reference))
        } else {
            let length = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
            (length, Piece::Text(&rest[..length]))
        };
        let start = from;
        from += length;
        Some((start..from, piece))
    })
}

/// What a reference stands for; named ones may be two characters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Nothing,
    Char(char),
    Named(&'static str),
}

impl Reference {
    /// What stands there in its place; `buffer` has room for one character.
    pub fn as_str<'r>(&'r self, buffer: &'r mut [u8; 4]) -> &'r str {
        match self {
            Reference::Nothing => "",
            Reference::Char(c) => c.encode_utf8(buffer),
            Reference::Named(name) => name,
        }
    }
}

/// Longest entity name of HTML: `CounterClockwiseContourIntegral`.
const LONGEST_NAME: usize = 33;

/// Reads the reference that `text` (which starts with `&`) begins with: its length in bytes and its meaning.
pub(super) fn read(text: &str) -> Option<(usize, Reference)> {
    let bytes = text.as_bytes();
    // Nearly all that a feed holds, for its HTML is escaped once more.
    match bytes {
        [_, b'l', b't', b';', ..] => return Some((4, Reference::Char('<'))),
        [_, b'g', b't', b';', ..] => return Some((4, Reference::Char('>'))),
        [_, b'a', b'm', b'p', b';', ..] => return Some((5, Reference::Char('&'))),
        [_, b'q', b'u', b'o', b't', b';', ..] => return Some((6, Reference::Char('"'))),
        [_, b'n', b'b', b's', b'p', b';', ..] => return Some((6, Reference::Char('\u{a0}'))),
        _ => {}
    }
    let window = &bytes[..bytes.len().min(LONGEST_NAME)];
    let end = window.iter().position(|byte| *byte == b';')?;
    let name = &bytes[1..end];
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#') {
        return None;
    }
    let name = &text[1..end];
    let reference = match name.strip_prefix('#') {
        Some(digits) => number(digits)?,
        None => named(&text[..=end])?,
    };
    Some((end + 1, reference))
}

fn number(digits: &str) -> Option<Reference> {
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) if !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16)
        }
        None if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse(),
        _ => return None,
    };
    Some(match code {
        Ok(code @ 0x80..=0x9f) => {
            let byte = [u8::try_from(code).expect("the range is below 256")];
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&byte);
            text.chars().next().map_or(Reference::Nothing, Reference::Char)
        }
        Ok(0x09 | 0x0a | 0x0d) => Reference::Char(if code == Ok(9) { '\t' } else { '\n' }),
        Ok(0..0x20 | 0x7f | 0xfffe | 0xffff) => Reference::Nothing,
        Ok(code) => Reference::Char(char::from_u32(code).unwrap_or('\u{fffd}')),
        Err(_) => Reference::Char('\u{fffd}'),
    })
}

fn named(reference: &str) -> Option<Reference> {
    let meaning = htmlize::ENTITIES.get(reference.as_bytes())?;
    std::str::from_utf8(meaning).ok().map(Reference::Named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(resolve(text), expected, "{text}");
    }

    #[test]
    fn references_are_resolved_once() {
        check("a &amp; b", "a & b");
        check("&amp;lt;", "&lt;");
        check("caf&eacute;&nbsp;&#8364;&#x20AC;&#128;", "café\u{a0}€€€");
        check("&NotEqualTilde;", "≂̸");
    }

    #[test]
    fn what_is_no_reference_stays() {
        check("AT&T & co; ?a=1&copy=2&x;", "AT&T & co; ?a=1&copy=2&x;");
        check("&", "&");
        check("&;&#;&#x;&#zz;&é;", "&;&#;&#x;&#zz;&é;");
    }

    #[test]
    fn numbers_that_name_no_character_never_get_through() {
        check("a&#31;b&#xD800;c&#99999999999;d&#0;", "ab\u{fffd}c\u{fffd}d");
    }
}
