//! What a feed says to being refreshed by hand, before its time. Pure.

use crate::model::{FeedRecord, FeedState, Timestamp, WAIT_CEILING};
use jiff::SignedDuration;

/// A feed refreshed by hand is left alone for so long after any refresh.
const PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Why a feed is not asked now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// Nobody lifts this.
    #[error("the server asked to be left alone until {0}")]
    LeftAlone(Timestamp),
    #[error("gone for good (410)")]
    Gone,
    #[error("{0}")]
    Duplicate(String),
    #[error("`enabled = false` in the config")]
    Disabled,
    #[error("it is no longer in the config")]
    Removed,
    #[error("the server says that what we have is fresh until {0}")]
    Fresh(Timestamp),
    #[error("refreshed less than 5 minutes ago, at {0}")]
    JustRefreshed(Timestamp),
}

/// Why a feed may not be asked at `now`; `None` when it may.
#[must_use]
pub fn declined(feed: &FeedRecord, now: Timestamp) -> Option<Declined> {
    // What lies further ahead than a server may ask for was noted by a clock that has since been set back.
    let running = |at: &Timestamp| *at > now && at.duration_since(now) <= WAIT_CEILING;
    if let Some(until) = feed.retry_after_at.filter(running) {
        return Some(Declined::LeftAlone(until));
    }
    match feed.state {
        FeedState::Active => {}
        FeedState::Gone => return Some(Declined::Gone),
        FeedState::Duplicate => return Some(Declined::Duplicate(feed.next_check_reason.clone())),
        FeedState::Disabled => return Some(Declined::Disabled),
        FeedState::Removed => return Some(Declined::Removed),
    }
    if let Some(until) = feed.fresh_until_at.filter(running) {
        return Some(Declined::Fresh(until));
    }
    feed.last_refresh_at.filter(|at| now.duration_since(*at) < PAUSE).map(Declined::JustRefreshed)
}
