//! Wildcards bound to one end of a word, `part*` and `*part`: found by the first or last bytes of the word.

use super::hits::FIELDS;
use super::index::{Anchor, Scan};
use super::pattern::Glob;
use super::program::Fields;
use std::collections::HashMap;

/// Bytes by which a wildcard is found, at most.
const EDGE_BYTES: u8 = 4;

#[derive(Default)]
pub(super) struct Affixes {
    prefixes: Edges,
    suffixes: Edges,
}

/// The first or last bytes of a word: how many, and as a number.
type Edge = (u8, u32);

/// What is anchored at the edges of words.
#[derive(Default)]
struct Edges {
    anchors: HashMap<Edge, Vec<Anchor>>,
    /// Which of them count there; most terms are asked for in titles alone.
    by_field: [Option<Box<Presence>>; FIELDS],
}

/// Which edges count in a field.
struct Presence {
    /// Each length that an edge has.
    lengths: Vec<u8>,
    /// A bit for each edge, by its hash: most edges of a text's words are in no term, and this fits the fastest caches.
    bits: [u64; PRESENCE_WORDS],
}

/// Words of [`Presence::bits`]: a thousand edges let one in sixteen others pass in vain.
const PRESENCE_WORDS: usize = 256;

impl Affixes {
    /// Adds a pattern that begins with `glob` and is asked for in `fields`; false when that is open at both ends.
    pub fn add(&mut self, glob: &Glob, anchor: Anchor, fields: Fields) -> bool {
        let (Some(first), Some(last)) = (glob.pieces.first(), glob.pieces.last()) else { return false };
        if !glob.open_start {
            self.prefixes.add(edge_of(first, first_bytes), anchor, fields);
        } else if !glob.open_end {
            self.suffixes.add(edge_of(last, last_bytes), anchor, fields);
        }
        !(glob.open_start && glob.open_end)
    }

    pub fn scan(&self, scan: &mut Scan<'_>) {
        self.prefixes.scan(first_bytes, scan);
        self.suffixes.scan(last_bytes, scan);
    }
}

impl Edges {
    fn add(&mut self, edge: Edge, anchor: Anchor, fields: Fields) {
        for field in fields.iter() {
            self.by_field[field as usize].get_or_insert_default().add(edge);
        }
        self.anchors.entry(edge).or_default().push(anchor);
    }

    /// Tries what is anchored at the edges of words, of which `bytes_of` gives the bytes.
    fn scan(&self, bytes_of: impl Fn(&[u8]) -> u32, scan: &mut Scan<'_>) {
        let Some(presence) = &self.by_field[scan.field as usize] else { return };
        for (at, token) in scan.text.tokens.iter().enumerate() {
            let bytes = bytes_of(scan.text.bytes(token));
            for edge in presence.lengths.iter().map(|&length| edge(length, bytes)) {
                if presence.may_have(edge) {
                    self.anchors.get(&edge).into_iter().flatten().for_each(|anchor| scan.anchored(*anchor, at));
                }
            }
        }
    }
}

impl Default for Presence {
    fn default() -> Self {
        Presence { lengths: Vec::new(), bits: [0; PRESENCE_WORDS] }
    }
}

impl Presence {
    fn add(&mut self, edge: Edge) {
        if !self.lengths.contains(&edge.0) {
            self.lengths.push(edge.0);
        }
        let (word, bit) = place(edge);
        self.bits[word] |= bit;
    }

    fn may_have(&self, edge: Edge) -> bool {
        let (word, bit) = place(edge);
        self.bits[word] & bit != 0
    }
}

/// The word of [`Presence::bits`] and the bit in it that stand for an edge.
fn place((length, bytes): Edge) -> (usize, u64) {
    let hash = (u64::from(bytes) << 3 | u64::from(length)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((hash >> 56) as usize, 1 << (hash >> 50 & 63))
}

fn edge_of(piece: &str, bytes_of: impl Fn(&[u8]) -> u32) -> Edge {
    let length = u8::try_from(piece.len()).map_or(EDGE_BYTES, |length| length.min(EDGE_BYTES));
    edge(length, bytes_of(piece.as_bytes()))
}

/// The outermost of four bytes, which are the upper ones.
fn edge(length: u8, bytes: u32) -> Edge {
    (length, bytes >> (u32::BITS - 8 * u32::from(length)))
}

/// The first four bytes of a word; what it lacks of them is 0, which is in no word.
fn first_bytes(word: &[u8]) -> u32 {
    u32::from_be_bytes(match *word {
        [first, second, third, fourth, ..] => [first, second, third, fourth],
        [first, second, third] => [first, second, third, 0],
        [first, second] => [first, second, 0, 0],
        [first] => [first, 0, 0, 0],
        [] => [0; 4],
    })
}

/// The last four bytes of a word, from its end; what it lacks of them is 0.
fn last_bytes(word: &[u8]) -> u32 {
    u32::from_be_bytes(match *word {
        [.., fourth, third, second, last] => [last, second, third, fourth],
        [third, second, last] => [last, second, third, 0],
        [second, last] => [last, second, 0, 0],
        [last] => [last, 0, 0, 0],
        [] => [0; 4],
    })
}
