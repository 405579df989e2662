//! Outputs of digests and the deliveries that they wait for: noted with the change, tried until they succeed.

use super::rows::{collect, count, instant_at, millis, optional_instant_at, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{
    ConfiguredOutput, Delivery, DeliveryId, DigestName, EntryId, OutputHealth, OutputId, OutputKind, StoryId,
    SubscriptionRequest, Timestamp, Told, WAIT_CEILING,
};
use rusqlite::{Row, params};
use std::collections::BTreeMap;

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    Failed {
        /// In plain words.
        error: String,
        /// `None`: it was the last try.
        next_try_at: Option<Timestamp>,
        /// Whether the receiver is ill rather than this delivery unwelcome: then all that wait for it wait on.
        holds_output: bool,
    },
    /// The receiver wants nothing more, ever.
    Stopped(String),
}

/// What the built-in hub takes on.
#[derive(Debug, Clone, Copy)]
pub struct HubLimits {
    pub requests: u64,
    pub requests_per_host: u64,
    pub subscriptions_per_topic: u64,
    pub subscriptions_per_host: u64,
}

/// Changes that follow each other within so long are one change to a hub or a subscriber.
const DOCUMENT_SETTLES_MS: i64 = 1_000;

impl ReadTx<'_> {
    /// The oldest due delivery of each output that is not held, the oldest first: an output gets its deliveries one by one.
    /// What waits for longer than any receiver may ask was put off by a clock that has since been set back, and is due.
    pub fn due_deliveries(&self, now: Timestamp, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        // With one min() alone, the other columns are those of its row. Asked each second, so that not even the planner's doubts
        // about the OR may have it look at what was delivered.
        let sql = "SELECT min(d.delivery_id) AS delivery_id, d.output_id, o.digest, o.kind, o.target, o.topic, \
             o.secret, d.what, d.subject, d.version, d.created_at, d.attempts \
             FROM deliveries d INDEXED BY deliveries_due JOIN outputs o USING (output_id) \
             WHERE d.state = 'waiting' AND (d.next_try_at <= ?1 OR d.next_try_at > ?3) AND o.stopped_at IS NULL \
             AND (o.expires_at IS NULL OR o.expires_at > ?1) \
             AND (o.held_until_at IS NULL OR o.held_until_at <= ?1 OR o.held_until_at > ?3) \
             GROUP BY d.output_id ORDER BY delivery_id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let furthest = now.saturating_add(WAIT_CEILING).unwrap_or(Timestamp::MAX);
        collect(statement.query_map(params![millis(now), limit, millis(furthest)], delivery)?)
    }

    /// The outputs of all digests, or of one, and how they are doing.
    pub fn outputs(&self, digest: Option<&DigestName>) -> Result<Vec<OutputHealth>, StoreError> {
        let sql = "SELECT o.digest, o.kind, o.target, o.topic, o.expires_at, o.stopped_at, \
             count(*) FILTER (WHERE d.state = 'waiting') AS waiting, \
             count(*) FILTER (WHERE d.state = 'delivered') AS delivered, \
             count(*) FILTER (WHERE d.state = 'given_up') AS given_up, \
             max(d.ended_at) FILTER (WHERE d.last_error IS NULL) AS last_delivered_at, \
             max(min(d.next_try_at) FILTER (WHERE d.state = 'waiting'), coalesce(o.held_until_at, 0)) AS next_try_at, \
             (SELECT e.last_error FROM deliveries e WHERE e.output_id = o.output_id AND e.last_error IS NOT NULL \
                 ORDER BY e.state = 'waiting' DESC, e.delivery_id DESC LIMIT 1) AS last_error \
             FROM outputs o LEFT JOIN deliveries d USING (output_id) WHERE ?1 IS NULL OR o.digest = ?1 \
             GROUP BY o.output_id ORDER BY o.digest, o.kind, o.output_id";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([digest.map(|digest| &digest.0)], health)?)
    }

    /// What was asked of the hub, oldest first.
    pub fn subscription_requests(&self, limit: usize) -> Result<Vec<SubscriptionRequest>, StoreError> {
        let sql = "SELECT callback, topic, digest, mode = 'subscribe' AS subscribes, secret, lease_s, host, \
             requested_at FROM subscription_requests ORDER BY requested_at LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(SubscriptionRequest {
                digest: DigestName(row.get("digest")?),
                topic: row.get("topic")?,
                callback: row.get("callback")?,
                host: row.get("host")?,
                subscribes: row.get("subscribes")?,
                secret: row.get("secret")?,
                lease_s: row.get("lease_s")?,
                requested_at: instant_at(row, "requested_at")?,
            })
        })?;
        collect(rows)
    }

    fn count_where(&self, table_and_condition: &str, value: &str) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {table_and_condition}");
        Ok(count(self.connection.prepare_cached(&sql)?.query_row([value], |row| row.get(0))?))
    }
}

