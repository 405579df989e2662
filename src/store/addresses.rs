//! The feeds that the config lists, and where: how a feed keeps its identity when it moves.

use super::rows::{collect, millis, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{ConfiguredFeed, FeedId, FeedRecord, Timestamp};
use rusqlite::{OptionalExtension, named_params, params};

/// A feed that has long been missing, and the page to look for its new address on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFeed {
    pub id: FeedId,
    pub url: String,
    /// Where it is asked for now.
    pub address: String,
    pub site_url: Option<String>,
}

impl ReadTx<'_> {
    /// Feeds that have answered 404 or 410 since before `missing_since` and whose site was not searched after
    /// `searched_before`, those that wait longest first.
    pub fn missing_feeds(
        &self,
        missing_since: Timestamp,
        searched_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<MissingFeed>, StoreError> {
        let sql = "SELECT f.feed_id, f.url, coalesce(f.fetch_url, f.url), f.site_url \
                   FROM feeds f LEFT JOIN offered_addresses o USING (feed_id) \
                   WHERE f.state IN ('active', 'gone') AND f.last_status IN (404, 410) AND f.failing_since_at <= ?1 \
                     AND coalesce(o.searched_at, 0) <= ?2 ORDER BY o.searched_at, f.failing_since_at LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![millis(missing_since), millis(searched_before), limit], |row| {
            Ok(MissingFeed { id: FeedId(row.get(0)?), url: row.get(1)?, address: row.get(2)?, site_url: row.get(3)? })
        })?;
        collect(rows)
    }

    /// The identity of the feed that the config means by `url`, an address that no feed was first configured with:
    /// the feed that it was listed at before, or one that has left the config and is known to be there now.
    ///
    /// Looks at the table of addresses that are in the config.
    fn feed_moved_to(&self, url: &str) -> Result<Option<(FeedId, String)>, StoreError> {
        let sql = "SELECT f.feed_id, f.url FROM feeds f \
                   LEFT JOIN feed_addresses a USING (feed_id) \
                   WHERE f.feed_id IN (SELECT feed_id FROM feed_addresses WHERE url = ?1 \
                                       UNION ALL SELECT feed_id FROM feeds WHERE fetch_url = ?1 \
                                       UNION ALL SELECT feed_id FROM offered_addresses WHERE url = ?1) \
                     AND f.url NOT IN (SELECT url FROM in_config) \
                     AND (a.url IS NULL OR a.url = ?1 OR a.url NOT IN (SELECT url FROM in_config)) \
                   ORDER BY a.url = ?1 DESC, f.state <> 'active', f.feed_id LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([url], |row| Ok((FeedId(row.get(0)?), row.get(1)?))).optional()?)
    }
}

