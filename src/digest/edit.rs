//! Where readers see that a story was edited: feeds edit more than we show.

use crate::digest::issue::score;
use crate::digest::issue_text::{IssueGroup, IssueList, issue_html};
use crate::digest::{Publisher, story_entry};
use crate::model::{Membership, PublishedEntry, Story, Timestamp, without_query};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Where an edit is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Nowhere,
    /// In the documents, but it is no news of the story: an enclosure's address that is signed anew at each visit.
    InDocuments,
    /// In the story's entry of a stream, but not in an issue, which shows less.
    InEntries,
    Everywhere,
}

/// Where it is seen that a story became another than it was.
#[must_use]
pub fn seen(before: &Story, after: &Story) -> Seen {
    let (old, new) = (entry(before), entry(after));
    if in_issue(before, &old) != in_issue(after, &new) {
        Seen::Everywhere
    } else if old == new {
        Seen::Nowhere
    } else if unsigned(old) == unsigned(new) {
        Seen::InDocuments
    } else {
        Seen::InEntries
    }
}

fn unsigned(mut entry: PublishedEntry) -> PublishedEntry {
    for enclosure in &mut entry.enclosures {
        enclosure.url.truncate(without_query(&enclosure.url).len());
    }
    entry
}

/// What an entry shows of a story, whoever publishes it.
fn entry(story: &Story) -> PublishedEntry {
    let never = Timestamp::UNIX_EPOCH;
    let entry_id = story.entry_id.clone();
    let membership = Membership { story_id: story.id, entry_id, sequence: 0, entered_at: never, updated_at: never };
    let publisher = Publisher {
        public_url: String::new(),
        time_zone: TimeZone::UTC,
        hubs: Vec::new(),
        ttl_s: 0,
        tag_titles: BTreeMap::new(),
    };
    story_entry(story, &membership, &publisher)
}

/// What an issue shows of it, and what gives it its place there.
fn in_issue(story: &Story, entry: &PublishedEntry) -> impl PartialEq {
    let group = IssueGroup { heading: String::new(), entries: vec![entry.clone()] };
    let list = IssueList { groups: vec![group], more: 0 };
    (issue_html(&list, "", &TimeZone::UTC), entry.categories.clone(), score(story))
}
