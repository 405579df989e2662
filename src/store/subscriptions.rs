//! Subscriptions at hubs: which feed has one, how far it has come, and what came of it.

use super::private_keys::random_key;
use super::rows::millis;
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{EndedSubscription, FeedId, PrivateKey, Subscription, SubscriptionState, Timestamp, WithoutQuery};
use rusqlite::{OptionalExtension, Row, params};

const COLUMNS: &str = "feed_id, f.url AS feed_url, hub, topic, callback_key, secret, s.state AS progress, tries \
    FROM subscriptions s JOIN feeds f USING (feed_id)";

impl ReadTx<'_> {
    /// Subscriptions whose hub is to be asked (again).
    pub fn due_subscriptions(&self, now: Timestamp, limit: u32) -> Result<Vec<Subscription>, StoreError> {
        let sql =
            format!("SELECT {COLUMNS} WHERE next_try_at <= ?1 AND f.state = 'active' ORDER BY next_try_at LIMIT ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_and_then(params![millis(now), limit], subscription)?.collect()
    }

    /// The subscription that a hub means by the address it calls; none of a feed that is polled no longer.
    pub fn subscription_with_key(&self, key: &str) -> Result<Option<Subscription>, StoreError> {
        let sql = format!("SELECT {COLUMNS} WHERE callback_key = ?1 AND f.state = 'active'");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement.query_and_then([key], subscription)?.next().transpose()
    }
}

/// What makes of a subscription one that has ended; the hub of one that it was never asked for knows nothing of it.
const END: &str = "INSERT INTO ended_subscriptions (callback_key, feed_url, hub, topic, next_try_at) \
    SELECT callback_key, f.url, hub, topic, ?1 FROM subscriptions s JOIN feeds f USING (feed_id) \
    WHERE s.state IN ('asked', 'active')";

impl ReadTx<'_> {
    /// Subscriptions that hubs are to be asked to end.
    pub fn due_endings(&self, now: Timestamp, limit: u32) -> Result<Vec<EndedSubscription>, StoreError> {
        let sql = "SELECT callback_key, feed_url, hub, topic, tries FROM ended_subscriptions \
                   WHERE next_try_at <= ?1 ORDER BY next_try_at LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_and_then(params![millis(now), limit], ended)?.collect()
    }

    /// The ended subscription that a hub means by the address it calls.
    pub fn ended_subscription(&self, key: &str) -> Result<Option<EndedSubscription>, StoreError> {
        let sql = "SELECT callback_key, feed_url, hub, topic, tries FROM ended_subscriptions WHERE callback_key = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_and_then([key], ended)?.next().transpose()
    }
}

