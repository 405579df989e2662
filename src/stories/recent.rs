//! The items of late that may tell the same news as a new one: their signatures in memory, indexed by band.
//!
//! Pure. It finds candidates, [`super::join`] decides. Its size is bounded, whatever comes: the oldest items make room.
//! The index is not in the database, since a signature has two dozen bands, and as many rows in random order cost more
//! than everything else of an item (measured: 0.7 byte of database per byte of feed, and four fifths of the time of
//! writing).

use super::{Candidate, Signature};
use crate::model::{FeedId, StoryId, Timestamp};
use crate::stories::WINDOW;

/// Items that are news.
const NEWS_ITEMS_MAX: u32 = 3 << 14;
/// What new feeds bring from their past: it is told again mostly by feeds that were added with them.
const ARCHIVE_ITEMS_MAX: u32 = 1 << 13;
/// The most bands that a signature has.
const BANDS_MAX: u32 = 24;
/// Items looked at for one band, the newest first: a title that a site repeats is no news.
const CHAIN_MAX: usize = 64;

/// An item and the story that it tells.
#[derive(Debug, Clone)]
pub struct Teller {
    pub story_id: StoryId,
    pub feed_id: FeedId,
    pub ordered_at: Timestamp,
    pub signature: Signature,
}

impl Teller {
    fn candidate(&self) -> Candidate<'_> {
        let &Self { story_id, feed_id, ordered_at, ref signature } = self;
        Candidate { story_id, feed_id, ordered_at, signature: Some(signature), same_link: false }
    }
}

/// The index. Takes some 500 bytes an item, 32 MB at most.
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

    /// Remembers an item, first seen at `first_seen_at`, that was placed in its story; `bands` are its signature's.
    pub fn add(&mut self, teller: Teller, bands: &[u64], first_seen_at: Timestamp) {
        let is_news = first_seen_at.duration_since(teller.ordered_at) <= WINDOW;
        let ring = if is_news { &mut self.news } else { &mut self.archive };
        ring.add(teller, bands);
    }

    /// Items within the window of `ordered_at` that share a band, each once, the news before the archive and the older
    /// before the newer.
    #[must_use]
    pub fn alike(&self, ordered_at: Timestamp, bands: &[u64]) -> Vec<Candidate<'_>> {
        let mut found = self.news.alike(minute(ordered_at), bands);
        found.extend(self.archive.alike(minute(ordered_at), bands));
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
    items: Vec<Teller>,
    /// Of `ordered_at`, apart, since most items found are out of the window.
    minutes: Vec<i32>,
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
        Self { items_max, added: 0, items: Vec::new(), minutes: Vec::new(), entries: Vec::new(), heads: Vec::new() }
    }

    fn add(&mut self, teller: Teller, bands: &[u64]) {
        if self.added == u32::MAX / BANDS_MAX - 1 {
            // The numbers are used up, after years: what is remembered of three days is let go.
            *self = Self::new(self.items_max);
        }
        let place = index(self.added % self.items_max);
        if place == self.items.len() {
            self.minutes.push(minute(teller.ordered_at));
            self.items.push(teller);
            self.entries.resize(self.entries.len() + index(BANDS_MAX), Entry::default());
            self.grow_heads();
        } else {
            self.minutes[place] = minute(teller.ordered_at);
            self.items[place] = teller;
        }
        let first = place * index(BANDS_MAX);
        for (band, hash) in (0..BANDS_MAX).zip(bands) {
            let (number, hash) = (self.added * BANDS_MAX + band, folded(*hash));
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
        self.heads = vec![0; self.entries.len().next_power_of_two()];
        let mask = self.heads.len() - 1;
        // Grown only while nothing was replaced yet, so places are numbers; entries without a band were never linked.
        let linked = self.entries.iter_mut().zip(1..).filter(|(entry, _)| entry.hash != 0);
        for (entry, number) in linked {
            entry.older = std::mem::replace(&mut self.heads[entry.hash as usize & mask], number);
        }
    }

    fn alike(&self, minute: i32, bands: &[u64]) -> Vec<Candidate<'_>> {
        let mut places = self.find(minute, bands);
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| self.items[place].candidate()).collect()
    }

    /// Places of items, some more than once.
    fn find(&self, minute: i32, bands: &[u64]) -> Vec<usize> {
        let mut found = Vec::new();
        let window_minutes = i32::try_from(WINDOW.as_secs() / 60).expect("a few days") + 1;
        let oldest = self.added.saturating_sub(self.items_max);
        for hash in bands {
            let Some(mask) = self.heads.len().checked_sub(1) else { break };
            let hash = folded(*hash);
            let mut next = self.heads[hash as usize & mask];
            for _ in 0..CHAIN_MAX {
                let Some(number) = next.checked_sub(1).filter(|number| number / BANDS_MAX >= oldest) else { break };
                let place = number / BANDS_MAX % self.items_max;
                let entry = self.entries[index(place * BANDS_MAX + number % BANDS_MAX)];
                if entry.hash == hash && self.minutes[index(place)].abs_diff(minute) <= window_minutes.unsigned_abs() {
                    found.push(index(place));
                }
                next = entry.older;
            }
        }
        found
    }
}

