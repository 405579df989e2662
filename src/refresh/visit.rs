//! One visit to one feed, from due to stored: the main path of the product, top to bottom.

use super::place::Arrivals;
use super::timing::{VisitEnd, schedule};
use super::{Watch, articles, outcome, plan};
use crate::config::FeedSettings;
use crate::feed::{self, FeedError, ParsedFeed, ReadContext};
use crate::fetch::{FetchOutcome, FetchRequest, Modified};
use crate::model::{FeedId, FeedRecord, FeedState, Timestamp};
use crate::store::{Store, StoreError, WriteTx};
use jiff::SignedDuration;
use std::sync::Arc;
use url::Url;

/// Newest items whose instants tell a feed's rhythm.
const RHYTHM_ITEMS: u32 = 60;

/// How long a 429 or 503 that names no time holds the other feeds of its host.
pub(super) const HOLD_UNASKED: SignedDuration = SignedDuration::from_hours(1);

/// All that a visit works with; taken at its start, so that a reload never changes a visit under way.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub store: Arc<Store>,
    pub watch: Arc<Watch>,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
}

/// A visit that was made and stored.
#[derive(Debug, Clone)]
pub struct Visit {
    pub feed_url: String,
    pub outcome: Outcome,
    /// `None`: not again, until the operator says so.
    pub next_check_at: Option<Timestamp>,
    pub next_check_reason: String,
    /// Host and port of who asked to be left alone, and until when.
    pub host_held: Option<(String, Timestamp)>,
}

/// How a visit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A document was read.
    Stored { added: usize, changed: usize, unchanged: usize },
    /// What we have is still current.
    NotModified,
    /// Nothing was gained; items and validators stay as they are.
    Failed { reason: String },
}

/// What the document of a visit changes; nothing for a visit without one.
#[derive(Debug, Default)]
struct Brought {
    arrivals: Arrivals,
    outcome: Option<Outcome>,
    /// Host and port that asked to be left alone.
    asked_for_peace: Option<String>,
}

impl Brought {
    fn end(&self) -> VisitEnd {
        match self.outcome {
            Some(Outcome::Stored { added, changed, unchanged }) => {
                VisitEnd::Good { new: added, listed: added + changed + unchanged }
            }
            _ => VisitEnd::Failed,
        }
    }

    /// When the new items appeared, newest first.
    fn times(&self, now: Timestamp) -> Vec<Timestamp> {
        let mut times: Vec<Timestamp> =
            self.arrivals.added.iter().map(|(_, arrival)| arrival.ordered_at(now)).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times
    }
}

/// Visits a feed and stores what comes of it.
///
/// `Ok(None)`: the feed has left the store or the config meanwhile. A feed that fails in any way is a
/// [`Visit`] like another.
///
/// # Errors
/// The store failed; then nothing of the visit is stored, and the feed is due as before.
pub async fn refresh(around: &Surroundings, feed: FeedId) -> Result<Option<Visit>, StoreError> {
    let known = around
        .store
        .read(move |tx| match tx.feed_record(feed)? {
            Some(record) => Ok(Some((record, tx.item_times(feed, RHYTHM_ITEMS)?))),
            None => Ok(None),
        })
        .await?;
    let Some((before, mut rhythm)) = known else { return Ok(None) };
    let Some(settings) = around.watch.feed(&before.url) else { return Ok(None) };
    let answer = around.watch.client.fetch(&request(settings, &before), (around.clock)()).await;
    let now = (around.clock)();
    let mut record = before.clone();
    let mut brought = Brought::default();
    let end = match answer {
        Ok(FetchOutcome::Modified(answer)) => {
            brought = read_document(around, &mut record, answer, now).await?;
            rhythm.splice(..0, brought.times(now));
            brought.end()
        }
        Ok(FetchOutcome::NotModified(answer)) => {
            outcome::with_not_modified(&mut record, &answer, now);
            VisitEnd::Good { new: 0, listed: 0 }
        }
        Ok(FetchOutcome::RetryLater(answer)) => {
            outcome::with_retry_later(&mut record, &answer, now);
            brought.asked_for_peace = Some(host_of(&answer.url));
            VisitEnd::RetryLater
        }
        Ok(FetchOutcome::Gone(_)) => {
            outcome::with_gone(&mut record, now);
            VisitEnd::Gone
        }
        Err(error) => {
            outcome::with_fetch_error(&mut record, &error, now);
            VisitEnd::Failed
        }
    };
    schedule(&mut record, &before, end, &rhythm, settings, &around.watch.settings, now);
    let visit = store(around, record, &before, brought, now).await?;
    // The visit stands, whatever becomes of the pages: what was not read waits for the next.
    if settings.full_text
        && let Err(error) = articles::read_articles(around, feed, settings).await
    {
        tracing::error!(feed.url = %before.url, %error, "article pages cannot be stored; the next visit tries again");
    }
    Ok(Some(visit))
}

fn request(settings: &FeedSettings, record: &FeedRecord) -> FetchRequest {
    let mut request = FetchRequest::for_feed(settings);
    if let Some(moved) = record.fetch_url.as_deref().and_then(|url| Url::parse(url).ok()) {
        request.url = moved;
    }
    request.remembered.clone_from(&record.remembered);
    request
}

