//! A digest's documents: which entries stand in which, and where each document is.

use crate::digest::{Publisher, feed_id};
use crate::model::{DigestSpec, FeedAddresses, PublishedEntry, PublishedFeed, Timestamp};

/// The document that subscribers poll, or a page of the archive.
///
/// `entries` are sorted here, newest first by `published_at`: a feed that suddenly shows its archive does
/// not get on top. `changed_at` is when anything in the digest last changed.
#[must_use]
pub fn document(
    spec: &DigestSpec,
    publisher: &Publisher,
    addresses: FeedAddresses,
    mut entries: Vec<PublishedEntry>,
    changed_at: Timestamp,
) -> PublishedFeed {
    entries.sort_by(|a, b| b.published_at.cmp(&a.published_at).then_with(|| a.id.cmp(&b.id)));
    PublishedFeed {
        id: feed_id(&spec.name),
        title: spec.title.clone(),
        description: description(spec),
        author: "veille".to_owned(),
        language: common_language(entries.iter()),
        updated_at: changed_at,
        ttl_s: publisher.ttl_s,
        addresses,
        hubs: publisher.hubs.clone(),
        icon_url: None,
        entries,
    }
}

fn description(spec: &DigestSpec) -> String {
    match &spec.description {
        Some(text) if !text.trim().is_empty() => text.clone(),
        _ => format!("{}, kept by veille", spec.title),
    }
}

/// The language that all of the entries have.
pub(super) fn common_language<'a>(mut entries: impl Iterator<Item = &'a PublishedEntry>) -> Option<String> {
    let language = entries.next()?.language.as_ref()?;
    entries.all(|entry| entry.language.as_ref() == Some(language)).then(|| language.clone())
}

/// How a digest's members are dealt out to the pages of its archive (RFC 5005 section 4).
///
/// Page `n` holds the members with sequences from `(n - 1) * size + 1` to `n * size` and exists once the
/// last of them was given. So its members never change, while the document that subscribers poll holds
/// the newest `size` members and overlaps with the last page: nothing falls between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archive {
    /// Members a page, which is also the least that the polled document holds.
    pub page_size: u32,
    /// The highest sequence given so far; 0 for none.
    pub last_sequence: i64,
}

impl Archive {
    /// The number of pages; the newest page has this number, the oldest number 1.
    #[must_use]
    pub fn pages(self) -> u32 {
        let full = self.last_sequence.max(0) / i64::from(self.page_size.max(1));
        u32::try_from(full).unwrap_or(u32::MAX)
    }

    /// The sequences that a page holds.
    #[must_use]
    pub fn sequences(self, page: u32) -> std::ops::RangeInclusive<i64> {
        let size = i64::from(self.page_size.max(1));
        (i64::from(page) - 1) * size + 1..=i64::from(page) * size
    }

    /// The addresses of the polled document of the digest at `stem` (`https://watch.example.org/digests/NAME`).
    #[must_use]
    pub fn current_addresses(self, stem: &str, page_url: &str) -> FeedAddresses {
        FeedAddresses {
            page_url: page_url.to_owned(),
            stem: stem.to_owned(),
            older_stem: self.page_stem(stem, self.pages()),
            ..FeedAddresses::default()
        }
    }

    /// The addresses of a page; `None` when there is no such page.
    #[must_use]
    pub fn page_addresses(self, stem: &str, page_url: &str, page: u32) -> Option<FeedAddresses> {
        Some(FeedAddresses {
            page_url: page_url.to_owned(),
            stem: self.page_stem(stem, page)?,
            current_stem: Some(stem.to_owned()),
            older_stem: self.page_stem(stem, page - 1),
            newer_stem: self.page_stem(stem, page.saturating_add(1)),
        })
    }

    fn page_stem(self, stem: &str, page: u32) -> Option<String> {
        (1..=self.pages()).contains(&page).then(|| format!("{stem}/archive/{page}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_in_a_page_or_among_the_newest() {
        for last_sequence in 0..60 {
            let archive = Archive { page_size: 7, last_sequence };
            let archived: Vec<i64> = (1..=archive.pages()).flat_map(|page| archive.sequences(page)).collect();
            assert_eq!(archived, (1..=archived.len().try_into().unwrap()).collect::<Vec<i64>>());
            let first_shown = (last_sequence - 6).max(1);
            assert!(archived.last().copied().unwrap_or(0) >= first_shown - 1, "a gap at {last_sequence}");
        }
    }

    #[test]
    fn pages_lead_to_their_neighbours_and_no_further() {
        let archive = Archive { page_size: 10, last_sequence: 25 };
        let at = |page| archive.page_addresses("https://w/d/a", "https://w/p", page);
        assert_eq!(archive.current_addresses("https://w/d/a", "").older_stem.unwrap(), "https://w/d/a/archive/2");
        assert_eq!(at(1).unwrap().older_stem, None);
        assert_eq!(at(1).unwrap().newer_stem.unwrap(), "https://w/d/a/archive/2");
        assert_eq!(at(2).unwrap().newer_stem, None);
        assert!(at(0).is_none() && at(3).is_none());
    }
}
