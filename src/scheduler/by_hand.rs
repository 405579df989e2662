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
    let is_recent = |at: &Timestamp| (SignedDuration::ZERO..PAUSE).contains(&now.duration_since(*at));
    feed.last_refresh_at.filter(is_recent).map(Declined::JustRefreshed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    async fn record() -> FeedRecord {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(directory.path()).expect("opens");
        let feed = crate::model::ConfiguredFeed {
            url: "https://news.example/feed".to_owned(),
            title: None,
            groups: Vec::new(),
            language: None,
            enabled: true,
            first_check_at: Timestamp::UNIX_EPOCH,
        };
        store.write(move |tx| tx.sync_feeds(&[feed])).await.expect("stored");
        store.read(|tx| tx.feed_record(crate::model::FeedId(1))).await.expect("reads").expect("a feed")
    }

    #[tokio::test]
    async fn a_feed_rests_for_five_minutes_but_not_by_a_clock_that_was_set_back() {
        let now: Timestamp = "2026-11-24T07:00:00Z".parse().expect("an instant");
        let feed = record().await;
        let after = |seconds| {
            let last_refresh_at = Some(now - SignedDuration::from_secs(seconds));
            declined(&FeedRecord { last_refresh_at, ..feed.clone() }, now)
        };
        assert_eq!(declined(&feed, now), None);
        assert_eq!(after(299), Some(Declined::JustRefreshed(now - SignedDuration::from_secs(299))));
        assert_eq!(after(300), None);
        assert_eq!(after(-86_400), None);
    }
}
