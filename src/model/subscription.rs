//! Subscriptions at hubs (W3C WebSub), and what hubs deliver.

use crate::model::{FeedId, PrivateKey, Timestamp};
use jiff::SignedDuration;

/// The lease that we ask for.
pub const LEASE: SignedDuration = SignedDuration::from_hours(10 * 24);
/// The longest lease that we believe in.
const LEASE_MAX: SignedDuration = SignedDuration::from_hours(30 * 24);
/// A hub is asked to renew no sooner than this, however short its lease is.
const RENEW_AFTER_MIN: SignedDuration = SignedDuration::from_mins(5);

/// How far a subscription has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// The hub is to be asked.
    Wanted,
    /// The hub was asked and has not verified yet.
    Asked,
    /// Verified; in force until its lease ends.
    Active,
    /// The hub said no.
    Denied,
}

/// A subscription of one feed.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub feed: FeedId,
    pub feed_url: String,
    pub hub: String,
    pub topic: String,
    /// The unguessable part of the address that the hub delivers to.
    pub callback_key: PrivateKey,
    /// What deliveries are signed with.
    pub secret: PrivateKey,
    pub state: SubscriptionState,
    /// Times that the hub was asked since it last verified.
    pub tries: u32,
}

/// A subscription that is no longer wanted, while its hub does not know.
#[derive(Debug, Clone)]
pub struct EndedSubscription {
    pub feed_url: String,
    pub hub: String,
    pub topic: String,
    pub callback_key: PrivateKey,
    /// Times that the hub was asked to end it.
    pub tries: u32,
}

/// A document that a hub has delivered, its signature checked.
#[derive(Debug, Clone)]
pub struct HubDelivery {
    pub feed: FeedId,
    pub body: Vec<u8>,
    pub content_type: Option<String>,
}

/// When a lease of so many seconds ends, and when to renew it: after four fifths of it. A hub that names none grants
/// what we asked for.
#[must_use]
pub fn lease_ends(lease_s: Option<i64>, now: Timestamp) -> (Timestamp, Timestamp) {
    let lease = lease_s.filter(|seconds| *seconds > 0).map_or(LEASE, SignedDuration::from_secs).min(LEASE_MAX);
    let after = |span: SignedDuration| now.saturating_add(span).unwrap_or(Timestamp::MAX);
    (after(lease), after((lease * 4 / 5).max(RENEW_AFTER_MIN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_renewed_before_it_ends_and_is_bounded() {
        let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
        let check = |lease_s: Option<i64>, ends_s: i64, renewed_s: i64| {
            let (ends, renewed) = lease_ends(lease_s, now);
            assert_eq!(
                (ends.duration_since(now).as_secs(), renewed.duration_since(now).as_secs()),
                (ends_s, renewed_s)
            );
        };
        check(Some(1_000), 1_000, 800);
        check(None, 864_000, 691_200);
        check(Some(-5), 864_000, 691_200);
        check(Some(10), 10, 300);
        check(Some(i64::MAX), 2_592_000, 2_073_600);
    }
}
