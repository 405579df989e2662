//! The task that works off deliveries: takes what is due, makes a try of each, records how it ended.

use super::mail::{self, IssueMail};
use super::{retry, webhook, websub};
use crate::config::{DigestSettings, Settings};
use crate::digest::{Publisher, issue_entry, issue_list, story_entry};
use crate::export::{self, Format};
use crate::fetch::{Answer, FetchError, Message};
use crate::http::{configured_digest, digest_document, digest_path, publisher};
use crate::model::{
    Delivery, DeliveryId, EntryId, OutputId, OutputKind, PublishedEntry, SubscriptionRequest, Timestamp, Told,
};
use crate::refresh::Surroundings;
use crate::store::{Outcome, ReadTx, StoreError};
use jiff::SignedDuration;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How often it is looked what is due.
const TICK: Duration = Duration::from_secs(1);
/// Nobody is told what cannot be noted: a disk that is full would let every try be made again at once.
const AFTER_STORE_FAILURE: Duration = Duration::from_mins(1);
/// A try of which nobody knows how it ended is made again after so long.
const CLAIMED_FOR: SignedDuration = SignedDuration::from_mins(1);
/// Tries at a time; of one output never more than one.
const TRIES_AT_ONCE: usize = 8;
/// A command that ends waits so long for what settles: a document is pushed a second after it changed.
const SOON: SignedDuration = SignedDuration::from_secs(2);
/// Outputs looked at beside those that are busy.
const OUTPUTS_SEEN: usize = 64;
/// Between two verifications at one host: the hub is no tool to flood others with.
const VERIFICATION_GAP: SignedDuration = SignedDuration::from_secs(2);
/// Requests looked at in one tick; more than the hosts that can wait for their turn.
const REQUESTS_SEEN: usize = 100;

/// Works off deliveries, and asks subscribers back, until `stop`.
///
/// A try that was under way then is made again, a minute after it began at the earliest: a receiver may get a delivery
/// twice, with the same id, and never not at all.
pub async fn run(surroundings: Arc<dyn Fn() -> Surroundings + Send + Sync>, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        // Apart from each other: a callback that drips must not hold up a delivery.
        () = async { tokio::join!(work_off(&*surroundings), Verifier::default().answer_requests(&*surroundings)); } => {}
    }
}

/// What a command that ends has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    pub delivered: usize,
    /// Tries that failed; what is tried again waits for the next command, or the daemon.
    pub failed: usize,
}

/// A try that was made.
#[derive(Debug, Clone, Copy)]
struct Ended {
    output: OutputId,
    delivered: bool,
}

/// Makes the tries that are due now or in a moment, for as long as `at_most`: for a command that ends.
///
/// # Errors
/// The store cannot be read.
pub async fn send_due(
    surroundings: &(dyn Fn() -> Surroundings + Send + Sync),
    at_most: Duration,
) -> Result<Sent, StoreError> {
    let mut sent = Sent::default();
    let ended = tokio::time::timeout(at_most, send_all_due(surroundings, &mut sent)).await;
    if ended.is_err() {
        tracing::warn!("deliveries took longer than {} s; what is left is tried next time", at_most.as_secs());
    }
    ended.unwrap_or(Ok(())).map(|()| sent)
}

async fn send_all_due(
    surroundings: &(dyn Fn() -> Surroundings + Send + Sync),
    sent: &mut Sent,
) -> Result<(), StoreError> {
    let mut tries = JoinSet::new();
    let mut busy = HashSet::new();
    loop {
        let around = surroundings();
        start_due(&around, &mut tries, &mut busy).await?;
        if let Some(ended) = tries.join_next().await {
            let ended = ended.map_err(|error| StoreError::Other(error.to_string()))?;
            busy.remove(&ended.output);
            *(if ended.delivered { &mut sent.delivered } else { &mut sent.failed }) += 1;
            continue;
        }
        let soon = (around.clock)().checked_add(SOON).unwrap_or(Timestamp::MAX);
        let next = around.store.read(move |tx| tx.due_deliveries(soon, 1)).await?;
        if next.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(TICK / 4).await;
    }
}

