//! The items of late that may tell the same news as a new one: their signatures in memory, indexed by band and by link.
//!
//! Pure. It finds candidates, [`super::join`] decides. Its size is bounded, whatever comes: the oldest items make room.
//! The index is not in the database, since a signature has up to eighteen bands, and as many rows in random order cost more
//! than everything else of an item (measured: 0.7 byte of database per byte of feed, and four fifths of the time of
//! writing).

mod index;

use super::{Candidate, Signature, SignatureView};
use crate::model::{FeedId, LinkHash, StoryId, Timestamp};
use crate::stories::WINDOW;
use index::Index;

/// Items that are news. Fewer than 65,535, as many as the index can name.
const NEWS_ITEMS_MAX: u16 = 3 << 14;
/// What new feeds bring from their past: it is told again mostly by feeds that were added with them.
const ARCHIVE_ITEMS_MAX: u16 = 1 << 13;
/// Items whose signatures lie in one allocation, and are forgotten together.
const SHELF_ITEMS: u16 = 64;

/// An item and the story that it tells.
#[derive(Debug, Clone, Copy)]
pub struct Teller<'a> {
    pub story_id: StoryId,
    pub feed_id: FeedId,
    pub ordered_at: Timestamp,
    pub link: Option<LinkHash>,
    pub signature: &'a Signature,
}

/// The index. Takes some 190 bytes an item of ten telling words and a text, 10 MB for as many of those as it holds.
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
    pub const ITEMS_MAX: u32 = NEWS_ITEMS_MAX as u32 + ARCHIVE_ITEMS_MAX as u32;

    /// Remembers an item, first seen at `first_seen_at`, that was placed in its story; `bands` are its signature's.
    pub fn add(&mut self, teller: Teller<'_>, bands: &[u32], first_seen_at: Timestamp) {
        let is_news = first_seen_at.duration_since(teller.ordered_at) <= WINDOW;
        let ring = if is_news { &mut self.news } else { &mut self.archive };
        ring.add(teller, bands);
    }

    /// Items within the window of `ordered_at` that have this link or share a band, each once, the news before the archive.
    /// Their place in time is known to the minute.
    #[must_use]
    pub fn alike(&self, ordered_at: Timestamp, link: Option<LinkHash>, bands: &[u32]) -> Vec<Candidate<'_>> {
        let mut found = self.news.alike(minute(ordered_at), link, bands);
        found.extend(self.archive.alike(minute(ordered_at), link, bands));
        found
    }
}

/// The last so many items, in places that are used in turn.
#[derive(Debug)]
struct Ring {
    items_max: u16,
    /// Where the next item goes.
    next: u16,
    items: Vec<Item>,
    /// Signatures of the items, [`SHELF_ITEMS`] a shelf: in allocations of their own they would take twice their size.
    shelves: Vec<Vec<u8>>,
    index: Index,
}

/// An item without its signature, in 24 bytes.
#[derive(Debug, Clone, Copy)]
struct Item {
    story: u32,
    feed: u32,
    /// Of `ordered_at`.
    minute: i32,
    link: Option<LinkHash>,
    /// Where its signature begins and ends on its shelf; 0 and 0 once it is forgotten.
    begins: u16,
    ends: u16,
}

impl Ring {
    fn new(items_max: u16) -> Self {
        Self { items_max, next: 0, items: Vec::new(), shelves: Vec::new(), index: Index::new() }
    }

    fn add(&mut self, teller: Teller<'_>, bands: &[u32]) {
        // Half the bytes, for no database comes to four thousand million feeds or stories. In one that did, by numbers given
        // from elsewhere, items would be shown apart.
        let (Ok(story), Ok(feed)) = (u32::try_from(teller.story_id.0), u32::try_from(teller.feed_id.0)) else { return };
        let place = self.next;
        if place.is_multiple_of(SHELF_ITEMS) {
            self.empty_shelf(usize::from(place / SHELF_ITEMS));
        }
        let shelf = &mut self.shelves[usize::from(place / SHELF_ITEMS)];
        let begins = end(shelf);
        shelf.extend(teller.signature.as_bytes());
        let link = teller.link;
        let item = Item { story, feed, minute: minute(teller.ordered_at), link, begins, ends: end(shelf) };
        if let Some(oldest) = self.items.get_mut(usize::from(place)) {
            *oldest = item;
        } else {
            if self.items.len() == self.items.capacity() {
                self.items.reserve_exact((self.items.len() / 8).max(usize::from(SHELF_ITEMS)));
            }
            self.items.push(item);
        }
        self.index.add(place, bands);
        if let Some(link) = link {
            self.index.add(place, &[link_band(link)]);
        }
        self.next = (place + 1) % self.items_max;
    }

