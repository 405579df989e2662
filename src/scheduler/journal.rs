//! What the log says of visits: a line for each that an operator should hear of, and a summary when there are too
//! many, as when the network is down or comes back.
//!
//! It tells what was decided elsewhere, and decides nothing but how much is said.

use crate::model::WithoutQuery;
use crate::refresh::{News, Outcome, Visit};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use tracing::field::display;

/// Well under a line a second, however much happens: what a page has no room for is summed up at its end.
const PAGE: Duration = Duration::from_secs(10);
const LINES_A_PAGE: usize = 5;
/// Reasons told apart on a page; a mass of failures has few.
const REASONS_MAX: usize = 32;

/// Tells of visits.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// `None` before the first line.
    page_began_at: Option<Instant>,
    lines: usize,
    unsaid: Unsaid,
}

/// What the page had no room for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Unsaid {
    failing: usize,
    recovered: usize,
    others: usize,
    reasons: HashMap<String, usize>,
}

impl Journal {
    /// Tells of a visit that ended at `now`.
    pub(super) fn write(&mut self, visit: &Visit, now: Instant) {
        let Some(news) = &visit.news else { return in_passing(visit) };
        self.turn_page(now);
        self.page_began_at.get_or_insert(now);
        if self.lines < LINES_A_PAGE {
            self.lines += 1;
            line(visit, news);
        } else {
            self.unsaid.add(visit, news);
        }
    }

    /// Sums up a page that is over. To be called often.
    pub(super) fn turn_page(&mut self, now: Instant) {
        if self.page_began_at.is_some_and(|began_at| now.duration_since(began_at) >= PAGE) {
            self.close();
        }
    }

    /// Says what is unsaid.
    pub(super) fn close(&mut self) {
        std::mem::take(self).unsaid.say();
    }
}

impl Unsaid {
    fn add(&mut self, visit: &Visit, news: &News) {
        match (news, &visit.outcome) {
            (News::Failing, Outcome::Failed { reason }) => {
                self.failing += 1;
                let reason = without_names(reason);
                if self.reasons.len() < REASONS_MAX || self.reasons.contains_key(&reason) {
                    *self.reasons.entry(reason).or_default() += 1;
                }
            }
            (News::Recovered { .. }, _) => self.recovered += 1,
            _ => self.others += 1,
        }
    }

    fn say(self) {
        let Self { failing, recovered, others, reasons } = self;
        if failing > 0 {
            // Of equals the first by name, so that the same page says the same.
            let most = reasons.into_iter().max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
            let (reason, of_them) = most.unwrap_or_default();
            tracing::warn!(
                failing,
                of_them,
                reason,
                "more visits failed within seconds; `veille feeds` lists their feeds"
            );
        }
        if recovered + others > 0 {
            tracing::info!(
                recovered,
                others,
                "more feeds are well again, moved, are gone or overflowed within seconds"
            );
        }
    }
}

/// A reason without the names in it, so that a thousand names which cannot be looked up are one reason.
fn without_names(reason: &str) -> String {
    let parts = reason.split('`').enumerate();
    parts.map(|(nth, part)| if nth % 2 == 0 { part } else { "`…`" }).collect()
}

fn line(visit: &Visit, news: &News) {
    let (url, next) = (WithoutQuery(&visit.feed_url), visit.next_check_at.map(display));
    match (news, &visit.outcome) {
        (News::Gone, _) => {
            tracing::warn!(feed.url = %url, "the feed is gone for good (410) and no longer polled; remove it from the config");
        }
        (News::Moved { to }, _) => {
            tracing::info!(feed.url = %url, to = %WithoutQuery(to), "the feed has moved for good; asked there from now on");
        }
        (News::MovedBack, Outcome::Failed { reason }) => {
            tracing::warn!(feed.url = %url, reason, next_check_at = next,
                "there is nothing where the feed had moved to; asked where the config lists it from now on");
        }
        (News::Recovered { failures }, _) => {
            tracing::info!(feed.url = %url, failures, next_check_at = next, "the feed is well again");
        }
        (News::Overflowed, Outcome::Stored { added, .. }) => {
            tracing::warn!(feed.url = %url, added, next_check_at = next,
                "every item was new: some may have come and gone since the last visit; the interval is shortened");
        }
        (_, Outcome::Failed { reason }) => {
            tracing::warn!(feed.url = %url, reason, failures = visit.failures, next_check_at = next, "refresh failed");
        }
        _ => in_passing(visit),
    }
}

/// For those who look closely.
fn in_passing(visit: &Visit) {
    let (url, next) = (WithoutQuery(&visit.feed_url), visit.next_check_at.map(display));
    match &visit.outcome {
        Outcome::Stored { added, changed, unchanged } => {
            tracing::debug!(feed.url = %url, added, changed, unchanged, next_check_at = next, "refreshed");
        }
        Outcome::NotModified => tracing::debug!(feed.url = %url, next_check_at = next, "not modified"),
        Outcome::Failed { reason } => {
            tracing::debug!(feed.url = %url, reason, failures = visit.failures, next_check_at = next, "refresh failed again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(reason: &str, news: News) -> Visit {
        Visit {
            feed_url: "https://example.org/feed".to_owned(),
            outcome: Outcome::Failed { reason: reason.to_owned() },
            next_check_at: None,
            next_check_reason: String::new(),
            host_held: None,
            failures: 1,
            news: Some(news),
        }
    }

    #[test]
    fn what_a_page_has_no_room_for_is_counted_and_the_next_page_begins_anew() {
        let (mut journal, now) = (Journal::default(), Instant::now());
        for nth in 0..LINES_A_PAGE + 5 {
            journal.write(&visit(if nth % 2 == 0 { "no route" } else { "no answer" }, News::Failing), now);
        }
        journal.write(&visit("", News::Recovered { failures: 3 }), now);
        let Unsaid { failing, recovered, others, reasons } = &journal.unsaid;
        assert_eq!((journal.lines, *failing, *recovered, *others), (LINES_A_PAGE, 5, 1, 0));
        assert_eq!(reasons.values().sum::<usize>(), 5);
        journal.write(&visit("no route", News::Failing), now + PAGE);
        assert_eq!((journal.lines, &journal.unsaid), (1, &Unsaid::default()));
    }

    #[test]
    fn failures_that_differ_by_a_name_alone_have_one_reason() {
        let (mut journal, now) = (Journal::default(), Instant::now());
        for nth in 0..LINES_A_PAGE + 7 {
            journal.write(&visit(&format!("the name `{nth}.example` is unknown"), News::Failing), now);
        }
        assert_eq!(journal.unsaid.reasons, HashMap::from([("the name `…` is unknown".to_owned(), 7)]));
    }

    #[test]
    fn a_mass_of_reasons_takes_bounded_memory() {
        let (mut journal, now) = (Journal::default(), Instant::now());
        for nth in 0..1000 {
            journal.write(&visit(&format!("reason {nth}"), News::Failing), now);
        }
        assert_eq!((journal.unsaid.failing, journal.unsaid.reasons.len()), (1000 - LINES_A_PAGE, REASONS_MAX));
    }
}
