//! Bringing stored items and stories in line with what a config makes of them, within a write transaction.

use super::Retagged;
use super::walk::{Batch, Judged, JudgedStory};
use crate::model::{Correction, DigestName, ItemId, StoryId, Timestamp};
use crate::refresh::Watch;
use crate::refresh::place::place_in;
use crate::store::{Entrance, StoreError, WriteTx};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Writes what a batch changes, and nothing else: first the tags of all, then who enters and leaves which digest.
/// `transactions`: how many of ours there have been by now; `None` when others have written too.
pub(super) fn apply(
    tx: &WriteTx<'_>,
    batch: &Batch,
    watch: &Watch,
    transactions: Option<u64>,
) -> Result<Retagged, StoreError> {
    let stories: Vec<JudgedStory<'_>> = batch.stories().filter(JudgedStory::is_changed).collect();
    let since = if transactions == Some(batch.transactions) { None } else { Some(Since::read(tx, batch, &stories)?) };
    let is_as_read = |judged: &Judged| since.as_ref().is_none_or(|since| since.holds_as_read(judged, batch));
    let mut retagged: Vec<&Judged> = Vec::new();
    let mut placed: Vec<(&JudgedStory<'_>, bool)> = Vec::new();
    let mut shown: Vec<StoryId> = Vec::new();
    let mut changed = 0;
    for story in &stories {
        let size = since.as_ref().map_or(&batch.story_sizes, |since| &since.story_sizes).get(&story.id);
        let as_read = || story.items.iter().copied().filter(|judged| is_as_read(judged));
        retagged.extend(as_read().filter(|judged| judged.is_changed()));
        let renamed = as_read().filter(|judged| judged.has_other_tags()).count();
        changed += renamed;
        let is_whole = size == Some(&(story.items.len() as u64)) && as_read().count() == story.items.len();
        if renamed > 0 && (story.stays() || !is_whole) {
            shown.push(story.id);
        }
        placed.push((story, is_whole));
    }
    tx.change_tags(retagged.iter().map(|judged| (judged.item.id, &*judged.stored, &*judged.tags)), batch.now)?;
    let mut placing = Placing::new(tx, watch, batch.now);
    for (story, is_whole) in placed {
        if is_whole {
            placing.place_as_judged(story)?;
        } else {
            placing.place(story.id, Entering::ByDate)?;
        }
    }
    let (entered, left) = placing.carry_out()?;
    // What it shows where it stays has changed too.
    shown.into_iter().try_for_each(|story| tx.story_changed(story, batch.now))?;
    Ok(Retagged { items: 0, changed, entered, left })
}

/// What is stored now where others have written since a batch was read: a visit or a curator may have come in between,
/// and has then tagged the item as it is now; retention may have removed it.
struct Since {
    items: HashMap<ItemId, (StoryId, Timestamp)>,
    story_sizes: HashMap<StoryId, u64>,
    corrections: BTreeMap<ItemId, Vec<Correction>>,
}

impl Since {
    fn read(tx: &WriteTx<'_>, batch: &Batch, stories: &[JudgedStory<'_>]) -> Result<Self, StoreError> {
        let members = tx.as_read().story_members(&stories.iter().map(|story| story.id).collect::<Vec<_>>())?;
        Ok(Self {
            story_sizes: members.iter().map(|(story, items)| (*story, items.len() as u64)).collect(),
            items: members
                .into_iter()
                .flat_map(|(story, items)| items.into_iter().map(move |(item, changed_at)| (item, (story, changed_at))))
                .collect(),
            corrections: tx.as_read().corrections_between(batch.first, batch.last)?,
        })
    }

    fn holds_as_read(&self, Judged { item, .. }: &Judged, batch: &Batch) -> bool {
        self.items.get(&item.id) == Some(&(item.story_id, item.changed_at))
            && self.corrections.get(&item.id) == batch.corrections.get(&item.id)
    }
}

/// Puts stories into exactly the digests that one of their items fits: gathers who moves, and then moves them.
pub(super) struct Placing<'a> {
    tx: &'a WriteTx<'a>,
    watch: &'a Watch,
    now: Timestamp,
    /// Until when the digests asked about have had their issues cut.
    cut_until_at: HashMap<DigestName, Timestamp>,
    entering: Vec<Entrance>,
    /// Those of them that webhooks are told of.
    news: Vec<(DigestName, StoryId)>,
    leaving: Vec<(DigestName, StoryId)>,
}

