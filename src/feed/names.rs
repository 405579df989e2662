//! A list of element names that is asked about at every tag: without regard to case, and without an allocation.

/// Names of at most 16 bytes, by their bytes packed into a number.
pub(super) struct Names<const N: usize> {
    sorted: [(u128, &'static str); N],
}

impl<const N: usize> Names<N> {
    /// The names must be in lower case.
    pub const fn new(names: [&'static str; N]) -> Self {
        let mut sorted = [(0, ""); N];
        let mut count = 0;
        while count < N {
            let packed = packed(names[count].as_bytes());
            let mut at = count;
            while at > 0 && sorted[at - 1].0 > packed {
                sorted[at] = sorted[at - 1];
                at -= 1;
            }
            sorted[at] = (packed, names[count]);
            count += 1;
        }
        Names { sorted }
    }

    /// The name as the list has it.
    pub fn get(&self, name: &str) -> Option<&'static str> {
        if name.len() > 16 {
            return None;
        }
        let packed = packed(name.as_bytes());
        let at = self.sorted.binary_search_by_key(&packed, |(packed, _)| *packed).ok()?;
        // A NUL at the start of a name packs to nothing.
        Some(self.sorted[at].1).filter(|known| known.len() == name.len())
    }
}

const fn packed(name: &[u8]) -> u128 {
    let mut packed = 0;
    let mut at = 0;
    while at < name.len() {
        packed = packed << 8 | name[at].to_ascii_lowercase() as u128;
        at += 1;
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_whole() {
        static NAMES: Names<4> = Names::new(["wbr", "a", "blockquote", "b"]);
        for (name, expected) in [("a", Some("a")), ("BlockQuote", Some("blockquote")), ("WBR", Some("wbr"))] {
            assert_eq!(NAMES.get(name), expected, "{name}");
        }
        for name in ["", "c", "aa", "wb", "blockquoteblockquote", "\0a", "é"] {
            assert_eq!(NAMES.get(name), None, "{name}");
        }
    }
}
