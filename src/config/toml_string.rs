//! From an offset in a TOML string's value back to the offset in the file.
//!
//! A query stands in the file with quotes and escapes around and in it; a caret has to point at
//! what the curator wrote, not at what the parser made of it (TOML 1.0 and 1.1, section String).

use std::ops::Range;

/// The span of the raw token (quotes included) that gave `decoded`, a byte range of the value.
pub(super) fn raw_span(token: &str, decoded: &Range<usize>) -> Range<usize> {
    let (open, is_basic) = opening(token);
    let mut raw_start = None;
    let mut value_offset = 0;
    let mut raw_offset = open;
    while value_offset < decoded.end {
        let (raw_len, value_len) = unit(&token[raw_offset..], is_basic);
        if raw_len == 0 {
            break;
        }
        if value_len > 0 && value_offset + value_len > decoded.start && raw_start.is_none() {
            raw_start = Some(raw_offset);
        }
        raw_offset += raw_len;
        value_offset += value_len;
    }
    raw_start.unwrap_or(raw_offset)..raw_offset
}

/// Length of the opening delimiter with the newline that a multi-line string drops, and whether escapes count. A text that
/// was written without quotes, which the parser complains of and reads, has none.
fn opening(token: &str) -> (usize, bool) {
    let is_basic = token.starts_with('"');
    if token.starts_with("\"\"\"") || token.starts_with("'''") {
        let newline = match &token[3..] {
            rest if rest.starts_with("\r\n") => 2,
            rest if rest.starts_with('\n') => 1,
            _ => 0,
        };
        (3 + newline, is_basic)
    } else {
        (usize::from(token.starts_with(['"', '\''])), is_basic)
    }
}

/// Bytes of the next unit of the raw text, and of what it stands for.
fn unit(raw: &str, is_basic: bool) -> (usize, usize) {
    let mut characters = raw.chars();
    match characters.next() {
        None => (0, 0),
        Some('\\') if is_basic => escape(raw, characters.next()),
        Some(character) => (character.len_utf8(), character.len_utf8()),
    }
}

fn escape(raw: &str, kind: Option<char>) -> (usize, usize) {
    let digits = match kind {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        // A backslash at a line's end drops all white space up to the next character.
        Some(' ' | '\t' | '\r' | '\n') => {
            let rest = &raw[1..];
            return (raw.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len(), 0);
        }
        Some(character) => return (1 + character.len_utf8(), 1),
        None => return (1, 0),
    };
    let value_len = raw
        .get(2..2 + digits)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok())
        .and_then(char::from_u32)
        .map_or(1, char::len_utf8);
    ((2 + digits).min(raw.len()), value_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    /// Reads `x = TOKEN` with the true parser, finds `needle` in the value, and expects `raw` in the token.
    fn check(token: &str, needle: &str, raw: &str) {
        let document = format!("x = {token}");
        let table = DeTable::parse(&document).expect("valid TOML");
        let value = table.get_ref().get("x").and_then(|value| value.get_ref().as_str()).expect("a string");
        let at = value.find(needle).expect("needle in the value");
        let span = raw_span(token, &(at..at + needle.len()));
        assert_eq!(&token[span], raw, "in {token}");
    }

    #[test]
    fn offsets_map_through_every_kind_of_string() {
        check(r#""plain text""#, "text", "text");
        check(r#""a \"phrase\" b""#, "\"phrase\"", r#"\"phrase\""#);
        check(r#""tab\tthen é\u00e9法 x""#, "x", "x");
        check(r#""\u6CD5国""#, "法", r"\u6CD5");
        check(r#""\U0001F600 x""#, "x", "x");
        check(r"'literal \n stays'", "stays", "stays");
        check("\"\"\"\nfirst\nsecond\"\"\"", "second", "second");
        check("'''\r\nfirst\r\nsecond'''", "second", "second");
        check("\"\"\"\r\nfirst\r\nsecond\"\"\"", "second", "second");
        check("\"\"\"one \\\n    two\"\"\"", "two", "two");
    }

    #[test]
    fn an_empty_range_at_the_end_points_behind_the_last_character() {
        assert_eq!(raw_span("'abc'", &(3..3)), 4..4);
        assert_eq!(raw_span("''", &(0..0)), 1..1);
    }

    /// The parser recovers what was written without quotes.
    #[test]
    fn a_text_without_quotes_is_itself() {
        assert_eq!(raw_span("法国 AND AI", &(3..6)), 3..6);
        assert_eq!(raw_span("", &(0..0)), 0..0);
    }
}