impl<'a> Placing<'a> {
    pub fn new(tx: &'a WriteTx<'a>, watch: &'a Watch, now: Timestamp) -> Self {
        Self {
            tx,
            watch,
            now,
            cut_until_at: HashMap::new(),
            entering: Vec::new(),
            news: Vec::new(),
            leaving: Vec::new(),
        }
    }

    /// Gathers the moves of a story by what is stored of it.
    pub fn place(&mut self, story: StoryId, entering: Entering) -> Result<(), StoreError> {
        let Some(story) = self.tx.as_read().story(story)? else { return Ok(()) };
        let (watch, now) = (self.watch, self.now);
        let fits: BTreeSet<DigestName> = story.items.iter().flat_map(|item| watch.digests_of_item(item, now)).collect();
        let present: BTreeSet<DigestName> = self.tx.digests_of(story.id)?.into_iter().collect();
        let newest = story.items.iter().map(|item| item.first_seen_at).max();
        let times = Times { ordered_at: story.first().ordered_at(), last_seen_at: newest.unwrap_or(now) };
        self.move_story(story.id, &times, entering, &fits.iter().collect(), &present.iter().collect())
    }

    /// The same of a story all of whose items were judged, and are what they were then.
    fn place_as_judged(&mut self, story: &JudgedStory<'_>) -> Result<(), StoreError> {
        let items = || story.items.iter().map(|judged| &judged.item);
        let times = Times {
            ordered_at: items().next().map_or(self.now, |first| first.ordered_at),
            last_seen_at: items().map(|item| item.first_seen_at).max().unwrap_or(self.now),
        };
        self.move_story(story.id, &times, Entering::ByDate, &story.fits, &story.present)
    }

    fn move_story(
        &mut self,
        story: StoryId,
        times: &Times,
        entering: Entering,
        fits: &BTreeSet<&DigestName>,
        present: &BTreeSet<&DigestName>,
    ) -> Result<(), StoreError> {
        for digest in fits.difference(present) {
            let backfilled = self.had_its_cut(digest, times)?;
            let place = match entering {
                Entering::AsNews => {
                    self.news.push(((*digest).clone(), story));
                    place_in(self.tx, digest, times.ordered_at, self.now)?
                }
                Entering::ByDate => times.ordered_at,
            };
            self.entering.push(Entrance { digest: (*digest).clone(), story, place, backfilled });
        }
        self.leaving.extend(present.difference(fits).map(|digest| ((*digest).clone(), story)));
        Ok(())
    }

    /// Moves those gathered. Returns how many entered and left a digest.
    pub fn carry_out(mut self) -> Result<(usize, usize), StoreError> {
        // By digest: neighbours in the indexes are then written one after the other. Within a digest the order stays.
        self.entering.sort_by(|a, b| a.digest.cmp(&b.digest));
        let entered = self.tx.enter_digests(&self.entering, self.now)?;
        for (digest, story) in &self.news {
            self.tx.tell_of_entry(digest, *story, self.now)?;
        }
        let mut left = 0;
        for (digest, story) in &self.leaving {
            left += usize::from(self.tx.leave_digest(digest, *story, self.now)?);
        }
        Ok((entered, left))
    }

    /// Whether the issue that the story would have been in is cut: then it is in the digest, but in no issue.
    fn had_its_cut(&mut self, digest: &DigestName, times: &Times) -> Result<bool, StoreError> {
        let until = if let Some(until) = self.cut_until_at.get(digest) {
            *until
        } else {
            // Asked of each digest that a story enters; in bulk nothing else would notice that there is none.
            let until = self.tx.as_read().cut_until_at(digest)?;
            let until =
                until.ok_or_else(|| StoreError::Other(format!("there is no digest {} in the store", digest.0)))?;
            self.cut_until_at.insert(digest.clone(), until);
            until
        };
        Ok(times.last_seen_at < until)
    }
}

/// Where a story stands in a digest that it enters.
#[derive(Debug, Clone, Copy)]
pub enum Entering {
    /// Something has befallen it: see [`place_in`].
    AsNews,
    /// The rules have changed, and bring it from the past.
    ByDate,
}

/// The instants of a story that say where it belongs.
struct Times {
    /// Of its first item.
    ordered_at: Timestamp,
    /// When its newest item was first seen.
    last_seen_at: Timestamp,
}
