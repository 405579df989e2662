//! Feeds: their row, their validators, and when they are due.

use super::rows::{InOrder, collect, count, from_json, instant, millis, optional_instant_at, optional_millis};
use super::{ReadTx, StoreError, UnreadableFeed, WriteTx};
use crate::model::{
    DueFeed, FeedHealth, FeedId, FeedRecord, FeedState, ItemIdentity, RedirectMemory, Remembered, Timestamp,
    Validators, feed_title,
};
use jiff::SignedDuration;
use rusqlite::{OptionalExtension, Row, named_params, params};
use url::Url;

/// A feed, where to ask for it, when it is to be asked next, and whether it never was.
pub type NextCheckRow = (FeedId, String, Option<Timestamp>, bool);

/// In the order in which [`record`] reads them.
const COLUMNS: &str = "feed_id, url, fetch_url, \
    coalesce((SELECT a.url FROM feed_addresses a WHERE a.feed_id = feeds.feed_id), url), \
    configured_title, title, site_url, language, groups, state, item_identity, next_check_at, next_check_reason, \
    last_refresh_at, last_success_at, last_new_item_at, last_status, fresh_until_at, retry_after_at, wait_was_cut, ttl_s, \
    skip_hours, skip_days, failure_count, failing_since_at, last_error, overflow_count, last_overflow_at, broken_since_at, \
    redirect_url, redirect_since_at, redirect_count, \
    (SELECT s.expires_at FROM subscriptions s WHERE s.feed_id = feeds.feed_id AND s.state = 'active' \
         AND s.missed_at IS NULL)";

/// As [`FeedHealth::is_failing`], of a row of `feeds`.
pub(super) const IS_FAILING: &str = "(state = 'gone' OR (state = 'active' AND failure_count > 0))";

