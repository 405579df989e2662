//! Ids of what we publish. Each is a pure function of names that survive a rebuilt store: no row
//! number, no clock, no address of ours goes in, so an id never changes and a lost transaction
//! replays to the same one.

use crate::model::{DigestName, EntryId, ItemKey, NoticeKind, Timestamp};
use sha2::{Digest as _, Sha256};

/// The id of a story's entry: from the identity of the feed (its URL as first configured) and the
/// key of the story's first item. The same in every digest, so a reader of two shows it once.
#[must_use]
pub fn story_entry_id(feed_url: &str, key: &ItemKey) -> EntryId {
    entry_id("story", &[feed_url, &key.0])
}

/// The id of an issue's entry.
#[must_use]
pub fn issue_entry_id(digest: &DigestName, period: &str) -> EntryId {
    entry_id("issue", &[&digest.0, period])
}

/// The id of a notice's entry: from the identity of the feed (none for many at once), what it tells and since when.
#[must_use]
pub fn notice_entry_id(feed_url: &str, kind: NoticeKind, started_at: Timestamp) -> EntryId {
    entry_id("notice", &[feed_url, kind.name(), &started_at.as_millisecond().to_string()])
}

/// The id that stands for a feed whose address is not told whole.
#[must_use]
pub fn source_id(feed_url: &str) -> String {
    entry_id("feed", &[feed_url]).0
}

/// The id of a digest itself.
#[must_use]
pub fn feed_id(digest: &DigestName) -> EntryId {
    entry_id("digest", &[&digest.0])
}

/// The id of what is pushed to one receiver: the same at every try, another for every receiver.
#[must_use]
pub fn delivery_id(digest: &DigestName, target: &str, subject: &str) -> String {
    entry_id("delivery", &[&digest.0, target, subject]).0
}

/// A name-based UUID of version 8 (RFC 9562 section 5.8): 122 bits of SHA-256 over the kind and the
/// length-prefixed parts, so that no two lists of parts run into the same bytes.
fn entry_id(kind: &str, parts: &[&str]) -> EntryId {
    let mut hasher = Sha256::new();
    for part in std::iter::once(&kind).chain(parts) {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let digest = hasher.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = u128::from_be_bytes(bytes);
    let text = format!("{hex:032x}");
    EntryId(format!("urn:uuid:{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fixed_for_ever() {
        // A change of these strings re-announces every entry to every subscriber.
        let key = ItemKey("guid:1".into());
        assert_eq!(
            story_entry_id("https://example.org/feed.xml", &key).0,
            "urn:uuid:fddb84a1-9c59-8396-a29d-cc016590e27a"
        );
        assert_eq!(
            issue_entry_id(&DigestName("weekly".into()), "2026-W48").0,
            "urn:uuid:3b1aa17d-af64-8344-a6be-cf35b6079f2b"
        );
        assert_eq!(feed_id(&DigestName("weekly".into())).0, "urn:uuid:2df51e46-5e16-89e6-95fc-4549a8dffa41");
    }

    #[test]
    fn ids_are_uuids_of_version_8() {
        let id = feed_id(&DigestName("a".into())).0;
        let uuid = id.strip_prefix("urn:uuid:").unwrap();
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "8");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"));
    }

    #[test]
    fn parts_do_not_run_together() {
        let id = |url, key: &str| story_entry_id(url, &ItemKey(key.into()));
        assert_ne!(id("https://a/", "bc"), id("https://a/b", "c"));
        assert_ne!(issue_entry_id(&DigestName("a".into()), "b"), story_entry_id("a", &ItemKey("b".into())));
    }
}
