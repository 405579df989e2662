//! A digest's documents: which entries stand in which, and where each document is.

use crate::digest::{Publisher, feed_id};
use crate::model::{DigestSpec, FeedAddresses, PublishedEntry, PublishedFeed, Timestamp};

/// The document that subscribers poll, or a page of what came before.
///
/// `entries` are sorted here, newest first by `published_at`: a feed that suddenly shows its archive does
/// not get on top. `changed_at` is when anything in the digest last changed.
#[must_use]
pub fn document(
    spec: &DigestSpec,
    publisher: &Publisher,
    addresses: FeedAddresses,
    mut entries: Vec<PublishedEntry>,
    changed_at: Timestamp,
) -> PublishedFeed {
    entries.sort_by(|a, b| b.published_at.cmp(&a.published_at).then_with(|| a.id.cmp(&b.id)));
    PublishedFeed {
        id: feed_id(&spec.name),
        title: spec.title.clone(),
        description: description(spec),
        author: "veille".to_owned(),
        language: common_language(entries.iter()),
        updated_at: changed_at,
        ttl_s: publisher.ttl_s,
        addresses,
        // A hub would be told the address, and with it the secret.
        hubs: if spec.private { Vec::new() } else { publisher.hubs.clone() },
        icon_url: publisher.address("favicon.svg"),
        entries,
    }
}

fn description(spec: &DigestSpec) -> String {
    match &spec.description {
        Some(text) if !text.trim().is_empty() => text.clone(),
        _ => format!("{}, kept by veille", spec.title),
    }
}

/// The language that all of the entries have.
pub(super) fn common_language<'a>(mut entries: impl Iterator<Item = &'a PublishedEntry>) -> Option<String> {
    let language = entries.next()?.language.as_ref()?;
    entries.all(|entry| entry.language.as_ref() == Some(language)).then(|| language.clone())
}
