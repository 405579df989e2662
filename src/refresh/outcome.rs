//! What a visit makes of a feed's record. Pure: values in, the record's next state out.
//!
//! Nothing here decides when to come back; that is [`super::timing`], which reads the result.

use super::UpdatePlan;
use crate::feed::ParsedFeed;
use crate::fetch::{Adoption, FetchError, Freshness, Modified, NotModified, RetryLater, adoption};
use crate::model::{FeedRecord, FeedState, Remembered, Timestamp};
use jiff::SignedDuration;
use url::Url;

/// Addresses on a feed's way that are remembered: the feed's own and five redirects, twice over.
const REMEMBERED_MAX: usize = 12;
/// How long a feed is missing before its move is taken back, and its site asked where it went.
pub(super) const MISSING_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How long a feed's markup is broken before that is how the feed is.
const BROKEN_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);

/// A document came and was read.
pub(super) fn with_document(
    record: &mut FeedRecord,
    answer: &Modified,
    feed: &ParsedFeed,
    plan: &UpdatePlan,
    now: Timestamp,
) {
    // Of a feed that had no items so far none can have been pushed out.
    let overflowed = plan.is_all_new() && record.last_new_item_at.is_some();
    succeeded(record, answer.status, now);
    heed(record, &answer.freshness, now);
    if vouches(record, feed.is_broken, &answer.remembered, now) {
        remember(record, answer.remembered.clone());
    }
    follow(record, answer.permanent_target.as_ref(), now);
    record.title = feed.title.clone().or(record.title.take());
    record.site_url = feed.link.clone().or(record.site_url.take());
    record.language = record.language.take().or(feed.language.clone());
    record.ttl_s = feed.ttl_s.max(feed.sy_interval_s);
    record.skip_hours = feed.skip_hours;
    record.skip_days = feed.skip_days;
    record.item_identity = plan.identity;
    if !plan.added.is_empty() {
        record.last_new_item_at = Some(now);
    }
    if overflowed {
        record.overflow_count = record.overflow_count.saturating_add(1);
        record.last_overflow_at = Some(now);
    }
}

/// Whether a document's validators may be taken for what was seen of it. Those of broken markup vouch for what was perhaps
/// not: the ones before go out again, so that the whole document comes once it is mended. A feed that never was whole, or has
/// not been for days, is that way.
fn vouches(record: &mut FeedRecord, is_broken: bool, answer: &Remembered, now: Timestamp) -> bool {
    if !is_broken {
        record.broken_since_at = None;
        return true;
    }
    let is_known = record.remembered.iter().any(|known| known.url == answer.url && !known.validators.is_empty());
    let since = *record.broken_since_at.get_or_insert(if is_known { now } else { Timestamp::UNIX_EPOCH });
    now.duration_since(since) >= BROKEN_FOR
}

/// What we have is still current.
pub(super) fn with_not_modified(record: &mut FeedRecord, answer: &NotModified, now: Timestamp) {
    succeeded(record, 304, now);
    // The document before the broken one is current again.
    record.broken_since_at = record.broken_since_at.filter(|since| now.duration_since(*since) >= BROKEN_FOR);
    heed(record, &answer.freshness, now);
    remember(record, answer.remembered.clone());
    follow(record, answer.permanent_target.as_ref(), now);
}

/// The visit failed, or what it brought is no feed. Items and validators stay as they are.
pub(super) fn with_failure(record: &mut FeedRecord, status: Option<u16>, reason: String, now: Timestamp) {
    record.last_status = status;
    record.last_refresh_at = Some(now);
    record.failure_count = record.failure_count.saturating_add(1);
    record.failing_since_at.get_or_insert(now);
    record.last_error = Some(reason);
    let is_missing_for_long =
        status == Some(404) && record.failing_since_at.is_some_and(|since| now.duration_since(since) >= MISSING_FOR);
    if is_missing_for_long {
        take_back_move(record);
    }
}

/// The visit failed before a document came.
pub(super) fn with_fetch_error(record: &mut FeedRecord, error: &FetchError, now: Timestamp) {
    with_failure(record, error.status, error.to_string(), now);
    heed_failure(record, &error.freshness, now);
}

/// 429 or 503: the host asks for peace, for as long as it says.
pub(super) fn with_retry_later(record: &mut FeedRecord, answer: &RetryLater, now: Timestamp) {
    let reason = match answer.status {
        429 => "the server asks us to come less often (429)",
        _ => "the server is temporarily out of service (503)",
    };
    with_failure(record, Some(answer.status), reason.to_owned(), now);
    heed_failure(record, &answer.freshness, now);
}

/// 410: asked once more, a day or more later, and if it says so again, never again.
pub(super) fn with_gone(record: &mut FeedRecord, now: Timestamp) {
    let confirmed = record.last_status == Some(410);
    with_failure(record, Some(410), "the publisher says that the feed is gone for good (410)".to_owned(), now);
    let was_moved = take_back_move(record);
    if confirmed && !was_moved {
        record.state = FeedState::Gone;
    }
}

/// A move is believed as long as there is something at its end: then the feed is asked again where the config lists it,
/// which may have it once more or know where it went since. Whether it had moved.
fn take_back_move(record: &mut FeedRecord) -> bool {
    let had_moved = record.fetch_url.as_ref().is_some_and(|url| *url != record.configured_url);
    if had_moved {
        record.fetch_url = Some(record.configured_url.clone()).filter(|url| *url != record.url);
    }
    had_moved
}

fn succeeded(record: &mut FeedRecord, status: u16, now: Timestamp) {
    record.last_status = Some(status);
    record.last_refresh_at = Some(now);
    record.last_success_at = Some(now);
    record.state = FeedState::Active;
    record.failure_count = 0;
    record.failing_since_at = None;
    record.last_error = None;
}

/// What the answer says about coming back.
fn heed(record: &mut FeedRecord, freshness: &Freshness, now: Timestamp) {
    let until = |wait: SignedDuration| now.checked_add(wait).ok();
    record.fresh_until_at = freshness.fresh_for().and_then(until);
    record.retry_after_at = freshness.retry_after.and_then(until);
    record.wait_was_cut = freshness.cut;
}

/// The same of an answer without a document: what we have stays as fresh as the last good one said.
fn heed_failure(record: &mut FeedRecord, freshness: &Freshness, now: Timestamp) {
    let (fresh_until_at, was_cut) = (record.fresh_until_at, record.wait_was_cut);
    heed(record, freshness, now);
    if fresh_until_at > record.fresh_until_at.max(Some(now)) {
        record.fresh_until_at = fresh_until_at;
        record.wait_was_cut |= was_cut;
    }
}

/// The newest answer of an address replaces what it said before, and stands last; the ones not heard of for longest go.
fn remember(record: &mut FeedRecord, answer: Remembered) {
    record.remembered.retain(|known| known.url != answer.url);
    record.remembered.push(answer);
    let excess = record.remembered.len().saturating_sub(REMEMBERED_MAX);
    record.remembered.drain(..excess);
}

fn follow(record: &mut FeedRecord, permanent_target: Option<&Url>, now: Timestamp) {
    if permanent_target.is_none() && record.redirect.is_none() {
        return;
    }
    let Ok(asked) = Url::parse(record.address()) else { return };
    match adoption(&asked, record.redirect.as_ref(), permanent_target, now) {
        Adoption::Remember(memory) => record.redirect = memory,
        Adoption::Adopt(target) => {
            record.fetch_url = Some(target.into());
            record.redirect = None;
        }
    }
}
