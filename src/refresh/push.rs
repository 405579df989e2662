//! Being told instead of asking: subscribing at the hubs that feeds name, and taking in what hubs deliver (W3C WebSub).
//!
//! A delivery goes through the same plan and the same transaction as a polled document, but says nothing of the feed's
//! schedule, validators or window: it may hold only what is new.

use super::place::Arrivals;
use super::visit::{Languages, parse};
use super::{Surroundings, articles, plan};
use crate::fetch::Message;
use crate::model::{EndedSubscription, HubDelivery, LEASE, PrivateKey, Subscription, Timestamp, WithoutQuery};
use crate::store::StoreError;
use jiff::SignedDuration;
use std::sync::Arc;
use url::Url;

/// Hubs asked in one round.
const ASKED_PER_ROUND: u32 = 20;
/// A hub that does not verify is asked again after so long, then after twice as long, and so on.
const FIRST_RETRY: SignedDuration = SignedDuration::from_mins(10);
const LAST_RETRY: SignedDuration = SignedDuration::from_hours(24);
/// A hub that is asked so often to end a subscription, and does not ask back, is not asked again.
const ENDINGS_ASKED: u32 = 5;
/// A delivery that meets a poll of its feed is planned anew so often.
const ATTEMPTS: u32 = 3;

/// Asks the hubs of the subscriptions that are due: new ones, ones to renew, ones that were not verified.
///
/// # Errors
/// The store failed. A hub that fails is asked again later.
pub async fn subscribe_due(around: &Surroundings) -> Result<(), StoreError> {
    let now = (around.clock)();
    let due = around.store.read(move |tx| tx.due_subscriptions(now, ASKED_PER_ROUND)).await?;
    for subscription in due {
        let feed = subscription.feed;
        let next_try_at = now.saturating_add(retry_after(subscription.tries)).unwrap_or(Timestamp::MAX);
        // Noted first: a hub may verify before it answers.
        around.store.write(move |tx| tx.hub_asked(feed, next_try_at)).await?;
        let Subscription { feed_url, hub, topic, callback_key, secret, .. } = &subscription;
        let wish = Wish { mode: "subscribe", hub, topic, feed_url, callback_key };
        let lease_s = LEASE.as_secs().to_string();
        let particulars = [("hub.secret", secret.reveal()), ("hub.lease_seconds", lease_s.as_str())];
        if let Err(reason) = ask(around, &wish, &particulars, now).await {
            tracing::warn!(feed.url = %WithoutQuery(&subscription.feed_url), hub = %subscription.hub, reason, %next_try_at, "the hub cannot be subscribed to; the feed is polled as any other");
            around.store.write(move |tx| tx.hub_failed(feed, &reason)).await?;
        }
    }
    Ok(())
}

/// Asks hubs to end the subscriptions that are no longer wanted: of feeds that left the config or name another hub, and
/// all of them once none is wanted. A hub that does not answer is left to the end of the lease.
///
/// # Errors
/// The store failed. A hub that fails is asked again later.
pub async fn unsubscribe_due(around: &Surroundings) -> Result<(), StoreError> {
    let now = (around.clock)();
    let due = around.store.read(move |tx| tx.due_endings(now, ASKED_PER_ROUND)).await?;
    for ended in due {
        let EndedSubscription { feed_url, hub, topic, callback_key: key, tries } = ended;
        if tries == ENDINGS_ASKED {
            around.store.write(move |tx| tx.forget_subscription(&key)).await?;
            continue;
        }
        let next_try_at = now.saturating_add(retry_after(tries)).unwrap_or(Timestamp::MAX);
        let noted = key.clone();
        around.store.write(move |tx| tx.ending_asked(&noted, next_try_at)).await?;
        let wish = Wish { mode: "unsubscribe", hub: &hub, topic: &topic, feed_url: &feed_url, callback_key: &key };
        if let Err(reason) = ask(around, &wish, &[], now).await {
            tracing::info!(feed.url = %WithoutQuery(&feed_url), hub = %hub, reason, "the hub cannot be asked to end a subscription; its lease will");
        }
    }
    Ok(())
}

fn retry_after(tries: u32) -> SignedDuration {
    FIRST_RETRY.saturating_mul(1 << tries.min(10)).min(LAST_RETRY)
}

