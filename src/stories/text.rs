//! What a text is about: the least hashes of its shingles (`MinHash`); and the hash of words, by which titles go too.

use crate::stories::title::{Run, fold, plain, runs};

/// Minima of a text: an estimate of likeness with a deviation of at most 0.09.
pub(super) const MINIMA: usize = 32;
/// Minima are kept to a byte each, so this part of those that have nothing to do with each other is equal.
const CHANCE: f64 = 1.0 / 256.0;
/// Words of a text that make one shingle, and characters where words are not spaced.
const SHINGLE_WORDS: usize = 3;
const SHINGLE_CHARACTERS: usize = 4;
/// Shingles under which a text says too little: what aggregators write in its place (`Comments`, `Read more`) is shorter.
const SHINGLES_MIN: u32 = 40;
/// What is looked at of a text, in bytes and in shingles: the beginning tells, and the cost is bounded.
const BYTES_MAX: usize = 16_384;
const SHINGLES_MAX: usize = 1_200;

/// How alike two texts are by their minima, 0 to 1.
pub(super) fn likeness(ours: &[u8; MINIMA], theirs: &[u8; MINIMA]) -> f64 {
    let equal: u8 = ours.iter().zip(theirs).map(|(ours, theirs)| u8::from(ours == theirs)).sum();
    let agreement = f64::from(equal) / 32.0;
    ((agreement - CHANCE) / (1.0 - CHANCE)).max(0.0)
}

/// The minima of a text; `None` when there are too few shingles.
pub(super) fn minima(text: &str) -> Option<[u8; MINIMA]> {
    sketch(text).minima()
}

fn sketch(text: &str) -> Sketch {
    let beginning = &text[..text.floor_char_boundary(BYTES_MAX)];
    let mut reading = Reading { words: Vec::with_capacity(beginning.len() / 5), sketch: Sketch::default() };
    reading.read(beginning);
    let shingles_of_words = reading.words.windows(SHINGLE_WORDS).take(SHINGLES_MAX);
    shingles_of_words.for_each(|words| reading.sketch.add(shingle(words)));
    reading.sketch
}

/// A text while it is read: the hashes of its words in order. What is written without spaces goes into the sketch at once.
///
/// Addresses and figures are no words here: in what an aggregator writes (`Article URL: … Points: 5 # Comments: 0`) they
/// are all that differs.
struct Reading {
    words: Vec<u64>,
    sketch: Sketch,
}

impl Reading {
    fn is_full(&self) -> bool {
        self.words.len() + self.sketch.added >= SHINGLES_MAX
    }

    fn read(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        // What lies between two spaces is an address as a whole.
        let (mut chunk, mut words_before, mut is_address) = (0, self.words.len(), false);
        while let Some(&byte) = bytes.get(at) {
            let letters = self.read_word(&bytes[at..]);
            if letters > 0 {
                at += letters;
                continue;
            }
            at += 1;
            let mut is_space = byte.is_ascii() && char::from(byte).is_whitespace();
            if byte == b':' {
                is_address |= bytes[at..].starts_with(b"//");
            } else if !byte.is_ascii() {
                at -= 1;
                let end = text[at..].find(char::is_whitespace).map_or(text.len(), |end| at + end);
                if end == at {
                    at += text[at..].chars().next().map_or(1, char::len_utf8);
                    is_space = true;
                } else {
                    // Begun anew with all its letters.
                    self.words.truncate(words_before);
                    self.read_chunk(&text[chunk..end]);
                    (at, chunk, words_before, is_address) = (end, end, self.words.len(), false);
                }
            }
            if is_space {
                if is_address {
                    self.words.truncate(words_before);
                }
                if self.is_full() {
                    return;
                }
                (chunk, words_before, is_address) = (at, self.words.len(), false);
            }
        }
        if is_address {
            self.words.truncate(words_before);
        }
    }

    /// What lies between two spaces and is not ASCII alone.
    fn read_chunk(&mut self, chunk: &str) {
        if chunk.contains("://") {
            return;
        }
        if let Some(plain) = plain(chunk) {
            self.read(&plain);
            return;
        }
        for run in runs(&fold(chunk)) {
            match run {
                Run::Spaced(word) => self.words.push(hash(word.to_lowercase().as_bytes())),
                Run::Number(_) => {}
                Run::Unspaced(run) => self.read_unspaced(run),
            }
            if self.is_full() {
                break;
            }
        }
    }

    fn read_unspaced(&mut self, run: &str) {
        let mut last = [0; SHINGLE_CHARACTERS];
        for (character, place) in run.chars().zip(1..=SHINGLES_MAX) {
            last.rotate_left(1);
            last[SHINGLE_CHARACTERS - 1] = mixed(u64::from(u32::from(character)));
            if place >= SHINGLE_CHARACTERS {
                self.sketch.add(shingle(&last));
            }
        }
    }