impl WriteTx<'_> {
    /// Brings the feeds of the store in line with the config: new ones are added, those that left are
    /// marked removed (their items stay), returning ones are polled again. An address at which a feed that left is
    /// known to be now is that feed: it keeps its identity, its items and its past.
    ///
    /// What the config says of a feed is what rules ask: where that changes for one with items, the archive no longer follows
    /// them. Returns how many are new.
    pub fn sync_feeds(&self, feeds: &[ConfiguredFeed]) -> Result<usize, StoreError> {
        self.connection.execute_batch(
            "CREATE TEMP TABLE IF NOT EXISTS in_config (url TEXT PRIMARY KEY) WITHOUT ROWID; DELETE FROM in_config;",
        )?;
        let mut listed = self.connection.prepare_cached("INSERT OR IGNORE INTO in_config (url) VALUES (?1)")?;
        let mut known = self.connection.prepare_cached(
            "SELECT a.feed_id, configured_title IS NOT :title OR groups <> :groups \
                 OR language IS NOT coalesce(:language, language) \
             FROM feeds f LEFT JOIN feed_addresses a USING (feed_id) WHERE f.url = :url",
        )?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO feeds (url, configured_title, groups, language, state, next_check_at) \
             VALUES (:url, :title, :groups, :language, :state, :next_check_at)",
        )?;
        // Thousands are as they were at each start: those are not written.
        let mut update = self.connection.prepare_cached(
            "UPDATE feeds SET configured_title = :title, groups = :groups, language = coalesce(:language, language), \
                 state = CASE WHEN :state = 'disabled' THEN 'disabled' \
                              WHEN state = 'removed' OR state = 'disabled' THEN 'active' ELSE state END, \
                 next_check_at = coalesce(next_check_at, :next_check_at) \
             WHERE url = :url AND (configured_title IS NOT :title OR groups <> :groups \
                 OR language IS NOT coalesce(:language, language) OR next_check_at IS NULL \
                 OR state = 'removed' OR (state = 'disabled') <> (:state = 'disabled'))",
        )?;
        let mut has_items = self.connection.prepare_cached(
            "SELECT 1 FROM feeds f WHERE url = ?1 AND EXISTS (SELECT 1 FROM items i WHERE i.feed_id = f.feed_id)",
        )?;
        for feed in feeds {
            listed.execute([&feed.url])?;
        }
        let (mut new, mut is_behind) = (0, false);
        for feed in feeds {
            let mut identity = feed.url.clone();
            let groups = to_json(&feed.groups);
            let asked = named_params! {
                ":url": feed.url, ":title": feed.title, ":groups": groups, ":language": feed.language,
            };
            let found = known.query_row(asked, |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, bool>(1)?)));
            let (write, is_told_otherwise) = if let Some((elsewhere, is_told_otherwise)) = found.optional()? {
                elsewhere.map_or(Ok(()), |id| self.list_feed_at_first(FeedId(id), feed.first_check_at))?;
                (&mut update, is_told_otherwise)
            } else if let Some((moved, url)) = self.as_read().feed_moved_to(&feed.url)? {
                self.list_feed_at(moved, &feed.url, feed.first_check_at)?;
                listed.execute([&url])?;
                identity = url;
                (&mut update, true)
            } else {
                new += 1;
                (&mut insert, false)
            };
            is_behind = is_behind || is_told_otherwise && has_items.exists([&identity])?;
            write.execute(named_params! {
                ":url": identity,
                ":title": feed.title,
                ":groups": groups,
                ":language": feed.language,
                ":state": if feed.enabled { "active" } else { "disabled" },
                ":next_check_at": millis(feed.first_check_at),
            })?;
        }
        if is_behind {
            self.forget_rules()?;
        }
        let sql = "UPDATE feeds SET state = 'removed' WHERE url NOT IN (SELECT url FROM in_config)";
        self.connection.prepare_cached(sql)?.execute([])?;
        // A duplicate whose twin is polled no longer is polled in its place.
        let sql = "UPDATE feeds SET state = 'active' WHERE state = 'duplicate' AND NOT EXISTS \
                   (SELECT 1 FROM feeds twin WHERE twin.feed_id <> feeds.feed_id AND twin.state = 'active' \
                    AND coalesce(twin.fetch_url, twin.url) = coalesce(feeds.fetch_url, feeds.url))";
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(new)
    }

    /// Notes where a feed could be listed; `None`: its site names nothing new.
    pub fn offer_address(&self, feed: FeedId, url: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO offered_addresses (feed_id, url, searched_at) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (feed_id) DO UPDATE SET url = ?2, searched_at = ?3";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, url, millis(now)])?;
        Ok(())
    }

    /// Notes that a feed's site was searched in vain; what it offered before stands.
    pub fn site_searched(&self, feed: FeedId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO offered_addresses (feed_id, searched_at) VALUES (?1, ?2) \
                   ON CONFLICT (feed_id) DO UPDATE SET searched_at = ?2";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(now)])?;
        Ok(())
    }

    /// The config lists a feed at another address than its first: it is asked for there, and at once.
    fn list_feed_at(&self, feed: FeedId, url: &str, due_at: Timestamp) -> Result<(), StoreError> {
        let sql = "SELECT url = ?2 FROM feed_addresses WHERE feed_id = ?1";
        let listed =
            self.connection.prepare_cached(sql)?.query_row(params![feed.0, url], |row| row.get(0)).optional()?;
        if listed == Some(true) {
            return Ok(());
        }
        let sql = "INSERT INTO feed_addresses (feed_id, url) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET url = ?2";
        self.connection.prepare_cached("DELETE FROM feed_addresses WHERE url = ?1")?.execute([url])?;
        self.connection.prepare_cached(sql)?.execute(params![feed.0, url])?;
        self.ask_at(feed, Some(url), due_at)?;
        self.connection.prepare_cached("DELETE FROM offered_addresses WHERE feed_id = ?1")?.execute([feed.0])?;
        Ok(())
    }

    /// The config lists a feed at its first address again: it is asked for there, and at once.
    fn list_feed_at_first(&self, feed: FeedId, due_at: Timestamp) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM feed_addresses WHERE feed_id = ?1")?.execute([feed.0])?;
        self.ask_at(feed, None, due_at)
    }

    /// What a visit found of where and when to ask for a feed is of the address that the config listed when it began.
    pub(super) fn follow_config(&self, visited: &FeedRecord) -> Result<(), StoreError> {
        let sql = "SELECT a.url FROM feeds f LEFT JOIN feed_addresses a USING (feed_id) \
                   WHERE f.feed_id = ?1 AND coalesce(a.url, f.url) <> ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let listed = statement.query_row(params![visited.id.0, visited.configured_url], |row| row.get(0)).optional()?;
        let due_at = visited.last_refresh_at.unwrap_or(Timestamp::MIN);
        listed.map_or(Ok(()), |listed: Option<String>| self.ask_at(visited.id, listed.as_deref(), due_at))
    }

    /// Asks for a feed at another address than before; `None`: at its first.
    fn ask_at(&self, feed: FeedId, address: Option<&str>, due_at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE feeds SET state = CASE WHEN state = 'gone' THEN 'active' ELSE state END, fetch_url = ?2, \
                   next_check_at = CASE WHEN fetch_url IS ?2 THEN next_check_at ELSE ?3 END, \
                   redirect_url = NULL, redirect_count = 0, redirect_since_at = NULL WHERE feed_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, address, millis(due_at)])?;
        Ok(())
    }
}
