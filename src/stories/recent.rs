//! Which items of late may tell the same news as a new one: an index over their signatures' bands, in memory.
//!
//! Pure. What it finds are hints: the store says what the items are, and [`super::join`] decides. Its size is
//! bounded, whatever comes: the oldest items make room. Kept here and not in the database, since a signature has two
//! dozen bands, and as many rows in random order cost more than everything else of an item (measured: 0.7 byte of
//! database per byte of feed, and four fifths of the time of writing).

use crate::model::{ItemId, Timestamp};
use crate::stories::WINDOW;

/// Items that are news.
const NEWS_ITEMS_MAX: u32 = 1 << 16;
/// What new feeds bring from their past: it is told again mostly by feeds that were added with them.
const ARCHIVE_ITEMS_MAX: u32 = 1 << 14;
/// The most bands that a signature has.
const BANDS_MAX: u32 = 24;
/// Items looked at for one band, the newest first: a title that a site repeats is no news.
const CHAIN_MAX: usize = 64;

/// The index. Takes some 200 bytes an item, 20 MB at most.
#[derive(Debug)]
pub struct RecentItems {
    news: Ring,
    archive: Ring,
}

impl Default for RecentItems {
    fn default() -> Self {
        Self { news: Ring::new(NEWS_ITEMS_MAX), archive: Ring::new(ARCHIVE_ITEMS_MAX) }
    }
}

impl RecentItems {
    /// The most items that it holds.
    pub const ITEMS_MAX: u32 = NEWS_ITEMS_MAX + ARCHIVE_ITEMS_MAX;

    /// Remembers an item, first seen at `first_seen_at`, with [`super::Signature::bands`].
    pub fn add(&mut self, item: ItemId, ordered_at: Timestamp, first_seen_at: Timestamp, bands: &[u64]) {
        let is_news = first_seen_at.duration_since(ordered_at) <= WINDOW;
        let ring = if is_news { &mut self.news } else { &mut self.archive };
        ring.add(item, minute(ordered_at), bands);
    }