impl ReadTx<'_> {
    /// Active feeds that are due at `now`, longest overdue first.
    pub fn due_feeds(&self, now: Timestamp) -> Result<Vec<DueFeed>, StoreError> {
        let sql = "SELECT feed_id, coalesce(fetch_url, url) AS address, \
                   coalesce((SELECT a.url FROM feed_addresses a WHERE a.feed_id = feeds.feed_id), url) AS configured_url, \
                   skip_hours, skip_days FROM feeds WHERE state = 'active' AND next_check_at <= ?1 ORDER BY next_check_at";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([millis(now)], |row| {
            Ok(DueFeed {
                id: FeedId(row.get("feed_id")?),
                address: row.get("address")?,
                configured_url: row.get("configured_url")?,
                // Out of range in a damaged record, of which its visit tells; the others are due all the same.
                skip_hours: row.get("skip_hours").unwrap_or_default(),
                skip_days: row.get("skip_days").unwrap_or_default(),
            })
        })?)
    }

    /// Active feeds that would sleep beyond `horizon`, since they were refreshed in what is the future at `now`: the clock
    /// was set back. With each the wait that it was given then.
    pub fn oversleeping_feeds(
        &self,
        now: Timestamp,
        horizon: Timestamp,
    ) -> Result<Vec<(FeedId, SignedDuration)>, StoreError> {
        let sql = "SELECT feed_id, next_check_at - coalesce(last_refresh_at, next_check_at) FROM feeds \
                   WHERE state = 'active' AND next_check_at > ?2 AND coalesce(last_refresh_at, next_check_at) > ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let wait = |row: &Row<'_>| Ok((FeedId(row.get(0)?), SignedDuration::from_millis(row.get(1)?)));
        collect(statement.query_map([millis(now), millis(horizon)], wait)?)
    }

    /// Another feed that is polled at `address`.
    pub fn other_feed_at(&self, address: &str, feed: FeedId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT url FROM feeds WHERE state = 'active' AND coalesce(fetch_url, url) = ?1 AND feed_id <> ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![address, feed.0], |row| row.get(0)).optional()?)
    }

    /// Every active feed, where to ask for it, and when it is to be asked next.
    pub fn next_checks(&self) -> Result<Vec<NextCheckRow>, StoreError> {
        let sql = "SELECT feed_id, coalesce(fetch_url, url) AS address, next_check_at, last_refresh_at IS NULL AS is_new \
                   FROM feeds WHERE state = 'active' ORDER BY next_check_at";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([], |row| {
            let next_check_at = optional_instant_at(row, "next_check_at")?;
            Ok((FeedId(row.get("feed_id")?), row.get("address")?, next_check_at, row.get("is_new")?))
        })?)
    }

    /// When the next active feed that is not due at `now` will be.
    pub fn next_due_after(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT min(next_check_at) FROM feeds WHERE state = 'active' AND next_check_at > ?1";
        let next: Option<i64> = self.connection.prepare_cached(sql)?.query_row([millis(now)], |row| row.get(0))?;
        Ok(next.map(instant))
    }

    pub fn feed_record(&self, id: FeedId) -> Result<Option<FeedRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM feeds WHERE feed_id = ?1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([id.0])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let read = || Ok(FeedRecord { remembered: self.remembered(id)?, ..record(row)? });
        read().map(Some).map_err(|error| of_feed(row, error))
    }

    /// What `choose` takes of the feeds of the config, shown to it one after another: thousands of records take
    /// megabytes. They hold nothing in `remembered`. One that cannot be read is shown as such.
    pub fn of_configured_feeds<T>(
        &self,
        mut choose: impl FnMut(Result<FeedRecord, UnreadableFeed>) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM feeds WHERE state <> 'removed' ORDER BY feed_id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([])?;
        let mut chosen = Vec::new();
        while let Some(row) = rows.next()? {
            chosen.extend(match record(row).map_err(|error| of_feed(row, error)) {
                Ok(feed) => choose(Ok(feed)),
                Err(StoreError::Feed(unreadable)) => choose(Err(unreadable)),
                Err(error) => return Err(error),
            });
        }
        Ok(chosen)
    }

    /// Health of every feed of the config, the failing ones first.
    pub fn feeds(&self, now: Timestamp) -> Result<Vec<FeedHealth>, StoreError> {
        let sql = format!(
            "SELECT f.feed_id, f.url, f.fetch_url, coalesce(a.url, f.url) AS configured_url, o.url AS offered_url, coalesce(f.configured_title, f.title) AS name, f.site_url, \
                 f.language, f.groups, f.state, f.last_refresh_at, f.last_success_at, f.next_check_at, f.next_check_reason, \
                 f.last_status, f.failure_count, f.last_error, f.failing_since_at, f.overflow_count, f.last_new_item_at, \
                 f.last_overflow_at, \
                 (SELECT count(*) FROM items i WHERE i.feed_id = f.feed_id) AS items, \
                 (SELECT count(*) FROM items i WHERE i.feed_id = f.feed_id AND i.ordered_at > :week_ago) AS items_last_week \
             FROM feeds f LEFT JOIN feed_addresses a USING (feed_id) LEFT JOIN offered_addresses o USING (feed_id) \
             WHERE f.state <> 'removed' ORDER BY {IS_FAILING} DESC, coalesce(name, f.url) COLLATE NOCASE"
        );
        let week_ago = millis(now) - 7 * 86_400_000;
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_and_then(named_params! { ":week_ago": week_ago }, health)?.collect()
    }

    /// Instants of a feed's newest items, newest first: its rhythm.
    pub fn item_times(&self, feed: FeedId, limit: u32) -> Result<Vec<Timestamp>, StoreError> {
        let sql = "SELECT ordered_at FROM items WHERE feed_id = ?1 ORDER BY ordered_at DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map(params![feed.0, limit], |row| row.get(0).map(instant))?)
    }

    /// Hosts that asked to be left alone, and until when.
    pub fn held_hosts(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.hosts_held("SELECT host, held_until_at FROM hosts WHERE held_until_at > ?1", now)
    }

    /// Of these, those that named a time themselves, and which.
    pub fn hosts_with_retry_after(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.hosts_held("SELECT host, asked_until_at FROM hosts WHERE asked_until_at > ?1", now)
    }

    fn hosts_held(&self, sql: &str, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([millis(now)], |row| Ok((row.get(0)?, row.get(1).map(instant)?)))?)
    }

    fn remembered(&self, feed: FeedId) -> Result<Vec<Remembered>, StoreError> {
        let sql = "SELECT url, etag, last_modified, lifetime_s FROM validators WHERE feed_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let remembered = |row: &Row<'_>| {
            Ok(Remembered {
                url: address("url", &row.get::<_, String>("url")?)?,
                validators: Validators { etag: row.get("etag")?, last_modified: row.get("last_modified")? },
                lifetime: row.get::<_, Option<i64>>("lifetime_s")?.map(SignedDuration::from_secs),
            })
        };
        statement.query_and_then([feed.0], remembered)?.collect()
    }
}

