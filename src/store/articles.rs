//! Article pages: which are wanted, what was read of them, and which failed.

use super::rows::{collect, count, millis, optional_millis, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{FeedId, ItemId, Timestamp};
use rusqlite::params;
use std::collections::HashMap;

/// An item whose page is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedArticle {
    pub item: ItemId,
    pub link: String,
    /// Tries that failed.
    pub tries: u64,
}

/// What a page said: sanitised HTML and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArticle {
    pub html: String,
    pub text: String,
}

impl ReadTx<'_> {
    /// The pages of this feed that may be asked for now, the newest items first.
    pub fn wanted_articles(&self, feed: FeedId, now: Timestamp, limit: u32) -> Result<Vec<WantedArticle>, StoreError> {
        let sql = "SELECT a.item_id, i.link, a.tries FROM articles a JOIN items i USING (item_id) \
                   WHERE a.next_try_at <= ?1 AND i.feed_id = ?2 AND i.link IS NOT NULL \
                   ORDER BY a.item_id DESC LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map(params![millis(now), feed.0, limit], |row| {
            Ok(WantedArticle { item: ItemId(row.get(0)?), link: row.get(1)?, tries: count(row.get(2)?) })
        })?)
    }

    /// What was read of the pages of these items, where it was.
    pub fn articles(&self, items: &[ItemId]) -> Result<HashMap<ItemId, StoredArticle>, StoreError> {
        let sql = "SELECT item_id, html, text FROM articles \
                   WHERE text IS NOT NULL AND item_id IN (SELECT value FROM json_each(?1))";
        let mut statement = self.connection.prepare_cached(sql)?;
        let wanted = to_json(&items.iter().map(|item| item.0).collect::<Vec<_>>());
        let rows = statement.query_map([wanted], |row| {
            Ok((ItemId(row.get(0)?), StoredArticle { html: row.get(1)?, text: row.get(2)? }))
        })?;
        Ok(collect(rows)?.into_iter().collect())
    }
}

impl WriteTx<'_> {
    /// Asks for the page of a new item.
    pub fn want_article(&self, item: ItemId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO articles (item_id, next_try_at) VALUES (?1, ?2)";
        self.connection.prepare_cached(sql)?.execute(params![item.0, millis(now)])?;
        Ok(())
    }

    /// Keeps what a page said and gives it to its item. The item's hash stays that of what the feed said, so that
    /// the next visit finds nothing edited. False when the item is gone.
    pub fn keep_article(&self, item: ItemId, article: &StoredArticle, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE items SET content_html = ?2, content_text = ?3, changed_at = ?4 WHERE item_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let updated = statement.execute(params![item.0, article.html, article.text, millis(now)])?;
        let sql = "UPDATE articles SET html = ?2, text = ?3, next_try_at = NULL, last_error = NULL WHERE item_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![item.0, article.html, article.text])?;
        Ok(updated > 0)
    }

    /// Notes that a page could not be read, and when to try again; `None`: never.
    pub fn article_failed(&self, item: ItemId, reason: &str, next_try_at: Option<Timestamp>) -> Result<(), StoreError> {
        let sql = "UPDATE articles SET tries = tries + 1, last_error = ?2, next_try_at = ?3 WHERE item_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![item.0, reason, optional_millis(next_try_at)])?;
        Ok(())
    }
}
