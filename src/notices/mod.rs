//! What the operator is told of feeds: when a notice begins, when it ends, and its words.
//!
//! Pure. A review compares the feeds as they are with the notices that last; whatever lasts is told once, and what
//! befalls many feeds at once is told as one. Nothing here knows how notices are kept or published.

mod words;

use crate::model::{EntryId, FeedCondition, FeedId, FeedState, Notice, NoticeKind, OpenNotice, Timestamp};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use std::collections::HashMap;

/// Failures in a row before the operator is told: one or two are weather.
const TOLD_AFTER_FAILURES: u32 = 3;
/// Or after so long: a feed with a day's interval fails thrice in three days.
const TOLD_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// A feed that is well but brings nothing for so long may have moved without a word.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(90 * 24);
/// An overflow is over when none has followed for so long.
const OVERFLOW_LASTS: SignedDuration = SignedDuration::from_hours(2 * 24);
/// An outage: this many feeds at least, and more than half of those that were asked within the hour.
const OUTAGE_MIN_FEEDS: usize = 5;
const OUTAGE_WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The notices so far, as far as a review needs them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub open: Vec<OpenNotice>,
    pub last_outage_ended_at: Option<Timestamp>,
}

/// What a review changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    pub begun: Vec<Notice>,
    /// Rows of notices that last no longer.
    pub ended: Vec<i64>,
}

/// Makes the id of a notice from the feed's identity (empty: of many), the kind and the start instant.
pub type EntryIdOf = fn(&str, NoticeKind, Timestamp) -> EntryId;

/// Compares the feeds with the notices that last.
#[must_use]
pub fn review(feeds: &[FeedCondition], known: &Known, entry_id: EntryIdOf, now: Timestamp) -> Review {
    let mut review = Review::default();
    let outage = outage(feeds, known, now);
    let open_outage = known.open.iter().find(|notice| notice.kind == NoticeKind::Outage);
    match (open_outage, outage) {
        (None, Some((started_at, failing))) => {
            let (title, advice) = words::outage(failing, started_at, now, &TimeZone::UTC);
            review.begun.push(Notice {
                feed: None,
                kind: NoticeKind::Outage,
                entry_id: entry_id("", NoticeKind::Outage, started_at),
                started_at,
                noted_at: now,
                ended_at: None,
                title,
                advice,
            });
        }
        (Some(open), None) => review.ended.push(open.id),
        _ => {}
    }
    let calm = Calm { outage: outage.map(|(started_at, _)| started_at), since: calm_since(known, open_outage, now) };
    let mut open: HashMap<FeedId, Vec<&OpenNotice>> = HashMap::new();
    for notice in &known.open {
        if let Some(feed) = notice.feed {
            open.entry(feed).or_default().push(notice);
        }
    }
    for feed in feeds {
        let open = open.remove(&feed.id).unwrap_or_default();
        review_feed(feed, &open, &calm, entry_id, now, &mut review);
    }
    // What is left speaks of feeds that have left the config.
    review.ended.extend(open.values().flatten().map(|notice| notice.id));
    review
}

/// What a feed's notices of its own can be of, the gravest first.
const KINDS: [NoticeKind; 5] =
    [NoticeKind::Failing, NoticeKind::Gone, NoticeKind::Moved, NoticeKind::Overflowing, NoticeKind::Stale];

/// What is the matter with a feed at this moment, the gravest first: since when, when it is tried next, what to do. Nothing
/// where it is well. Times are told in `zone`.
#[must_use]
pub fn matters(feed: &FeedCondition, now: Timestamp, zone: &TimeZone) -> Vec<(NoticeKind, String)> {
    let lasting = KINDS.into_iter().filter(|kind| lasts(*kind, feed, now) && may_be_told(*kind, feed));
    lasting.map(|kind| (kind, words::of(kind, feed, since(kind, feed).unwrap_or(now), now, zone).1)).collect()
}

fn since(kind: NoticeKind, feed: &FeedCondition) -> Option<Timestamp> {
    match kind {
        NoticeKind::Failing | NoticeKind::Gone => feed.failing_since_at,
        NoticeKind::Stale => feed.last_new_item_at,
        NoticeKind::Overflowing => feed.last_overflow_at,
        NoticeKind::Moved | NoticeKind::Recovered | NoticeKind::Outage => None,
    }
}

/// Whether feeds fail each for reasons of their own.
struct Calm {
    /// When the outage under way began.
    outage: Option<Timestamp>,
    /// When the last one ended.
    since: Option<Timestamp>,
}

fn calm_since(known: &Known, open_outage: Option<&OpenNotice>, now: Timestamp) -> Option<Timestamp> {
    open_outage.map(|_| now).or(known.last_outage_ended_at)
}

