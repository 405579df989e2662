//! Items: what is known of arrived ones, storing them, and finding them again.

use super::rows::{collect, from_json, instant_at, millis, optional_instant_at, optional_millis, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{
    ContentHash, FeedId, Item, ItemContent, ItemId, ItemKey, KnownItem, NewItem, StoryId, TagName, Timestamp,
    feed_title, ordered_at,
};
use rusqlite::{OptionalExtension, Row, named_params, params};
use std::collections::{HashMap, HashSet};

/// What the store knows of the items that a document lists.
#[derive(Debug, Clone, Default)]
pub struct KnownItems {
    /// Items that share a key of any rung with an arrived one.
    pub items: Vec<KnownItem>,
    /// Keys of pruned items: seen before, not wanted back.
    pub pruned: HashSet<ItemKey>,
}

/// Which items to list, newest first.
#[derive(Debug, Clone, Default)]
pub struct ItemFilter {
    pub tag: Option<TagName>,
    pub feed: Option<FeedId>,
    /// Only items older than this one in the order of the list.
    pub before: Option<ItemId>,
    pub limit: usize,
}

const COLUMNS: &str = "i.item_id, i.feed_id, i.story_id, i.item_key, i.guid, i.link, i.title, i.authors, i.published_at, \
    i.updated_at, i.categories, i.summary, i.content_html, i.content_text, i.enclosures, \
    coalesce(i.language, f.language) AS language, i.first_seen_at, i.changed_at, \
    coalesce(f.configured_title, f.title) AS feed_title, f.url AS feed_url, f.site_url, f.groups";

/// From a place in the order of lists. No `OR` for a list that begins: with one SQLite walks to the place each time.
pub(super) const NEWEST_FIRST: &str = "(i.ordered_at, i.item_id) < (:ordered_at, :before) \
    ORDER BY i.ordered_at DESC, i.item_id DESC LIMIT :limit";

impl ReadTx<'_> {
    /// Whether the store has an item that was first seen before this.
    pub fn has_items_before(&self, at: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT first_seen_at < ?1 FROM items ORDER BY item_id LIMIT 1";
        let first = self.connection.prepare_cached(sql)?.query_row([millis(at)], |row| row.get(0)).optional()?;
        Ok(first.unwrap_or(false))
    }

    /// What is known of these arrivals, by any rung of their identity.
    pub fn known_items(&self, feed: FeedId, arrived: &[NewItem]) -> Result<KnownItems, StoreError> {
        let keys = |pick: fn(&NewItem) -> Option<&ItemKey>| {
            to_json(&arrived.iter().filter_map(pick).map(|key| key.0.as_str()).collect::<Vec<_>>())
        };
        let every_key: Vec<&str> = arrived.iter().flat_map(|item| item.keys.all()).map(|key| key.0.as_str()).collect();
        let every_key = to_json(&every_key);
        let sql = "SELECT item_id, item_key, link_key, content_key, content_hash, title, published_at FROM items \
             WHERE item_id IN (SELECT item_id FROM items \
             WHERE feed_id = :feed AND item_key IN (SELECT value FROM json_each(:keys)) \
             UNION SELECT item_id FROM items \
             WHERE feed_id = :feed AND link_key IN (SELECT value FROM json_each(:links)) \
             UNION SELECT item_id FROM items \
             WHERE feed_id = :feed AND content_key IN (SELECT value FROM json_each(:contents)))";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(
            named_params! {
                ":feed": feed.0,
                ":keys": every_key,
                ":links": keys(|item| item.keys.link.as_ref()),
                ":contents": keys(|item| Some(&item.keys.content)),
            },
            known_item,
        )?;
        let items = collect(rows)?;
        let sql =
            "SELECT item_key FROM tombstones WHERE feed_id = ?1 AND item_key IN (SELECT value FROM json_each(?2))";
        let mut statement = self.connection.prepare_cached(sql)?;
        let pruned = statement.query_map(params![feed.0, every_key], |row| Ok(ItemKey(row.get(0)?)))?;
        Ok(KnownItems { items, pruned: collect(pruned)?.into_iter().collect() })
    }

    pub fn item(&self, id: ItemId) -> Result<Option<Item>, StoreError> {
        Ok(self.items_by_id(&[id])?.pop())
    }

    /// The newest item with this link, or with a link of this key: one that differs only in what counts for nothing.
    pub fn item_by_link(&self, link: &str, key: &ItemKey) -> Result<Option<Item>, StoreError> {
        let sql = "SELECT max(item_id) FROM (SELECT item_id FROM items WHERE link = ?1 AND link_key IS NULL \
                   UNION ALL SELECT item_id FROM feeds f CROSS JOIN items i ON i.feed_id = f.feed_id AND link_key = ?2)";
        let id: Option<i64> = self.connection.prepare_cached(sql)?.query_row([link, &key.0], |row| row.get(0))?;
        id.map_or(Ok(None), |id| self.item(ItemId(id)))
    }

    /// Items newest first: by the publisher's date where credible, else by ours.
    pub fn newest_items(&self, filter: &ItemFilter) -> Result<Vec<Item>, StoreError> {
        let place = self.place_of(filter.before)?;
        let feed = if filter.feed.is_some() { "i.feed_id = :feed" } else { ":feed IS NULL" };
        let tag = if filter.tag.is_some() {
            "i.item_id IN (SELECT item_id FROM item_tags WHERE tag = :tag)"
        } else {
            ":tag IS NULL"
        };
        let sql = format!("SELECT i.item_id FROM items i WHERE {feed} AND {tag} AND {NEWEST_FIRST}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(
            named_params! {
                ":tag": filter.tag.as_ref().map(|tag| &tag.0),
                ":feed": filter.feed.map(|feed| feed.0),
                ":ordered_at": place.0,
                ":before": place.1,
                ":limit": i64::try_from(filter.limit).unwrap_or(i64::MAX),
            },
            |row| Ok(ItemId(row.get(0)?)),
        )?;
        self.items_by_id(&collect(rows)?)
    }

    /// Instant and number behind which a list goes on; before everything when it begins.
    pub(super) fn place_of(&self, before: Option<ItemId>) -> Result<(i64, i64), StoreError> {
        let Some(before) = before else { return Ok((i64::MAX, i64::MAX)) };
        let sql = "SELECT ordered_at, item_id FROM items WHERE item_id = ?1";
        let place = self.connection.prepare_cached(sql)?.query_row([before.0], |row| Ok((row.get(0)?, row.get(1)?)));
        place.optional()?.ok_or(StoreError::PlaceGone)
    }

    /// These items with their tags, in this order; those that are gone are left out.
    pub fn items_by_id(&self, ids: &[ItemId]) -> Result<Vec<Item>, StoreError> {
        let wanted = to_json(&ids.iter().map(|id| id.0).collect::<Vec<_>>());
        let sql = format!(
            "SELECT {COLUMNS} FROM json_each(?1) w JOIN items i ON i.item_id = w.value \
             JOIN feeds f ON f.feed_id = i.feed_id ORDER BY w.key"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([&wanted])?;
        let mut tags = self.tags_of(&wanted)?;
        let mut items = Vec::with_capacity(ids.len());
        while let Some(row) = rows.next()? {
            let mut item = item(row)?;
            item.tags = tags.remove(&item.id).unwrap_or_default();
            items.push(item);
        }
        Ok(items)
    }

    /// The items of each story, oldest first.
    pub(super) fn items_by_story(&self, stories: &[StoryId]) -> Result<HashMap<StoryId, Vec<Item>>, StoreError> {
        let wanted = to_json(&stories.iter().map(|id| id.0).collect::<Vec<_>>());
        let sql = "SELECT item_id FROM items WHERE story_id IN (SELECT value FROM json_each(?1)) ORDER BY item_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let ids = collect(statement.query_map([wanted], |row| Ok(ItemId(row.get(0)?)))?)?;
        let mut by_story: HashMap<StoryId, Vec<Item>> = HashMap::new();
        for item in self.items_by_id(&ids)? {
            by_story.entry(item.story_id).or_default().push(item);
        }
        Ok(by_story)
    }
}

impl WriteTx<'_> {
    /// Stores a new item; its key must not be known in the feed. Its words (see `classifier::index_words`) may follow later.
    pub fn insert_item(
        &self,
        feed: FeedId,
        key: &ItemKey,
        item: &NewItem,
        story: StoryId,
        words: Option<&str>,
        now: Timestamp,
    ) -> Result<ItemId, StoreError> {
        let content = &item.content;
        self.connection
            .prepare_cached(
                "INSERT INTO items (feed_id, story_id, item_key, link_key, content_key, content_hash, guid, link, title, \
                 authors, published_at, updated_at, categories, summary, content_html, content_text, enclosures, language, \
                 first_seen_at, changed_at, ordered_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, \
                 ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?19, ?20)",
            )?
            .execute(params![
                feed.0,
                story.0,
                key.0,
                item.keys.link.as_ref().map(|key| &key.0),
                item.keys.content.0,
                item.content_hash.0,
                content.guid,
                content.link,
                content.title,
                to_json(&content.authors),
                optional_millis(content.published_at),
                optional_millis(content.updated_at),
                to_json(&content.categories),
                content.summary,
                content.content_html,
                content.content_text,
                to_json(&content.enclosures),
                content.language,
                millis(now),
                millis(ordered_at(content.published_at.or(content.updated_at), now)),
            ])?;
        let id = ItemId(self.connection.last_insert_rowid());
        self.index_new_item(id, words)?;
        Ok(id)
    }

    /// Replaces what the publisher edited. Key, first sight, place in time and story stay, and so does the first claim of
    /// `published_at`; of an item without one, when it was said to be updated before the first edit.
    pub fn update_item(&self, id: ItemId, item: &NewItem, now: Timestamp) -> Result<(), StoreError> {
        let content = &item.content;
        self.connection
            .prepare_cached(
                "UPDATE items SET link_key = :link_key, content_key = :content_key, content_hash = :content_hash, \
                 guid = :guid, link = :link, title = :title, authors = :authors, \
                 published_at = coalesce(published_at, updated_at, :published_at), updated_at = :updated_at, categories = :categories, \
                 summary = :summary, content_html = :content_html, content_text = :content_text, enclosures = :enclosures, \
                 language = :language, changed_at = :now WHERE item_id = :id",
            )?
            .execute(named_params! {
                ":id": id.0,
                ":link_key": item.keys.link.as_ref().map(|key| &key.0),
                ":content_key": item.keys.content.0,
                ":content_hash": item.content_hash.0,
                ":guid": content.guid,
                ":link": content.link,
                ":title": content.title,
                ":authors": to_json(&content.authors),
                ":published_at": optional_millis(content.published_at),
                ":updated_at": optional_millis(content.updated_at),
                ":categories": to_json(&content.categories),
                ":summary": content.summary,
                ":content_html": content.content_html,
                ":content_text": content.content_text,
                ":enclosures": to_json(&content.enclosures),
                ":language": content.language,
                ":now": millis(now),
            })?;
        Ok(())
    }

    /// Notes that pruned items are still listed, so that their keys are kept.
    pub fn keep_tombstones(&self, feed: FeedId, keys: &[ItemKey], now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE tombstones SET last_listed_at = ?3 WHERE feed_id = ?1 AND item_key = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        for key in keys {
            statement.execute(params![feed.0, key.0, millis(now)])?;
        }
        Ok(())
    }
}