impl WriteTx<'_> {
    /// Writes back what a visit made of a feed, but for what its addresses said. If the config has come to list it
    /// elsewhere meanwhile, it is asked for there, and at once.
    pub fn save_feed(&self, feed: &FeedRecord) -> Result<(), StoreError> {
        let redirect = feed.redirect.as_ref();
        self.connection
            .prepare_cached(
                "UPDATE feeds SET fetch_url = :fetch_url, title = :title, site_url = :site_url, language = :language, \
                 next_check_at = :next_check_at, next_check_reason = :next_check_reason, \
                 last_refresh_at = :last_refresh_at, last_success_at = :last_success_at, last_new_item_at = :last_new_item_at, \
                 last_status = :last_status, fresh_until_at = :fresh_until_at, retry_after_at = :retry_after_at, \
                 wait_was_cut = :wait_was_cut, ttl_s = :ttl_s, \
                 skip_hours = :skip_hours, skip_days = :skip_days, failure_count = :failure_count, \
                 failing_since_at = :failing_since_at, last_error = :last_error, overflow_count = :overflow_count, \
                 last_overflow_at = :last_overflow_at, broken_since_at = :broken_since_at, \
                 redirect_url = :redirect_url, redirect_count = :redirect_count, \
                 redirect_since_at = :redirect_since_at WHERE feed_id = :feed_id",
            )?
            .execute(named_params! {
                ":feed_id": feed.id.0,
                ":fetch_url": feed.fetch_url,
                ":title": feed.title,
                ":site_url": feed.site_url,
                ":language": feed.language,
                ":next_check_at": optional_millis(feed.next_check_at),
                ":next_check_reason": feed.next_check_reason,
                ":last_refresh_at": optional_millis(feed.last_refresh_at),
                ":last_success_at": optional_millis(feed.last_success_at),
                ":last_new_item_at": optional_millis(feed.last_new_item_at),
                ":last_status": feed.last_status,
                ":fresh_until_at": optional_millis(feed.fresh_until_at),
                ":retry_after_at": optional_millis(feed.retry_after_at),
                ":wait_was_cut": feed.wait_was_cut,
                ":ttl_s": feed.ttl_s.and_then(|seconds| i64::try_from(seconds).ok()),
                ":skip_hours": feed.skip_hours,
                ":skip_days": feed.skip_days,
                ":failure_count": feed.failure_count,
                ":failing_since_at": optional_millis(feed.failing_since_at),
                ":last_error": feed.last_error,
                ":overflow_count": feed.overflow_count,
                ":last_overflow_at": optional_millis(feed.last_overflow_at),
                ":broken_since_at": optional_millis(feed.broken_since_at),
                ":redirect_url": redirect.map(|redirect| redirect.target.as_str()),
                ":redirect_count": redirect.map_or(0, |redirect| redirect.answers),
                ":redirect_since_at": redirect.map(|redirect| millis(redirect.first_seen_at)),
            })?;
        // Apart, since they seldom change, and each set of names that the schema checks is a table of its own to SQLite.
        let sql = "UPDATE feeds SET state = iif(state = 'removed' OR state = 'disabled', state, :state), item_identity = :identity \
                   WHERE feed_id = :feed_id AND (state <> :state OR item_identity <> :identity)";
        self.connection.prepare_cached(sql)?.execute(named_params! {
            ":feed_id": feed.id.0,
            ":state": state_name(feed.state),
            ":identity": identity_name(feed.item_identity),
        })?;
        self.follow_config(feed)
    }

    /// Moves feeds' next checks, as after a long sleep; not to before what their servers asked for, within `ceiling`.
    pub fn reschedule(
        &self,
        checks: &[(FeedId, Timestamp)],
        ceiling: Timestamp,
        reason: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE feeds SET next_check_reason = ?3, next_check_at = max(?2, min(?4, \
                       max(coalesce(retry_after_at, 0), iif(failure_count = 0, coalesce(fresh_until_at, 0), 0)))) \
                   WHERE feed_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        for (feed, at) in checks {
            statement.execute(params![feed.0, millis(*at), reason, millis(ceiling)])?;
        }
        Ok(())
    }

    /// Moves feeds' next checks away; never nearer.
    pub fn postpone(&self, checks: &[(FeedId, Timestamp)], reason: &str) -> Result<(), StoreError> {
        let sql =
            "UPDATE feeds SET next_check_at = ?2, next_check_reason = ?3 WHERE feed_id = ?1 AND next_check_at < ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        for (feed, at) in checks {
            statement.execute(params![feed.0, millis(*at), reason])?;
        }
        Ok(())
    }

    /// Makes an active feed due at `now`, if it is not yet.
    pub fn ask_now(&self, feed: FeedId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE feeds SET next_check_at = ?2, next_check_reason = 'asked for by hand' \
                   WHERE feed_id = ?1 AND state = 'active' AND next_check_at > ?2";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(now)])?;
        Ok(())
    }

    /// Leaves a host alone until then, and until `asked_until` at its own word; never shortens what was so before.
    pub fn hold_host(&self, host: &str, until: Timestamp, asked_until: Option<Timestamp>) -> Result<(), StoreError> {
        let sql = "INSERT INTO hosts (host, held_until_at, asked_until_at) VALUES (?1, ?2, ?3) ON CONFLICT (host) DO UPDATE \
                   SET held_until_at = max(held_until_at, ?2), asked_until_at = max(asked_until_at, ?3)";
        let asked_until = asked_until.map_or(0, millis);
        self.connection.prepare_cached(sql)?.execute(params![host, millis(until), asked_until])?;
        Ok(())
    }

    /// Writes back what the addresses on a feed's way said with their last good answers.
    pub fn save_remembered(&self, feed: &FeedRecord) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM validators WHERE feed_id = ?1")?.execute([feed.id.0])?;
        let sql = "INSERT INTO validators (feed_id, url, etag, last_modified, lifetime_s) VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let says_something = |known: &&Remembered| !known.validators.is_empty() || known.lifetime.is_some();
        for Remembered { url, validators, lifetime } in feed.remembered.iter().filter(says_something) {
            let lifetime_s = lifetime.map(|lifetime| lifetime.as_secs());
            statement.execute(params![
                feed.id.0,
                url.as_str(),
                validators.etag,
                validators.last_modified,
                lifetime_s
            ])?;
        }
        Ok(())
    }
}

