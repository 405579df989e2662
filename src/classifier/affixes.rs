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
    /// A bit for each length that an edge has.
    lengths: u8,
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
            self.prefixes.add(prefix(first, EDGE_BYTES), anchor);
        } else if !glob.open_end {
            self.suffixes.add(suffix(last, EDGE_BYTES), anchor);
        }
        !(glob.open_start && glob.open_end)
    }

    pub fn scan(&self, scan: &mut Scan<'_>) {
        for (at, token) in scan.text.tokens.iter().enumerate() {
            let word = scan.text.text(token);
            for length in 1..=word.len().min(EDGE_BYTES) {
                if self.prefixes.has_length(length) {
                    self.prefixes.of(prefix(word, length)).iter().for_each(|anchor| scan.anchored(*anchor, at));
                }
                if self.suffixes.has_length(length) {
                    self.suffixes.of(suffix(word, length)).iter().for_each(|anchor| scan.anchored(*anchor, at));
                }
            }
        }
    }
}

impl Edges {
    fn add(&mut self, edge: Edge, anchor: Anchor) {
        self.present.resize(PRESENT_WORDS, 0);
        let (word, bit) = presence(edge);
        self.present[word] |= bit;
        self.lengths |= 1 << edge.0;
        self.anchors.entry(edge).or_default().push(anchor);
    }

    fn has_length(&self, length: usize) -> bool {
        self.lengths >> length & 1 == 1
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

fn prefix(word: &str, length: usize) -> Edge {
    edge(word.as_bytes().iter().take(length))
}

fn suffix(word: &str, length: usize) -> Edge {
    edge(word.as_bytes().iter().rev().take(length))
}

fn edge<'a>(bytes: impl Iterator<Item = &'a u8>) -> Edge {
    bytes.fold((0, 0), |(length, key), &byte| (length + 1, key << 8 | u32::from(byte)))
}
