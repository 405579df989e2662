//! Stories and the near-duplicate signatures that group items into them.

use super::rows::{collect, instant_at, millis, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{EntryId, FeedId, ItemId, ItemKey, Story, StoryId, Timestamp};
use rusqlite::{OptionalExtension, params};

/// An item that may tell the same news as a new one.
#[derive(Debug, Clone, PartialEq)]
pub struct StoryCandidate {
    pub item_id: ItemId,
    pub story_id: StoryId,
    pub feed_id: FeedId,
    pub ordered_at: Timestamp,
    /// Serialised by the stories module; absent for a candidate found by its link alone.
    pub signature: Option<Vec<u8>>,
    pub same_link: bool,
}

impl ReadTx<'_> {
    pub fn story(&self, id: StoryId) -> Result<Option<Story>, StoreError> {
        Ok(self.stories(&[id])?.pop())
    }

    /// These stories with their items, in this order; those that are gone are left out.
    pub fn stories(&self, ids: &[StoryId]) -> Result<Vec<Story>, StoreError> {
        let wanted = to_json(&ids.iter().map(|id| id.0).collect::<Vec<_>>());
        let sql =
            "SELECT s.story_id, s.entry_id FROM json_each(?1) w JOIN stories s ON s.story_id = w.value ORDER BY w.key";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([wanted], |row| Ok((StoryId(row.get(0)?), EntryId(row.get(1)?))))?;
        let rows = collect(rows)?;
        let mut items = self.items_by_story(ids)?;
        let story = |(id, entry_id)| items.remove(&id).map(|items| Story { id, entry_id, items });
        Ok(rows.into_iter().filter_map(story).collect())
    }

    /// The items of a story, oldest first, and when each last changed.
    pub fn story_members(&self, story: StoryId) -> Result<Vec<(ItemId, Timestamp)>, StoreError> {
        let sql = "SELECT item_id, changed_at FROM items WHERE story_id = ?1 ORDER BY item_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([story.0], |row| Ok((ItemId(row.get(0)?), instant_at(row, "changed_at")?)))?)
    }

    /// Items first seen after `since` that share a signature band or the canonical link.
    pub fn story_candidates(
        &self,
        bands: &[u64],
        link_key: Option<&ItemKey>,
        since: Timestamp,
    ) -> Result<Vec<StoryCandidate>, StoreError> {
        let bands: Vec<(usize, i64)> =
            bands.iter().enumerate().map(|(band, hash)| (band, hash.cast_signed())).collect();
        let sql = "WITH found (item_id) AS ( \
                 SELECT b.item_id FROM json_each(?1) w JOIN signature_bands b \
                     ON b.band = w.value ->> 0 AND b.hash = w.value ->> 1 \
                 UNION SELECT item_id FROM items WHERE link_key = ?2) \
             SELECT i.item_id, i.story_id, i.feed_id, i.ordered_at, s.signature, \
                 coalesce(i.link_key = ?2, 0) AS same_link \
             FROM found JOIN items i USING (item_id) LEFT JOIN signatures s USING (item_id) \
             WHERE i.first_seen_at >= ?3 ORDER BY i.item_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![to_json(&bands), link_key.map(|key| &key.0), millis(since)], |row| {
            Ok(StoryCandidate {
                item_id: ItemId(row.get("item_id")?),
                story_id: StoryId(row.get("story_id")?),
                feed_id: FeedId(row.get("feed_id")?),
                ordered_at: instant_at(row, "ordered_at")?,
                signature: row.get("signature")?,
                same_link: row.get("same_link")?,
            })
        })?;
        collect(rows)
    }
}

impl WriteTx<'_> {
    /// The story with this entry id, made if it is new.
    pub fn story_with_entry_id(&self, entry_id: &EntryId, now: Timestamp) -> Result<StoryId, StoreError> {
        let sql = "SELECT story_id FROM stories WHERE entry_id = ?1";
        let known = self.connection.prepare_cached(sql)?.query_row([&entry_id.0], |row| row.get(0)).optional()?;
        if let Some(id) = known {
            return Ok(StoryId(id));
        }
        let sql = "INSERT INTO stories (entry_id, created_at) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(params![entry_id.0, millis(now)])?;
        Ok(StoryId(self.connection.last_insert_rowid()))
    }

    /// Keeps an item's signature for those that come after it.
    pub fn save_signature(&self, item: ItemId, signature: &[u8], bands: &[u64]) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO signatures (item_id, signature) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(params![item.0, signature])?;
        let sql = "INSERT OR IGNORE INTO signature_bands (band, hash, item_id) VALUES (?1, ?2, ?3)";
        let mut statement = self.connection.prepare_cached(sql)?;
        for (band, hash) in bands.iter().enumerate() {
            let band = i64::try_from(band).expect("a signature has sixteen bands");
            statement.execute(params![band, hash.cast_signed(), item.0])?;
        }
        Ok(())
    }
}
