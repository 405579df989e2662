//! Items as queries look at them, in bulk: for walks over the archive and for searches far back.
//!
//! One statement a walk, columns by number, nothing read that no query looks at: a million items pass through here.

use super::items::NEWEST_FIRST;
use super::rows::{collect, from_json, instant};
use super::{ReadTx, StoreError};
use crate::model::{FeedId, FeedNames, ItemId, StoredText, StoryId, feed_title, ordered_at};
use rusqlite::{OptionalExtension, Params, Row, named_params, params};
use std::collections::HashMap;
use std::sync::Arc;

const COLUMNS: &str = "item_id, story_id, feed_id, title, link, summary, content_text, authors, categories, language, \
    published_at, updated_at, first_seen_at, changed_at";

impl ReadTx<'_> {
    /// Items in the order of first sight, from the one after `after`.
    pub fn texts_after(&self, after: ItemId, limit: usize) -> Result<Vec<StoredText>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.texts_where("item_id > ?1 ORDER BY item_id LIMIT ?2", params![after.0, limit])
    }

    /// Items newest first, in the order of lists, behind `before`.
    pub fn newest_texts(&self, before: Option<ItemId>, limit: usize) -> Result<Vec<StoredText>, StoreError> {
        let place = self.place_of(before)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.texts_where(NEWEST_FIRST, named_params! { ":ordered_at": place.0, ":before": place.1, ":limit": limit })
    }

    fn texts_where(&self, condition: &str, parameters: impl Params) -> Result<Vec<StoredText>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM items i WHERE {condition}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut feeds = Feeds::new(self);
        statement.query_and_then(parameters, |row| text(row, &mut feeds))?.collect()
    }

    /// The same list by number alone, out of its index.
    pub fn newest_ids(&self, before: Option<ItemId>, limit: usize) -> Result<Vec<ItemId>, StoreError> {
        let place = self.place_of(before)?;
        let sql = format!("SELECT i.item_id FROM items i WHERE {NEWEST_FIRST}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let parameters = named_params! { ":ordered_at": place.0, ":before": place.1, ":limit": limit };
        collect(statement.query_map(parameters, |row| Ok(ItemId(row.get(0)?)))?)
    }

    /// Those of some items that come behind `before`, in the order of lists.
    pub fn newest_first(&self, items: &[ItemId], before: Option<ItemId>) -> Result<Vec<ItemId>, StoreError> {
        let place = self.place_of(before)?;
        let mut statement = self.connection.prepare_cached("SELECT ordered_at FROM items WHERE item_id = ?1")?;
        let mut places: Vec<(i64, i64)> = Vec::with_capacity(items.len());
        for item in items {
            let ordered_at = statement.query_row([item.0], |row| row.get(0)).optional()?;
            places.extend(ordered_at.map(|ordered_at| (ordered_at, item.0)).filter(|own| *own < place));
        }
        places.sort_unstable_by(|a, b| b.cmp(a));
        Ok(places.into_iter().map(|(_, id)| ItemId(id)).collect())
    }

    /// These items in this order; those that are gone are left out.
    pub fn texts(&self, items: &[ItemId]) -> Result<Vec<StoredText>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM items WHERE item_id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let (mut feeds, mut texts) = (Feeds::new(self), Vec::with_capacity(items.len()));
        for item in items {
            let mut rows = statement.query([item.0])?;
            if let Some(row) = rows.next()? {
                texts.push(text(row, &mut feeds)?);
            }
        }
        Ok(texts)
    }
}

/// The feeds of the items that are read together, each read once.
struct Feeds<'a> {
    tx: &'a ReadTx<'a>,
    known: HashMap<FeedId, Arc<FeedNames>>,
}

impl<'a> Feeds<'a> {
    fn new(tx: &'a ReadTx<'a>) -> Self {
        Self { tx, known: HashMap::new() }
    }

    fn names(&mut self, feed: FeedId) -> Result<Arc<FeedNames>, StoreError> {
        if let Some(names) = self.known.get(&feed) {
            return Ok(Arc::clone(names));
        }
        let sql = "SELECT coalesce(configured_title, title), url, language, groups FROM feeds WHERE feed_id = ?1";
        let (title, url, language, groups): (_, String, _, _) = self
            .tx
            .connection
            .prepare_cached(sql)?
            .query_row([feed.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?)))?;
        let names = Arc::new(FeedNames {
            title: feed_title(title, &url),
            url,
            language,
            groups: from_json("groups", &groups)?,
        });
        self.known.insert(feed, Arc::clone(&names));
        Ok(names)
    }
}

/// A row of [`COLUMNS`].
fn text(row: &Row<'_>, feeds: &mut Feeds<'_>) -> Result<StoredText, StoreError> {
    let list = |index: usize, column: &'static str| match row.get_ref(index)?.as_str().map_err(rusqlite::Error::from)? {
        "[]" => Ok(Vec::new()),
        json => from_json(column, json),
    };
    let at = |index: usize| Ok::<_, StoreError>(row.get::<_, Option<i64>>(index)?.map(instant));
    let first_seen_at = instant(row.get(12)?);
    Ok(StoredText {
        id: ItemId(row.get(0)?),
        story_id: StoryId(row.get(1)?),
        title: row.get(3)?,
        link: row.get(4)?,
        summary: row.get(5)?,
        content_text: row.get(6)?,
        authors: list(7, "authors")?,
        categories: list(8, "categories")?,
        language: row.get(9)?,
        first_seen_at,
        changed_at: instant(row.get(13)?),
        ordered_at: ordered_at(at(10)?.or(at(11)?), first_seen_at),
        feed: feeds.names(FeedId(row.get(2)?))?,
    })
}
