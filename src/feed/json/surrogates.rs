//! Escapes of half a character, which JavaScript writes where it cuts a text within an emoji.

use std::borrow::Cow;

/// The text with U+FFFD for each `\uD800` to `\uDFFF` that stands alone: RFC 8259 section 8.2 allows them and says that
/// what a reader makes of them is unpredictable; serde ends at the first.
pub(super) fn mended(source: &str) -> Cow<'_, str> {
    let mut mended = Cow::Borrowed(source);
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &source.as_bytes()[at..]) {
        at += found;
        let after = match (half_at(source, at), half_at(source, at + ESCAPE_BYTES)) {
            (None, _) => 2,
            (Some(Half::High), Some(Half::Low)) => 2 * ESCAPE_BYTES,
            (Some(_), _) => {
                mended.to_mut().replace_range(at..at + ESCAPE_BYTES, "\\ufffd");
                ESCAPE_BYTES
            }
        };
        at = source.len().min(at + after);
    }
    mended
}

const ESCAPE_BYTES: usize = "\\uffff".len();

enum Half {
    High,
    Low,
}

/// The half of a character whose escape stands there.
fn half_at(source: &str, at: usize) -> Option<Half> {
    let digits = source.get(at..at + ESCAPE_BYTES)?.strip_prefix("\\u")?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::High),
        0xdc00..=0xdfff => Some(Half::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_character_is_replaced_and_a_whole_one_stays() {
        let check = |source: &str, expected: &str| assert_eq!(mended(source), expected, "{source}");
        check(r#""plain""#, r#""plain""#);
        check(r#""\ud83d\ude00""#, r#""\ud83d\ude00""#);
        check(r#""cut \ud83d""#, r#""cut \ufffd""#);
        check(r#""\uDE00\uD83D\uD83D\uDE00""#, r#""\ufffd\ufffd\uD83D\uDE00""#);
        check(r#""\ud83d\n\ude00é""#, r#""\ufffd\n\ufffdé""#);
        check(r#""no escape: \\ud83d, \\\ud83d""#, r#""no escape: \\ud83d, \\\ufffd""#);
        for odd in [r"\", r"\u", r"\ud83", r"\ud83d\", r"\ud83d\u", "\\é\\ud83", r"\u+83d"] {
            assert_eq!(mended(odd).len(), odd.len(), "{odd}");
        }
    }
}