    /// Makes room on a shelf, whose items are the oldest, and forgets them.
    fn empty_shelf(&mut self, shelf: usize) {
        if let Some(filled) = shelf.checked_sub(1) {
            self.shelves[filled].shrink_to_fit();
        }
        if shelf == self.shelves.len() {
            self.shelves.push(Vec::new());
            return;
        }
        let first = shelf * usize::from(SHELF_ITEMS);
        for item in self.items[first..].iter_mut().take(usize::from(SHELF_ITEMS)) {
            let signature = item.signature(&self.shelves[shelf]);
            self.index.forget(signature.map_or(0, SignatureView::bands_count) + usize::from(item.link.is_some()));
            (item.begins, item.ends) = (0, 0);
        }
        self.shelves[shelf].clear();
    }

    fn alike(&self, minute: i32, link: Option<LinkHash>, bands: &[u32]) -> Vec<Candidate<'_>> {
        let mut places = self.find(minute, bands);
        if let Some(link) = link {
            places.extend(self.find(minute, &[link_band(link)]));
        }
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| self.candidate(place, link)).collect()
    }

    /// Places of items, some more than once.
    fn find(&self, minute: i32, bands: &[u32]) -> Vec<u16> {
        let mut found = Vec::new();
        let window_minutes = u32::try_from(WINDOW.as_secs() / 60).expect("a few days") + 1;
        for &band in bands {
            // In a bucket they get older; one that is newer again has a place in which another item was before.
            let mut age_before = 0;
            for place in self.index.find(band) {
                let age = self.age(place);
                if age < age_before {
                    break;
                }
                age_before = age;
                if self.items[usize::from(place)].minute.abs_diff(minute) <= window_minutes {
                    found.push(place);
                }
            }
        }
        found
    }

    /// How many items came after the one in this place.
    fn age(&self, place: u16) -> u32 {
        let (next, place) = (u32::from(self.next), u32::from(place));
        if place < next { next - 1 - place } else { next + u32::from(self.items_max) - 1 - place }
    }

    fn candidate(&self, place: u16, link: Option<LinkHash>) -> Option<Candidate<'_>> {
        let item = self.items[usize::from(place)];
        let signature = item.signature(&self.shelves[usize::from(place / SHELF_ITEMS)])?;
        Some(Candidate {
            story_id: StoryId(i64::from(item.story)),
            feed_id: FeedId(i64::from(item.feed)),
            ordered_at: Timestamp::from_second(i64::from(item.minute) * 60).ok()?,
            signature,
            same_link: link.is_some() && link == item.link,
        })
    }
}

impl Item {
    fn signature(self, shelf: &[u8]) -> Option<SignatureView<'_>> {
        let bytes = shelf.get(usize::from(self.begins)..usize::from(self.ends))?;
        (!bytes.is_empty()).then(|| SignatureView::of_bytes(bytes))
    }
}

/// Minutes since 1970; what is as far off as the year 6000 is all of one minute.
fn minute(at: Timestamp) -> i32 {
    i32::try_from(at.as_second().div_euclid(60)).unwrap_or(if at < Timestamp::UNIX_EPOCH { i32::MIN } else { i32::MAX })
}

/// A link in the index, where signatures have their bands.
fn link_band(link: LinkHash) -> u32 {
    u32::try_from(link.get() >> 28).expect("60 bits")
}