/// Half of a band's hash; never 0.
fn folded(hash: u64) -> u32 {
    let mixed = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
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

    fn teller(story: i64, ordered_at: Timestamp, title: &str) -> Teller {
        Teller { story_id: StoryId(story), feed_id: FeedId(1), ordered_at, signature: Signature::of(title, "") }
    }

    fn remember(recent: &mut RecentItems, teller: Teller, first_seen_at: Timestamp) {
        let bands = teller.signature.bands();
        recent.add(teller, &bands, first_seen_at);
    }

    fn add(ring: &mut Ring, teller: Teller) {
        let bands = teller.signature.bands();
        ring.add(teller, &bands);
    }

    fn stories(found: &[Candidate<'_>]) -> Vec<i64> {
        found.iter().map(|candidate| candidate.story_id.0).collect()
    }

    #[test]
    fn alike_items_within_the_window_are_found_once() {
        let mut recent = RecentItems::default();
        let title = "Kyutai opens an office in Montreal";
        remember(&mut recent, teller(1, hours(100), title), hours(100));
        remember(&mut recent, teller(2, hours(110), "Seven recipes with lentils"), hours(110));
        remember(&mut recent, teller(3, hours(300), title), hours(300));
        remember(&mut recent, teller(4, hours(100), title), hours(900));
        let check = |at, title: &str, expected: &[i64]| {
            assert_eq!(stories(&recent.alike(hours(at), &Signature::of(title, "").bands())), expected);
        };
        check(101, title, &[1, 4]);
        check(301, title, &[3]);
        check(101, "Recipes with lentils, seven of them", &[2]);
        check(101, "", &[]);
        assert_eq!(RecentItems::default().alike(hours(1), &[1]).len(), 0);
    }

    #[test]
    fn the_oldest_items_make_room_and_the_newest_are_all_found() {
        let mut ring = Ring::new(100);
        // A word of its own for each.
        let letters = |n: i64| n.to_string().bytes().map(|digit| char::from(digit + b'q' - b'0')).collect::<String>();
        let title = |n: i64| format!("k{}", letters(n));
        (0..1000).for_each(|n| add(&mut ring, teller(n, hours(0), &title(n))));
        let has = |n: i64| stories(&ring.alike(0, &Signature::of(&title(n), "").bands())) == [n];
        let found: Vec<i64> = (0..1000).filter(|n| has(*n)).collect();
        assert_eq!(found, (900..1000).collect::<Vec<_>>());
        assert_eq!(ring.entries.len(), 100 * index(BANDS_MAX));
    }

    #[test]
    fn a_band_that_everybody_shares_is_not_followed_to_its_end() {
        let mut ring = Ring::new(1000);
        (0..1000).for_each(|n| add(&mut ring, teller(n, hours(0), "Open thread")));
        let mut found = ring.find(0, &Signature::of("Open thread", "").bands());
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, (1000 - CHAIN_MAX..1000).collect::<Vec<_>>());
    }
}
