//! Runs of words that need no tidying, which most of any text is: found eight bytes at a time.

/// Length of the beginning of `text` that is words with one blank between each, none before or after.
pub(super) fn length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if text.starts_with(char::is_whitespace) {
        return 0;
    }
    let mut at = 0;
    while at < bytes.len() {
        while let Some(window) = bytes[at..].first_chunk::<9>()
            && let (Some(these), Some(next)) = (window.first_chunk(), window.last_chunk())
            && is_quiet(u64::from_le_bytes(*these), u64::from_le_bytes(*next))
        {
            at += 8;
        }
        let end = bytes.len().min(at + 8);
        while at < end {
            if SUSPECT[usize::from(bytes[at])] && ends(text, at) {
                return at;
            }
            at += 1;
        }
    }
    bytes.len()
}

/// Whether none of eight bytes is, or may begin, white space that ends a run, given those that are `next` to them.
fn is_quiet(these: u64, next: u64) -> bool {
    let blanks = below(these, 0x21);
    // A blank before a character beyond ASCII, which may be white space too, is looked at closely.
    let mut loud = below(these, 0x20) | blanks & (below(next, 0x21) | next & all(0x80));
    if these & all(0x80) != 0 {
        let in_general_punctuation_or_cjk =
            below((these & all(0xfe)) ^ all(0xe2), 1) & below((next & all(0xfe)) ^ all(0x80), 1);
        loud |= below(these ^ all(0xc2), 1) | below(these ^ all(0xe1), 1) | in_general_punctuation_or_cjk;
    }
    loud == 0
}

/// Eight times the same byte.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The top bit of each byte that is below `limit` (at most 128) is set; that of one after it may be.
const fn below(bytes: u64, limit: u8) -> u64 {
    bytes.wrapping_sub(all(limit)) & !bytes & all(0x80)
}

/// White space, and the first bytes of all white space beyond ASCII.
const SUSPECT: [bool; 256] = {
    let mut suspect = [false; 256];
    let mut byte = 0;
    while byte <= 0x20 {
        suspect[byte] = true;
        byte += 1;
    }
    suspect[0xc2] = true;
    suspect[0xe1] = true;
    suspect[0xe2] = true;
    suspect[0xe3] = true;
    suspect
};

/// Whether the white space that may begin at a byte ends the run: all but one blank between two words does.
fn ends(text: &str, at: usize) -> bool {
    match text.as_bytes()[at] {
        b' ' => text[at + 1..].chars().next().is_none_or(char::is_whitespace),
        // A control character that is no white space is part of a word.
        _ => text[at..].starts_with(char::is_whitespace),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What [`length`] says, a character at a time.
    fn slowly(text: &str) -> usize {
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            let next = text[at + c.len_utf8()..].chars().next().unwrap_or(' ');
            if c.is_whitespace() && (c != ' ' || before.is_whitespace() || next.is_whitespace()) {
                return at;
            }
            before = c;
        }
        text.len()
    }

    #[test]
    fn a_run_ends_where_white_space_is_not_one_blank() {
        let spaces = [
            " ", "  ", "\n", "\t", "\u{85}", "\u{a0}", "\u{1680}", "\u{2003}", "\u{2029}", "\u{202f}", "\u{205f}",
            "\u{3000}",
        ];
        let others = [
            "word",
            "é",
            "“",
            "…",
            "中",
            "、",
            "\u{feff}",
            "x y",
            "Ω",
            "\u{1}",
            "\u{7f}",
            "\u{1f600}",
            "a b c d e f g h i j k l",
        ];
        let mut random = 1_u64;
        for _ in 0..20_000 {
            let mut text = String::new();
            for _ in 0..12 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let pick = usize::try_from(random >> 33).expect("31 bits");
                text.push_str(if pick % 7 == 0 {
                    spaces[pick / 7 % spaces.len()]
                } else {
                    others[pick / 7 % others.len()]
                });
                if pick % 3 == 0 {
                    text.push(' ');
                }
            }
            assert_eq!(length(&text), slowly(&text), "{text:?}");
        }
    }
}
