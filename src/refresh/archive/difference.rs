//! What a config would change in the archive: told, not done.

use super::walk::{Asked, Head, Walk};
use crate::model::{DigestName, ItemId, StoryId, TagName};
use crate::refresh::Surroundings;
use crate::store::StoreError;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Items gained and lost by each tag, stories gained and lost by each digest. What stays the same is left out.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    pub tags: BTreeMap<TagName, Difference>,
    pub digests: BTreeMap<DigestName, Difference>,
}

/// In the order of first sight.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub gained: Vec<Named>,
    pub lost: Vec<Named>,
}

/// An item, or the first item of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    pub id: ItemId,
    pub story_id: StoryId,
    pub title: String,
    pub url: Option<String>,
}

/// Compares what the config around would give to every stored item with what it has. `proceed` is told how many
/// items are compared.
///
/// # Errors
/// The store failed.
pub async fn difference(around: &Surroundings, mut proceed: impl FnMut(usize)) -> Result<Differences, StoreError> {
    let mut walk = Walk::start(around, ItemId(0), Asked::Names);
    let mut differences = Differences::default();
    // Those with items in other batches too, of which all may be needed to tell.
    let mut scattered: HashMap<StoryId, Placed> = HashMap::new();
    let mut items = 0;
    while let Some(batch) = walk.next().await? {
        for judged in &batch.items {
            let stored: BTreeSet<&TagName> = judged.stored.iter().map(|tag| &tag.tag).collect();
            let given: BTreeSet<&TagName> = judged.tags.iter().map(|tag| &tag.tag).collect();
            for tag in given.difference(&stored) {
                differences.tags.entry((*tag).clone()).or_default().gained.push(Named::from(&judged.item));
            }
            for tag in stored.difference(&given) {
                differences.tags.entry((*tag).clone()).or_default().lost.push(Named::from(&judged.item));
            }
        }
        for story in batch.stories().filter(|story| !story.fits.is_empty() || !story.present.is_empty()) {
            let first = &story.items[0].item;
            if batch.story_sizes.get(&story.id) == Some(&(story.items.len() as u64)) {
                differences.compare_digests(first, &story.fits, &story.present);
                continue;
            }
            let placed = scattered.entry(story.id).or_insert_with(|| Placed {
                first: first.clone(),
                stored: story.present.iter().copied().cloned().collect(),
                fits: BTreeSet::new(),
            });
            placed.fits.extend(story.fits.into_iter().cloned());
        }
        items += batch.items.len();
        proceed(items);
    }
    for Placed { first, stored, fits } in scattered.values() {
        differences.compare_digests(first, &fits.iter().collect(), &stored.iter().collect());
    }
    differences.sort();
    Ok(differences)
}

/// A story with the digests that it is in and those that its items fit.
struct Placed {
    first: Head,
    stored: BTreeSet<DigestName>,
    fits: BTreeSet<DigestName>,
}

impl Differences {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.digests.is_empty()
    }

    fn compare_digests(&mut self, first: &Head, fits: &BTreeSet<&DigestName>, stored: &BTreeSet<&DigestName>) {
        for digest in fits.difference(stored) {
            self.digests.entry((*digest).clone()).or_default().gained.push(Named::from(first));
        }
        for digest in stored.difference(fits) {
            self.digests.entry((*digest).clone()).or_default().lost.push(Named::from(first));
        }
    }

    fn sort(&mut self) {
        for difference in self.digests.values_mut() {
            difference.gained.sort_by_key(|named| named.id);
            difference.lost.sort_by_key(|named| named.id);
        }
    }
}

impl From<&Head> for Named {
    fn from(item: &Head) -> Self {
        Self { id: item.id, story_id: item.story_id, title: item.title.clone(), url: item.link.clone() }
    }
}
