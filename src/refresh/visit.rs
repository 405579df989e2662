//! One visit to one feed, from due to stored: the main path of the product, top to bottom.

use super::place::Arrivals;
use super::timing::{VisitEnd, schedule};
use super::{Desk, Known, Watch, articles, outcome, plan};
use crate::config::{FeedSettings, Interval};
use crate::feed::{self, FeedError, ParsedFeed, ReadContext};
use crate::fetch::{self, FetchOutcome, FetchRequest, Modified};
use crate::model::{FeedRecord, FeedState, Timestamp, WithoutQuery, host_of_url};
use crate::store::{KnownItems, Store, StoreError, WriteTx};
use jiff::SignedDuration;
use std::sync::Arc;
use url::Url;

/// How long a 429 or 503 that names no time holds the other feeds of its host.
pub(super) const HOLD_UNASKED: SignedDuration = SignedDuration::from_hours(1);

/// A feed whose hub delivers is asked at least so often, within `max_interval`: hubs fail without a word.
const WHILE_DELIVERED: SignedDuration = SignedDuration::from_hours(12);

/// All that a visit works with; taken at its start, so that a reload never changes a visit under way.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub store: Arc<Store>,
    pub watch: Arc<Watch>,
    pub desk: Desk,
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
    /// In a row, this visit included.
    pub failures: u32,
    /// What is worth a line in the log.
    pub news: Option<News>,
}

/// What an operator should hear of a visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It failed. The pauses between failures grow, so that there are few lines of them.
    Failing,
    /// The publisher says that it is gone for good.
    Gone,
    /// It is asked at another address from now on.
    Moved { to: String },
    /// There is nothing where it had moved to: it is asked where the config lists it.
    MovedBack,
    /// Every item was new: some may have come and gone unseen.
    Overflowed,
    /// It had failed so many times in a row.
    Recovered { failures: u32 },
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
    hub: Hub,
}

/// What a visit tells of the feed's hub.
#[derive(Debug, Default)]
enum Hub {
    /// No document came.
    #[default]
    Untold,
    NoneNamed,
    Named {
        hub: String,
        /// What the document calls itself there.
        topic: String,
    },
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
/// `Ok(None)`: the feed has left the config meanwhile. A feed that fails in any way is a [`Visit`] like another.
///
/// # Errors
/// The store failed; then nothing of the visit is stored, and the feed is due as before.
pub async fn refresh(around: &Surroundings, known: Known) -> Result<Option<Visit>, StoreError> {
    let Known { record: before, mut rhythm, held_hosts } = known;
    let Some(settings) = around.watch.feed(&before.configured_url) else { return Ok(None) };
    let answer = around.watch.client.fetch(&request(settings, &before, held_hosts), (around.clock)()).await;
    let place = match &answer {
        Ok(FetchOutcome::Modified(_)) => Some(around.desk.document().await),
        _ => None,
    };
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
            brought.asked_for_peace = settings.host_limits.then(|| host_of_url(&answer.url));
            VisitEnd::RetryLater
        }
        Ok(FetchOutcome::Gone) => {
            outcome::with_gone(&mut record, now);
            VisitEnd::Gone
        }
        Err(error) => {
            outcome::with_fetch_error(&mut record, &error, now);
            VisitEnd::Failed
        }
    };
    schedule(&mut record, &before, end, &rhythm, settings, &around.watch.settings, now);
    if around.watch.settings.http.subscribe_to_hubs {
        rely_on_hub(&mut record, end, settings, around.watch.settings.fetch.max_interval, now);
    }
    let visit = store(around, record, &before, brought, now).await?;
    drop(place);
    // The visit stands, whatever becomes of the pages: what was not read waits for the next.
    if settings.full_text
        && let Err(error) = articles::read_articles(around, before.id, settings).await
    {
        tracing::error!(feed.url = %WithoutQuery(&before.url), %error, "article pages cannot be stored; the next visit tries again");
    }
    Ok(Some(visit))
}

fn request(settings: &FeedSettings, record: &FeedRecord, held_hosts: Arc<[(String, Timestamp)]>) -> FetchRequest {
    let mut request = FetchRequest::for_feed(settings);
    if let Some(moved) = record.fetch_url.as_deref().and_then(|url| Url::parse(url).ok()) {
        request.url = moved;
    }
    request.remembered.clone_from(&record.remembered);
    if settings.host_limits {
        request.held_hosts = held_hosts;
    }
    request
}

