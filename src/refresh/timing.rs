//! When a visited feed is due again: the pace policy fed from the feed's record and the config.

use crate::config::{FeedSettings, Settings};
use crate::model::{FeedRecord, FeedState, Remembered, Timestamp};
use crate::pace::{Asked, Ended, Harvest, PolicyInput, next_check};
use jiff::SignedDuration;

/// How a visit ended, for the pace.
#[derive(Debug, Clone, Copy)]
pub(super) enum VisitEnd {
    /// A document or its 304.
    Good {
        new: usize,
        listed: usize,
    },
    /// It has only begun.
    Begun,
    Failed,
    RetryLater,
    Gone,
}

/// Sets the record's next check. `before` is the record as it was when the visit began.
pub(super) fn schedule(
    record: &mut FeedRecord,
    before: &FeedRecord,
    end: VisitEnd,
    rhythm: &[Timestamp],
    feed: &FeedSettings,
    settings: &Settings,
    now: Timestamp,
) {
    let fetch = &settings.fetch;
    let input = PolicyInput {
        now,
        interval: feed.interval.as_ref().unwrap_or(&fetch.interval),
        min_interval: fetch.min_interval,
        max_interval: fetch.max_interval,
        time_zone: &settings.service.time_zone,
        ended: ended(record, end),
        is_conditional: is_conditional(record, before, end),
        asked: asked(record, now),
        rhythm,
        harvest: harvest(before, end, now),
        last_overflow_at: record.last_overflow_at,
        chance: fastrand::f64(),
    };
    let next = next_check(&input);
    record.next_check_at = next.at;
    record.next_check_reason = next.reason;
}

fn ended(record: &FeedRecord, end: VisitEnd) -> Ended {
    let failure_count = record.failure_count;
    match end {
        VisitEnd::Good { .. } | VisitEnd::Begun => Ended::Good,
        VisitEnd::Failed => Ended::Failed { failure_count },
        VisitEnd::RetryLater => Ended::RetryLater { failure_count },
        VisitEnd::Gone => Ended::Gone { confirmed: record.state == FeedState::Gone },
    }
}

/// Whether the next request will be conditional; of a feed that never answered well nothing is known.
fn is_conditional(record: &FeedRecord, before: &FeedRecord, end: VisitEnd) -> bool {
    let has_validators = |known: &Remembered| !known.validators.is_empty();
    match end {
        // The address that answered stands last.
        VisitEnd::Good { .. } => record.remembered.last().is_some_and(has_validators),
        _ => before.last_success_at.is_none() || record.remembered.iter().any(has_validators),
    }
}

fn asked(record: &FeedRecord, now: Timestamp) -> Asked {
    let ahead = |at: Option<Timestamp>| at.map(|at| at.duration_since(now)).filter(SignedDuration::is_positive);
    Asked {
        fresh_for: ahead(record.fresh_until_at),
        retry_after: ahead(record.retry_after_at),
        ttl_s: record.ttl_s,
        skip_hours: record.skip_hours,
        skip_days: record.skip_days,
        cut: record.wait_was_cut,
    }
}

/// Nothing after a failure, or for a feed that had no items so far: there is nothing to compare with.
fn harvest(before: &FeedRecord, end: VisitEnd, now: Timestamp) -> Option<Harvest> {
    let VisitEnd::Good { new, listed } = end else { return None };
    before.last_new_item_at?;
    let since_last = now.duration_since(before.last_success_at?);
    Some(Harvest { since_last, new, listed })
}
