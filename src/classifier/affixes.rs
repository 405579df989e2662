//! Wildcards bound to one end of a word, `part*` and `*part`: found by the first or last bytes of the word.

use super::index::{Anchor, Scan};
use super::pattern::Glob;
use std::collections::HashMap;

/// Bytes by which a wildcard is found, at most.
const EDGE_BYTES: usize = 4;

#[derive(Default)]
pub(super) struct Affixes {
    prefixes: HashMap<Edge, Vec<Anchor>>,
    suffixes: HashMap<Edge, Vec<Anchor>>,
}

/// The first or last bytes of a word, with their number.
type Edge = (u8, u32);

impl Affixes {
    /// Adds a pattern that begins with `glob`; false when that is open at both ends.
    pub fn add(&mut self, glob: &Glob, anchor: Anchor) -> bool {
        let (Some(first), Some(last)) = (glob.pieces.first(), glob.pieces.last()) else { return false };
        if !glob.open_start {
            self.prefixes.entry(prefix(first, EDGE_BYTES)).or_default().push(anchor);
        } else if !glob.open_end {
            self.suffixes.entry(suffix(last, EDGE_BYTES)).or_default().push(anchor);
        }
        !(glob.open_start && glob.open_end)
    }

    pub fn scan(&self, scan: &mut Scan<'_>) {
        for (at, token) in scan.text.tokens.iter().enumerate() {
            let word = scan.text.text(token);
            for length in 1..=word.len().min(EDGE_BYTES) {
                try_each(&self.prefixes, || prefix(word, length), at, scan);
                try_each(&self.suffixes, || suffix(word, length), at, scan);
            }
        }
    }
}

fn try_each(table: &HashMap<Edge, Vec<Anchor>>, edge: impl Fn() -> Edge, at: usize, scan: &mut Scan<'_>) {
    if !table.is_empty() {
        table.get(&edge()).into_iter().flatten().for_each(|anchor| scan.anchored(*anchor, at));
    }
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
