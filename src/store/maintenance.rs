//! Keeping the store small, copied and measured.

use super::error::in_words;
use super::feeds::IS_FAILING;
use super::rows::{collect, count, millis, optional_instant_at, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{ItemId, TagName, Timestamp};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::ffi::SQLITE_BUSY;
use rusqlite::{Connection, ToSql, named_params, params};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use tempfile::TempPath;

/// How much is in the store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub feeds: u64,
    pub feeds_due: u64,
    pub feeds_failing: u64,
    pub items: u64,
    pub items_last_day: u64,
    pub tagged_items: u64,
    pub stories: u64,
    pub last_refresh_at: Option<Timestamp>,
    pub next_check_at: Option<Timestamp>,
    pub database_bytes: u64,
}

/// Items whose time is over: those first seen before `?1`, tagged ones before `?2`, unless an issue holds their story.
const OUTLIVED: &str = "i.first_seen_at < ?1 \
    AND (i.first_seen_at < ?2 OR NOT EXISTS (SELECT 1 FROM item_tags t WHERE t.item_id = i.item_id)) \
    AND NOT EXISTS (SELECT 1 FROM digest_entries e WHERE e.story_id = i.story_id AND e.issue_id IS NOT NULL)";

const DAY_MS: i64 = 86_400_000;

/// How long the key of a pruned item outlives its last listing, counted to what its feed last brought: a feed that is silent, or
/// away, may list it all the while.
const TOMBSTONE_KEPT_MS: i64 = 60 * DAY_MS;

/// Between two looks at whether a copy is still wanted.
const PAGES_COPIED_AT_ONCE: i32 = 1_000;

/// How the name of a copy ends that is not whole.
pub(super) const PARTIAL: &str = ".partial";

impl ReadTx<'_> {
    pub fn counts(&self, now: Timestamp) -> Result<Counts, StoreError> {
        let sql = format!(
            "SELECT (SELECT count(*) FROM feeds WHERE state <> 'removed') AS feeds, \
             (SELECT count(*) FROM feeds WHERE state = 'active' AND next_check_at <= :now) AS feeds_due, \
             (SELECT count(*) FROM feeds WHERE {IS_FAILING}) AS feeds_failing, \
             (SELECT count(*) FROM items) AS items, \
             (SELECT count(*) FROM items WHERE ordered_at > :now - 86400000) AS items_last_day, \
             (SELECT count(DISTINCT item_id) FROM item_tags) AS tagged_items, \
             (SELECT count(*) FROM stories) AS stories, \
             (SELECT max(last_refresh_at) FROM feeds) AS last_refresh_at, \
             (SELECT min(next_check_at) FROM feeds WHERE state = 'active') AS next_check_at, \
             (SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()) AS database_bytes"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let counts = statement.query_row(named_params! { ":now": millis(now) }, |row| {
            Ok(Counts {
                feeds: count(row.get("feeds")?),
                feeds_due: count(row.get("feeds_due")?),
                feeds_failing: count(row.get("feeds_failing")?),
                items: count(row.get("items")?),
                items_last_day: count(row.get("items_last_day")?),
                tagged_items: count(row.get("tagged_items")?),
                stories: count(row.get("stories")?),
                last_refresh_at: optional_instant_at(row, "last_refresh_at")?,
                next_check_at: optional_instant_at(row, "next_check_at")?,
                database_bytes: count(row.get("database_bytes")?),
            })
        })?;
        Ok(counts)
    }

    /// Items a day over the last `days` days, oldest first, by the day (UTC) that they are ordered under.
    pub fn items_a_day(&self, now: Timestamp, days: u16) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM items WHERE ordered_at >= d.value * ?2 AND ordered_at < (d.value + 1) * ?2) \
                   FROM json_each(?1) d ORDER BY d.key";
        let mut statement = self.connection.prepare_cached(sql)?;
        let days: Vec<i64> = days_until(now, days).collect();
        collect(statement.query_map(params![to_json(&days), DAY_MS], |row| Ok(count(row.get(0)?)))?)
    }

    /// As [`ReadTx::items_a_day`], of items with this tag.
    pub fn tagged_items_a_day(&self, tag: &TagName, now: Timestamp, days: u16) -> Result<Vec<u64>, StoreError> {
        let days = days_until(now, days);
        let (first_day, since) = (days.start, days.start * DAY_MS);
        let mut by_day: Vec<u64> = days.map(|_| 0).collect();
        let sql = "SELECT i.ordered_at / ?4 AS day, count(*) FROM item_tags t CROSS JOIN items i USING (item_id) \
                   WHERE t.tag = ?1 AND t.item_id >= ?2 AND i.ordered_at >= ?3 GROUP BY day";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params![tag.0, self.first_item_since(since)?, since, DAY_MS], |row| {
            Ok((row.get::<_, i64>(0)?, count(row.get(1)?)))
        })?;
        for (day, items) in collect(rows)? {
            if let Some(place) = usize::try_from(day - first_day).ok().and_then(|index| by_day.get_mut(index)) {
                *place = items;
            }
        }
        Ok(by_day)
    }

    /// The least id among items ordered since an instant: of tables by item, what is before it needs no look. Read in an index
    /// alone, which the planner would not.
    pub(super) fn first_item_since(&self, since_ms: i64) -> Result<i64, StoreError> {
        let sql = "SELECT min(item_id) FROM items INDEXED BY items_by_time WHERE ordered_at >= ?1";
        let first: Option<i64> = self.connection.prepare_cached(sql)?.query_row([since_ms], |row| row.get(0))?;
        Ok(first.unwrap_or(i64::MAX))
    }

    /// The items whose time is over, for [`WriteTx::prune`]: of a large archive more than one transaction should remove, and
    /// to pass by those that are kept takes longer than whoever writes should wait.
    pub fn outlived_items(
        &self,
        untagged_before: Timestamp,
        tagged_before: Timestamp,
    ) -> Result<Vec<ItemId>, StoreError> {
        // No item is ordered after it was first seen, and by that order there is an index.
        let sql = format!("SELECT i.item_id FROM items i WHERE i.ordered_at < ?1 AND {OUTLIVED} ORDER BY i.ordered_at");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let parameters = params![millis(untagged_before), millis(tagged_before)];
        collect(statement.query_map(parameters, |row| Ok(ItemId(row.get(0)?)))?)
    }
}

