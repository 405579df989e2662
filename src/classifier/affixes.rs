//! Wildcards bound to one end of a word, `part*` and `*part`: found by the first or last bytes of the word.

use super::index::{Anchor, Scan};
use super::pattern::Glob;
use std::collections::HashMap;

/// Bytes by which a wildcard is found, at most.
const EDGE_BYTES: usize = 4;

#[derive(Default)]
pub(super) struct Affixes {
    prefixes: Edges,
    suffixes: Edges,
}

/// The first or last bytes of a word, with their number.
type Edge = (u8, u32);

/// What is anchored at the edges of words.
#[derive(Default)]
struct Edges {
    anchors: HashMap<Edge, Vec<Anchor>>,
    /// A bit for each length that an edge has, and the longest of them.
    lengths: u8,
    longest: usize,
    /// A bit for each edge, by its hash: most edges of a text's words are in no term, and this fits the fastest caches.
    present: Vec<u64>,
}

/// Words of [`Edges::present`]: a thousand edges let one in sixteen others pass in vain.
const PRESENT_WORDS: usize = 256;

impl Affixes {
    /// Adds a pattern that begins with `glob`; false when that is open at both ends.
    pub fn add(&mut self, glob: &Glob, anchor: Anchor) -> bool {
        let (Some(first), Some(last)) = (glob.pieces.first(), glob.pieces.last()) else { return false };
        if !glob.open_start {
            self.prefixes.add(edge(first.as_bytes().iter()), anchor);
        } else if !glob.open_end {
            self.suffixes.add(edge(last.as_bytes().iter().rev()), anchor);
        }
        !(glob.open_start && glob.open_end)
    }

    pub fn scan(&self, scan: &mut Scan<'_>) {
        for (at, token) in scan.text.tokens.iter().enumerate() {
            let word = scan.text.text(token).as_bytes();
            self.prefixes.scan(word.iter(), at, scan);
            self.suffixes.scan(word.iter().rev(), at, scan);
        }
    }
}

impl Edges {
    fn add(&mut self, edge: Edge, anchor: Anchor) {
        self.present.resize(PRESENT_WORDS, 0);
        let (word, bit) = presence(edge);
        self.present[word] |= bit;
        self.lengths |= 1 << edge.0;
        self.longest = self.longest.max(usize::from(edge.0));
        self.anchors.entry(edge).or_default().push(anchor);
    }

    /// Tries what is anchored at the edges of word `at`, whose bytes come from that end.
    fn scan<'a>(&self, bytes: impl Iterator<Item = &'a u8>, at: usize, scan: &mut Scan<'_>) {
        let mut edge = (0, 0);
        for byte in bytes.take(self.longest) {
            edge = longer(edge, *byte);
            if self.lengths >> edge.0 & 1 == 1 {
                self.of(edge).iter().for_each(|anchor| scan.anchored(*anchor, at));
            }
        }
    }

    fn of(&self, edge: Edge) -> &[Anchor] {
        let (word, bit) = presence(edge);
        if self.present[word] & bit == 0 {
            return &[];
        }
        self.anchors.get(&edge).map_or(&[], Vec::as_slice)
    }
}

/// The word of [`Edges::present`] and the bit in it that stand for an edge.
fn presence((length, key): Edge) -> (usize, u64) {
    let hash = (u64::from(key) << 3 | u64::from(length)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((hash >> 56) as usize, 1 << (hash >> 50 & 63))
}

fn edge<'a>(bytes: impl Iterator<Item = &'a u8>) -> Edge {
    bytes.take(EDGE_BYTES).fold((0, 0), |edge, byte| longer(edge, *byte))
}

fn longer((length, key): Edge, byte: u8) -> Edge {
    (length + 1, key << 8 | u32::from(byte))
}
