//! The encoding that a document says it is in: by its XML declaration or, of a web page, by a `meta` element.

use super::lexer::{Lexer, Tag, Token};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// The encoding of a label; none for UTF-16 (bytes that were UTF-16 were seen by their zeros) and unknown names.
pub(super) fn labelled(label: &[u8]) -> Option<&'static Encoding> {
    let encoding = Encoding::for_label_no_replacement(label)?;
    (encoding != UTF_16BE && encoding != UTF_16LE).then_some(encoding)
}

/// The encoding in `<?xml … encoding="…"?>` near the start. Junk may stand before the declaration.
pub(super) fn in_declaration(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(2048)];
    let start = find(head, b"<?xml")?;
    let declaration = &head[start..];
    let declaration = &declaration[..find(declaration, b">").unwrap_or(declaration.len())];
    let value = &declaration[find(declaration, b"encoding")? + 8..];
    let value = value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    let end = value.iter().position(|byte| byte == quote)?;
    labelled(&value[..end])
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// How much of a page is looked at (HTML standard, "prescan a byte stream to determine its encoding").
const PRESCAN_BYTES: usize = 1024;

/// The encoding in `<meta charset="…">`, or in `<meta http-equiv="content-type" content="…; charset=…">`, within the
/// first kilobyte of a page.
pub(super) fn in_meta(body: &[u8]) -> Option<&'static Encoding> {
    // Markup is ASCII in every encoding that can be said so; what else stands there does not matter.
    let (head, _) = WINDOWS_1252.decode_without_bom_handling(&body[..body.len().min(PRESCAN_BYTES)]);
    let mut tokens = Lexer::new(&head).take_while(|token| !matches!(token, Token::Other("<!--")));
    tokens.find_map(|token| match token {
        Token::Start(tag) if tag.name.eq_ignore_ascii_case("meta") => of_meta(&tag),
        _ => None,
    })
}

fn of_meta(meta: &Tag<'_>) -> Option<&'static Encoding> {
    let label = meta.attribute("charset").or_else(|| {
        let is_pragma = meta.attribute("http-equiv")?.eq_ignore_ascii_case("content-type");
        meta.attribute("content").filter(|_| is_pragma).and_then(in_content_type)
    })?;
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())?;
    // A page whose ASCII could be read cannot be in these (the same algorithm, step "need to change").
    Some(if encoding == UTF_16BE || encoding == UTF_16LE {
        UTF_8
    } else if encoding == X_USER_DEFINED {
        WINDOWS_1252
    } else {
        encoding
    })
}

/// What follows `charset=`, perhaps in quotes.
fn in_content_type(content: &str) -> Option<&str> {
    let lower = content.to_ascii_lowercase();
    let mut ends = lower.match_indices("charset").map(|(at, word)| at + word.len());
    let value = ends.find_map(|end| content[end..].trim_ascii_start().strip_prefix('='))?.trim_ascii_start();
    match value.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        Some(quote) => value[1..].split_once(quote).map(|(label, _)| label),
        None => value.split(|c: char| c.is_ascii_whitespace() || c == ';').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, expected: Option<&str>) {
        assert_eq!(in_meta(page.as_bytes()).map(Encoding::name), expected, "{page}");
    }

    #[test]
    fn a_meta_element_names_the_encoding() {
        check("<!doctype html><html><head><meta charset=gb2312>", Some("GBK"));
        check("<META CharSet='Shift_JIS' />", Some("Shift_JIS"));
        check("<meta http-equiv='Content-Type' content='text/html; charset=big5'>", Some("Big5"));
        check("<meta content='text/html;CHARSET = \"euc-kr\"' http-equiv=content-type>", Some("EUC-KR"));
        check("<meta name=viewport content='charset=big5'><meta charset=koi8-r>", Some("KOI8-R"));
        check("<meta charset=utf-16le>", Some("UTF-8"));
        check("<meta charset=x-user-defined>", Some("windows-1252"));
    }

    #[test]
    fn what_is_no_such_element_names_none() {
        check("<p>charset=big5", None);
        check("<meta charset=klingon>", None);
        check("<!-- <meta charset=big5> --><title>t</title>", None);
        check(&format!("<!-- {} <meta charset=big5>", "x".repeat(100)), None);
        check(&format!("{}<meta charset=big5>", " ".repeat(PRESCAN_BYTES)), None);
        check("<meta http-equiv=refresh content='0; charset=big5'>", None);
    }
}
