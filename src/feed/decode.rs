//! Bytes to text: in whatever encoding, without the characters that XML cannot hold.
//!
//! Invalid bytes become U+FFFD; a document is never lost to its encoding. UTF-7 is never decoded.

use super::declared::{self, labelled};
use encoding_rs::{Encoding, GB18030, GBK, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// Decodes a document. The ladder: byte order mark, UTF-16/32 by the zero bytes of its first characters, valid
/// UTF-8 (unless ISO 2022 escapes hide in it), the HTTP charset, the XML declaration, and statistics.
///
/// The HTTP charset beats the declaration (RFC 7303 section 3.2), but neither beats bytes that are valid UTF-8
/// beyond ASCII: text in another encoding practically never is, while wrong labels on UTF-8 are common.
pub(super) fn decode<'a>(body: &'a [u8], http_charset: Option<&str>, warnings: &mut Vec<String>) -> Cow<'a, str> {
    clean(decode_bytes(body, http_charset, declared::in_declaration, warnings))
}

/// Decodes a web page: by the same ladder, with its `meta` element in the place of the XML declaration, which a page
/// in XHTML may have too.
pub(super) fn decode_page<'a>(body: &'a [u8], http_charset: Option<&str>) -> Cow<'a, str> {
    let said = |body: &[u8]| declared::in_meta(body).or_else(|| declared::in_declaration(body));
    clean(decode_bytes(body, http_charset, said, &mut Vec::new()))
}

fn decode_bytes<'a>(
    body: &'a [u8],
    http_charset: Option<&str>,
    declared: impl Fn(&[u8]) -> Option<&'static Encoding>,
    warnings: &mut Vec<String>,
) -> Cow<'a, str> {
    if let Some(rest) = body.strip_prefix(b"\xef\xbb\xbf") {
        return from_utf8(rest, warnings);
    }
    if let Some(big_endian) = utf_32(body) {
        return Cow::Owned(decode_utf_32(body, big_endian));
    }
    if let Some(encoding) = utf_16(body) {
        return with(encoding, body, warnings);
    }
    let has_escape = memchr::memchr(0x1b, body).is_some();
    if !has_escape && let Some(text) = UTF_8.decode_without_bom_handling_and_without_replacement(body) {
        return text;
    }
    let encoding = http_charset
        .and_then(|label| labelled(label.as_bytes()))
        .or_else(|| declared(body))
        .unwrap_or_else(|| guessed(body));
    with(encoding, body, warnings)
}

fn from_utf8<'a>(bytes: &'a [u8], warnings: &mut Vec<String>) -> Cow<'a, str> {
    let text = String::from_utf8_lossy(bytes);
    if matches!(text, Cow::Owned(_)) {
        warnings.push("some bytes are not valid utf-8 and were replaced".to_owned());
    }
    text
}

fn with<'a>(encoding: &'static Encoding, body: &'a [u8], warnings: &mut Vec<String>) -> Cow<'a, str> {
    // GB 18030 is a superset of what documents call gb2312 and gbk.
    let encoding = if encoding == GBK { GB18030 } else { encoding };
    let (text, used, had_errors) = encoding.decode(body);
    if had_errors {
        warnings.push(format!("some bytes are not valid {} and were replaced", used.name().to_ascii_lowercase()));
    }
    text
}

fn guessed(body: &[u8]) -> &'static Encoding {
    // The statistics settle within the first part of a document; a longer look costs time only.
    let sample = &body[..body.len().min(256 * 1024)];
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    detector.feed(sample, true);
    let encoding = detector.guess(None, chardetng::Utf8Detection::Allow);
    if encoding.is_single_byte() && sample.is_ascii() { WINDOWS_1252 } else { encoding }
}

/// UTF-16 by its mark, or by the zero byte beside the first `<`, `{` or blank.
fn utf_16(body: &[u8]) -> Option<&'static Encoding> {
    match body {
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => Some(UTF_16BE),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Some(UTF_16LE),
        // `<` and then a name beyond Latin-1 cannot open a feed, so two ASCII characters suffice.
        _ => None,
    }
}

/// Whether the body is UTF-32, and then whether it is big-endian.
fn utf_32(body: &[u8]) -> Option<bool> {
    match body {
        [0, 0, 0xfe, 0xff, ..] => Some(true),
        [0xff, 0xfe, 0, 0, ..] => Some(false),
        [0, 0, 0, first, 0, 0, 0, _, ..] if *first != 0 => Some(true),
        [first, 0, 0, 0, _, 0, 0, 0, ..] if *first != 0 => Some(false),
        _ => None,
    }
}

fn decode_utf_32(body: &[u8], big_endian: bool) -> String {
    body.chunks(4)
        .map(|chunk| {
            let Ok(unit) = <[u8; 4]>::try_from(chunk) else { return '\u{fffd}' };
            let code = if big_endian { u32::from_be_bytes(unit) } else { u32::from_le_bytes(unit) };
            char::from_u32(code).unwrap_or('\u{fffd}')
        })
        .skip_while(|c| *c == '\u{feff}')
        .collect()
}

