//! What a delivery says, made of what the store holds when it is tried.

use super::mail::{self, IssueMail};
use super::{webhook, websub};
use crate::config::{DigestSettings, Settings};
use crate::digest::{Publisher, issue_entry, issue_list, story_entry};
use crate::export::{self, Format};
use crate::fetch::Message;
use crate::http::{configured_digest, digest_document, digest_path, publisher};
use crate::model::{Delivery, EntryId, OutputKind, PublishedEntry, Timestamp, Told};
use crate::refresh::Surroundings;
use crate::store::{ReadTx, StoreError};
use std::sync::Arc;
use url::Url;

pub(super) const NO_SMTP: &str = "there is no [smtp] any more";

pub(super) enum Prepared {
    Message(Message),
    Mail(Box<lettre::Message>),
    /// What it was to tell of is not there any more.
    Nothing(&'static str),
}

pub(super) async fn prepare(around: &Surroundings, delivery: &Delivery) -> Result<Prepared, StoreError> {
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
        let Some(smtp) = &self.settings.smtp else { return Ok(Prepared::Nothing(NO_SMTP)) };
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