fn known_item(row: &Row<'_>) -> rusqlite::Result<KnownItem> {
    let link_key: Option<String> = row.get("link_key")?;
    Ok(KnownItem {
        id: ItemId(row.get("item_id")?),
        key: ItemKey(row.get("item_key")?),
        link_key: link_key.map(ItemKey),
        content_key: ItemKey(row.get("content_key")?),
        content_hash: ContentHash(row.get("content_hash")?),
        title: row.get("title")?,
        published_at: optional_instant_at(row, "published_at")?,
    })
}

fn item(row: &Row<'_>) -> Result<Item, StoreError> {
    let list = |column: &'static str| from_json(column, &row.get::<_, String>(column)?);
    let feed_url: String = row.get("feed_url")?;
    Ok(Item {
        id: ItemId(row.get("item_id")?),
        feed_id: FeedId(row.get("feed_id")?),
        key: ItemKey(row.get("item_key")?),
        content: ItemContent {
            guid: row.get("guid")?,
            link: row.get("link")?,
            title: row.get("title")?,
            authors: list("authors")?,
            published_at: optional_instant_at(row, "published_at")?,
            updated_at: optional_instant_at(row, "updated_at")?,
            categories: list("categories")?,
            summary: row.get("summary")?,
            content_html: row.get("content_html")?,
            content_text: row.get("content_text")?,
            enclosures: from_json("enclosures", &row.get::<_, String>("enclosures")?)?,
            language: row.get("language")?,
        },
        first_seen_at: instant_at(row, "first_seen_at")?,
        changed_at: instant_at(row, "changed_at")?,
        story_id: StoryId(row.get("story_id")?),
        feed_title: feed_title(row.get("feed_title")?, &feed_url),
        feed_url,
        site_url: row.get("site_url")?,
        groups: list("groups")?,
        tags: Vec::new(),
    })
}