fn review_feed(
    feed: &FeedCondition,
    open: &[&OpenNotice],
    calm: &Calm,
    entry_id: EntryIdOf,
    now: Timestamp,
    review: &mut Review,
) {
    let begin = |kind: NoticeKind, started_at: Timestamp, review: &mut Review| {
        let (title, advice) = words::of(kind, feed, started_at, now, &TimeZone::UTC);
        review.begun.push(Notice {
            feed: Some(feed.id),
            kind,
            entry_id: entry_id(&feed.url, kind, started_at),
            started_at,
            noted_at: now,
            ended_at: (kind == NoticeKind::Recovered).then_some(now),
            title,
            advice,
        });
    };
    let mut was_ill = false;
    for kind in KINDS {
        let lasting = open.iter().find(|notice| notice.kind == kind);
        match (lasting, begins(kind, feed, calm, now), lasts(kind, feed, now)) {
            (None, Some(started_at), _) => begin(kind, started_at, review),
            (Some(notice), _, false) => {
                review.ended.push(notice.id);
                was_ill |= matches!(kind, NoticeKind::Failing | NoticeKind::Gone);
            }
            _ => {}
        }
    }
    if was_ill && feed.state == FeedState::Active && feed.failure_count == 0 {
        begin(NoticeKind::Recovered, feed.last_success_at.unwrap_or(now), review);
    }
}

/// Since when a notice is to be given.
fn begins(kind: NoticeKind, feed: &FeedCondition, calm: &Calm, now: Timestamp) -> Option<Timestamp> {
    if !lasts(kind, feed, now) || !may_be_told(kind, feed) {
        return None;
    }
    match kind {
        NoticeKind::Failing => {
            let since = since(kind, feed)?;
            let told = feed.failure_count >= TOLD_AFTER_FAILURES || now.duration_since(since) >= TOLD_AFTER;
            // What began with an outage is told by its notice; what outlives it, once it has failed again.
            let in_outage = calm.outage.is_some_and(|outage| since.duration_since(outage) >= -OUTAGE_WINDOW);
            let not_asked_since = calm.since.is_some_and(|end| feed.last_refresh_at.is_none_or(|at| at <= end));
            (told && !in_outage && !not_asked_since).then_some(since)
        }
        NoticeKind::Gone | NoticeKind::Moved => Some(since(kind, feed).unwrap_or(now)),
        NoticeKind::Stale | NoticeKind::Overflowing => since(kind, feed),
        NoticeKind::Recovered | NoticeKind::Outage => None,
    }
}

fn lasts(kind: NoticeKind, feed: &FeedCondition, now: Timestamp) -> bool {
    let is_active = feed.state == FeedState::Active;
    let within = |at: Option<Timestamp>, span| at.is_some_and(|at| now.duration_since(at) < span);
    match kind {
        NoticeKind::Failing => is_active && feed.failure_count > 0,
        NoticeKind::Gone => feed.state == FeedState::Gone,
        NoticeKind::Moved => is_active && feed.moved_to.is_some(),
        NoticeKind::Stale => is_active && feed.last_new_item_at.is_some_and(|at| now.duration_since(at) >= STALE_AFTER),
        NoticeKind::Overflowing => is_active && within(feed.last_overflow_at, OVERFLOW_LASTS),
        NoticeKind::Recovered | NoticeKind::Outage => false,
    }
}

/// Of a feed that fails it is not known whether it is silent; one that was said to be does not cease to be by a failure.
fn may_be_told(kind: NoticeKind, feed: &FeedCondition) -> bool {
    kind != NoticeKind::Stale || feed.failure_count == 0
}

/// When the outage under way began, and how many feeds it holds. One that lasts goes on as long as nothing is asked.
fn outage(feeds: &[FeedCondition], known: &Known, now: Timestamp) -> Option<(Timestamp, usize)> {
    let open = known.open.iter().find(|notice| notice.kind == NoticeKind::Outage).map(|notice| notice.started_at);
    let reaches_back_to = open.unwrap_or(now).checked_sub(OUTAGE_WINDOW).unwrap_or(Timestamp::MIN);
    let (mut asked, mut failing, mut first) = (0, 0, now);
    for feed in feeds.iter().filter(|feed| feed.state == FeedState::Active) {
        let is_recent = feed.last_refresh_at.is_some_and(|at| now.duration_since(at) < OUTAGE_WINDOW);
        match feed.failing_since_at {
            Some(since) if since >= reaches_back_to => {
                // It may be backing off: it is part of the outage until it is asked again with another result.
                asked += 1;
                failing += 1;
                first = first.min(since);
            }
            // It failed before: it says nothing of now.
            Some(_) => {}
            None => asked += usize::from(is_recent),
        }
    }
    let is_outage = failing >= OUTAGE_MIN_FEEDS && failing * 2 > asked;
    is_outage.then(|| (open.unwrap_or(first), failing))
}

#[cfg(test)]
mod tests;
