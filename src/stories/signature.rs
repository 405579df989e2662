//! An item's signature: enough of its title and text to tell, later and without them, how alike two items are.

use crate::stories::{text, title};

/// Rows a band: texts alike by 0.7 share one of 5 bands of 3 with 88 %, those alike by 0.5 with 49 %, by 0.2 with 4 %.
const TEXT_ROWS: usize = 3;
const TEXT_BANDS: usize = 5;
/// Titles of the same news share fewer words than texts do, but two of the telling ones they nearly always share: each
/// pair of so many is a band, of the heaviest pairs, and of equals those with the least hash. Measured with eight hash
/// functions (`tests/it/stories.rs`): 134 to 139 pairs of items are joined, 137 on average, where comparing every item with
/// all of the window joins 139, and all 15 pairs of the six heaviest words 131 to 137.
const TELLING_TERMS: usize = 12;
const TITLE_BANDS: usize = 13;
/// The place of a title's bands; those of a text are counted.
const TITLE: u32 = u32::MAX;
/// Terms of a title that are kept.
const TITLE_TERMS_MAX: usize = 60;
/// The most bands that a signature has.
#[cfg(test)]
pub(super) const BANDS_MAX: usize = TITLE_BANDS + TEXT_BANDS;

/// The first byte of a stored signature. A change of what is hashed changes it, and older ones are not compared.
const VERSION: u8 = 2;
/// Before the terms: the version, and how many terms there are.
const HEAD_BYTES: usize = 2;
const TERM_BYTES: usize = 3;

/// What an item is about. Equal items give equal bytes on every machine and in every version that writes the
/// same [`VERSION`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// As they are stored and remembered, to save the copies: version, number of terms, the terms by their hashes, three
    /// bytes each, and the text's minima or nothing.
    bytes: Vec<u8>,
}

/// A signature whose bytes are another's.
#[derive(Debug, Clone, Copy)]
pub struct SignatureView<'a> {
    /// Well formed.
    bytes: &'a [u8],
}

/// A term of a title: 22 bits of its hash above two that say its weight and whether it is a number. Of four million pairs of
/// words one is taken for the same; two titles of ten words make a hundred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TitleTerm(u32);

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
        let mut terms: Vec<TitleTerm> = Vec::with_capacity(16);
        title::visit_terms(title, |word, weight| terms.push(TitleTerm::of(word, weight)));
        // Of the same word the heaviest comes last, and is kept.
        terms.sort_unstable();
        terms.dedup_by(|later, kept| {
            let is_same = later.hash() == kept.hash();
            if is_same {
                *kept = *later;
            }
            is_same
        });
        terms.truncate(TITLE_TERMS_MAX);
        let minima = text::minima(text);
        let mut bytes =
            Vec::with_capacity(HEAD_BYTES + terms.len() * TERM_BYTES + minima.map_or(0, |minima| minima.len()));
        bytes.extend([VERSION, u8::try_from(terms.len()).expect("at most TITLE_TERMS_MAX terms")]);
        bytes.extend(terms.iter().flat_map(|term| term.to_bytes()));
        bytes.extend(minima.iter().flatten());
        Self { bytes }
    }

    /// Hashes by which alike items find each other: items that share one are candidates for [`super::join`]. Empty for an
    /// item without words.
    #[must_use]
    pub fn bands(&self) -> Vec<u32> {
        let signature = self.view();
        let mut bands = Vec::with_capacity(signature.bands_count());
        title_bands(signature.terms(), &mut bands);
        // Three minima of a byte are 24 bits: of 50,000 texts, one in seventy meets another so by chance.
        let texts = signature.text().chunks_exact(TEXT_ROWS).take(TEXT_BANDS).zip(0..);
        bands.extend(texts.map(|(rows, place)| band(place, u32::from_le_bytes([rows[0], rows[1], rows[2], 0]), 0)));
        bands
    }

    /// For the store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// From the store; `None` when the bytes are of another version, or no signature.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let (&[version, title_terms], rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let text_bytes = rest.len().checked_sub(usize::from(title_terms) * TERM_BYTES)?;
        let is_whole = version == VERSION && (text_bytes == 0 || text_bytes == text::MINIMA);
        is_whole.then_some(Self { bytes })
    }

    pub(super) fn view(&self) -> SignatureView<'_> {
        SignatureView { bytes: &self.bytes }
    }
}

impl<'a> From<&'a Signature> for SignatureView<'a> {
    fn from(signature: &'a Signature) -> Self {
        signature.view()
    }
}

