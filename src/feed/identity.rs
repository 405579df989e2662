//! What an item is called: the rungs of the identity ladder, and the hash that tells an edit from a repetition.
//!
//! Keys are pure functions of the document. Which rung a feed uses is policy and decided elsewhere.

use super::url::canonical_url;
use crate::model::{ContentHash, ItemContent, ItemKey, ItemKeys, NewItem};
use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::{HashMap, HashSet};
use std::hash::Hasher;

/// Gives each item its keys. An item that stands twice in the document has the same keys twice.
pub(super) fn identify(contents: Vec<ItemContent>) -> Vec<NewItem> {
    let facts: Vec<Facts> = contents.iter().map(Facts::of).collect();
    let mut by_guid: HashMap<&str, HashSet<(&str, &str)>> = HashMap::new();
    let mut by_link: HashMap<&str, HashSet<(&str, &str)>> = HashMap::new();
    let mut by_both: HashMap<(&str, &str), HashSet<&str>> = HashMap::new();
    for item in &facts {
        by_guid.entry(&item.guid).or_default().insert((&item.link, &item.title));
        by_link.entry(&item.link).or_default().insert((&item.guid, &item.title));
        by_both.entry((&item.guid, &item.link)).or_default().insert(&item.title);
    }
    let keys: Vec<ItemKeys> = facts
        .iter()
        .map(|item| ItemKeys {
            guid: (!item.guid.is_empty()).then(|| {
                if by_guid[item.guid.as_str()].len() == 1 {
                    key('g', &[&item.guid])
                } else if by_both[&(item.guid.as_str(), item.link.as_str())].len() == 1 {
                    key('g', &[&item.guid, &item.link])
                } else {
                    key('g', &[&item.guid, &item.link, &item.title])
                }
            }),
            link: (!item.link.is_empty() && by_link[item.link.as_str()].len() == 1).then(|| key('l', &[&item.link])),
            content: key('c', &[&item.title, &item.text]),
        })
        .collect();
    let hashes: Vec<ContentHash> = facts.iter().map(|facts| facts.hash).collect();
    let named = contents.into_iter().zip(keys).zip(hashes);
    named.map(|((content, keys), content_hash)| NewItem { keys, content_hash, content }).collect()
}

/// What of an item its identity rests on. Empty where the item has none.
struct Facts {
    guid: String,
    /// Canonical, so that twins on http and https are one.
    link: String,
    title: String,
    text: String,
    hash: ContentHash,
}

impl Facts {
    fn of(content: &ItemContent) -> Facts {
        let text = if content.content_text.is_empty() { &content.summary } else { &content.content_text };
        Facts {
            guid: content.guid.as_deref().unwrap_or_default().trim().to_owned(),
            link: content.link.as_deref().map(canonical_url).unwrap_or_default(),
            title: content.title.clone(),
            text: super::html::cut(text, 1024).to_owned(),
            hash: content_hash(content),
        }
    }
}

fn key(rung: char, parts: &[&str]) -> ItemKey {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    let (half, _) = digest.split_first_chunk::<16>().expect("a sha-256 has 32 bytes");
    ItemKey(format!("{rung}-{:032x}", u128::from_be_bytes(*half)))
}

/// Hash of what a reader sees of an item: title, link, authors, categories, texts, enclosures.
///
/// Dates are left out, since some feeds move them at every fetch; so is markup, which holds their counters and
/// advertisements. Links are canonical, so that a feed's move to https edits nothing.
pub(super) fn content_hash(content: &ItemContent) -> ContentHash {
    // SipHash with a zero key: a fixed function; the values are stored, so it must never change.
    let mut hasher = SipHasher24::new();
    let mut write = |text: &str| {
        hasher.write(text.as_bytes());
        hasher.write(&[0xff]);
    };
    write(&content.title);
    write(&content.link.as_deref().map(canonical_url).unwrap_or_default());
    content.authors.iter().for_each(|author| write(author));
    write("");
    content.categories.iter().for_each(|category| write(category));
    write("");
    write(&content.summary);
    write(&content.content_text);
    content.enclosures.iter().for_each(|enclosure| write(&enclosure.url));
    ContentHash(hasher.finish128().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(guid: &str, link: &str, title: &str) -> ItemContent {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        ItemContent { guid: some(guid), link: some(link), title: title.to_owned(), ..ItemContent::default() }
    }

    fn keys(items: &[(&str, &str, &str)]) -> Vec<ItemKeys> {
        let contents = items.iter().map(|(guid, link, title)| item(guid, link, title)).collect();
        identify(contents).into_iter().map(|item| item.keys).collect()
    }

    #[test]
    fn retitled_item_keeps_its_key() {
        let before = keys(&[("1", "https://example.org/1", "One")]);
        let after = keys(&[("1", "http://example.org/1?utm_source=x", "One, corrected")]);
        assert_eq!(before[0].guid, after[0].guid);
        assert_eq!(before[0].link, after[0].link);
    }

    #[test]
    fn one_guid_on_five_items_gives_five_keys() {
        let links = ["https://a.example/1", "https://a.example/2", "https://a.example/3", "", ""];
        let titles = ["a", "b", "c", "d", "e"];
        let items: Vec<_> = links.iter().zip(titles).map(|(link, title)| ("same", *link, title)).collect();
        let distinct: HashSet<_> = keys(&items).into_iter().map(|keys| keys.guid).collect();
        assert_eq!(distinct.len(), 5);
    }

    #[test]
    fn the_same_item_twice_is_one() {
        for item in [("1", "https://a.example/", "t"), ("", "https://a.example/", "t"), ("", "", "t")] {
            let once = keys(&[item]);
            assert_eq!(keys(&[item, item]), [once[0].clone(), once[0].clone()], "{item:?}");
        }
    }

    #[test]
    fn a_link_that_all_items_share_is_no_key() {
        let keys = keys(&[("", "https://a.example/", "t"), ("", "https://a.example/", "u")]);
        assert!(keys.iter().all(|keys| keys.link.is_none()));
        assert_ne!(keys[0].content, keys[1].content);
    }

    #[test]
    fn an_edit_changes_the_hash_and_a_moved_date_does_not() {
        let mut content = item("1", "https://a.example/1", "t");
        let before = content_hash(&content);
        content.published_at = Some(crate::model::Timestamp::UNIX_EPOCH);
        assert_eq!(content_hash(&content), before);
        content.summary = "new".to_owned();
        assert_ne!(content_hash(&content), before);
    }
}