/// The last `days` days up to that of `now`, counted from 1970.
fn days_until(now: Timestamp, days: u16) -> Range<i64> {
    let tomorrow = millis(now).div_euclid(DAY_MS) + 1;
    tomorrow - i64::from(days)..tomorrow
}

impl WriteTx<'_> {
    /// Removes those of these items that were first seen before `untagged_before` (tagged ones: before `tagged_before`), and
    /// remembers their keys for as long as a feed may still list them. How many were removed. What archives hold is noted before.
    pub fn prune(
        &self,
        items: &[ItemId],
        untagged_before: Timestamp,
        tagged_before: Timestamp,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let sql = format!(
            "SELECT i.item_id, i.story_id FROM items i WHERE i.item_id IN (SELECT value FROM json_each(?3)) AND {OUTLIVED}"
        );
        let asked = to_json(&items.iter().map(|item| item.0).collect::<Vec<_>>());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let parameters = params![millis(untagged_before), millis(tagged_before), asked];
        let rows = statement.query_map(parameters, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        let (ids, stories): (Vec<i64>, Vec<i64>) = collect(rows)?.into_iter().unzip();
        if ids.is_empty() {
            return Ok(0);
        }
        self.note_all_archive_bounds()?;
        let (ids, stories) = (to_json(&ids), to_json(&stories));
        self.make_documents_anew(
            "SELECT digest FROM digest_entries WHERE story_id IN (SELECT value FROM json_each(?1))",
            params![stories],
        )?;
        self.connection
            .prepare_cached(
                // What was stored by a guid, before those of its feed turned out to mean nothing, is asked for by another rung.
                "INSERT OR REPLACE INTO tombstones (feed_id, item_key, last_listed_at) \
                 SELECT i.feed_id, CASE f.item_identity WHEN 'guid' THEN i.item_key \
                     WHEN 'link' THEN coalesce(i.link_key, i.content_key) ELSE i.content_key END, ?2 \
                 FROM items i JOIN feeds f USING (feed_id) WHERE item_id IN (SELECT value FROM json_each(?1))",
            )?
            .execute(params![ids, millis(now)])?;
        self.connection
            .prepare_cached("DELETE FROM recent_signatures WHERE item_id IN (SELECT value FROM json_each(?1))")?
            .execute([&ids])?;
        let removed = self
            .connection
            .prepare_cached("DELETE FROM items WHERE item_id IN (SELECT value FROM json_each(?1))")?
            .execute([&ids])?;
        self.connection
            .prepare_cached(
                "DELETE FROM stories WHERE story_id IN (SELECT value FROM json_each(?1)) \
                 AND NOT EXISTS (SELECT 1 FROM items i WHERE i.story_id = stories.story_id)",
            )?
            .execute([stories])?;
        Ok(removed)
    }

    /// Forgets keys of pruned items that their feeds do not list any more.
    pub fn forget_tombstones(&self) -> Result<usize, StoreError> {
        let sql = "DELETE FROM tombstones WHERE last_listed_at < \
             (SELECT last_new_item_at FROM feeds f WHERE f.feed_id = tombstones.feed_id) - ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([TOMBSTONE_KEPT_MS])?)
    }

    /// Removes the issues cut before `before`; how many. Their stories stay in the digest until their own time is over, and
    /// come into no other issue. What archives hold is noted before.
    pub fn remove_issues(&self, before: Timestamp) -> Result<usize, StoreError> {
        let before = millis(before);
        let any = "SELECT EXISTS (SELECT 1 FROM issues WHERE cut_at < ?1)";
        if !self.connection.prepare_cached(any)?.query_row([before], |row| row.get::<_, bool>(0))? {
            return Ok(0);
        }
        self.note_all_archive_bounds()?;
        self.make_documents_anew("SELECT digest FROM issues WHERE cut_at < ?1", params![before])?;
        self.connection
            .prepare_cached(
                "UPDATE digest_entries SET issue_id = NULL, backfilled = 1 \
                 WHERE issue_id IN (SELECT issue_id FROM issues WHERE cut_at < ?1)",
            )?
            .execute([before])?;
        Ok(self.connection.prepare_cached("DELETE FROM issues WHERE cut_at < ?1")?.execute([before])?)
    }

    /// Gives digests another version, since something is gone that may stand in their documents. That is no news: the
    /// instant of their last change stays.
    fn make_documents_anew(&self, digests: &str, parameters: &[&dyn ToSql]) -> Result<(), StoreError> {
        let sql = format!("UPDATE digests SET version = version + 1 WHERE digest IN ({digests})");
        self.connection.prepare_cached(&sql)?.execute(parameters)?;
        Ok(())
    }

    /// Forgets near-duplicate signatures of items first seen before `before`: news that old is not told again.
    pub fn forget_signatures(&self, before: Timestamp) -> Result<usize, StoreError> {
        let sql = "DELETE FROM recent_signatures WHERE first_seen_at < ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([millis(before)])?)
    }
}