/// A row of [`COLUMNS`], without the validators.
fn record(row: &Row<'_>) -> Result<FeedRecord, StoreError> {
    let mut columns = InOrder::of(row);
    Ok(FeedRecord {
        id: FeedId(columns.next()?),
        url: columns.next()?,
        fetch_url: columns.next()?,
        configured_url: columns.next()?,
        configured_title: columns.next()?,
        title: columns.next()?,
        site_url: columns.next()?,
        language: columns.next()?,
        groups: from_json("groups", &columns.next::<String>()?)?,
        state: state(&columns.next::<String>()?),
        item_identity: identity(&columns.next::<String>()?),
        next_check_at: columns.next_instant()?,
        next_check_reason: columns.next()?,
        last_refresh_at: columns.next_instant()?,
        last_success_at: columns.next_instant()?,
        last_new_item_at: columns.next_instant()?,
        last_status: columns.next()?,
        fresh_until_at: columns.next_instant()?,
        retry_after_at: columns.next_instant()?,
        wait_was_cut: columns.next()?,
        ttl_s: columns.next::<Option<i64>>()?.map(count),
        skip_hours: columns.next()?,
        skip_days: columns.next()?,
        failure_count: columns.next()?,
        failing_since_at: columns.next_instant()?,
        last_error: columns.next()?,
        overflow_count: columns.next()?,
        last_overflow_at: columns.next_instant()?,
        broken_since_at: columns.next_instant()?,
        redirect: redirect(columns.next()?, columns.next_instant()?, columns.next()?),
        delivered_until_at: columns.next_instant()?,
        remembered: Vec::new(),
    })
}

