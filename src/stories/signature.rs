//! An item's signature: enough of its title and text to tell, later and without them, how alike two items are.

use crate::stories::title::{self, Run, Term, fold, runs};
use siphasher::sip::SipHasher13;
use std::cmp::Reverse;
use std::hash::Hasher as _;

/// Minima of the text: an estimate of likeness with a deviation of at most 0.09.
const TEXT_MINIMA: usize = 32;
/// Rows a band: texts alike by 0.7 share one of 8 bands of 4 with 89 %, those alike by 0.2 with 1 %.
const TEXT_ROWS: usize = 4;
/// Titles of the same news share fewer words than texts do, but two of the most telling they nearly always share: each
/// pair of so many is a band. Measured (`tests/it/stories.rs`): with 6 as many pairs of items are joined as when every item
/// is compared with all of the window; with 5, two less; with 16 bands of 2 minima, a sixth less, among more candidates.
const TELLING_TERMS: usize = 6;
/// The place of a title's bands; those of a text are counted.
const TITLE: u32 = u32::MAX;
/// Words of a text that make one shingle, and characters where words are not spaced.
const SHINGLE_WORDS: usize = 3;
const SHINGLE_CHARACTERS: usize = 4;
/// Shingles under which a text says too little: what aggregators write in its place (`Comments`, `Read more`) is shorter.
const TEXT_SHINGLES_MIN: usize = 40;
/// What is looked at of a text, in characters and in shingles: the beginning tells, and the cost is bounded.
const TEXT_CHARACTERS_MAX: usize = 16_384;
const TEXT_SHINGLES_MAX: usize = 1_200;
/// Terms of a title that are kept.
const TITLE_TERMS_MAX: usize = 60;

/// What an item is about. Kept as bytes; equal items give equal bytes on every machine and in every version
/// that writes the same [`VERSION`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    title: Vec<TitleTerm>,
    text: Option<[u32; TEXT_MINIMA]>,
}

/// The first byte of a stored signature. A change of what is hashed changes it, and older ones are not compared.
const VERSION: u8 = 1;

/// A term of a title as a hash. Sorted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TitleTerm {
    hash: u32,
    weight: u8,
    is_number: bool,
}

/// How alike two titles are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TitleLikeness {
    /// Weight of what they share.
    pub shared_units: u32,
    /// Weight of what they share by the weight of all they hold, 0 to 1.
    pub ratio: f64,
    /// Both hold numbers, and none in common: two versions, two sums, two weeks.
    pub numbers_differ: bool,
}

impl Signature {
    /// The signature of an item: its title and its plain text, the content's or else the summary's.
    #[must_use]
    pub fn of(title: &str, text: &str) -> Self {
        let mut terms: Vec<TitleTerm> = title::terms(title).iter().take(TITLE_TERMS_MAX).map(TitleTerm::of).collect();
        terms.sort_unstable();
        terms.dedup_by_key(|term| term.hash);
        Self { title: terms, text: minima(text) }
    }

    /// Hashes by which alike items find each other: items that share one are candidates for [`super::join`]. Empty for an
    /// item without words.
    #[must_use]
    pub fn bands(&self) -> Vec<u64> {
        let mut bands = title_bands(&self.title);
        let texts = self.text.iter().flat_map(|minima| minima.chunks_exact(TEXT_ROWS)).zip(0..);
        bands.extend(texts.map(|(rows, place)| band(place, rows)));
        bands
    }

    /// For the store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let title_terms = u8::try_from(self.title.len()).expect("at most TITLE_TERMS_MAX terms");
        let mut bytes = vec![VERSION, title_terms];
        for term in &self.title {
            bytes.extend(term.hash.to_le_bytes());
            bytes.push(term.weight | u8::from(term.is_number) << 7);
        }
        for minimum in self.text.iter().flatten() {
            bytes.extend(minimum.to_le_bytes());
        }
        bytes
    }

    /// From the store; `None` when the bytes are of another version, or no signature.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[version, title_terms], rest) = bytes.split_first_chunk::<2>()?;
        if version != VERSION {
            return None;
        }
        let (title, text) = rest.split_at_checked(usize::from(title_terms) * 5)?;
        let number = |four: &[u8]| u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        let term =
            |five: &[u8]| TitleTerm { hash: number(five), weight: five[4] & 0x7f, is_number: five[4] & 0x80 != 0 };
        let text: Vec<u32> =
            text.chunks(4).map(|four| (four.len() == 4).then(|| number(four))).collect::<Option<_>>()?;
        let text = if text.is_empty() { None } else { Some(text.try_into().ok()?) };
        Some(Self { title: title.chunks_exact(5).map(term).collect(), text })
    }

    /// How alike the texts are, 0 to 1; `None` when one of the items has too little text to say.
    pub(super) fn text_likeness(&self, other: &Self) -> Option<f64> {
        let (ours, theirs) = (self.text.as_ref()?, other.text.as_ref()?);
        let equal = ours.iter().zip(theirs).filter(|(ours, theirs)| ours == theirs).count();
        #[expect(clippy::cast_precision_loss, reason = "at most 32")]
        Some(equal as f64 / TEXT_MINIMA as f64)
    }

    pub(super) fn title_likeness(&self, other: &Self) -> TitleLikeness {
        let units = |terms: &[TitleTerm]| terms.iter().map(|term| u32::from(term.weight)).sum::<u32>();
        let (mut shared_units, mut numbers_are_shared) = (0, false);
        let (mut ours, mut theirs) = (self.title.as_slice(), other.title.as_slice());
        while let (Some(a), Some(b)) = (ours.first(), theirs.first()) {
            if a.hash == b.hash {
                shared_units += u32::from(a.weight.min(b.weight));
                numbers_are_shared |= a.is_number;
            }
            ours = &ours[usize::from(a.hash <= b.hash)..];
            theirs = &theirs[usize::from(b.hash <= a.hash)..];
        }
        let all_units = (units(&self.title) + units(&other.title)).saturating_sub(shared_units).max(1);
        let has_number = |terms: &[TitleTerm]| terms.iter().any(|term| term.is_number);
        TitleLikeness {
            shared_units,
            ratio: f64::from(shared_units) / f64::from(all_units),
            numbers_differ: has_number(&self.title) && has_number(&other.title) && !numbers_are_shared,
        }
    }
}