fn end(shelf: &[u8]) -> u16 {
    u16::try_from(shelf.len()).expect("64 signatures of at most 214 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn hours(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn teller(story: i64, ordered_at: Timestamp, signature: &Signature) -> Teller<'_> {
        Teller { story_id: StoryId(story), feed_id: FeedId(1), ordered_at, link: None, signature }
    }

    fn remember(recent: &mut RecentItems, story: i64, ordered_at: Timestamp, title: &str, first_seen_at: Timestamp) {
        let signature = Signature::of(title, "");
        recent.add(teller(story, ordered_at, &signature), &signature.bands(), first_seen_at);
    }

    fn add(ring: &mut Ring, story: i64, title: &str) {
        let signature = Signature::of(title, "");
        ring.add(teller(story, hours(0), &signature), &signature.bands());
    }

    fn stories(found: &[Candidate<'_>]) -> Vec<i64> {
        found.iter().map(|candidate| candidate.story_id.0).collect()
    }

    #[test]
    fn alike_items_within_the_window_are_found_once() {
        let mut recent = RecentItems::default();
        let title = "Kyutai opens an office in Montreal";
        remember(&mut recent, 1, hours(100), title, hours(100));
        remember(&mut recent, 2, hours(110), "Seven recipes with lentils", hours(110));
        remember(&mut recent, 3, hours(300), title, hours(300));
        remember(&mut recent, 4, hours(100), title, hours(900));
        let check = |at, title: &str, expected: &[i64]| {
            assert_eq!(stories(&recent.alike(hours(at), None, &Signature::of(title, "").bands())), expected);
        };
        check(101, title, &[1, 4]);
        check(301, title, &[3]);
        check(101, "Recipes with lentils, seven of them", &[2]);
        check(101, "", &[]);
        assert_eq!(RecentItems::default().alike(hours(1), None, &[1]).len(), 0);
    }

    #[test]
    fn an_item_with_the_same_link_is_found_by_it_and_told_from_one_that_is_alike() {
        let mut recent = RecentItems::default();
        let link = |hash| LinkHash::new(hash);
        let mut add = |story, title, link| {
            let signature = Signature::of(title, "");
            let teller = Teller { link, ..teller(story, hours(100), &signature) };
            recent.add(teller, &signature.bands(), hours(100));
        };
        add(1, "Kyutai opens an office in Montreal", link(7 << 50 | 1));
        add(2, "Seven recipes with lentils", link(7 << 50 | 2));
        add(3, "Open thread", None);
        let check = |title, link, expected: &[(i64, bool)]| {
            let found = recent.alike(hours(101), link, &Signature::of(title, "").bands());
            let found: Vec<_> = found.iter().map(|candidate| (candidate.story_id.0, candidate.same_link)).collect();
            assert_eq!(found, expected);
        };
        // The band of one link is that of the other, too.
        check("Something else entirely", link(7 << 50 | 1), &[(1, true), (2, false)]);
        check("Lentils: seven recipes", link(7 << 50 | 1), &[(1, true), (2, false)]);
        check("Lentils: seven recipes", None, &[(2, false)]);
        check("Something else entirely", link(8 << 50), &[]);
    }

    #[test]
    fn the_oldest_items_make_room_and_the_newest_are_all_found() {
        let mut ring = Ring::new(100);
        // A word of its own for each.
        let letters = |n: i64| n.to_string().bytes().map(|digit| char::from(digit + b'q' - b'0')).collect::<String>();
        let title = |n: i64| format!("k{}", letters(n));
        let check = |ring: &Ring, oldest: i64, newest: i64| {
            let has = |n: i64| stories(&ring.alike(0, None, &Signature::of(&title(n), "").bands())) == [n];
            let found: Vec<i64> = (0..newest + 10).filter(|n| has(*n)).collect();
            assert_eq!(found, (oldest..=newest).collect::<Vec<_>>());
        };
        (0..1000).for_each(|n| add(&mut ring, n, &title(n)));
        check(&ring, 900, 999);
        // The places on a shelf are emptied together.
        add(&mut ring, 1000, &title(1000));
        check(&ring, 964, 1000);
        (1001..1064).for_each(|n| add(&mut ring, n, &title(n)));
        check(&ring, 964, 1063);
        assert_eq!((ring.items.len(), ring.shelves.len()), (100, 2));
    }

    #[test]
    fn a_band_that_everybody_shares_is_not_followed_to_its_end() {
        let mut ring = Ring::new(1000);
        (0..990).for_each(|n| add(&mut ring, n, "Open thread"));
        let find = |ring: &Ring| ring.find(0, &Signature::of("Open thread", "").bands());
        let found = find(&ring);
        assert!((16..=64).contains(&found.len()), "{}", found.len());
        assert_eq!(found[..3], [989, 988, 987]);
        // Nor does it lead to places that other items have now.
        (0..1000).for_each(|n| add(&mut ring, n, "Other words"));
        assert_eq!(ring.next, 990);
        (0..8).for_each(|n| add(&mut ring, n, "Open thread"));
        assert_eq!(find(&ring)[..8], [997, 996, 995, 994, 993, 992, 991, 990]);
    }
}
