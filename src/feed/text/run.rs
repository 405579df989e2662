//! Runs of words that need no tidying, which most of any text is: found many bytes at a time.

/// Length of the beginning of `text` that is words with one blank between each, none before or after.
pub(super) fn length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if text.starts_with(char::is_whitespace) {
        return 0;
    }
    let mut at = 0;
    while at < bytes.len() {
        while let Some(these) = bytes[at..].first_chunk()
            && let Some(next) = bytes[at + 1..].first_chunk()
            && is_quiet(these, next)
        {
            at += STRIDE;
        }
        let end = bytes.len().min(at + STRIDE);
        while at < end {
            if SUSPECT[usize::from(bytes[at])] && ends(text, at) {
                return at;
            }
            at += 1;
        }
    }
    bytes.len()
}

/// So many bytes are looked at together.
const STRIDE: usize = 16;

/// Whether none of these bytes is, or may begin, white space that ends a run, given those that are `next` to them.
/// Without branches, so that it goes by the vector.
fn is_quiet(these: &[u8; STRIDE], next: &[u8; STRIDE]) -> bool {
    let is = u8::from;
    let is_loud = |(byte, next): (&u8, &u8)| {
        // A blank before a character beyond ASCII, which may be white space too, is looked at closely.
        let is_blank = is(*byte == b' ') & (is(*next <= b' ') | is(*next >= 0x80));
        let in_general_punctuation_or_cjk = is(byte & 0xfe == 0xe2) & is(next & 0xfe == 0x80);
        is(*byte < b' ') | is_blank | is(*byte == 0xc2) | is(*byte == 0xe1) | in_general_punctuation_or_cjk
    };
    these.iter().zip(next).fold(0, |loud, bytes| loud | is_loud(bytes)) == 0
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