impl TitleTerm {
    fn of(term: &Term) -> Self {
        let is_number = term.text.starts_with(|c: char| c.is_numeric());
        Self { hash: upper_half(hash(term.text.as_bytes())), weight: term.weight, is_number }
    }
}

/// Bands of the heaviest terms, of equals those with the least hash: which they are does not depend on the rest.
fn title_bands(terms: &[TitleTerm]) -> Vec<u64> {
    let mut telling: Vec<&TitleTerm> = terms.iter().collect();
    telling.sort_by_key(|term| Reverse(term.weight));
    telling.truncate(TELLING_TERMS);
    telling.sort_unstable();
    if let [only] = *telling {
        return vec![band(TITLE, &[only.hash])];
    }
    let pairs =
        (1..).zip(&telling).flat_map(|(after, first)| telling[after..].iter().map(move |next| [first.hash, next.hash]));
    pairs.map(|pair| band(TITLE, &pair)).collect()
}

/// `MinHash` of the text's shingles; `None` when there are too few.
fn minima(text: &str) -> Option<[u32; TEXT_MINIMA]> {
    let mut minima = [u32::MAX; TEXT_MINIMA];
    let shingles = shingles(text);
    if shingles.len() < TEXT_SHINGLES_MIN {
        return None;
    }
    for shingle in shingles {
        for (row, minimum) in minima.iter_mut().enumerate() {
            *minimum = mix(shingle, row).min(*minimum);
        }
    }
    Some(minima)
}

/// The different shingles of a text's beginning. Addresses and figures are no words here: in what an
/// aggregator writes (`Article URL: … Points: 5 # Comments: 0`) they are all that differs.
fn shingles(text: &str) -> Vec<u32> {
    let end = text.char_indices().nth(TEXT_CHARACTERS_MAX).map_or(text.len(), |(end, _)| end);
    let beginning = &text[..end];
    let folded = if beginning.is_ascii() { beginning.to_ascii_lowercase() } else { fold(beginning).to_lowercase() };
    // The one character is sought first: a search for several has to be prepared for each word.
    let is_address = |word: &&str| word.contains(':') && word.contains("://");
    let without_addresses = folded.split_whitespace().filter(|word| !is_address(word));
    let mut words: Vec<u64> = Vec::new();
    let mut shingles: Vec<u32> = Vec::new();
    let mut add_word = |word: &[u8], shingles: &mut Vec<u32>| {
        words.push(hash(word));
        shingles.extend(words.last_chunk::<SHINGLE_WORDS>().map(|last| upper_half(hash_all(last))));
    };
    for chunk in without_addresses {
        if chunk.is_ascii() {
            let words = chunk.as_bytes().split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty());
            words.for_each(|word| add_word(word, &mut shingles));
        } else {
            for run in runs(chunk) {
                match run {
                    Run::Spaced(word) => add_word(word.as_bytes(), &mut shingles),
                    Run::Number(_) => {}
                    Run::Unspaced(run) => shingles.extend(character_shingles(run)),
                }
            }
        }
        if shingles.len() >= TEXT_SHINGLES_MAX {
            break;
        }
    }
    shingles.truncate(TEXT_SHINGLES_MAX);
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

fn character_shingles(run: &str) -> Vec<u32> {
    let characters: Vec<u64> = run.chars().map(|c| u64::from(u32::from(c))).collect();
    characters.windows(SHINGLE_CHARACTERS).map(|window| upper_half(hash_all(window))).collect()
}

/// A fixed key: stored hashes have to mean the same for ever.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x7665_696c_6c65, 1);
    hasher.write(bytes);
    hasher.finish()
}

fn hash_all(values: &[u64]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0x7665_696c_6c65, 2);
    for value in values {
        hasher.write_u64(value.to_le());
    }
    hasher.finish()
}

/// Rows are compared with those of the same place alone.
fn band(place: u32, rows: &[u32]) -> u64 {
    rows.iter().fold(0x517c_c1b7_2722_0a95 ^ u64::from(place), |band: u64, row| {
        (band ^ u64::from(*row)).wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(29)
    })
}

fn upper_half(hash: u64) -> u32 {
    u32::try_from(hash >> 32).expect("32 bits are left")
}

/// The permutation of a row: the finaliser of `MurmurHash3` over the value and the row's own constant.
fn mix(value: u32, row: usize) -> u32 {
    let row = u32::try_from(row).expect("there are few rows");
    let mut mixed = value ^ row.wrapping_add(1).wrapping_mul(0x9e37_79b1);
    mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x85eb_ca6b);
    mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 16)
}

#[cfg(test)]
mod tests;
