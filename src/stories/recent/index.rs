//! Places of items by band: a hash table that forgets, in four bytes an entry.
//!
//! Its buckets keep the newest entry first; what is pushed out at the end is the oldest, which the ring of items will soon
//! forget too. A chain through all entries took eight bytes an entry beside its heads, and two cache lines a step.

/// The hash's upper bits name the bucket, at first so many of them. The 16 below are the fingerprint, from which further
/// bits of the bucket come as the table grows: at 32,768 buckets, for 50,000 items, 12 are left to tell entries apart.
const BUCKET_BITS_MIN: u32 = 11;
/// Entries of a bucket; from the most on, a bucket is split into two with the least.
const WIDTH_MIN: usize = 20;
const WIDTH_MAX: usize = 36;
const WIDTH_STEP: usize = 4;

#[derive(Debug)]
pub(super) struct Index {
    /// Fingerprint above place and one; 0 is none. Empty until something is added.
    entries: Vec<u32>,
    bucket_bits: u32,
    width: usize,
    /// Entries of items that are not forgotten; those of the others lie behind them until they are pushed out.
    live: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), bucket_bits: BUCKET_BITS_MIN, width: WIDTH_MIN, live: 0 }
    }

    /// Adds the newest item; its place is below `u16::MAX`.
    pub(super) fn add(&mut self, place: u16, bands: &[u32]) {
        self.live += bands.len();
        // Of 800,000 entries that come one after another, two in a hundred are pushed out on the way; fuller buckets lose more.
        while self.live * 4 > self.entries.len() * 3 {
            self.grow();
        }
        for &band in bands {
            let begins = self.begins(band);
            let bucket = &mut self.entries[begins..begins + self.width];
            bucket.copy_within(..bucket.len() - 1, 1);
            bucket[0] = fingerprint(band) | (u32::from(place) + 1);
        }
    }

    /// Takes note that an item with so many bands is gone.
    pub(super) fn forget(&mut self, bands: usize) {
        self.live = self.live.saturating_sub(bands);
    }

    /// Places of items that may have this band, the newest first.
    pub(super) fn find(&self, band: u32) -> impl Iterator<Item = u16> {
        let begins = self.begins(band);
        let bucket = self.entries.get(begins..begins + self.width).unwrap_or_default();
        let fingerprint = fingerprint(band);
        // Most buckets have none: first the question that can be put to several entries at once.
        let is_fellow = move |entry: &u32| (entry ^ fingerprint) >> 16 == 0;
        let fellows = bucket.iter().filter(|entry| is_fellow(entry)).count();
        let fellows = bucket.iter().filter(move |entry| is_fellow(entry)).take(fellows);
        fellows.filter_map(|entry| u16::try_from(entry & 0xffff).ok()?.checked_sub(1))
    }

    fn begins(&self, band: u32) -> usize {
        (band >> (32 - self.bucket_bits)) as usize * self.width
    }

    /// Makes buckets wider, or splits each in two that are not as wide. In place, from the last bucket on, so that memory
    /// is never taken twice.
    fn grow(&mut self) {
        let (buckets, old_width) = (1 << self.bucket_bits, self.width);
        if self.entries.is_empty() {
            self.entries = vec![0; buckets * old_width];
            return;
        }
        let is_split = old_width == WIDTH_MAX;
        self.width = if is_split { WIDTH_MIN } else { old_width + WIDTH_STEP };
        let width = self.width;
        let grown = buckets * if is_split { 2 } else { 1 } * width;
        self.entries.reserve_exact(grown - self.entries.len());
        self.entries.resize(grown, 0);
        let mut old = [0; WIDTH_MAX];
        for bucket in (0..buckets).rev() {
            let old = &mut old[..old_width];
            old.copy_from_slice(&self.entries[bucket * old_width..][..old_width]);
            if is_split {
                let next_bit = 1 << (31 + BUCKET_BITS_MIN - self.bucket_bits);
                let (lower, upper) = self.entries[bucket * 2 * width..][..2 * width].split_at_mut(width);
                fill(lower, old.iter().filter(|entry| *entry & next_bit == 0));
                fill(upper, old.iter().filter(|entry| *entry & next_bit != 0));
            } else {
                fill(&mut self.entries[bucket * width..][..width], old.iter());
            }
        }
        self.bucket_bits += u32::from(is_split);
    }
}

fn fill<'a>(bucket: &mut [u32], entries: impl Iterator<Item = &'a u32>) {
    bucket.fill(0);
    bucket.iter_mut().zip(entries).for_each(|(slot, entry)| *slot = *entry);
}

/// In the upper half.
fn fingerprint(band: u32) -> u32 {
    band << BUCKET_BITS_MIN & 0xffff_0000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stories::text::{mixed, upper_half};

    fn band(number: u32) -> u32 {
        upper_half(mixed(mixed(u64::from(number))))
    }

    #[test]
    fn what_was_added_is_found_however_often_the_table_grew() {
        let mut index = Index::new();
        assert_eq!(index.find(band(1)).count(), 0);
        let (mut missed, mut by_chance) = (0, 0);
        for place in 0..40_000_u16 {
            let bands: Vec<u32> = (0..20).map(|n| band(u32::from(place) * 20 + n)).collect();
            index.add(place, &bands);
        }
        for place in 0..40_000_u16 {
            for n in 0..20 {
                let found: Vec<u16> = index.find(band(u32::from(place) * 20 + n)).collect();
                missed += u32::from(!found.contains(&place));
                by_chance += found.iter().filter(|found| **found != place).count();
            }
        }
        assert!(missed < 800_000 / 30, "of 800,000 entries {missed} were pushed out");
        assert!(by_chance < 800_000 / 50, "of 800,000 searches {by_chance} found another");
        assert!(index.entries.len() * 4 <= 800_000 * 7, "{} entries", index.entries.len());
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_are_pushed_out() {
        let mut index = Index::new();
        (0..100).for_each(|place| index.add(place, &[7 << 20]));
        assert_eq!(index.find(7 << 20).collect::<Vec<_>>(), (80..100).rev().collect::<Vec<_>>());
        assert_eq!(index.find(8 << 20).count(), 0, "a fingerprint of its own");
    }
}
