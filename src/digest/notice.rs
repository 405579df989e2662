//! Notices of feeds as entries of a digest of their own, for the operator.

use super::{Publisher, document};
use crate::model::{
    DigestKind, DigestName, DigestSpec, FEED_HEALTH, FeedAddresses, Notice, NoticeKind, PublishedEntry, PublishedFeed,
    Timestamp,
};
use maud::html;

/// The digest itself, which no config holds.
#[must_use]
pub fn feed_health_spec() -> DigestSpec {
    DigestSpec {
        name: DigestName(FEED_HEALTH.to_owned()),
        title: "Feed health".to_owned(),
        description: Some("Feeds that fail, move, end, fall silent or overflow, and what to do about it".to_owned()),
        kind: DigestKind::Stream,
        private: false,
        limit: 100,
    }
}

/// Its newest entries, as a feed; `since` is its date as long as it has none.
#[must_use]
pub fn feed_health(notices: &[Notice], since: Timestamp, publisher: &Publisher) -> PublishedFeed {
    let spec = feed_health_spec();
    let page_url = publisher.address(&format!("digests/{FEED_HEALTH}"));
    let addresses = FeedAddresses { stem: page_url.clone(), page_url, ..FeedAddresses::default() };
    let changed_at = notices.iter().map(changed_at).max().unwrap_or(since);
    let entries = notices.iter().map(|notice| entry(notice, publisher)).collect();
    // No hub is told: the operator's reader polls.
    PublishedFeed { hubs: Vec::new(), ..document(&spec, publisher, addresses, entries, changed_at) }
}

fn entry(notice: &Notice, publisher: &Publisher) -> PublishedEntry {
    let over = notice.ended_at.filter(|_| notice.kind != NoticeKind::Recovered);
    let over = over.map(|at| format!("This was over at {}.", at.strftime("%Y-%m-%d %H:%M UTC")));
    let place = notice.feed.map_or_else(|| "feeds".to_owned(), |feed| format!("feeds#feed-{}", feed.0));
    let content_html = html! { p { (notice.advice) } @if let Some(over) = &over { p { (over) } } };
    PublishedEntry {
        id: notice.entry_id.clone(),
        title: notice.title.clone(),
        url: Some(publisher.address(&place)),
        published_at: notice.noted_at,
        updated_at: changed_at(notice),
        authors: Vec::new(),
        categories: Vec::new(),
        summary: notice.advice.clone(),
        content_html: content_html.into_string(),
        source: None,
        other_sources: Vec::new(),
        reasons: Vec::new(),
        language: Some("en".to_owned()),
        enclosures: Vec::new(),
    }
}

fn changed_at(notice: &Notice) -> Timestamp {
    notice.ended_at.unwrap_or(notice.noted_at).max(notice.noted_at)
}