pub(super) fn checkpoint(connection: &Connection) -> Result<(), StoreError> {
    connection.execute_batch("PRAGMA optimize")?;
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Copies a database page by page while others use it (SQLite's online backup), for its owner alone as the database is.
/// What is copied has a name of its own until it is whole: of several that copy to one target at once, one makes it.
pub(super) fn copy(connection: &Connection, target: &Path) -> Result<(), StoreError> {
    copy_if(connection, target, &|| true, |_| Ok(()))
}

/// As [`copy`], until `proceed` says no. A copy of a damaged database is not kept: it would be one more in the place of those
/// that are whole.
pub(super) fn backup(connection: &Connection, target: &Path, proceed: &dyn Fn() -> bool) -> Result<(), StoreError> {
    copy_if(connection, target, proceed, |copied| {
        let checked = Connection::open(copied)
            .and_then(|copied| copied.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)));
        let detail = match checked {
            Ok(detail) if detail == "ok" => return Ok(()),
            Ok(detail) => detail,
            Err(error) => error.to_string(),
        };
        Err(StoreError::Damaged { path: connection.path().unwrap_or_default().into(), detail })
    })
}

fn copy_if(
    connection: &Connection,
    target: &Path,
    proceed: &dyn Fn() -> bool,
    is_wanted: impl FnOnce(&Path) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let unusable = |detail: String| StoreError::Unusable { path: target.to_owned(), detail };
    let taken = || unusable("this file exists already; name a new one".into());
    let failed = |error: String| unusable(format!("the copy cannot be written: {error}"));
    if target.exists() {
        return Err(taken());
    }
    // Whatever fails below, what is left of the copy goes with this value.
    let partial = new_file_beside(target).map_err(|error| failed(error.to_string()))?;
    if !copy_pages(connection, &partial, proceed).map_err(|error| failed(in_words(&error)))? {
        return Err(unusable("told to stop; nothing is left of the copy".into()));
    }
    is_wanted(&partial)?;
    partial.persist_noclobber(target).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => taken(),
        _ => failed(error.error.to_string()),
    })
}

/// Whether all pages were copied before `proceed` said no.
fn copy_pages(from: &Connection, to: &Path, proceed: &dyn Fn() -> bool) -> rusqlite::Result<bool> {
    let mut to = Connection::open(to)?;
    let backup = Backup::new(from, &mut to)?;
    while proceed() {
        match backup.step(PAGES_COPIED_AT_ONCE)? {
            StepResult::Done => return Ok(true),
            StepResult::More => {}
            // Nobody else has the file, and who reads a log is kept waiting by nobody.
            _ => return Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(SQLITE_BUSY), None)),
        }
    }
    Ok(false)
}

/// Readable by its owner alone, as all that `tempfile` makes.
fn new_file_beside(target: &Path) -> std::io::Result<TempPath> {
    let directory = target.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".");
    Ok(tempfile::Builder::new().prefix(&name).suffix(PARTIAL).tempfile_in(directory)?.into_temp_path())
}