impl WriteTx<'_> {
    /// Brings the outputs in line with the config; what waits for one that is gone goes with it, and so do
    /// the subscriptions to digests that the hub does not (or no longer) serve.
    pub fn sync_outputs(&self, outputs: &[ConfiguredOutput], hub_serves: &[DigestName]) -> Result<(), StoreError> {
        let wanted: Vec<(&str, &str, &str)> =
            outputs.iter().map(|output| (output.digest.0.as_str(), output.kind.name(), &*output.target)).collect();
        let wanted = to_json(&wanted);
        let serves = to_json(&hub_serves.iter().map(|digest| &digest.0).collect::<Vec<_>>());
        let sql = "DELETE FROM outputs WHERE kind <> 'subscription' AND NOT EXISTS (SELECT 1 FROM json_each(?1) w \
             WHERE w.value ->> 0 = digest AND w.value ->> 1 = kind AND w.value ->> 2 = target)";
        self.connection.prepare_cached(sql)?.execute([&wanted])?;
        let sql = "INSERT INTO outputs (digest, kind, target) \
             SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";
        self.connection.prepare_cached(sql)?.execute([&wanted])?;
        for sql in [
            "DELETE FROM outputs WHERE kind = 'subscription' AND digest NOT IN (SELECT value FROM json_each(?1))",
            "DELETE FROM subscription_requests WHERE digest NOT IN (SELECT value FROM json_each(?1))",
        ] {
            self.connection.prepare_cached(sql)?.execute([&serves])?;
        }
        Ok(())
    }

    /// Notes that webhooks are to be told of a story that entered a stream just now. Nothing is noted of one
    /// that came from the archive, was in the digest before, or waits for an issue.
    pub fn tell_of_entry(&self, digest: &DigestName, story: StoryId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO deliveries (output_id, what, subject, created_at, next_try_at) \
             SELECT o.output_id, 'entry', s.entry_id, ?3, ?3 FROM outputs o JOIN digests g USING (digest) \
             JOIN digest_entries e USING (digest) JOIN stories s USING (story_id) \
             WHERE o.digest = ?1 AND o.kind = 'webhook' AND o.stopped_at IS NULL AND g.kind = 'stream' \
             AND e.story_id = ?2 AND e.backfilled = 0 AND e.entered_at = ?3 ON CONFLICT DO NOTHING";
        self.connection.prepare_cached(sql)?.execute(params![digest.0, story.0, millis(now)])?;
        Ok(())
    }

    /// Notes that webhooks and mail are to be told of an issue that was cut.
    pub(super) fn tell_of_issue(&self, digest: &DigestName, issue: &EntryId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO deliveries (output_id, what, subject, created_at, next_try_at) \
             SELECT output_id, 'issue', ?2, ?3, ?3 FROM outputs \
             WHERE digest = ?1 AND kind IN ('webhook', 'email') AND stopped_at IS NULL ON CONFLICT DO NOTHING";
        self.connection.prepare_cached(sql)?.execute(params![digest.0, issue.0, millis(now)])?;
        Ok(())
    }

    /// Notes that hubs and subscribers are to be told of the digest's document. One that waits already is told once.
    pub(super) fn tell_of_document(&self, digest: &DigestName, now: Timestamp) -> Result<(), StoreError> {
        self.tell_of_documents(&[(&digest.0, millis(now))], "periodic")
    }

    /// The same of the streams among digests that changed. What a periodic digest shows are its issues: who waits for it
    /// is told when one is cut.
    pub(super) fn tell_of_streams(&self, changed: &BTreeMap<DigestName, Timestamp>) -> Result<(), StoreError> {
        let changed: Vec<(&str, i64)> = changed.iter().map(|(digest, at)| (&*digest.0, millis(*at))).collect();
        self.tell_of_documents(&changed, "stream")
    }

    fn tell_of_documents(&self, changed: &[(&str, i64)], kind: &str) -> Result<(), StoreError> {
        if changed.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO deliveries (output_id, what, subject, version, created_at, next_try_at) \
             SELECT o.output_id, 'document', '', g.version, c.value ->> 1, (c.value ->> 1) + ?2 FROM json_each(?1) c \
             CROSS JOIN outputs o ON o.digest = c.value ->> 0 CROSS JOIN digests g USING (digest) \
             WHERE g.kind = ?3 AND o.kind IN ('hub', 'subscription') AND o.stopped_at IS NULL \
             ON CONFLICT DO UPDATE SET version = excluded.version, state = 'waiting', \
             attempts = iif(state = 'waiting', attempts, 0), \
             created_at = iif(state = 'waiting', created_at, excluded.created_at), \
             next_try_at = iif(state = 'waiting', next_try_at, excluded.next_try_at)";
        let changed = to_json(&changed);
        self.connection.prepare_cached(sql)?.execute(params![changed, DOCUMENT_SETTLES_MS, kind])?;
        Ok(())
    }

    /// Notes that these are being tried: neither they nor others of their outputs are due before `until`, whatever becomes
    /// of the try.
    pub fn claim_deliveries(&self, deliveries: &[DeliveryId], until: Timestamp) -> Result<(), StoreError> {
        let ids: Vec<i64> = deliveries.iter().map(|delivery| delivery.0).collect();
        let ids = to_json(&ids);
        let sql = "UPDATE deliveries SET next_try_at = ?2 \
                   WHERE delivery_id IN (SELECT value FROM json_each(?1)) AND state = 'waiting'";
        self.connection.prepare_cached(sql)?.execute(params![ids, millis(until)])?;
        let sql = "UPDATE outputs SET held_until_at = ?2 WHERE output_id IN \
                   (SELECT output_id FROM deliveries WHERE delivery_id IN (SELECT value FROM json_each(?1)))";
        self.connection.prepare_cached(sql)?.execute(params![ids, millis(until)])?;
        Ok(())
    }

    /// Records how a try of `delivery` ended, and until when its output gets nothing. A document that changed meanwhile
    /// goes on waiting.
    pub fn record_outcome(&self, delivery: &Delivery, outcome: &Outcome, now: Timestamp) -> Result<(), StoreError> {
        let (id, at) = (delivery.id.0, millis(now));
        let held_until = match outcome {
            Outcome::Failed { next_try_at, holds_output: true, .. } => next_try_at.map(millis),
            _ => None,
        };
        let sql = "UPDATE outputs SET held_until_at = ?2 WHERE output_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![delivery.output.0, held_until])?;
        match outcome {
            Outcome::Delivered => {
                let sql = "UPDATE deliveries SET state = iif(version = ?2, 'delivered', 'waiting'), next_try_at = ?3, \
                     attempts = iif(version = ?2, attempts + 1, 0), last_error = NULL, ended_at = ?3 \
                     WHERE delivery_id = ?1 AND state = 'waiting'";
                self.connection.prepare_cached(sql)?.execute(params![id, delivery.version, at])?;
            }
            Outcome::Failed { error, next_try_at, .. } => {
                let sql = "UPDATE deliveries SET attempts = attempts + 1, last_error = ?2, \
                     state = iif(?3 IS NULL, 'given_up', 'waiting'), ended_at = iif(?3 IS NULL, ?4, ended_at), \
                     next_try_at = coalesce(?3, next_try_at) WHERE delivery_id = ?1 AND state = 'waiting'";
                self.connection.prepare_cached(sql)?.execute(params![id, error, next_try_at.map(millis), at])?;
            }
            Outcome::Stopped(error) => self.stop_output(delivery, error, at)?,
        }
        Ok(())
    }

    /// A subscription ends; what the config names is kept, so that its end is seen.
    fn stop_output(&self, delivery: &Delivery, error: &str, at: i64) -> Result<(), StoreError> {
        let output = delivery.output.0;
        if delivery.kind == OutputKind::Subscription {
            self.connection.prepare_cached("DELETE FROM outputs WHERE output_id = ?1")?.execute([output])?;
            return Ok(());
        }
        let sql = "UPDATE outputs SET stopped_at = ?2 WHERE output_id = ?1";
        self.connection.prepare_cached(sql)?.execute(params![output, at])?;
        let sql = "UPDATE deliveries SET state = 'given_up', last_error = ?2, ended_at = ?3 \
                   WHERE output_id = ?1 AND state = 'waiting'";
        self.connection.prepare_cached(sql)?.execute(params![output, error, at])?;
        Ok(())
    }

    /// Notes what a reader asks of the hub, to be asked back. `false`: the hub takes no more on.
    pub fn request_subscription(&self, request: &SubscriptionRequest, limits: &HubLimits) -> Result<bool, StoreError> {
        let looks = self.as_read();
        let (own, others) = ("subscription_requests WHERE host = ?1", "subscription_requests WHERE host <> ?1");
        let is_full = looks.count_where(own, &request.host)? >= limits.requests_per_host
            || looks.count_where(others, &request.host)? >= limits.requests;
        if is_full || (request.subscribes && !self.has_room(request, limits)?) {
            return Ok(false);
        }
        let mode = if request.subscribes { "subscribe" } else { "unsubscribe" };
        let sql = "INSERT INTO subscription_requests \
             (callback, topic, digest, mode, secret, lease_s, host, requested_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET mode = excluded.mode, \
             secret = excluded.secret, lease_s = excluded.lease_s, requested_at = excluded.requested_at";
        self.connection.prepare_cached(sql)?.execute(params![
            request.callback,
            request.topic,
            request.digest.0,
            mode,
            request.secret,
            request.lease_s,
            request.host,
            millis(request.requested_at)
        ])?;
        Ok(true)
    }

    /// A subscription that is there already is renewed however many there are.
    fn has_room(&self, request: &SubscriptionRequest, limits: &HubLimits) -> Result<bool, StoreError> {
        let known = "SELECT EXISTS (SELECT 1 FROM outputs WHERE kind = 'subscription' AND target = ?1 AND topic = ?2)";
        let mut statement = self.connection.prepare_cached(known)?;
        if statement.query_row([&request.callback, &request.topic], |row| row.get(0))? {
            return Ok(true);
        }
        let looks = self.as_read();
        let of_topic = "outputs WHERE kind = 'subscription' AND topic = ?1";
        // A callback's host ends with its port, its path, or the callback.
        let of_host = "outputs WHERE kind = 'subscription' \
             AND (instr(target || '/', '://' || ?1 || '/') > 0 OR instr(target, '://' || ?1 || ':') > 0)";
        Ok(looks.count_where(of_topic, &request.topic)? < limits.subscriptions_per_topic
            && looks.count_where(of_host, &request.host)? < limits.subscriptions_per_host)
    }

    /// The request was asked back; if the reader meant it, it is done. A request made anew meanwhile waits on.
    pub fn answer_request(
        &self,
        request: &SubscriptionRequest,
        confirmed: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM subscription_requests WHERE callback = ?1 AND topic = ?2 AND requested_at = ?3";
        let at = millis(request.requested_at);
        let removed = self.connection.prepare_cached(sql)?.execute(params![request.callback, request.topic, at])?;
        if removed == 0 || !confirmed {
            return Ok(());
        }
        if request.subscribes {
            let expires_at = millis(now).saturating_add(i64::from(request.lease_s) * 1_000);
            let sql = "INSERT INTO outputs (digest, kind, target, topic, secret, expires_at) \
                 VALUES (?1, 'subscription', ?2, ?3, ?4, ?5) \
                 ON CONFLICT DO UPDATE SET secret = excluded.secret, expires_at = excluded.expires_at";
            self.connection.prepare_cached(sql)?.execute(params![
                request.digest.0,
                request.callback,
                request.topic,
                request.secret,
                expires_at
            ])?;
        } else {
            let sql = "DELETE FROM outputs WHERE kind = 'subscription' AND target = ?1 AND topic = ?2";
            self.connection.prepare_cached(sql)?.execute(params![request.callback, request.topic])?;
        }
        Ok(())
    }

    /// Lets go of subscriptions whose lease has ended.
    pub fn end_leases(&self, now: Timestamp) -> Result<usize, StoreError> {
        let sql = "DELETE FROM outputs WHERE kind = 'subscription' AND expires_at <= ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([millis(now)])?)
    }

    /// Forgets deliveries that ended before `before`.
    pub fn forget_deliveries(&self, before: Timestamp) -> Result<usize, StoreError> {
        let sql = "DELETE FROM deliveries WHERE state <> 'waiting' AND ended_at < ?1";
        Ok(self.connection.prepare_cached(sql)?.execute([millis(before)])?)
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let subject = EntryId(row.get("subject")?);
    Ok(Delivery {
        id: DeliveryId(row.get("delivery_id")?),
        output: OutputId(row.get("output_id")?),
        digest: DigestName(row.get("digest")?),
        kind: kind(row)?,
        target: row.get("target")?,
        topic: row.get("topic")?,
        secret: row.get("secret")?,
        told: match row.get_ref("what")?.as_str()? {
            "entry" => Told::Entry(subject),
            "issue" => Told::Issue(subject),
            _ => Told::Document,
        },
        version: row.get("version")?,
        created_at: instant_at(row, "created_at")?,
        attempts: row.get("attempts")?,
    })
}

fn kind(row: &Row<'_>) -> rusqlite::Result<OutputKind> {
    let name: String = row.get("kind")?;
    Ok(OutputKind::from_name(&name).expect("the schema checks the names of kinds"))
}

fn health(row: &Row<'_>) -> rusqlite::Result<OutputHealth> {
    Ok(OutputHealth {
        digest: DigestName(row.get("digest")?),
        kind: kind(row)?,
        target: row.get("target")?,
        topic: row.get("topic")?,
        waiting: count(row.get("waiting")?),
        delivered: count(row.get("delivered")?),
        given_up: count(row.get("given_up")?),
        last_delivered_at: optional_instant_at(row, "last_delivered_at")?,
        next_try_at: optional_instant_at(row, "next_try_at")?,
        last_error: row.get("last_error")?,
        expires_at: optional_instant_at(row, "expires_at")?,
        stopped_at: optional_instant_at(row, "stopped_at")?,
    })
}