/// What a hub is asked for.
struct Wish<'w> {
    mode: &'static str,
    hub: &'w str,
    topic: &'w str,
    feed_url: &'w str,
    callback_key: &'w PrivateKey,
}

async fn ask(
    around: &Surroundings,
    wish: &Wish<'_>,
    particulars: &[(&str, &str)],
    now: Timestamp,
) -> Result<(), String> {
    let callback = format!("websub/{}", wish.callback_key.reveal());
    let callback = around.watch.settings.http.public_url.join(&callback).map_err(|error| error.to_string())?;
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", wish.mode)
        .append_pair("hub.topic", wish.topic)
        .append_pair("hub.callback", callback.as_str())
        .extend_pairs(particulars)
        .finish();
    let url = Url::parse(wish.hub).map_err(|error| error.to_string())?;
    // The document chose the hub; only what stands where the operator pointed us may have a port of its own.
    let of_feed = Url::parse(wish.feed_url).map_err(|error| error.to_string())?;
    let message = Message {
        is_configured: (url.host(), url.port()) == (of_feed.host(), of_feed.port()),
        url,
        headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: Some(form.into()),
    };
    match around.watch.client.send(&message, now).await {
        Ok(answer) if answer.is_success() => Ok(()),
        Ok(answer) => {
            let said: String = String::from_utf8_lossy(&answer.body).chars().take(200).collect();
            Err(format!("it answered {}: {}", answer.status, said.trim()))
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Takes a delivery in. Once this returns, what it brought is stored.
///
/// A delivery that is no feed brings nothing, and is none of the hub's business: the next poll will tell.
///
/// # Errors
/// The store failed; nothing of the delivery is stored.
pub async fn receive(around: &Surroundings, delivery: HubDelivery) -> Result<(), StoreError> {
    let delivery = Arc::new(delivery);
    let mut attempt = 1;
    loop {
        match take_in(around, &delivery).await {
            // A poll has stored the same items meanwhile: they are known now.
            Err(error) if attempt < ATTEMPTS && !error.is_passing() => attempt += 1,
            ended => return ended,
        }
    }
}

async fn take_in(around: &Surroundings, delivery: &Arc<HubDelivery>) -> Result<(), StoreError> {
    let (feed, now) = (delivery.feed, (around.clock)());
    let Some(record) = around.store.read(move |tx| tx.feed_record(feed)).await? else { return Ok(()) };
    if around.watch.feed(&record.configured_url).is_none() {
        return Ok(());
    }
    let (document, base_url) = (Arc::clone(delivery), record.address().to_owned());
    let languages = Languages::of(&record, &around.watch);
    let _place = around.desk.document().await;
    let parsed = around
        .desk
        .work(move || parse(&document.body, document.content_type.as_deref(), &base_url, &languages))
        .await?;
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            tracing::warn!(feed.url = %WithoutQuery(&record.url), %error, "a delivery that cannot be read was dropped");
            return Ok(());
        }
    };
    let arrived = parsed.items;
    let (arrived, known) =
        around.store.read(move |tx| tx.known_items(feed, &arrived).map(|known| (arrived, known))).await?;
    let plan = plan(&known.items, &known.pruned, arrived, record.item_identity);
    let plan = articles::keep_articles(around, plan).await?;
    let (added, changed) = (plan.added.len(), plan.changed.len());
    let (watch, for_text) = (Arc::clone(&around.watch), record.clone());
    let arrivals = around.desk.work(move || Arrivals::classify(plan, false, &for_text, &watch, now)).await?;
    tracing::debug!(feed.url = %WithoutQuery(&record.url), added, changed, "delivered by its hub");
    let (watch, desk) = (Arc::clone(&around.watch), around.desk.clone());
    let stored = around.store.write(move |tx| {
        desk.with_recent(tx, now, |recent| arrivals.store(tx, &record, &watch, recent, now))?;
        tx.delivered(feed, added > 0, now)
    });
    stored.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_hub_is_asked_ever_more_rarely_but_each_day() {
        let minutes: Vec<i64> = [0, 1, 2, 7, 8, 400].map(|tries| retry_after(tries).as_secs() / 60).into();
        assert_eq!(minutes, [10, 20, 40, 1_280, 1_440, 1_440]);
    }
}
