//! What a document changes: arrived items against known ones. Pure, and idempotent: planning the same
//! document again, once stored, adds and changes nothing.

use crate::model::{ItemId, ItemIdentity, ItemKey, KnownItem, NewItem};
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

/// What a refresh has to write.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdatePlan {
    pub added: Vec<(ItemKey, NewItem)>,
    pub changed: Vec<(ItemId, NewItem)>,
    /// Listed and known, nothing to do.
    pub unchanged: usize,
    /// What was removed by retention is still listed by: it stays away.
    pub pruned: Vec<ItemKey>,
    /// How the feed's items are told apart from now on.
    pub identity: ItemIdentity,
}

impl UpdatePlan {
    /// Whether nothing that the document lists was known: items may have come and gone since the last visit.
    #[must_use]
    pub fn is_all_new(&self) -> bool {
        !self.added.is_empty() && self.changed.is_empty() && self.unchanged == 0 && self.pruned.is_empty()
    }
}

/// Compares a document's items with what is known of them.
///
/// An item is the one with its key, unless that is plainly another story. Failing that, it is a known item
/// under another key: one with the same link and the same title and text, or, where one of the two has no
/// link of its own, with the same title and text; in a feed that is identified by links, one with the same
/// link. That heals guids that change from visit to visit and guids that are given again to other stories,
/// and when most of a document needed it, the feed's identity steps down the ladder for good.
#[must_use]
pub fn plan(
    known: &[KnownItem],
    pruned: &HashSet<ItemKey, impl BuildHasher>,
    arrived: Vec<NewItem>,
    identity: ItemIdentity,
) -> UpdatePlan {
    let by_key: HashMap<&ItemKey, &KnownItem> = known.iter().map(|item| (&item.key, item)).collect();
    let total = arrived.len();
    let mut plan = UpdatePlan { added: vec![], changed: vec![], unchanged: 0, pruned: vec![], identity };
    let (mut seen, mut seen_keys) = (HashSet::new(), HashSet::new());
    let mut strangers = Vec::new();
    let mut reused = 0;
    for mut item in arrived {
        if identity != ItemIdentity::Guid {
            // It may have been another's that was removed.
            item.keys.guid = None;
        }
        let mut same = by_key.get(item.keys.under(identity));
        if same.is_some_and(|known| is_another(known, &item)) {
            // A counter that began anew, or a place in the document: this story is told by its link.
            item.keys.guid = None;
            reused += 1;
            same = by_key.get(item.keys.under(identity));
        }
        match same {
            Some(same) => plan.meet(same, item, &mut seen),
            None => strangers.push(item),
        }
    }
    let mut healed_with_link = 0;
    let mut healed = 0;
    for item in strangers {
        let key = item.keys.under(identity).clone();
        if let Some(same) = known.iter().find(|known| !seen.contains(&known.id) && is_same(known, &item, identity)) {
            healed += 1;
            healed_with_link += usize::from(item.keys.link.is_some());
            plan.meet(same, item, &mut seen);
        } else if item.keys.all().any(|key| pruned.contains(key)) {
            plan.pruned.extend(item.keys.all().filter(|key| pruned.contains(*key)).cloned());
        } else if seen_keys.insert(key.clone()) {
            plan.added.push((key, item));
        } else {
            plan.unchanged += 1;
        }
    }
    if reused * 2 > total {
        plan.identity = ItemIdentity::Link;
    } else if identity == ItemIdentity::Guid && healed * 2 > total {
        plan.identity = if healed_with_link == healed { ItemIdentity::Link } else { ItemIdentity::Content };
    }
    plan
}

impl UpdatePlan {
    fn meet(&mut self, known: &KnownItem, item: NewItem, seen: &mut HashSet<ItemId>) {
        let first = seen.insert(known.id);
        if first && known.content_hash != item.content_hash {
            self.changed.push((known.id, item));
        } else {
            self.unchanged += 1;
        }
    }
}