    /// Takes the word of ASCII letters at the beginning, in small letters, and returns its length.
    fn read_word(&mut self, bytes: &[u8]) -> usize {
        let first = Eight::of(bytes);
        let mut length = first.letters();
        if length == 0 {
            return 0;
        }
        let mut hash = hash_further(HASH_OF_NOTHING, first.word());
        while length.is_multiple_of(8) {
            let next = Eight::of(&bytes[length..]);
            if next.letters() == 0 {
                break;
            }
            length += next.letters();
            hash = hash_further(hash, next.word());
        }
        self.words.push(hash);
        length
    }
}

/// Eight bytes looked at together, the first one lowest, with zeros after the end and capitals made small.
#[derive(Clone, Copy)]
struct Eight(u64);

impl Eight {
    fn of(bytes: &[u8]) -> Self {
        Self(first_eight(bytes) | 0x2020_2020_2020_2020)
    }

    /// How many of them, from the first, are letters.
    fn letters(self) -> usize {
        let ascii = self.0 & 0x7f7f_7f7f_7f7f_7f7f;
        // Seven bits and these sums carry into the eighth, not beyond: from `a` on, and after `z`.
        let (from_a, after_z) = (ascii + 0x1f1f_1f1f_1f1f_1f1f, ascii + 0x0505_0505_0505_0505);
        let others = (!from_a | after_z | self.0) & 0x8080_8080_8080_8080;
        others.trailing_zeros() as usize / 8
    }

    /// The letters at the beginning.
    fn word(self) -> u64 {
        match self.letters() {
            8 => self.0,
            letters => self.0 & ((1 << (letters * 8)) - 1),
        }
    }
}

fn first_eight(bytes: &[u8]) -> u64 {
    match bytes.first_chunk() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => bytes.iter().rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte)),
    }
}

/// The least hash of each of 32 parts that shingles fall into (one-permutation hashing): a step a shingle, where a
/// minimum of each of 32 permutations is as many.
struct Sketch {
    least: [u32; MINIMA],
    /// A bit by hash for each shingle met.
    met: [u64; 16],
    added: usize,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { least: [u32::MAX; MINIMA], met: [0; 16], added: 0 }
    }
}

impl Sketch {
    fn add(&mut self, shingle: u64) {
        let [a, b, c, d, bit, word, _, part] = shingle.to_le_bytes();
        let least = &mut self.least[usize::from(part >> 3)];
        *least = u32::from_le_bytes([a, b, c, d]).min(*least);
        self.met[usize::from(word & 15)] |= 1 << (bit & 63);
        self.added += 1;
    }

    /// A byte of each part's minimum. A part without shingles takes that of another, which is drawn for it: of a few dozen
    /// shingles some parts get none, and what is empty in both texts says nothing of how alike they are.
    fn minima(&self) -> Option<[u8; MINIMA]> {
        if self.met.iter().map(|word| word.count_ones()).sum::<u32>() < SHINGLES_MIN {
            return None;
        }
        let mut minima = [0; MINIMA];
        for (minimum, part) in minima.iter_mut().zip(0_u64..) {
            let own = usize::try_from(part).expect("one of 32");
            let drawn = (0_u64..).map(|draw| (mixed(draw << 32 | part) >> 59) as usize);
            let mut parts = std::iter::once(own).chain(drawn);
            let least = parts.find_map(|part| Some(self.least[part]).filter(|least| *least != u32::MAX));
            *minimum = least.expect("one has shingles, and all are drawn some time").to_le_bytes()[0];
        }
        Some(minima)
    }
}

const HASH_OF_NOTHING: u64 = 0x7665_696c_6c65_0002;

/// A hash that means the same for ever and on every machine, as stored ones have to. Not keyed: who makes up words that
/// collide gets items that look alike, which he has at less cost by copying a title.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(HASH_OF_NOTHING, |hash, chunk| hash_further(hash, first_eight(chunk)))
}

fn hash_further(hash: u64, eight: u64) -> u64 {
    mixed(hash ^ eight)
}

/// The halves of a wide product, laid over each other: each bit depends on all.
pub(super) fn mixed(value: u64) -> u64 {
    let (low, high) = (value ^ 0x9e37_79b9_7f4a_7c15).carrying_mul(0xd6e8_feb8_6659_fd93, 0);
    low ^ high
}

/// Of hashes in a row.
fn shingle(hashes: &[u64]) -> u64 {
    hashes.iter().fold(0, |shingle: u64, hash| shingle.wrapping_mul(0xa076_1d64_78bd_642f).wrapping_add(*hash))
}

pub(super) fn lower_half(hash: u64) -> u32 {
    u32::try_from(hash & 0xffff_ffff).expect("32 bits are left")
}

pub(super) fn upper_half(hash: u64) -> u32 {
    u32::try_from(hash >> 32).expect("32 bits are left")
}

#[cfg(test)]
mod tests;
