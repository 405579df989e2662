//! The words of a notice: what is the matter, since when, when it is tried next, and what to do.

use crate::model::{FeedCondition, NoticeKind, Timestamp};

/// Title and advice of a feed's notice.
pub(super) fn of(kind: NoticeKind, feed: &FeedCondition, started_at: Timestamp, now: Timestamp) -> (String, String) {
    let title = &feed.title;
    let since = minute(started_at);
    match kind {
        NoticeKind::Failing => (
            format!("Failing: {title}"),
            format!(
                "It has failed {} times in a row since {since}: {}. {} If it goes on, see what its address shows in a \
                 browser; `veille feeds fix` says what can be done.",
                feed.failure_count,
                feed.last_error.as_deref().unwrap_or("no reason is known"),
                next_try(feed, now),
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
                feed.moved_to.as_deref().unwrap_or("another address"),
            ),
        ),
        NoticeKind::Stale => (
            format!("Silent: {title}"),
            format!(
                "It answers, but has brought nothing new since {since}. {} See on its site whether it goes on \
                 elsewhere; if not, it may be removed from the config.",
                next_try(feed, now),
            ),
        ),
        NoticeKind::Overflowing => (
            format!("Overflowing: {title}"),
            format!(
                "At {since} every item of its document was new: some may have come and gone unseen. The interval is \
                 shortened by itself. {} If it goes on, a shorter `min_interval` in [fetch] lets it be asked sooner.",
                next_try(feed, now),
            ),
        ),
        NoticeKind::Recovered => {
            (format!("Well again: {title}"), format!("It answers again since {since}. Nothing is to be done."))
        }
        NoticeKind::Outage => outage(1, started_at, now),
    }
}

/// Title and advice of a notice of many feeds.
pub(super) fn outage(failing: usize, started_at: Timestamp, now: Timestamp) -> (String, String) {
    (
        "Many feeds fail at once".to_owned(),
        format!(
            "{failing} feeds have begun to fail since {}, more than half of those that were asked (at {}). See whether \
             this machine reaches the network: its resolver, proxy and firewall. Each feed is tried again by itself, \
             and those that still fail afterwards are named one by one.",
            minute(started_at),
            minute(now),
        ),
    )
}

fn next_try(feed: &FeedCondition, now: Timestamp) -> String {
    match feed.next_check_at {
        Some(at) if at > now => format!("The next try is at {}.", minute(at)),
        Some(_) => "The next try is due.".to_owned(),
        None => "It is not tried again by itself.".to_owned(),
    }
}

/// `2026-11-24 08:00 UTC`.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
