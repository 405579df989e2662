//! The words of a notice: what is the matter, since when, when it is tried next, and what to do.

use crate::model::{FeedCondition, NoticeKind, Timestamp, WithoutQuery};
use jiff::tz::TimeZone;

/// Title and advice of a feed's notice, with times in `zone`.
pub(super) fn of(
    kind: NoticeKind,
    feed: &FeedCondition,
    started_at: Timestamp,
    now: Timestamp,
    zone: &TimeZone,
) -> (String, String) {
    let title = &feed.title;
    let since = minute(started_at, zone);
    match kind {
        NoticeKind::Failing => (
            format!("Failing: {title}"),
            format!(
                "It has failed {}{since}: {}. {} If it goes on, see what its address shows in a \
                 browser; `veille feeds fix` says what can be done.",
                match feed.failure_count {
                    1 => "once, at ".to_owned(),
                    count => format!("{count} times in a row since "),
                },
                feed.last_error.as_deref().unwrap_or("no reason is known"),
                next_try(feed, now, zone),
            ),
        ),
        NoticeKind::Gone => (
            format!("Gone: {title}"),
            format!(
                "Its publisher says since {since} that it is gone for good (410), and it is no longer asked. Remove it \
                 from the config, or look for its successor on the site; `veille poll --force` asks once more."
            ),
        ),
        NoticeKind::Moved => (
            format!("Moved: {title}"),
            format!(
                "It is now at {}, and is asked there. `veille feeds fix` writes the new address into the config; its \
                 items and their past stay as they are.",
                feed.moved_to.as_deref().map_or("another address".to_owned(), |to| WithoutQuery(to).to_string()),
            ),
        ),
        NoticeKind::Stale => (
            format!("Silent: {title}"),
            format!(
                "It answers, but has brought nothing new since {since}. {} See on its site whether it goes on \
                 elsewhere; if not, it may be removed from the config.",
                next_try(feed, now, zone),
            ),
        ),
        NoticeKind::Overflowing => (
            format!("Overflowing: {title}"),
            format!(
                "At {since} every item of its document was new: some may have come and gone unseen. The interval is \
                 shortened by itself. {} If it goes on, a shorter `min_interval` in [fetch] lets it be asked sooner.",
                next_try(feed, now, zone),
            ),
        ),
        NoticeKind::Recovered => {
            (format!("Well again: {title}"), format!("It answers again since {since}. Nothing is to be done."))
        }
        NoticeKind::Outage => outage(1, started_at, now, zone),
    }
}

/// Title and advice of a notice of many feeds.
pub(super) fn outage(failing: usize, started_at: Timestamp, now: Timestamp, zone: &TimeZone) -> (String, String) {
    (
        "Many feeds fail at once".to_owned(),
        format!(
            "{failing} feeds have begun to fail since {}, more than half of those that were asked (at {}). See whether \
             this machine reaches the network: its resolver, proxy and firewall. Each feed is tried again by itself, \
             and those that still fail afterwards are named one by one.",
            minute(started_at, zone),
            minute(now, zone),
        ),
    )
}

fn next_try(feed: &FeedCondition, now: Timestamp, zone: &TimeZone) -> String {
    match feed.next_check_at {
        Some(at) if at > now => format!("The next try is at {}.", minute(at, zone)),
        Some(_) => "The next try is due.".to_owned(),
        None => "It is not tried again by itself.".to_owned(),
    }
}

/// `2026-11-24 08:00 UTC`.
fn minute(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}