async fn work_off(surroundings: &(dyn Fn() -> Surroundings + Send + Sync)) {
    let mut tries = JoinSet::new();
    let mut busy = HashSet::new();
    loop {
        let pause = match start_due(&surroundings(), &mut tries, &mut busy).await {
            Ok(()) => TICK,
            Err(error) => {
                tracing::error!(%error, "no delivery can be noted; none is made for a minute");
                AFTER_STORE_FAILURE
            }
        };
        tokio::select! {
            Some(ended) = tries.join_next() => match ended {
                Ok(ended) => drop(busy.remove(&ended.output)),
                Err(error) => {
                    tracing::error!(%error, "a delivery ended in a panic; this is a defect of veille");
                    // Which output it was is not known any more; a delivery made twice has one id.
                    busy.clear();
                }
            },
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Starts tries that are due, once the store knows of them. `busy` are the outputs of those under way: a try may take longer
/// than it is claimed for.
async fn start_due(
    around: &Surroundings,
    tries: &mut JoinSet<Ended>,
    busy: &mut HashSet<OutputId>,
) -> Result<(), StoreError> {
    if tries.len() >= TRIES_AT_ONCE {
        return Ok(());
    }
    let now = (around.clock)();
    let outputs = OUTPUTS_SEEN + busy.len();
    let mut due = around.store.read(move |tx| tx.due_deliveries(now, outputs)).await?;
    due.retain(|delivery| !busy.contains(&delivery.output));
    due.truncate(TRIES_AT_ONCE - tries.len());
    if due.is_empty() {
        return Ok(());
    }
    let ids: Vec<DeliveryId> = due.iter().map(|delivery| delivery.id).collect();
    let until = now.checked_add(CLAIMED_FOR).unwrap_or(Timestamp::MAX);
    around.store.write(move |tx| tx.claim_deliveries(&ids, until)).await?;
    for delivery in due {
        busy.insert(delivery.output);
        let around = around.clone();
        tries.spawn(async move { attempt(&around, &delivery).await });
    }
    Ok(())
}

/// One try, and its record.
async fn attempt(around: &Surroundings, delivery: &Delivery) -> Ended {
    let outcome = match prepare(around, delivery).await {
        Ok(Prepared::Message(message)) => send(around, delivery, &message).await,
        Ok(Prepared::Mail(message)) => match &around.watch.settings.smtp {
            Some(smtp) => mail::send(*message, smtp, delivery, (around.clock)()).await,
            None => gone("there is no [smtp] any more"),
        },
        Ok(Prepared::Nothing(why)) => gone(why),
        Err(error) => unprepared(delivery, &error, (around.clock)()),
    };
    let (recorded, made, now) = (delivery.clone(), outcome.clone(), (around.clock)());
    match around.store.write(move |tx| tx.record_outcome(&recorded, &made, now)).await {
        Ok(()) => log(delivery, &outcome),
        Err(error) => {
            tracing::error!(%error, digest = delivery.digest.0, "a delivery's outcome is not stored: it is tried again in a minute");
        }
    }
    Ended { output: delivery.output, delivered: matches!(outcome, Outcome::Delivered) }
}

fn unprepared(delivery: &Delivery, error: &StoreError, now: Timestamp) -> Outcome {
    Outcome::Failed {
        error: format!("what it tells of cannot be read: {error}"),
        next_try_at: retry::next_try_at(delivery.created_at, delivery.attempts, None, fastrand::f64(), now),
        holds_output: false,
    }
}

fn gone(why: &str) -> Outcome {
    Outcome::Failed { error: why.to_owned(), next_try_at: None, holds_output: false }
}

/// A target may hold a secret in its path, so a log names its host.
fn log(delivery: &Delivery, outcome: &Outcome) {
    let (digest, kind) = (&delivery.digest.0, delivery.kind.name());
    let host = Url::parse(&delivery.target).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    match outcome {
        Outcome::Delivered => tracing::info!(digest, kind, host, attempts = delivery.attempts + 1, "delivered"),
        Outcome::Failed { error, next_try_at: Some(at), .. } => {
            tracing::warn!(digest, kind, host, next_try_at = %at, "a delivery failed: {error}");
        }
        Outcome::Failed { error, .. } => tracing::error!(digest, kind, host, "a delivery is given up: {error}"),
        Outcome::Stopped(error) => tracing::warn!(digest, kind, host, "nothing more is delivered there: {error}"),
    }
}

enum Prepared {
    Message(Message),
    Mail(Box<lettre::Message>),
    /// What it was to tell of is not there any more.
    Nothing(&'static str),
}

async fn prepare(around: &Surroundings, delivery: &Delivery) -> Result<Prepared, StoreError> {
    let (settings, delivery, now) = (Arc::clone(&around.watch.settings), delivery.clone(), (around.clock)());
    around.store.read(move |tx| prepared(tx, &settings, &delivery, now)).await
}

fn prepared(tx: &ReadTx<'_>, settings: &Settings, delivery: &Delivery, now: Timestamp) -> Result<Prepared, StoreError> {
    let Some(digest) = configured_digest(settings, &delivery.digest.0) else {
        return Ok(Prepared::Nothing("the digest is not configured any more"));
    };
    let telling = Telling { tx, settings, digest, delivery, publisher: publisher(settings), now };
    match &delivery.told {
        Told::Document => telling.document(),
        Told::Entry(entry) => telling.entry(entry),
        Told::Issue(entry) => telling.issue(entry),
    }
}

/// What a delivery is made of.
struct Telling<'a> {
    tx: &'a ReadTx<'a>,
    settings: &'a Settings,
    digest: &'a DigestSettings,
    delivery: &'a Delivery,
    publisher: Publisher,
    now: Timestamp,
}

impl Telling<'_> {
    const LEFT: Prepared = Prepared::Nothing("what it was to tell of has left the digest");

    fn entry(&self, entry: &EntryId) -> Result<Prepared, StoreError> {
        let found = self.tx.digest_story(&self.digest.spec.name, entry)?;
        let (Some((membership, story)), Some(page_url)) = (found, self.page_url()?) else { return Ok(Self::LEFT) };
        Ok(self.to_webhook(&page_url, &story_entry(&story, &membership, &self.publisher)))
    }

    fn issue(&self, entry: &EntryId) -> Result<Prepared, StoreError> {
        let found = self.tx.issue_with_entry_id(entry)?;
        let (Some(issue), Some(page_url)) = (found, self.page_url()?) else { return Ok(Self::LEFT) };
        let spec = &self.digest.spec;
        let stories = self.tx.issue_stories(issue.id)?;
        let entry = issue_entry(spec, &issue, &stories, &page_url, &self.publisher);
        if self.delivery.kind == OutputKind::Webhook {
            return Ok(self.to_webhook(&page_url, &entry));
        }
        let list = issue_list(&stories, spec.kind.group_by(), &self.publisher);
        let Some(smtp) = &self.settings.smtp else { return Ok(Prepared::Nothing("there is no [smtp] any more")) };
        let time_zone = &self.publisher.time_zone;
        let mail = IssueMail { spec, issue: &issue, entry: &entry, list: &list, time_zone };
        Ok(match mail::write(&mail, &smtp.from, &self.delivery.target) {
            Ok(message) => Prepared::Mail(Box::new(message)),
            Err(error) => {
                tracing::error!(digest = spec.name.0, "{error}");
                Prepared::Nothing("the mail cannot be written; the log says why")
            }
        })
    }

    fn page_url(&self) -> Result<Option<String>, StoreError> {
        Ok(digest_path(self.tx, &self.digest.spec)?.map(|path| self.publisher.address(&path)))
    }

    fn to_webhook(&self, page_url: &str, entry: &PublishedEntry) -> Prepared {
        let configured = self.digest.webhooks.iter().find(|webhook| webhook.url.as_str() == self.delivery.target);
        let Some(webhook) = configured else { return Prepared::Nothing("the webhook is not configured any more") };
        let id = webhook::id(self.delivery);
        let body = webhook::body(&id, &self.digest.spec, page_url, &self.delivery.told, entry);
        let secret = webhook.secret.as_ref().map(|secret| secret.0.as_str());
        let headers = webhook::headers(&id, &body, secret, self.now);
        Prepared::Message(Message { url: webhook.url.clone(), is_configured: true, headers, body: Some(body.into()) })
    }

    /// To a hub the addresses of the documents, to a subscriber the one that it asked for, whole.
    fn document(&self) -> Result<Prepared, StoreError> {
        let delivery = self.delivery;
        let Ok(url) = Url::parse(&delivery.target) else { return Ok(Prepared::Nothing("its address is none")) };
        let stem = self.publisher.address(&format!("digests/{}", self.digest.spec.name.0));
        if delivery.kind == OutputKind::Hub {
            let body = websub::ping(&Format::ALL.map(|format| format.address(&stem)));
            let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
            return Ok(Prepared::Message(Message { url, is_configured: true, headers, body: Some(body.into()) }));
        }
        let format = delivery.topic.rsplit_once('.').and_then(|(_, extension)| Format::from_extension(extension));
        let Some(format) = format else { return Ok(Prepared::Nothing("its topic is no document")) };
        let Some(feed) = digest_document(self.tx, self.digest, &self.publisher, None)? else {
            return Ok(Prepared::Nothing("the digest has no document"));
        };
        let body = export::render(&feed, format);
        let secret = delivery.secret.as_deref();
        let headers = websub::distribution_headers(&format.address(&stem), &feed.hubs, format, secret, &body);
        Ok(Prepared::Message(Message { url, is_configured: false, headers, body: Some(body.into()) }))
    }
}

async fn send(around: &Surroundings, delivery: &Delivery, message: &Message) -> Outcome {
    let now = (around.clock)();
    judge(delivery, around.watch.client.send(message, now).await, fastrand::f64(), (around.clock)())
}

/// What an answer means for a delivery. Any 2xx is a success, 410 the end (`WebSub` section 7 says so of
/// subscribers, and webhooks follow it); all else is tried again.
fn judge(delivery: &Delivery, answer: Result<Answer, FetchError>, chance: f64, now: Timestamp) -> Outcome {
    let again = |wait| retry::next_try_at(delivery.created_at, delivery.attempts, wait, chance, now);
    match answer {
        Ok(answer) if answer.is_success() => Outcome::Delivered,
        Ok(answer) if answer.status == 410 => Outcome::Stopped("it answered 410: it wants nothing more".to_owned()),
        Ok(answer) => Outcome::Failed {
            error: format!("it answered {} where 2xx says that it took the delivery", answer.status),
            next_try_at: again(answer.retry_after),
            holds_output: answer.status == 429 || answer.status >= 500,
        },
        Err(error) => Outcome::Failed { error: error.to_string(), next_try_at: again(None), holds_output: true },
    }
}

/// Asks those who made a request of the hub whether they meant it (`WebSub` section 5.3).
#[derive(Debug, Default)]
struct Verifier {
    /// When each host was last asked.
    asked_at: HashMap<String, Timestamp>,
}

impl Verifier {
    async fn answer_requests(mut self, surroundings: &(dyn Fn() -> Surroundings + Send + Sync)) {
        loop {
            let around = surroundings();
            let asked = if around.watch.settings.http.hub { self.ask_back(&around).await } else { Ok(()) };
            let pause = match asked {
                Ok(()) => TICK,
                Err(error) => {
                    tracing::error!(%error, "the hub's requests cannot be read or answered; it goes on in a minute");
                    AFTER_STORE_FAILURE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn ask_back(&mut self, around: &Surroundings) -> Result<(), StoreError> {
        let now = (around.clock)();
        self.asked_at.retain(|_, at| now.duration_since(*at).abs() < VERIFICATION_GAP);
        let requests = around.store.read(|tx| tx.subscription_requests(REQUESTS_SEEN)).await?;
        let mut asking = JoinSet::new();
        for request in requests {
            if asking.len() < TRIES_AT_ONCE && !self.asked_at.contains_key(&request.host) {
                self.asked_at.insert(request.host.clone(), now);
                let around = around.clone();
                asking.spawn(async move {
                    let confirmed = is_confirmed(&around, &request).await;
                    let now = (around.clock)();
                    around.store.write(move |tx| tx.answer_request(&request, confirmed, now)).await
                });
            }
        }
        while let Some(answered) = asking.join_next().await {
            answered.map_err(|error| StoreError::Other(error.to_string()))??;
        }
        Ok(())
    }
}

/// Whether the reader answers 2xx with the challenge, and nothing else.
async fn is_confirmed(around: &Surroundings, request: &SubscriptionRequest) -> bool {
    let Ok(callback) = Url::parse(&request.callback) else { return false };
    let topic_url = publisher(&around.watch.settings).address(&format!("digests/{}", request.topic));
    let Ok(challenge) = getrandom::u64() else { return false };
    let challenge = format!("{challenge:016x}");
    let url = websub::verification(request, &callback, &topic_url, &challenge);
    let message = Message { url, is_configured: false, headers: Vec::new(), body: None };
    match around.watch.client.send(&message, (around.clock)()).await {
        Ok(answer) if answer.is_success() && answer.body == challenge.as_bytes() => {
            tracing::info!(
                topic = request.topic,
                host = request.host,
                subscribes = request.subscribes,
                "hub: confirmed"
            );
            true
        }
        Ok(answer) => {
            tracing::info!(topic = request.topic, host = request.host, status = answer.status, "hub: not confirmed");
            false
        }
        Err(error) => {
            tracing::info!(topic = request.topic, host = request.host, "hub: not confirmed: {error}");
            false
        }
    }
}
