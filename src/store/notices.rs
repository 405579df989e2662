//! Notices of feeds: what a review looks at, what it changes, and what is published of it.

use super::rows::{collect, instant_at, millis, optional_instant_at, optional_millis};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{EntryId, FeedCondition, FeedId, Notice, NoticeKind, OpenNotice, Timestamp, feed_title};
use jiff::SignedDuration;
use rusqlite::{Row, params};

/// How long an ended notice can be read.
const KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

impl ReadTx<'_> {
    /// Every feed of the config, as far as notices follow from it.
    pub fn feed_conditions(&self) -> Result<Vec<FeedCondition>, StoreError> {
        let sql = "SELECT f.feed_id, f.url, coalesce(f.configured_title, f.title) AS name, f.state, \
                 nullif(f.fetch_url, coalesce(a.url, f.url)) AS moved_to, f.next_check_at, f.last_refresh_at, \
                 f.last_success_at, f.last_new_item_at, f.last_overflow_at, f.failure_count, f.failing_since_at, f.last_error \
             FROM feeds f LEFT JOIN feed_addresses a USING (feed_id) WHERE f.state IN ('active', 'gone', 'duplicate')";
        collect(self.connection.prepare_cached(sql)?.query_map([], condition)?)
    }

    pub fn open_notices(&self) -> Result<Vec<OpenNotice>, StoreError> {
        let sql = "SELECT notice_id, feed_id, kind, started_at FROM feed_notices WHERE ended_at IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([], |row| {
            Ok(OpenNotice {
                id: row.get("notice_id")?,
                feed: row.get::<_, Option<i64>>("feed_id")?.map(FeedId),
                kind: kind(&row.get::<_, String>("kind")?),
                started_at: instant_at(row, "started_at")?,
            })
        })?)
    }

    /// When the last time ended that many feeds failed at once.
    pub fn last_outage_ended_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT max(ended_at) AS ended_at FROM feed_notices WHERE kind = 'outage'";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| optional_instant_at(row, "ended_at"))?)
    }

    /// When the first digest was configured.
    pub fn watching_since(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(created_at) AS since_at FROM digests";
        Ok(self.connection.prepare_cached(sql)?.query_row([], |row| optional_instant_at(row, "since_at"))?)
    }

    /// The newest notices, newest first.
    pub fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        let sql = "SELECT feed_id, kind, entry_id, started_at, noted_at, ended_at, title, advice FROM feed_notices \
                   ORDER BY noted_at DESC, notice_id DESC LIMIT ?1";
        collect(self.connection.prepare_cached(sql)?.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], notice)?)
    }
}

impl WriteTx<'_> {
    /// Stores what a review changes. A notice that was given before is not given again.
    pub fn save_notices(&self, begun: &[Notice], ended: &[i64], now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO feed_notices (feed_id, kind, entry_id, started_at, noted_at, ended_at, title, advice) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                   ON CONFLICT (entry_id) DO UPDATE SET ended_at = excluded.ended_at";
        let mut insert = self.connection.prepare_cached(sql)?;
        let mut end = self.connection.prepare_cached("UPDATE feed_notices SET ended_at = ?2 WHERE notice_id = ?1")?;
        for id in ended {
            end.execute([*id, millis(now)])?;
        }
        for notice in begun {
            insert.execute(params![
                notice.feed.map(|feed| feed.0),
                notice.kind.name(),
                notice.entry_id.0,
                millis(notice.started_at),
                millis(notice.noted_at),
                optional_millis(notice.ended_at),
                notice.title,
                notice.advice,
            ])?;
        }
        let before = millis(now.checked_sub(KEPT).unwrap_or(Timestamp::MIN));
        self.connection.prepare_cached("DELETE FROM feed_notices WHERE ended_at < ?1")?.execute([before])?;
        Ok(())
    }
}

fn condition(row: &Row<'_>) -> rusqlite::Result<FeedCondition> {
    let url: String = row.get("url")?;
    Ok(FeedCondition {
        id: FeedId(row.get("feed_id")?),
        title: feed_title(row.get("name")?, &url),
        url,
        state: super::feeds::state(&row.get::<_, String>("state")?),
        moved_to: row.get("moved_to")?,
        next_check_at: optional_instant_at(row, "next_check_at")?,
        last_refresh_at: optional_instant_at(row, "last_refresh_at")?,
        last_success_at: optional_instant_at(row, "last_success_at")?,
        last_new_item_at: optional_instant_at(row, "last_new_item_at")?,
        last_overflow_at: optional_instant_at(row, "last_overflow_at")?,
        failure_count: row.get("failure_count")?,
        failing_since_at: optional_instant_at(row, "failing_since_at")?,
        last_error: row.get("last_error")?,
    })
}

fn notice(row: &Row<'_>) -> rusqlite::Result<Notice> {
    Ok(Notice {
        feed: row.get::<_, Option<i64>>("feed_id")?.map(FeedId),
        kind: kind(&row.get::<_, String>("kind")?),
        entry_id: EntryId(row.get("entry_id")?),
        started_at: instant_at(row, "started_at")?,
        noted_at: instant_at(row, "noted_at")?,
        ended_at: optional_instant_at(row, "ended_at")?,
        title: row.get("title")?,
        advice: row.get("advice")?,
    })
}

fn kind(name: &str) -> NoticeKind {
    NoticeKind::ALL.into_iter().find(|kind| kind.name() == name).expect("the schema checks the kind")
}
