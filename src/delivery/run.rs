//! The task that works off deliveries: takes what is due, makes a try of each, records how it ended.

use super::prepare::{NO_SMTP, Prepared, prepare};
use super::verify::Verifier;
use super::{mail, retry};
use crate::fetch::{Answer, FetchError, Message};
use crate::model::{Delivery, DeliveryId, OutputId, Timestamp};
use crate::refresh::Surroundings;
use crate::store::{Outcome, StoreError};
use jiff::SignedDuration;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How often it is looked what is due.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Nobody is told what cannot be noted: a disk that is full would let every try be made again at once.
pub(super) const AFTER_STORE_FAILURE: Duration = Duration::from_mins(1);
/// A try of which nobody knows how it ended is made again after so long.
const CLAIMED_FOR: SignedDuration = SignedDuration::from_mins(1);
/// Tries at a time; of one output never more than one.
pub(super) const TRIES_AT_ONCE: usize = 8;
/// A command that ends waits so long for what settles: a document is pushed a second after it changed.
const SOON: SignedDuration = SignedDuration::from_secs(2);
/// Outputs looked at beside those that are busy.
const OUTPUTS_SEEN: usize = 64;

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
            None => gone(NO_SMTP),
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