impl<'a> SignatureView<'a> {
    /// Of bytes that were a signature's.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    fn parts(self) -> (&'a [u8], &'a [u8]) {
        self.bytes[HEAD_BYTES..].split_at(usize::from(self.bytes[1]) * TERM_BYTES)
    }

    fn terms(self) -> &'a [[u8; TERM_BYTES]] {
        self.parts().0.as_chunks().0
    }

    /// The terms, their weight, and whether one is a number.
    fn read_terms(self, room: &mut [TitleTerm; TITLE_TERMS_MAX]) -> (&[TitleTerm], u32, bool) {
        let (mut units, mut has_number, mut count) = (0, false, 0);
        for (place, bytes) in room.iter_mut().zip(self.terms()) {
            *place = TitleTerm::from_bytes(*bytes);
            units += place.weight();
            has_number |= place.is_number();
            count += 1;
        }
        (&room[..count], units, has_number)
    }

    /// Its minima, or nothing.
    fn text(self) -> &'a [u8] {
        self.parts().1
    }

    /// How many bands it has.
    pub(super) fn bands_count(self) -> usize {
        let of_title = match usize::from(self.bytes[1]).min(TELLING_TERMS) {
            1 => 1,
            telling => (telling * telling.saturating_sub(1) / 2).min(TITLE_BANDS),
        };
        of_title + if self.text().is_empty() { 0 } else { TEXT_BANDS }
    }

    /// How alike the texts are, 0 to 1; `None` when one of the items has too little text to say.
    pub(super) fn text_likeness(self, other: SignatureView<'_>) -> Option<f64> {
        Some(text::likeness(self.text().try_into().ok()?, other.text().try_into().ok()?))
    }

    pub(super) fn title_likeness(self, other: SignatureView<'_>) -> TitleLikeness {
        let (mut our_terms, mut their_terms) = ([TitleTerm(0); TITLE_TERMS_MAX], [TitleTerm(0); TITLE_TERMS_MAX]);
        let (mut ours, our_units, we_have_numbers) = self.read_terms(&mut our_terms);
        let (mut theirs, their_units, they_have_numbers) = other.read_terms(&mut their_terms);
        let (mut shared_units, mut numbers_are_shared) = (0, false);
        while let (Some(a), Some(b)) = (ours.first(), theirs.first()) {
            let (our_hash, their_hash) = (a.hash(), b.hash());
            if our_hash == their_hash {
                shared_units += a.weight().min(b.weight());
                numbers_are_shared |= a.is_number();
            }
            ours = &ours[usize::from(our_hash <= their_hash)..];
            theirs = &theirs[usize::from(their_hash <= our_hash)..];
        }
        let all_units = our_units + their_units;
        let both_have_numbers = we_have_numbers && they_have_numbers;
        let all_units = all_units.saturating_sub(shared_units).max(1);
        TitleLikeness {
            shared_units,
            ratio: f64::from(shared_units) / f64::from(all_units),
            numbers_differ: both_have_numbers && !numbers_are_shared,
        }
    }
}

impl TitleTerm {
    fn of(word: &str, weight: u8) -> Self {
        let [.., third, second, first] = text::hash(word.as_bytes()).to_le_bytes();
        let hash = u32::from_le_bytes([third, second, first, 0]);
        Self(hash & !0b11 | u32::from(weight - title::PAIR))
    }

    fn hash(self) -> u32 {
        self.0 >> 2
    }

    fn weight(self) -> u32 {
        (self.0 & 0b11) + u32::from(title::PAIR)
    }

    fn is_number(self) -> bool {
        self.weight() == u32::from(title::NUMBER)
    }

    fn to_bytes(self) -> [u8; TERM_BYTES] {
        let [first, second, third, _] = self.0.to_le_bytes();
        [first, second, third]
    }

    fn from_bytes([first, second, third]: [u8; TERM_BYTES]) -> Self {
        Self(u32::from_le_bytes([first, second, third, 0]))
    }
}

/// Bands of the heaviest pairs of the heaviest terms, of equals those with the least hash: which they are does not depend
/// on the rest.
fn title_bands(terms: &[[u8; TERM_BYTES]], bands: &mut Vec<u32>) {
    let mut telling = [TitleTerm(0); TELLING_TERMS];
    let terms = terms.iter().map(|bytes| TitleTerm::from_bytes(*bytes));
    let of_weight = |weight: u8| terms.clone().filter(move |term| term.weight() == u32::from(weight));
    let heaviest = [title::NAME, title::NUMBER, title::WORD, title::PAIR].into_iter().flat_map(of_weight);
    let count = telling.iter_mut().zip(heaviest).map(|(place, term)| *place = term).count();
    let telling = &mut telling[..count];
    telling.sort_unstable();
    if let [only] = *telling {
        bands.push(band(TITLE, only.hash(), 0));
        return;
    }
    // The heaviest is the least number.
    let mut pairs = [0; TELLING_TERMS * (TELLING_TERMS - 1) / 2];
    let mut count = 0;
    for (after, first) in (1..).zip(&*telling) {
        for next in &telling[after..] {
            let lightness = u64::from(2 * title::NAME) - u64::from(first.weight() + next.weight());
            pairs[count] = lightness << 32 | u64::from(band(TITLE, first.hash(), next.hash()));
            count += 1;
        }
    }
    let pairs = &mut pairs[..count];
    if count > TITLE_BANDS {
        pairs.select_nth_unstable(TITLE_BANDS);
    }
    bands.extend(pairs.iter().take(TITLE_BANDS).map(|pair| text::lower_half(*pair)));
}

/// Rows are compared with those of the same place alone.
fn band(place: u32, row: u32, next: u32) -> u32 {
    let rows = u64::from(row) << 32 | u64::from(next);
    text::upper_half(text::mixed(rows ^ text::mixed(u64::from(place))))
}

#[cfg(test)]
mod tests;
