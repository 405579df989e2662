//! The decision: which story an arriving item joins.

use crate::model::{FeedId, StoryId, Timestamp};
use crate::stories::{Signature, SignatureView};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// How far apart in time two tellings of the same news may be; what looks alike after that is the next
/// part of a series. Also how long a signature has to be kept.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(72);

/// What titles have to share when they are all we go by: two names and a number weigh 14. Measured on real titles
/// (`tests/it/stories.rs`): from 0.34 and 15 down to 0.20 and 12 recall doubles, and the one wrong pair stays the only one.
/// Half of that way is gone, for a large watch has more that looks alike than the titles that we have labels for.
const TITLE_RATIO_MIN: f64 = 0.25;
const TITLE_UNITS_MIN: u32 = 14;
/// Titles that are the same, though short.
const SAME_TITLE_RATIO_MIN: f64 = 0.9;
const SAME_TITLE_UNITS_MIN: u32 = 12;
/// What texts have to share, beside a little of the titles: a text that a site repeats is not news.
const TEXT_LIKENESS_MIN: f64 = 0.5;
const TITLE_RATIO_MIN_WITH_TEXT: f64 = 0.1;

/// An item that has just arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    pub feed_id: FeedId,
    /// See [`crate::model::Item::ordered_at`]: a feed that shows its archive brings old news, not today's.
    pub ordered_at: Timestamp,
    pub signature: &'a Signature,
}

/// An item that was found by link or by band.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    pub story_id: StoryId,
    pub feed_id: FeedId,
    pub ordered_at: Timestamp,
    pub signature: SignatureView<'a>,
    /// Whether it has the arrival's canonical link.
    pub same_link: bool,
}

/// The story that the arrival joins; `None` when it begins its own.
///
/// The same link is the same story, in one feed too: an item that a publisher lists in two sections. Else
/// two items of one feed never are, and a story that the arrival's feed already tells is not told by it again.
#[must_use]
pub fn join(arrival: &Arrival<'_>, candidates: &[Candidate<'_>]) -> Option<StoryId> {
    let recent = || candidates.iter().filter(|candidate| is_in_window(arrival.ordered_at, candidate.ordered_at));
    if let Some(same) = recent().filter(|candidate| candidate.same_link).min_by_key(|candidate| candidate.story_id) {
        return Some(same.story_id);
    }
    let told_by_feed: BTreeSet<StoryId> = candidates
        .iter()
        .filter(|candidate| candidate.feed_id == arrival.feed_id)
        .map(|candidate| candidate.story_id)
        .collect();
    recent()
        .filter(|candidate| !told_by_feed.contains(&candidate.story_id))
        .filter_map(|candidate| Some((likeness(arrival.signature.view(), candidate.signature)?, candidate.story_id)))
        // The most alike, and of equals the oldest story, whatever the order of candidates.
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
        .map(|(_, story_id)| story_id)
}

/// Whether these two may tell of the same news, by where they stand in time.
#[must_use]
pub fn is_in_window(a: Timestamp, b: Timestamp) -> bool {
    a.duration_since(b).abs() <= WINDOW
}

/// How alike two items are, when it is enough to be the same news.
fn likeness(a: SignatureView<'_>, b: SignatureView<'_>) -> Option<f64> {
    let title = a.title_likeness(b);
    let text = a.text_likeness(b).unwrap_or(0.0);
    if title.numbers_differ {
        return None;
    }
    let by_title = title.ratio >= TITLE_RATIO_MIN && title.shared_units >= TITLE_UNITS_MIN
        || title.ratio >= SAME_TITLE_RATIO_MIN && title.shared_units >= SAME_TITLE_UNITS_MIN;
    let by_text = text >= TEXT_LIKENESS_MIN && title.ratio >= TITLE_RATIO_MIN_WITH_TEXT;
    (by_title || by_text).then_some(title.ratio + text)
}

#[cfg(test)]
mod tests;
