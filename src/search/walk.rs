//! The way of a search through the archive, from the newest item on: past every item, or past those alone that the index
//! of words and the tags leave.

use crate::model::{ItemId, Needed, StoredText};
use crate::store::{ReadTx, StoreError};

/// Items read at once: few at first, since what is sought is mostly new.
const FIRST_BATCH_ITEMS: usize = 100;
const BATCH_ITEMS: usize = 1_000;
/// Up to so many candidates are put in order one by one; of more, the order of all items is walked, and those that
/// are none are passed by.
const FEW: usize = 10_000;

/// A walk at its place.
#[derive(Debug)]
pub(super) struct Walk {
    way: Way,
    /// The item behind which it goes on.
    place: Option<ItemId>,
    batch_items: usize,
}

#[derive(Debug)]
enum Way {
    Everything,
    /// In the order of the walk, the last of the list first.
    Few(Vec<ItemId>),
    /// By number.
    Many(Vec<ItemId>),
}

/// Items that the query may hold for, newest first.
#[derive(Debug)]
pub(super) struct Batch {
    pub items: Vec<StoredText>,
    /// The last item passed.
    pub place: Option<ItemId>,
    /// Whether nothing comes after.
    pub is_last: bool,
}

impl Walk {
    /// Starts behind `before`.
    pub fn start(tx: &ReadTx<'_>, needed: &Needed, before: Option<ItemId>) -> Result<Self, StoreError> {
        let way = match tx.candidates(needed)? {
            None => Way::Everything,
            Some(candidates) if candidates.len() > FEW => Way::Many(candidates),
            Some(candidates) => {
                let mut ordered = tx.newest_first(&candidates, before)?;
                ordered.reverse();
                Way::Few(ordered)
            }
        };
        Ok(Self { way, place: before, batch_items: FIRST_BATCH_ITEMS })
    }

    pub fn next(&mut self, tx: &ReadTx<'_>) -> Result<Batch, StoreError> {
        let most = std::mem::replace(&mut self.batch_items, BATCH_ITEMS);
        let (items, is_last) = match &mut self.way {
            Way::Everything => {
                let items = tx.newest_texts(self.place, most)?;
                self.place = items.last().map_or(self.place, |item| Some(item.id));
                let is_last = items.len() < most;
                (items, is_last)
            }
            Way::Few(ordered) => {
                let batch: Vec<ItemId> = (0..most).map_while(|_| ordered.pop()).collect();
                self.place = batch.last().copied().or(self.place);
                (tx.texts(&batch)?, ordered.is_empty())
            }
            Way::Many(candidates) => {
                let passed = tx.newest_ids(self.place, most)?;
                self.place = passed.last().copied().or(self.place);
                let kept: Vec<ItemId> =
                    passed.iter().copied().filter(|id| candidates.binary_search(id).is_ok()).collect();
                (tx.texts(&kept)?, passed.len() < most)
            }
        };
        Ok(Batch { items, place: self.place, is_last })
    }
}