    /// Items within the window of `ordered_at` that share a band, each once, in the order of their ids.
    #[must_use]
    pub fn alike(&self, ordered_at: Timestamp, bands: &[u64]) -> Vec<ItemId> {
        let mut found = Vec::new();
        for ring in [&self.news, &self.archive] {
            ring.find(minute(ordered_at), bands, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// A bounded hash index: chains of entries from newer to older, as a compressor keeps its window. An entry that a newer
/// one has replaced ends the chain, since all behind it are older still.
#[derive(Debug)]
struct Ring {
    items_max: u32,
    /// Items ever added; the item with number `n` has place `n % items_max`.
    added: u32,
    items: Vec<(ItemId, i32)>,
    /// `BANDS_MAX` for each item.
    entries: Vec<Entry>,
    /// By the low bits of the hash: the newest entry's number and one; 0 is none.
    heads: Vec<u32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    hash: u32,
    /// As in `heads`.
    older: u32,
}

impl Ring {
    fn new(items_max: u32) -> Self {
        Self { items_max, added: 0, items: Vec::new(), entries: Vec::new(), heads: Vec::new() }
    }

    fn add(&mut self, item: ItemId, minute: i32, bands: &[u64]) {
        if self.added == u32::MAX / BANDS_MAX - 1 {
            // The numbers are used up, after years: what is remembered of three days is let go.
            *self = Self::new(self.items_max);
        }
        let place = index(self.added % self.items_max);
        if place == self.items.len() {
            self.items.push((item, minute));
            self.entries.resize(self.entries.len() + index(BANDS_MAX), Entry::default());
            self.grow_heads();
        } else {
            self.items[place] = (item, minute);
        }
        let first = place * index(BANDS_MAX);
        for (band, hash) in (0..BANDS_MAX).zip(bands) {
            let (number, hash) = (self.added * BANDS_MAX + band, folded(*hash, band));
            let head = hash as usize & (self.heads.len() - 1);
            let older = std::mem::replace(&mut self.heads[head], number + 1);
            self.entries[first + index(band)] = Entry { hash, older };
        }
        self.added += 1;
    }

    /// A head for each second entry at least, so that chains stay short.
    fn grow_heads(&mut self) {
        if self.heads.len() * 2 >= self.entries.len() {
            return;
        }
        self.heads = vec![0; (self.entries.len() * 2).next_power_of_two()];
        let mask = self.heads.len() - 1;
        // Grown only while nothing was replaced yet, so places are numbers; entries without a band were never linked.
        let linked = self.entries.iter_mut().zip(1..).filter(|(entry, _)| entry.hash != 0);
        for (entry, number) in linked {
            entry.older = std::mem::replace(&mut self.heads[entry.hash as usize & mask], number);
        }
    }

    fn find(&self, minute: i32, bands: &[u64], found: &mut Vec<ItemId>) {
        let window_minutes = i32::try_from(WINDOW.as_secs() / 60).expect("a few days") + 1;
        let oldest = self.added.saturating_sub(self.items_max);
        for (band, hash) in (0..BANDS_MAX).zip(bands) {
            let Some(mask) = self.heads.len().checked_sub(1) else { return };
            let hash = folded(*hash, band);
            let mut next = self.heads[hash as usize & mask];
            for _ in 0..CHAIN_MAX {
                let Some(number) = next.checked_sub(1).filter(|number| number / BANDS_MAX >= oldest) else { break };
                let place = number / BANDS_MAX % self.items_max;
                let entry = self.entries[index(place * BANDS_MAX + number % BANDS_MAX)];
                let (item, at) = self.items[index(place)];
                if entry.hash == hash && at.abs_diff(minute) <= window_minutes.unsigned_abs() {
                    found.push(item);
                }
                next = entry.older;
            }
        }
    }
}

/// A band's hash and its place in the list in one; never 0.
fn folded(hash: u64, band: u32) -> u32 {
    let mixed = (hash ^ u64::from(band)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    u32::try_from(mixed >> 32).expect("the upper half") | 1 << 31
}

/// Minutes since 1970, which jiff's range does not exceed.
fn minute(at: Timestamp) -> i32 {
    i32::try_from(at.as_second().div_euclid(60)).unwrap_or(if at < Timestamp::UNIX_EPOCH { i32::MIN } else { i32::MAX })
}

fn index(number: u32) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn hours(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn ids(found: &[ItemId]) -> Vec<i64> {
        found.iter().map(|item| item.0).collect()
    }

    #[test]
    fn items_that_share_a_band_at_the_same_place_within_the_window_are_found_once() {
        let mut recent = RecentItems::default();
        recent.add(ItemId(1), hours(100), hours(100), &[11, 12, 13]);
        recent.add(ItemId(2), hours(110), hours(110), &[21, 12, 13]);
        recent.add(ItemId(3), hours(300), hours(300), &[11, 12, 13]);
        recent.add(ItemId(4), hours(100), hours(900), &[11, 0, 0]);
        let check = |at, bands: &[u64], expected: &[i64]| assert_eq!(ids(&recent.alike(hours(at), bands)), expected);
        check(101, &[11, 12, 13], &[1, 2, 4]);
        check(101, &[11, 1, 1], &[1, 4]);
        check(101, &[12, 11, 1], &[]);
        check(301, &[11, 12, 13], &[3]);
        check(101, &[], &[]);
        assert_eq!(RecentItems::default().alike(hours(1), &[1]), []);
    }

    #[test]
    fn the_oldest_items_make_room_and_the_newest_are_all_found() {
        let mut ring = Ring::new(100);
        for n in 0..1_000_u32 {
            let shared = u64::from(n % 10);
            ring.add(ItemId(i64::from(n)), 0, &[u64::from(n) + 1000, shared]);
        }
        let find = |bands: &[u64]| {
            let mut found = Vec::new();
            ring.find(0, bands, &mut found);
            ids(&found)
        };
        for n in 0..1_000_u32 {
            let expected: &[i64] = if n < 900 { &[] } else { &[i64::from(n)] };
            assert_eq!(find(&[u64::from(n) + 1000]), expected, "{n}");
        }
        let mut same = find(&[1, 7]);
        same.sort_unstable();
        assert_eq!(same, (90..100).map(|tens| tens * 10 + 7).collect::<Vec<_>>());
        assert_eq!(ring.entries.len(), 100 * index(BANDS_MAX));
    }

    #[test]
    fn a_band_that_everybody_shares_is_not_followed_to_its_end() {
        let mut ring = Ring::new(10_000);
        (0..10_000).for_each(|n| ring.add(ItemId(n), 0, &[7]));
        let mut found = Vec::new();
        ring.find(0, &[7], &mut found);
        assert_eq!(ids(&found), (10_000 - 64..10_000).rev().collect::<Vec<_>>());
    }
}
