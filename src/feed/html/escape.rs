//! Text as HTML: escaped for an element's inside, for an attribute's value, and line by line.

use memchr::{memchr, memchr2, memchr3};

/// HTML of a plain text: each line a paragraph.
pub fn escaped_paragraphs(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    for line in text.lines().filter(|line| !line.is_empty()) {
        html.push_str("<p>");
        push_escaped(&mut html, line);
        html.push_str("</p>");
    }
    html
}

/// Pushes a text for the inside of an element, as html5ever would write it.
pub(super) fn push_escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        push_without_ampersands(out, &rest[..at]);
        out.push_str("&amp;");
        rest = &rest[at + 1..];
    }
    push_without_ampersands(out, rest);
}

fn push_without_ampersands(out: &mut String, text: &str) {
    let (mut from, mut at) = (0, 0);
    while let Some(next) = memchr3(b'<', b'>', 0xc2, &text.as_bytes()[at..]) {
        at += next;
        let (length, escaped) = match text.as_bytes()[at] {
            b'<' => (1, "&lt;"),
            b'>' => (1, "&gt;"),
            _ if text[at..].starts_with('\u{a0}') => (2, "&nbsp;"),
            _ => {
                at += 2;
                continue;
            }
        };
        out.push_str(&text[from..at]);
        out.push_str(escaped);
        at += length;
        from = at;
    }
    out.push_str(&text[from..]);
}

/// Pushes a text for a value in double quotes.
pub(super) fn push_escaped_value(out: &mut String, value: &str) {
    let bytes = value.as_bytes();
    if memchr3(b'&', b'"', b'<', bytes).is_none() && memchr2(b'>', 0xc2, bytes).is_none() {
        out.push_str(value);
        return;
    }
    for (index, piece) in value.split('"').enumerate() {
        if index > 0 {
            out.push_str("&quot;");
        }
        push_escaped(out, piece);
    }
}