/// Host and port: whom a 429 or 503 speaks for.
pub(super) fn host_of(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// Reads the document, compares it with what is known and classifies what is new, on a blocking thread.
async fn read_document(
    around: &Surroundings,
    record: &mut FeedRecord,
    answer: Modified,
    now: Timestamp,
) -> Result<Brought, StoreError> {
    let language = record.language.clone();
    let (answer, parsed) = on_blocking_thread(move || {
        let parsed = parse(&answer, language.as_deref());
        (answer, parsed)
    })
    .await?;
    let mut parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            outcome::with_failure(record, Some(answer.status), error.to_string(), now);
            return Ok(Brought::default());
        }
    };
    for warning in &parsed.warnings {
        tracing::debug!(feed.url = %record.url, %warning, "the document was mended");
    }
    let feed = record.id;
    let arrived = std::mem::take(&mut parsed.items);
    let (arrived, known) =
        around.store.read(move |tx| tx.known_items(feed, &arrived).map(|known| (arrived, known))).await?;
    let plan = plan(&known.items, &known.pruned, arrived, record.item_identity);
    let plan = articles::keep_articles(around, plan).await?;
    let outcome = Outcome::Stored { added: plan.added.len(), changed: plan.changed.len(), unchanged: plan.unchanged };
    let is_first = record.last_success_at.is_none();
    outcome::with_document(record, &answer, &parsed, &plan, now);
    let (watch, for_text) = (Arc::clone(&around.watch), record.clone());
    let arrivals = on_blocking_thread(move || Arrivals::classify(plan, is_first, &for_text, &watch, now)).await?;
    Ok(Brought { arrivals, outcome: Some(outcome), asked_for_peace: None })
}

fn parse(answer: &Modified, language: Option<&str>) -> Result<ParsedFeed, FeedError> {
    let context = ReadContext { base_url: answer.final_url.as_str(), http_charset: answer.charset(), language };
    feed::read(&answer.body, &context)
}

/// Everything of a visit in one transaction: items, tags, stories, digest entries, the feed's record
/// with its validators and next check, and the host's wish to be left alone.
async fn store(
    around: &Surroundings,
    mut record: FeedRecord,
    before: &FeedRecord,
    brought: Brought,
    now: Timestamp,
) -> Result<Visit, StoreError> {
    let hold_end = record.retry_after_at.or(now.checked_add(HOLD_UNASKED).ok());
    let host_held = brought.asked_for_peace.clone().zip(hold_end);
    let outcome = brought.outcome.unwrap_or_else(|| match &record.last_error {
        Some(reason) => Outcome::Failed { reason: reason.clone() },
        None => Outcome::NotModified,
    });
    let visit = Visit {
        feed_url: record.url.clone(),
        outcome,
        next_check_at: record.next_check_at,
        next_check_reason: record.next_check_reason.clone(),
        host_held,
    };
    report(&visit, &record, before);
    let (watch, held) = (Arc::clone(&around.watch), visit.host_held.clone());
    around
        .store
        .write(move |tx| {
            brought.arrivals.store(tx, &record, &watch, now)?;
            if let Some((host, until)) = &held {
                tx.hold_host(host, *until)?;
            }
            give_way(tx, &mut record)?;
            tx.save_feed(&record)
        })
        .await?;
    Ok(visit)
}

/// Of two feeds that have moved to one address, one is polled.
fn give_way(tx: &WriteTx<'_>, record: &mut FeedRecord) -> Result<(), StoreError> {
    let Some(address) = record.fetch_url.as_deref().filter(|_| record.state == FeedState::Active) else {
        return Ok(());
    };
    let Some(twin) = tx.as_read().other_feed_at(address, record.id)? else { return Ok(()) };
    tracing::info!(feed.url = %record.url, twin, "the feed leads to the same address as another, which is polled in its place");
    record.state = FeedState::Duplicate;
    record.next_check_at = None;
    record.next_check_reason = format!("it leads to the same address as {twin}, which is polled in its place");
    Ok(())
}

/// One line a visit: a failure when it begins or its reason changes, an end of failing, the rest at debug.
fn report(visit: &Visit, record: &FeedRecord, before: &FeedRecord) {
    let (url, next) = (&visit.feed_url, visit.next_check_at);
    match &visit.outcome {
        Outcome::Failed { .. } if record.state == FeedState::Gone => {
            tracing::warn!(feed.url = %url, "the feed is gone for good (410) and no longer polled; remove it from the config");
        }
        Outcome::Failed { reason } if before.last_error.as_ref() != Some(reason) => {
            tracing::warn!(feed.url = %url, reason, failures = record.failure_count, next_check_at = next.map(tracing::field::display), "refresh failed");
        }
        Outcome::Failed { reason } => {
            tracing::debug!(feed.url = %url, reason, failures = record.failure_count, next_check_at = next.map(tracing::field::display), "refresh failed again");
        }
        Outcome::Stored { added, changed, unchanged } if record.last_overflow_at == record.last_refresh_at => {
            tracing::warn!(feed.url = %url, added, changed, unchanged, next_check_at = next.map(tracing::field::display),
                "every item was new: some may have come and gone since the last visit; the interval is shortened");
        }
        _ if before.failure_count > 0 => {
            tracing::info!(feed.url = %url, failures = before.failure_count, next_check_at = next.map(tracing::field::display), "the feed is well again");
        }
        Outcome::Stored { added, changed, unchanged } => {
            tracing::debug!(feed.url = %url, added, changed, unchanged, next_check_at = next.map(tracing::field::display), "refreshed");
        }
        Outcome::NotModified => {
            tracing::debug!(feed.url = %url, next_check_at = next.map(tracing::field::display), "not modified");
        }
    }
}

pub(super) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, StoreError> {
    let task = tokio::task::spawn_blocking(work);
    task.await.map_err(|error| StoreError::Other(format!("reading a document ended by a panic: {error}")))
}
