//! Bringing stored items and stories in line with what a config makes of them, within a write transaction.

use super::Retagged;
use super::walk::{Batch, Judged, JudgedStory};
use crate::model::{DigestName, StoryId, Timestamp};
use crate::refresh::Watch;
use crate::store::{StoreError, WriteTx};
use std::collections::{BTreeSet, HashMap};

/// Writes what a batch changes, and nothing else.
pub(super) fn apply(tx: &WriteTx<'_>, batch: &Batch, watch: &Watch) -> Result<Retagged, StoreError> {
    let mut done = Retagged::default();
    let mut placing = Placing::new(tx, watch, batch.now);
    let decided = tx.as_read().corrections_between(batch.first, batch.last)?;
    for story in batch.stories().filter(JudgedStory::is_changed) {
        let members = tx.as_read().story_members(story.id)?;
        // A visit or a curator may have come in between, and has then tagged the item as it is now; retention may have
        // removed it.
        let is_as_read = |judged: &Judged| {
            let Judged { item, .. } = judged;
            members.contains(&(item.id, item.changed_at)) && decided.get(&item.id) == batch.corrections.get(&item.id)
        };
        let mut renamed = 0;
        for judged in story.items.iter().filter(|judged| judged.is_changed() && is_as_read(judged)) {
            tx.change_tags(judged.item.id, &judged.stored, &judged.tags, batch.now)?;
            renamed += usize::from(judged.has_other_tags());
        }
        let is_whole = members.len() == story.items.len() && story.items.iter().all(|judged| is_as_read(judged));
        let (entered, left) = if is_whole { placing.place_as_judged(&story)? } else { placing.place(story.id)? };
        if renamed > 0 && entered + left == 0 {
            tx.story_changed(story.id, batch.now)?;
        }
        done = done.and(Retagged { items: 0, changed: renamed, entered, left });
    }
    Ok(done)
}

/// Puts stories into exactly the digests that one of their items fits.
pub(super) struct Placing<'a> {
    tx: &'a WriteTx<'a>,
    watch: &'a Watch,
    now: Timestamp,
    /// Until when the digests asked about have had their issues cut.
    cut_until_at: HashMap<DigestName, Option<Timestamp>>,
}

impl<'a> Placing<'a> {
    pub fn new(tx: &'a WriteTx<'a>, watch: &'a Watch, now: Timestamp) -> Self {
        Self { tx, watch, now, cut_until_at: HashMap::new() }
    }

    /// Places a story by what is stored of it. Returns how many digests it entered and left.
    pub fn place(&mut self, story: StoryId) -> Result<(usize, usize), StoreError> {
        let Some(story) = self.tx.as_read().story(story)? else { return Ok((0, 0)) };
        let (watch, now) = (self.watch, self.now);
        let fits: BTreeSet<DigestName> = story.items.iter().flat_map(|item| watch.digests_of_item(item, now)).collect();
        let present: BTreeSet<DigestName> = self.tx.digests_of(story.id)?.into_iter().collect();
        let newest = story.items.iter().map(|item| item.first_seen_at).max();
        let times = Times { ordered_at: story.first().ordered_at(), last_seen_at: newest.unwrap_or(now) };
        self.move_story(story.id, &times, &fits.iter().collect(), &present.iter().collect())
    }

    /// Places a story all of whose items were judged, and are what they were then.
    fn place_as_judged(&mut self, story: &JudgedStory<'_>) -> Result<(usize, usize), StoreError> {
        let items = || story.items.iter().map(|judged| &judged.item);
        let times = Times {
            ordered_at: items().next().map_or(self.now, |first| first.ordered_at),
            last_seen_at: items().map(|item| item.first_seen_at).max().unwrap_or(self.now),
        };
        self.move_story(story.id, &times, &story.fits, &story.present)
    }

    fn move_story(
        &mut self,
        story: StoryId,
        times: &Times,
        fits: &BTreeSet<&DigestName>,
        present: &BTreeSet<&DigestName>,
    ) -> Result<(usize, usize), StoreError> {
        let (mut entered, mut left) = (0, 0);
        for digest in fits.difference(present) {
            let had_its_cut = self.had_its_cut(digest, times)?;
            entered += usize::from(self.tx.enter_digest(digest, story, times.ordered_at, had_its_cut, self.now)?);
        }
        for digest in present.difference(fits) {
            left += usize::from(self.tx.leave_digest(digest, story, self.now)?);
        }
        Ok((entered, left))
    }

    /// Whether the issue that the story would have been in is cut: then it is in the digest, but in no issue.
    fn had_its_cut(&mut self, digest: &DigestName, times: &Times) -> Result<bool, StoreError> {
        let until = if let Some(until) = self.cut_until_at.get(digest) {
            *until
        } else {
            let until = self.tx.as_read().cut_until_at(digest)?;
            self.cut_until_at.insert(digest.clone(), until);
            until
        };
        Ok(until.is_none_or(|until| times.last_seen_at < until))
    }
}

/// The instants of a story that say where it belongs.
struct Times {
    /// Of its first item.
    ordered_at: Timestamp,
    /// When its newest item was first seen.
    last_seen_at: Timestamp,
}