/// An error of one row of [`COLUMNS`], with the feed that it concerns.
fn of_feed(row: &Row<'_>, error: StoreError) -> StoreError {
    let detail = match error {
        StoreError::Content { column, detail } => format!("{column}: {detail}"),
        StoreError::Other(detail) => detail,
        of_the_store => return of_the_store,
    };
    let url = row.get_ref("url").ok().and_then(|value| value.as_bytes().ok());
    StoreError::Feed(UnreadableFeed { url: String::from_utf8_lossy(url.unwrap_or_default()).into_owned(), detail })
}

fn redirect(url: Option<String>, first_seen_at: Option<Timestamp>, answers: u32) -> Option<RedirectMemory> {
    Some(RedirectMemory { target: Url::parse(&url?).ok()?, first_seen_at: first_seen_at?, answers })
}

fn health(row: &Row<'_>) -> Result<FeedHealth, StoreError> {
    let url: String = row.get("url")?;
    Ok(FeedHealth {
        id: FeedId(row.get("feed_id")?),
        title: feed_title(row.get("name")?, &url),
        url,
        fetch_url: row.get("fetch_url")?,
        configured_url: row.get("configured_url")?,
        offered_url: row.get("offered_url")?,
        site_url: row.get("site_url")?,
        language: row.get("language")?,
        groups: from_json("groups", &row.get::<_, String>("groups")?)?,
        state: state(&row.get::<_, String>("state")?),
        last_refresh_at: optional_instant_at(row, "last_refresh_at")?,
        last_success_at: optional_instant_at(row, "last_success_at")?,
        next_check_at: optional_instant_at(row, "next_check_at")?,
        next_check_reason: row.get("next_check_reason")?,
        last_status: row.get("last_status")?,
        failure_count: row.get("failure_count")?,
        last_error: row.get("last_error")?,
        failing_since_at: optional_instant_at(row, "failing_since_at")?,
        last_new_item_at: optional_instant_at(row, "last_new_item_at")?,
        overflow_count: row.get("overflow_count")?,
        last_overflow_at: optional_instant_at(row, "last_overflow_at")?,
        items: count(row.get("items")?),
        items_last_week: count(row.get("items_last_week")?),
    })
}

fn address(column: &'static str, text: &str) -> Result<Url, StoreError> {
    Url::parse(text).map_err(|error| StoreError::Content { column, detail: format!("`{text}`: {error}") })
}

const STATES: [(FeedState, &str); 5] = [
    (FeedState::Active, "active"),
    (FeedState::Gone, "gone"),
    (FeedState::Duplicate, "duplicate"),
    (FeedState::Disabled, "disabled"),
    (FeedState::Removed, "removed"),
];

fn state_name(state: FeedState) -> &'static str {
    STATES.iter().find(|(known, _)| *known == state).expect("every state has a name").1
}

/// The schema's CHECK admits no other name.
pub(super) fn state(name: &str) -> FeedState {
    STATES.iter().find(|(_, known)| *known == name).expect("the schema checks the state").0
}

const IDENTITIES: [(ItemIdentity, &str); 3] =
    [(ItemIdentity::Guid, "guid"), (ItemIdentity::Link, "link"), (ItemIdentity::Content, "content")];

fn identity_name(identity: ItemIdentity) -> &'static str {
    IDENTITIES.iter().find(|(known, _)| *known == identity).expect("every identity has a name").1
}

fn identity(name: &str) -> ItemIdentity {
    IDENTITIES.iter().find(|(_, known)| *known == name).expect("the schema checks the identity").0
}
