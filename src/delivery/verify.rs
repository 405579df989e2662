//! The hub asks back: whether who made a request of it meant it (`WebSub` section 5.3).

use super::run::{AFTER_STORE_FAILURE, TICK, TRIES_AT_ONCE};
use super::websub;
use crate::fetch::Message;
use crate::http::publisher;
use crate::model::{SubscriptionRequest, Timestamp};
use crate::refresh::Surroundings;
use crate::store::StoreError;
use jiff::SignedDuration;
use std::collections::HashMap;
use tokio::task::JoinSet;
use url::Url;

/// Between two verifications at one host: the hub is no tool to flood others with.
const VERIFICATION_GAP: SignedDuration = SignedDuration::from_secs(2);
/// Requests looked at in one tick; more than the hosts that can wait for their turn.
const REQUESTS_SEEN: usize = 100;

#[derive(Debug, Default)]
pub(super) struct Verifier {
    /// When each host was last asked.
    asked_at: HashMap<String, Timestamp>,
}

impl Verifier {
    pub(super) async fn answer_requests(mut self, surroundings: &(dyn Fn() -> Surroundings + Send + Sync)) {
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
