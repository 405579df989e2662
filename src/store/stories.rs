//! Stories and the near-duplicate signatures that group items into them.

use super::rows::{collect, count, instant, instant_at, millis, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{EntryId, FeedId, ItemId, ItemKey, LinkHash, Story, StoryId, Timestamp};
use rusqlite::{OptionalExtension, params};
use std::collections::HashMap;

/// An item's signature as it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSignature {
    pub story_id: StoryId,
    pub feed_id: FeedId,
    pub ordered_at: Timestamp,
    pub first_seen_at: Timestamp,
    /// Of the link that it came with, whatever was edited since.
    pub link: Option<LinkHash>,
    /// Serialised by the stories module.
    pub signature: Vec<u8>,
}

impl ReadTx<'_> {
    pub fn story(&self, id: StoryId) -> Result<Option<Story>, StoreError> {
        Ok(self.stories(&[id])?.pop())
    }

    /// The story that an item tells.
    pub fn story_of(&self, item: ItemId) -> Result<Option<Story>, StoreError> {
        let sql = "SELECT story_id FROM items WHERE item_id = ?1";
        let story = self.connection.prepare_cached(sql)?.query_row([item.0], |row| row.get(0)).optional()?;
        story.map_or(Ok(None), |id| self.story(StoryId(id)))
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

    /// By link, the stories that feeds which have left the config told.
    pub fn stories_of_removed_feeds(&self, links: &[ItemKey]) -> Result<HashMap<ItemKey, StoryId>, StoreError> {
        let wanted = to_json(&links.iter().map(|link| link.0.as_str()).collect::<Vec<_>>());
        let sql = "SELECT i.link_key, max(i.story_id) FROM feeds f CROSS JOIN items i ON i.feed_id = f.feed_id \
                   WHERE f.state = 'removed' AND i.link_key IN (SELECT value FROM json_each(?1)) GROUP BY i.link_key";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([wanted], |row| Ok((ItemKey(row.get(0)?), StoryId(row.get(1)?))))?;
        Ok(collect(rows)?.into_iter().collect())
    }

    /// By link, the stories that told of it, in whatever feed, and where the telling stands in time. Asks each feed for each
    /// link, since no index holds the links of all feeds.
    pub fn stories_by_link(
        &self,
        links: &[ItemKey],
    ) -> Result<HashMap<ItemKey, Vec<(StoryId, Timestamp)>>, StoreError> {
        let wanted = to_json(&links.iter().map(|link| link.0.as_str()).collect::<Vec<_>>());
        let sql = "SELECT i.link_key, i.story_id, i.ordered_at FROM feeds f CROSS JOIN items i ON i.feed_id = f.feed_id \
                   WHERE i.link_key IN (SELECT value FROM json_each(?1)) ORDER BY i.item_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([wanted])?;
        let mut stories: HashMap<ItemKey, Vec<(StoryId, Timestamp)>> = HashMap::new();
        while let Some(row) = rows.next()? {
            stories.entry(ItemKey(row.get(0)?)).or_default().push((StoryId(row.get(1)?), instant(row.get(2)?)));
        }
        Ok(stories)
    }

    /// The items of these stories, oldest first, and when each last changed.
    pub fn story_members(&self, ids: &[StoryId]) -> Result<HashMap<StoryId, Vec<(ItemId, Timestamp)>>, StoreError> {
        let wanted = to_json(&ids.iter().map(|id| id.0).collect::<Vec<_>>());
        // CROSS JOIN: the planner, which does not know how many stories are asked about, would walk all items.
        let sql = "SELECT i.story_id, i.item_id, i.changed_at FROM json_each(?1) w \
                   CROSS JOIN items i ON i.story_id = w.value ORDER BY w.key, i.item_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([wanted])?;
        let mut members: HashMap<StoryId, Vec<(ItemId, Timestamp)>> = HashMap::with_capacity(ids.len());
        while let Some(row) = rows.next()? {
            let member = (ItemId(row.get(1)?), instant(row.get(2)?));
            members.entry(StoryId(row.get(0)?)).or_default().push(member);
        }
        Ok(members)
    }

    /// How many items each of these stories has. Counted in an index, without looking at an item.
    pub fn story_sizes(&self, ids: &[StoryId]) -> Result<HashMap<StoryId, u64>, StoreError> {
        let wanted = to_json(&ids.iter().map(|id| id.0).collect::<Vec<_>>());
        let sql = "SELECT w.value, (SELECT count(*) FROM items i WHERE i.story_id = w.value) FROM json_each(?1) w";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([wanted], |row| Ok((StoryId(row.get(0)?), count(row.get(1)?))))?;
        Ok(collect(rows)?.into_iter().collect())
    }

    /// Shows the signatures of the newest items first seen after `since`, at most `limit`, oldest first; one at a time, for
    /// all of a large watch's three days take as much memory as what is made of them.
    pub fn visit_recent_signatures(
        &self,
        since: Timestamp,
        limit: u32,
        mut visit: impl FnMut(StoredSignature),
    ) -> Result<(), StoreError> {
        let sql = "SELECT story_id, feed_id, ordered_at, first_seen_at, link_hash, signature FROM recent_signatures \
                   WHERE first_seen_at >= ?1 AND item_id >= (SELECT min(item_id) FROM (SELECT item_id \
                   FROM recent_signatures WHERE first_seen_at >= ?1 ORDER BY item_id DESC LIMIT ?2)) ORDER BY item_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![millis(since), limit])?;
        while let Some(row) = rows.next()? {
            visit(StoredSignature {
                story_id: StoryId(row.get("story_id")?),
                feed_id: FeedId(row.get("feed_id")?),
                ordered_at: instant_at(row, "ordered_at")?,
                first_seen_at: instant_at(row, "first_seen_at")?,
                link: row.get::<_, Option<i64>>("link_hash")?.and_then(LinkHash::new),
                signature: row.get("signature")?,
            });
        }
        Ok(())
    }
}

impl WriteTx<'_> {
    /// The story that a new item begins, with the entry id that follows from that item: a new one, unless it began it once
    /// before, was removed, and others tell it still.
    pub fn begin_story(&self, entry_id: &EntryId, now: Timestamp) -> Result<StoryId, StoreError> {
        let sql = "SELECT story_id FROM bereft_stories b JOIN stories s USING (story_id) WHERE b.entry_id = ?1";
        let begun = self.connection.prepare_cached(sql)?.query_row([&entry_id.0], |row| row.get(0)).optional()?;
        if let Some(begun) = begun {
            return Ok(StoryId(begun));
        }
        let sql = "INSERT INTO stories (entry_id, created_at) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(params![entry_id.0, millis(now)])?;
        Ok(StoryId(self.connection.last_insert_rowid()))
    }

    /// Keeps a new item's signature for those that come after it.
    pub fn save_signature(&self, item: ItemId, kept: &StoredSignature) -> Result<(), StoreError> {
        let sql = "INSERT INTO recent_signatures (item_id, story_id, feed_id, ordered_at, first_seen_at, link_hash, signature) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let StoredSignature { story_id, feed_id, ordered_at, first_seen_at, link, signature } = kept;
        let (ordered_at, first_seen_at) = (millis(*ordered_at), millis(*first_seen_at));
        self.connection.prepare_cached(sql)?.execute(params![
            item.0,
            story_id.0,
            feed_id.0,
            ordered_at,
            first_seen_at,
            link.map(LinkHash::get),
            signature
        ])?;
        Ok(())
    }
}