/// Takes out what XML 1.0 cannot hold (control characters, U+FFFE, U+FFFF) and makes every line end `\n`.
pub(super) fn clean(text: Cow<'_, str>) -> Cow<'_, str> {
    let text = with_plain_line_ends(text);
    if holds_bad(&text) { Cow::Owned(text.chars().filter(|c| !is_bad(*c)).collect()) } else { text }
}

fn with_plain_line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\r', text.as_bytes()) else { return text };
    let mut plain = String::with_capacity(text.len());
    let (mut from, mut next) = (0, Some(first));
    while let Some(at) = next {
        plain.push_str(&text[from..at]);
        from = at + 1;
        if !text[from..].starts_with('\n') {
            plain.push('\n');
        }
        next = memchr::memchr(b'\r', &text.as_bytes()[from..]).map(|further| from + further);
    }
    plain.push_str(&text[from..]);
    Cow::Owned(plain)
}

fn is_bad(c: char) -> bool {
    matches!(c, '\0'..'\t' | '\u{b}'..' ' | '\u{7f}' | '\u{fffe}' | '\u{ffff}')
}

/// Whether something is bad in a text, which is rare.
fn holds_bad(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Without branches, so that it goes by the vector.
    let is = u8::from;
    let is_control = |byte: u8| is(byte < 0x20) & is(byte != b'\t') & is(byte != b'\n') | is(byte == 0x7f);
    let has_control = bytes.iter().fold(0, |found, byte| found | is_control(*byte)) != 0;
    let has_non_character = || {
        let find = |character: &[u8]| memchr::memmem::find(bytes, character).is_some();
        memchr::memchr(0xef, bytes).is_some() && (find(b"\xef\xbf\xbe") || find(b"\xef\xbf\xbf"))
    };
    has_control || has_non_character()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "<?xml version=\"1.0\"?><t>café — “quoted” €</t>";

    fn check(body: &[u8], http_charset: Option<&str>, expected: &str) {
        assert_eq!(decode(body, http_charset, &mut Vec::new()), expected);
    }

    fn utf_16_bytes(text: &str, big_endian: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn h16_unicode_is_read_in_every_form() {
        check(TEXT.as_bytes(), None, TEXT);
        check(format!("\u{feff}{TEXT}").as_bytes(), Some("iso-8859-1"), TEXT);
        for big_endian in [true, false] {
            check(&utf_16_bytes(TEXT, big_endian), Some("utf-8"), TEXT);
            check(&utf_16_bytes(&format!("\u{feff}{TEXT}"), big_endian), None, TEXT);
            let utf_32: Vec<u8> = TEXT
                .chars()
                .flat_map(|c| if big_endian { (c as u32).to_be_bytes() } else { (c as u32).to_le_bytes() })
                .collect();
            check(&utf_32, None, TEXT);
        }
    }

    #[test]
    fn h16_the_http_charset_beats_the_declaration() {
        let text = "<?xml version=\"1.0\" encoding=\"iso-8859-5\"?><t>été €</t>";
        let (bytes, _, _) = WINDOWS_1252.encode(text);
        check(&bytes, Some("windows-1252"), text);
    }

    #[test]
    fn h16_a_declaration_is_believed_when_the_bytes_are_not_utf_8() {
        for label in ["gb2312", "big5", "shift_jis", "euc-jp", "euc-kr", "iso-2022-jp"] {
            let sample = if label == "euc-kr" { "한국어" } else { "日本" };
            let text = format!("<?xml version=\"1.0\" encoding=\"{label}\"?><t>{sample}</t>");
            let (bytes, _, _) = Encoding::for_label(label.as_bytes()).expect("a known label").encode(&text);
            check(&bytes, None, &text);
        }
    }

    #[test]
    fn utf_8_under_a_wrong_label_is_not_garbled() {
        let text = "<?xml version=\"1.0\" encoding=\"gb2312\"?><t>中文</t>";
        check(text.as_bytes(), Some("iso-8859-1"), text);
    }

    #[test]
    fn h16_bad_bytes_are_replaced_and_reported() {
        let mut warnings = Vec::new();
        let body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?><t>a\xffb</t>";
        let text = decode(body, None, &mut warnings);
        assert!(text.contains("a\u{fffd}b"), "{text}");
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn h16_control_characters_and_carriage_returns_go() {
        check(b"a\x10b\r\nc\rd\te\x7f", None, "ab\nc\nd\te");
    }

    #[test]
    fn h16_utf_7_is_never_decoded() {
        check(b"<t>+ADw-script+AD4-</t>", Some("utf-7"), "<t>+ADw-script+AD4-</t>");
    }
}