/// Reads the document, compares it with what is known and classifies what is new, on a blocking thread.
async fn read_document(
    around: &Surroundings,
    record: &mut FeedRecord,
    answer: Modified,
    now: Timestamp,
) -> Result<Brought, StoreError> {
    let languages = Languages::of(record, &around.watch);
    let (answer, parsed) = around
        .desk
        .work(move || {
            let parsed = parse(&answer.body, answer.content_type.as_deref(), answer.final_url.as_str(), &languages);
            // What is stored of the answer is its head; the body was read.
            (Modified { body: bytes::Bytes::new(), ..answer }, parsed)
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
        tracing::debug!(feed.url = %WithoutQuery(&record.url), %warning, "the document was mended");
    }
    let hub = hub_of(&answer, &parsed);
    let feed = record.id;
    let arrived = std::mem::take(&mut parsed.items);
    let is_first = record.last_success_at.is_none();
    // A feed that was never read has no items.
    let (arrived, known) = if is_first {
        (arrived, KnownItems::default())
    } else {
        around.store.read(move |tx| tx.known_items(feed, &arrived).map(|known| (arrived, known))).await?
    };
    let plan = plan(&known.items, &known.pruned, arrived, record.item_identity);
    let plan = articles::keep_articles(around, plan).await?;
    if parsed.overflow > 0 && !plan.added.is_empty() {
        tracing::warn!(feed.url = %WithoutQuery(&record.url), overflow = parsed.overflow, "the document lists more items than are read of it: the newest are kept, the rest is left out");
    }
    let outcome = Outcome::Stored { added: plan.added.len(), changed: plan.changed.len(), unchanged: plan.unchanged };
    outcome::with_document(record, &answer, &parsed, &plan, now);
    let (watch, for_text) = (Arc::clone(&around.watch), record.clone());
    let arrivals = around.desk.work(move || Arrivals::classify(plan, is_first, &for_text, &watch, now)).await?;
    Ok(Brought { arrivals, outcome: Some(outcome), asked_for_peace: None, hub })
}

/// What is known of a feed's language before its document is read.
#[derive(Debug)]
pub(super) struct Languages {
    configured: Option<String>,
    before: Option<String>,
}

impl Languages {
    pub fn of(record: &FeedRecord, watch: &Watch) -> Self {
        let configured = watch.feed(&record.configured_url).and_then(|feed| feed.language.clone());
        Self { configured, before: record.language.clone() }
    }
}

pub(super) fn parse(
    body: &[u8],
    content_type: Option<&str>,
    base_url: &str,
    languages: &Languages,
) -> Result<ParsedFeed, FeedError> {
    let http_charset = content_type.and_then(fetch::charset);
    let (language, language_before) = (languages.configured.as_deref(), languages.before.as_deref());
    feed::read(body, &ReadContext { base_url, http_charset, language, language_before })
}

/// The hub that a document names; what the headers say goes before (W3C WebSub section 4).
fn hub_of(answer: &Modified, parsed: &ParsedFeed) -> Hub {
    let base = &answer.final_url;
    let (hub, topic) = answer.hub_links.as_ref().map_or((None, None), |links| (links.hub.clone(), links.topic.clone()));
    let hub = hub.or_else(|| parsed.hubs.iter().find_map(|hub| base.join(hub).ok()));
    let topic = topic.or_else(|| base.join(parsed.self_url.as_deref()?).ok()).unwrap_or_else(|| base.clone());
    hub.map_or(Hub::NoneNamed, |hub| Hub::Named { hub: hub.into(), topic: topic.into() })
}

/// Asked rarely, and again as soon as the lease ends, while a hub delivers. An operator's `cron` stands.
fn rely_on_hub(
    record: &mut FeedRecord,
    end: VisitEnd,
    settings: &FeedSettings,
    max_interval: SignedDuration,
    now: Timestamp,
) {
    let brought_items = matches!(end, VisitEnd::Good { new: 1.., .. });
    let until = record.delivered_until_at.filter(|until| *until > now);
    let (Some(until), Some(next), VisitEnd::Good { .. }) = (until, record.next_check_at, end) else { return };
    let rarely = now.saturating_add(WHILE_DELIVERED.min(max_interval)).unwrap_or(Timestamp::MAX).min(until);
    if brought_items || rarely <= next || matches!(settings.interval, Some(Interval::Cron(_))) {
        return;
    }
    record.next_check_at = Some(rarely);
    "its hub delivers what is new; asked all the same, to be sure".clone_into(&mut record.next_check_reason);
}

/// Everything of a visit in one transaction: items, tags, stories, digest entries, the feed's record
/// with its validators and next check, and the host's wish to be left alone.
async fn store(
    around: &Surroundings,
    record: FeedRecord,
    before: &FeedRecord,
    brought: Brought,
    now: Timestamp,
) -> Result<Visit, StoreError> {
    let hold_end = record.retry_after_at.or(now.checked_add(HOLD_UNASKED).ok());
    let host_held = brought.asked_for_peace.clone().zip(hold_end);
    let outcome = brought.outcome.clone().unwrap_or_else(|| match &record.last_error {
        Some(reason) => Outcome::Failed { reason: reason.clone() },
        None => Outcome::NotModified,
    });
    let visit = Visit {
        feed_url: record.url.clone(),
        news: news(&record, before, &outcome),
        failures: record.failure_count,
        outcome,
        next_check_at: record.next_check_at,
        next_check_reason: record.next_check_reason.clone(),
        host_held,
    };
    let (within, held) = (around.clone(), visit.host_held.clone());
    let was_told = record.remembered != before.remembered;
    let written = around.store.write_repeatable(move |tx| {
        if was_told {
            tx.save_remembered(&record)?;
        }
        write(tx, &within, &brought, record.clone(), held.as_ref(), now)
    });
    written.await.map(|()| visit)
}

fn write(
    tx: &WriteTx<'_>,
    around: &Surroundings,
    brought: &Brought,
    mut record: FeedRecord,
    held: Option<&(String, Timestamp)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let watch = &around.watch;
    if !brought.arrivals.is_empty() {
        around.desk.with_recent(tx, now, |recent| brought.arrivals.store(tx, &record, watch, recent, now))?;
    }
    if let Some((host, until)) = held {
        tx.hold_host(host, *until, record.retry_after_at)?;
    }
    match &brought.hub {
        Hub::Named { hub, topic } if watch.settings.http.subscribe_to_hubs => {
            tx.note_hub(record.id, Some((hub, topic)), now)?;
        }
        Hub::Named { .. } | Hub::NoneNamed => tx.note_hub(record.id, None, now)?,
        Hub::Untold => {}
    }
    if !brought.arrivals.added.is_empty() && record.delivered_until_at.is_some_and(|until| until > now) {
        tx.delivery_missed(record.id, now)?;
    }
    give_way(tx, &mut record)?;
    tx.save_feed(&record)
}

/// Of two feeds that have moved to one address, one is polled.
fn give_way(tx: &WriteTx<'_>, record: &mut FeedRecord) -> Result<(), StoreError> {
    let Some(address) = record.fetch_url.as_deref().filter(|_| record.state == FeedState::Active) else {
        return Ok(());
    };
    let Some(twin) = tx.as_read().other_feed_at(address, record.id)? else { return Ok(()) };
    tracing::info!(feed.url = %WithoutQuery(&record.url), twin = %WithoutQuery(&twin), "the feed leads to the same address as another, which is polled in its place");
    record.state = FeedState::Duplicate;
    record.next_check_at = None;
    record.next_check_reason =
        format!("it leads to the same address as {}, which is polled in its place", WithoutQuery(&twin));
    Ok(())
}

/// What an operator should hear of a visit, against how the feed was before.
fn news(record: &FeedRecord, before: &FeedRecord, outcome: &Outcome) -> Option<News> {
    match outcome {
        Outcome::Failed { .. } if record.state == FeedState::Gone => Some(News::Gone),
        Outcome::Failed { .. } if record.fetch_url != before.fetch_url => Some(News::MovedBack),
        Outcome::Failed { .. } => Some(News::Failing),
        _ if record.fetch_url != before.fetch_url => record.fetch_url.clone().map(|to| News::Moved { to }),
        Outcome::Stored { .. } if record.last_overflow_at == record.last_refresh_at => Some(News::Overflowed),
        _ if before.failure_count > 0 => Some(News::Recovered { failures: before.failure_count }),
        _ => None,
    }
}