impl WriteTx<'_> {
    /// Ends the subscriptions of feeds that are polled no longer, and all of them unless they `are_wanted`. Feeds that were
    /// asked rarely, since a hub delivered, are due again.
    pub fn end_subscriptions(&self, are_wanted: bool, now: Timestamp) -> Result<(), StoreError> {
        const UNWANTED: &str =
            "(NOT ?2 OR feed_id IN (SELECT feed_id FROM feeds WHERE state IN ('removed', 'disabled')))";
        let run = |sql: &str| {
            self.connection
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute(params![millis(now), are_wanted]))
        };
        run(&format!(
            "UPDATE feeds SET next_check_at = \
                 min(next_check_at, max(?1, coalesce(fresh_until_at, 0), coalesce(retry_after_at, 0))) \
             WHERE feed_id IN (SELECT feed_id FROM subscriptions WHERE state = 'active') AND {UNWANTED}"
        ))?;
        run(&format!("{END} AND {UNWANTED}"))?;
        // An unused parameter would be an error.
        run(&format!("DELETE FROM subscriptions WHERE ?1 IS NOT NULL AND {UNWANTED}"))?;
        Ok(())
    }

    /// The hub is being asked to end it; unless it asks back, it is asked again at `next_try_at`.
    pub fn ending_asked(&self, key: &PrivateKey, next_try_at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE ended_subscriptions SET tries = tries + 1, next_try_at = ?2 WHERE callback_key = ?1";
        self.connection.prepare_cached(sql)?.execute(params![key.reveal(), millis(next_try_at)])?;
        Ok(())
    }

    /// The hub knows, or will never know.
    pub fn forget_subscription(&self, key: &PrivateKey) -> Result<(), StoreError> {
        let sql = "DELETE FROM ended_subscriptions WHERE callback_key = ?1";
        self.connection.prepare_cached(sql)?.execute([key.reveal()])?;
        Ok(())
    }

    /// Notes which hub a feed's document names, and what it calls itself there. Another hub or topic is another
    /// subscription; none is none.
    pub fn note_hub(&self, feed: FeedId, named: Option<(&str, &str)>, now: Timestamp) -> Result<(), StoreError> {
        let Some((hub, topic)) = named else {
            self.end_subscription(feed, now)?;
            self.connection.prepare_cached("DELETE FROM subscriptions WHERE feed_id = ?1")?.execute([feed.0])?;
            return Ok(());
        };
        let sql = "SELECT hub = ?2 AND topic = ?3 FROM subscriptions WHERE feed_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        if statement.query_row(params![feed.0, hub, topic], |row| row.get(0)).optional()? == Some(true) {
            return Ok(());
        }
        self.end_subscription(feed, now)?;
        let sql = "INSERT OR REPLACE INTO subscriptions (feed_id, hub, topic, callback_key, secret, next_try_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (key, secret) = (random_key()?, random_key()?);
        let row = params![feed.0, hub, topic, key.reveal(), secret.reveal(), millis(now)];
        self.connection.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    fn end_subscription(&self, feed: FeedId, now: Timestamp) -> Result<(), StoreError> {
        let sql = format!("{END} AND feed_id = ?2");
        self.connection.prepare_cached(&sql)?.execute(params![millis(now), feed.0])?;
        Ok(())
    }

    /// The hub is being asked; unless it verifies, it is asked again at `next_try_at`.
    pub fn hub_asked(&self, feed: FeedId, next_try_at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE subscriptions SET state = CASE state WHEN 'active' THEN state ELSE 'asked' END, \
                   tries = tries + 1, next_try_at = ?2 WHERE feed_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(next_try_at)])?;
        Ok(())
    }

    /// The hub could not be asked, or did not accept.
    pub fn hub_failed(&self, feed: FeedId, error: &str) -> Result<(), StoreError> {
        let sql = "UPDATE subscriptions SET last_error = ?2 WHERE feed_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, error])?;
        Ok(())
    }

    /// The hub has verified: in force until the lease ends.
    pub fn subscription_verified(
        &self,
        feed: FeedId,
        expires_at: Timestamp,
        renew_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE subscriptions SET state = 'active', tries = 0, expires_at = ?2, next_try_at = ?3, \
                   missed_at = NULL, last_error = NULL WHERE feed_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(expires_at), millis(renew_at)])?;
        Ok(())
    }

    /// The hub says no, or no longer; the feed is polled as any other, from now on or from when its server allows.
    pub fn subscription_denied(
        &self,
        feed: FeedId,
        reason: &str,
        next_try_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE feeds SET next_check_at = \
                       min(next_check_at, max(?2, coalesce(fresh_until_at, 0), coalesce(retry_after_at, 0))) \
                   WHERE feed_id = (SELECT feed_id FROM subscriptions WHERE feed_id = ?1 AND state = 'active')";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(now)])?;
        let sql = "UPDATE subscriptions SET state = 'denied', expires_at = NULL, last_error = ?2, next_try_at = ?3 \
                   WHERE feed_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, reason, millis(next_try_at)])?;
        Ok(())
    }

    /// A delivery has come, whether it brought something new or not.
    pub fn delivered(&self, feed: FeedId, brought_items: bool, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE subscriptions SET last_delivery_at = ?2, missed_at = NULL WHERE feed_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(now)])?;
        if brought_items {
            let sql = "UPDATE feeds SET last_new_item_at = ?2 WHERE feed_id = ?1";
            self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(now)])?;
        }
        Ok(())
    }

    /// A poll has found items that the hub should have delivered: it is not relied upon until it delivers again.
    pub fn delivery_missed(&self, feed: FeedId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE subscriptions SET missed_at = ?2 WHERE feed_id = ?1 AND state = 'active'";
        self.connection.prepare_cached(sql)?.execute(params![feed.0, millis(now)])?;
        Ok(())
    }
}

fn subscription(row: &Row<'_>) -> Result<Subscription, StoreError> {
    Ok(Subscription {
        feed: FeedId(row.get("feed_id")?),
        feed_url: row.get("feed_url")?,
        hub: row.get("hub")?,
        topic: row.get("topic")?,
        callback_key: key(row, "callback_key")?,
        secret: key(row, "secret")?,
        state: match row.get::<_, String>("progress")?.as_str() {
            "wanted" => SubscriptionState::Wanted,
            "asked" => SubscriptionState::Asked,
            "active" => SubscriptionState::Active,
            _ => SubscriptionState::Denied,
        },
        tries: row.get("tries")?,
    })
}

fn ended(row: &Row<'_>) -> Result<EndedSubscription, StoreError> {
    Ok(EndedSubscription {
        feed_url: row.get("feed_url")?,
        hub: row.get("hub")?,
        topic: row.get("topic")?,
        callback_key: key(row, "callback_key")?,
        tries: row.get("tries")?,
    })
}

fn key(row: &Row<'_>, column: &'static str) -> Result<PrivateKey, StoreError> {
    let (text, feed_url): (String, String) = (row.get(column)?, row.get("feed_url")?);
    let detail = || format!("no key for a subscription of {}", WithoutQuery(&feed_url));
    PrivateKey::from_text(&text).ok_or_else(|| StoreError::Content { column, detail: detail() })
}
