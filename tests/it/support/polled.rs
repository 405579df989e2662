//! One feed, polled by hand: its origin, and what a poll says of it.

use super::app::{ALL, App, feed_tables};
use super::origin::{Answer, Origin};
use jiff::Timestamp;
use serde_json::Value;

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;
/// The defaults, but for loopback.
pub const USUAL: &str = "allow_private_addresses = true\n";

/// One feed at `/feed.xml` with these answers.
pub fn one_feed(fetch: &str, answers: impl IntoIterator<Item = Answer>) -> (Origin, App) {
    let origin = Origin::start();
    origin.script("/feed.xml", answers);
    let app = App::new(fetch, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    (origin, app)
}

pub fn next_check(polled: &Value) -> Timestamp {
    let at = polled["feeds"][0]["next_check_at"].as_str().unwrap_or_else(|| panic!("no next check: {polled}"));
    at.parse().expect("an instant")
}

/// Seconds from now until the feed that a poll visited is checked again.
pub fn wait_s(polled: &Value) -> i64 {
    next_check(polled).duration_since(Timestamp::now()).as_secs()
}

pub fn outcome(polled: &Value) -> &str {
    polled["feeds"][0]["outcome"].as_str().unwrap_or_else(|| panic!("no outcome: {polled}"))
}