fn is_same(known: &KnownItem, item: &NewItem, identity: ItemIdentity) -> bool {
    let same_content = known.content_key == item.keys.content;
    match (&known.link_key, &item.keys.link) {
        (Some(known), Some(link)) => known == link && (same_content || identity == ItemIdentity::Link),
        _ => same_content,
    }
}

/// Whether what is known by the key of an item is another story: of an edit, link, title or date stays.
fn is_another(known: &KnownItem, item: &NewItem) -> bool {
    let links = known.link_key.as_ref().zip(item.keys.link.as_ref());
    let dates = known.published_at.zip(item.content.published_at);
    links.is_some_and(|(known, link)| known != link)
        && known.title != item.content.title
        && dates.is_some_and(|(known, date)| known.as_millisecond() != date.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ContentHash, ItemContent, ItemKeys};
    use proptest::prelude::*;

    fn key(text: &str) -> ItemKey {
        ItemKey(text.to_owned())
    }

    /// An item written `guid|link|title+text|edition`, with a day of publication behind it or not; an empty part is missing.
    fn arrived(text: &str) -> NewItem {
        let parts: Vec<&str> = text.split('|').collect();
        let day = parts.get(4).map(|day| format!("2026-11-{day}T08:00:00Z").parse().expect("a day of November"));
        let some = |prefix: &str, part: &str| (!part.is_empty()).then(|| key(&format!("{prefix}:{part}")));
        NewItem {
            keys: ItemKeys {
                guid: some("guid", parts[0]),
                link: some("link", parts[1]),
                content: key(&format!("content:{}", parts[2])),
            },
            content_hash: ContentHash([parts[3].as_bytes()[0]; 16]),
            content: ItemContent { title: parts[2].to_owned(), published_at: day, ..ItemContent::default() },
        }
    }

    fn known(index: usize, key: ItemKey, item: &NewItem) -> KnownItem {
        KnownItem {
            id: ItemId(i64::try_from(index).expect("few")),
            key,
            link_key: item.keys.link.clone(),
            content_key: item.keys.content.clone(),
            content_hash: item.content_hash,
            title: item.content.title.clone(),
            published_at: item.content.published_at,
        }
    }

    /// The store after a document: what `plan` would be given at the next visit.
    fn stored(texts: &[&str], identity: ItemIdentity) -> Vec<KnownItem> {
        let items = texts.iter().map(|text| arrived(text));
        items.enumerate().map(|(index, item)| known(index, item.keys.under(identity).clone(), &item)).collect()
    }

    /// Counts of (added, changed, unchanged) for a document after another.
    fn check(known: &[&str], document: &[&str], expected: (usize, usize, usize)) -> UpdatePlan {
        let known = stored(known, ItemIdentity::Guid);
        let document = document.iter().map(|text| arrived(text)).collect();
        let plan = plan(&known, &HashSet::new(), document, ItemIdentity::Guid);
        assert_eq!((plan.added.len(), plan.changed.len(), plan.unchanged), expected, "{plan:?}");
        plan
    }

    #[test]
    fn a_first_document_is_all_new() {
        assert!(check(&[], &["a|x|t|1", "b|y|u|1"], (2, 0, 0)).is_all_new());
    }

    #[test]
    fn an_edit_changes_and_a_retitled_item_keeps_its_key() {
        let plan = check(&["a|x|t|1", "b|y|u|1"], &["a|x|other|2", "b|y|u|1"], (0, 1, 1));
        assert_eq!(plan.changed[0].0, ItemId(0));
        assert!(!plan.is_all_new());
    }

    #[test]
    fn h20_guids_that_change_at_each_visit_are_healed_and_the_feed_is_told_by_links() {
        let plan = check(&["a|x|t|1", "b|y|u|1"], &["c|x|t|1", "d|y|u|1"], (0, 0, 2));
        assert_eq!(plan.identity, ItemIdentity::Link);
    }

    #[test]
    fn a_guid_that_is_given_again_to_another_story_swallows_none() {
        let plan = check(&["1|x|t|1|02", "2|y|u|1|03"], &["1|v|w|1|20", "2|y|u|1|03"], (1, 0, 1));
        assert_eq!(plan.added[0].0, key("link:v"));
        assert_eq!(plan.identity, ItemIdentity::Guid);
    }

    #[test]
    fn guids_that_are_places_in_the_document_give_way_to_links() {
        let plan = check(&["1|y|u|1|03", "2|x|t|1|02"], &["1|z|v|1|04", "2|y|u|1|03", "3|x|t|1|02"], (1, 0, 2));
        assert_eq!(plan.identity, ItemIdentity::Link);
    }

    #[test]
    fn an_edit_keeps_link_title_or_date() {
        check(&["a|x|t|1|02"], &["a|x|u|2|03"], (0, 1, 0));
        check(&["a|x|t|1|02"], &["a|y|t|2|03"], (0, 1, 0));
        check(&["a|x|t|1|02"], &["a|y|u|2|02"], (0, 1, 0));
        check(&["a|x|t|1"], &["a|y|u|2|03"], (0, 1, 0));
    }

    #[test]
    fn a_new_item_that_reuses_a_link_is_new() {
        let plan = check(&["a|home|t|1"], &["b|home|u|1"], (1, 0, 0));
        assert_eq!(plan.identity, ItemIdentity::Guid);
    }

    #[test]
    fn the_same_title_under_another_link_is_another_item() {
        check(&["|x|open thread|1"], &["|x|open thread|1", "|y|open thread|1"], (1, 0, 1));
    }

    #[test]
    fn h22_without_guid_and_link_the_text_tells() {
        check(&["||t|1", "||u|1"], &["||t|1", "||u|1", "||v|1"], (1, 0, 2));
    }

    #[test]
    fn h21_an_item_listed_twice_is_stored_once() {
        check(&[], &["a|x|t|1", "a|x|t|1"], (1, 0, 1));
        check(&["a|x|t|1"], &["a|x|t|2", "a|x|t|3"], (0, 1, 1));
    }

    #[test]
    fn a_guid_that_means_nothing_keeps_nobody_away() {
        let pruned = HashSet::from([key("guid:1"), key("link:x")]);
        let document = vec![arrived("1|y|u|1|03"), arrived("2|x|t|1|02")];
        let plan = plan(&[], &pruned, document, ItemIdentity::Link);
        assert_eq!((plan.added.len(), plan.pruned), (1, vec![key("link:x")]));
    }

    #[test]
    fn a_pruned_item_stays_away() {
        let pruned = HashSet::from([key("guid:a")]);
        let plan = plan(&[], &pruned, vec![arrived("a|x|t|1")], ItemIdentity::Guid);
        assert_eq!((plan.added.len(), plan.pruned.len()), (0, 1));
    }

    proptest! {
        #[test]
        fn planning_a_stored_document_again_adds_and_changes_nothing(
            document in proptest::collection::vec("[ab]?\\|[xyz]?\\|[tu]\\|[12](\\|0[12])?", 0..12)
        ) {
            let arrivals: Vec<NewItem> = document.iter().map(|text| arrived(text)).collect();
            let first = plan(&[], &HashSet::new(), arrivals.clone(), ItemIdentity::Guid);
            let known: Vec<KnownItem> =
                first.added.iter().enumerate().map(|(index, (key, item))| known(index, key.clone(), item)).collect();
            let stored: Vec<NewItem> = first.added.into_iter().map(|(_, item)| item).collect();
            let again = plan(&known, &HashSet::new(), stored, first.identity);
            prop_assert_eq!(again.added.len(), 0);
            prop_assert_eq!(again.changed.len(), 0);
        }
    }
}
