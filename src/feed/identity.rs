//! What an item is called: the rungs of the identity ladder, and the hash that tells an edit from a repetition.
//!
//! Keys are pure functions of the document. Which rung a feed uses is policy and decided elsewhere.

use super::url::canonical_url;
use crate::model::{ContentHash, ItemContent, ItemKey, ItemKeys, NewItem};
use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher24};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

/// Gives each item its keys. An item that stands twice in the document has the same keys twice.
pub(super) fn identify(contents: Vec<ItemContent>) -> Vec<NewItem> {
    let facts: Vec<Facts> = contents.iter().map(Facts::of).collect();
    let by_guid = shared(facts.iter().map(|item| (item.guid, (item.link.as_str(), item.title))));
    let by_link = shared(facts.iter().map(|item| (item.link.as_str(), (item.guid, item.title))));
    let on_shared_guid = facts.iter().filter(|item| by_guid.contains(item.guid));
    let by_both = shared(on_shared_guid.map(|item| ((item.guid, item.link.as_str()), item.title)));
    let keys = |item: &Facts<'_>| ItemKeys {
        guid: (!item.guid.is_empty()).then(|| {
            if !by_guid.contains(item.guid) {
                key('g', &[item.guid])
            } else if !by_both.contains(&(item.guid, item.link.as_str())) {
                key('g', &[item.guid, &item.link])
            } else {
                key('g', &[item.guid, &item.link, item.title])
            }
        }),
        link: (!item.link.is_empty() && !by_link.contains(item.link.as_str())).then(|| key('l', &[&item.link])),
        content: key('c', &[item.title, item.text]),
    };
    let named: Vec<(ItemKeys, ContentHash)> = facts.iter().map(|facts| (keys(facts), facts.hash)).collect();
    let items = contents.into_iter().zip(named);
    items.map(|(content, (keys, content_hash))| NewItem { keys, content_hash, content }).collect()
}

/// The names that things have in common which differ.
fn shared<K: Copy + Eq + Hash, V: Eq>(things: impl Iterator<Item = (K, V)>) -> HashSet<K> {
    let mut first: HashMap<K, V> = HashMap::with_capacity(things.size_hint().0);
    let mut shared = HashSet::new();
    for (name, thing) in things {
        match first.entry(name) {
            Entry::Occupied(known) if *known.get() != thing => {
                shared.insert(name);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(thing);
            }
        }
    }
    shared
}

/// The key that a link gives to an item where no other item of the document has it.
#[must_use]
pub fn link_key(link: &str) -> ItemKey {
    key('l', &[&canonical_url(link)])
}

/// What of an item its identity rests on. Empty where the item has none.
struct Facts<'a> {
    guid: &'a str,
    /// Canonical, so that twins on http and https are one.
    link: String,
    title: &'a str,
    text: &'a str,
    hash: ContentHash,
}

impl<'a> Facts<'a> {
    fn of(content: &'a ItemContent) -> Facts<'a> {
        let text = if content.content_text.is_empty() { &content.summary } else { &content.content_text };
        let link = content.link.as_deref().map(canonical_url).unwrap_or_default();
        Facts {
            guid: content.guid.as_deref().unwrap_or_default().trim(),
            hash: content_hash(content, &link),
            link,
            title: &content.title,
            text: super::html::cut(text, 1024),
        }
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn key(rung: char, parts: &[&str]) -> ItemKey {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    let mut key = String::with_capacity(2 + 32);
    key.push(rung);
    key.push('-');
    for byte in &digest[..16] {
        key.push(char::from(HEX[usize::from(byte >> 4)]));
        key.push(char::from(HEX[usize::from(byte & 15)]));
    }
    ItemKey(key)
}

/// Hash of what a reader sees of an item: title, link, authors, categories, texts, enclosures.
///
/// Dates are left out, since some feeds move them at every fetch; so is markup, which holds their counters and
/// advertisements. The link is the canonical one, so that a feed's move to https edits nothing.
fn content_hash(content: &ItemContent, link: &str) -> ContentHash {
    // SipHash with a zero key: a fixed function; the values are stored, so it must never change.
    let mut hasher = SipHasher24::new();
    let mut write = |text: &str| {
        hasher.write(text.as_bytes());
        hasher.write(&[0xff]);
    };
    write(&content.title);
    write(link);
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
    fn h21_one_guid_on_five_items_gives_five_keys() {
        let links = ["https://a.example/1", "https://a.example/2", "https://a.example/3", "", ""];
        let titles = ["a", "b", "c", "d", "e"];
        let items: Vec<_> = links.iter().zip(titles).map(|(link, title)| ("same", *link, title)).collect();
        let distinct: HashSet<_> = keys(&items).into_iter().map(|keys| keys.guid).collect();
        assert_eq!(distinct.len(), 5);
    }

    #[test]
    fn h21_the_same_item_twice_is_one() {
        for item in [("1", "https://a.example/", "t"), ("", "https://a.example/", "t"), ("", "", "t")] {
            let once = keys(&[item]);
            assert_eq!(keys(&[item, item]), [once[0].clone(), once[0].clone()], "{item:?}");
        }
    }

    #[test]
    fn h22_a_link_that_all_items_share_is_no_key() {
        let keys = keys(&[("", "https://a.example/", "t"), ("", "https://a.example/", "u")]);
        assert!(keys.iter().all(|keys| keys.link.is_none()));
        assert_ne!(keys[0].content, keys[1].content);
    }

    #[test]
    fn an_edit_changes_the_hash_and_a_moved_date_does_not() {
        let mut content = item("1", "https://a.example/1", "t");
        let before = content_hash(&content, "");
        content.published_at = Some(crate::model::Timestamp::UNIX_EPOCH);
        assert_eq!(content_hash(&content, ""), before);
        content.summary = "new".to_owned();
        assert_ne!(content_hash(&content, ""), before);
    }
}
