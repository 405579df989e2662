//! Stories: items from several feeds that tell the same news.

use crate::model::Item;
use serde::Serialize;

/// Row number of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct StoryId(pub i64);

/// The id of a published entry: `urn:uuid:…`, a pure function of feed and item key of the story's
/// first item, so that a lost transaction or a rebuilt store replays to the same id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct EntryId(pub String);

/// A story with its items, oldest first; the first one gives its id, title and link.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    pub id: StoryId,
    pub entry_id: EntryId,
    /// Never empty.
    pub items: Vec<Item>,
}

impl Story {
    #[must_use]
    pub fn first(&self) -> &Item {
        self.items.first().expect("a story is made with its first item")
    }
}
