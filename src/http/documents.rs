//! A digest's documents as values: what the store holds, put into the words of `digest`.
//!
//! What is served and what `veille export` writes both come from here, so they are the same bytes.

use crate::config::{DigestSettings, Settings};
use crate::digest::{Publisher, document, feed_health, feed_health_spec, issue_entry, story_entry};
use crate::export::OutlinedFeed;
use crate::model::{
    ArchivePart, DOCUMENT_STORIES, DigestKind, DigestSpec, FeedAddresses, Issue, IssueId, PublishedEntry,
    PublishedFeed, Timestamp,
};
use crate::store::{ReadTx, StoreError};

/// How long a reader may keep a digest, in seconds: less than the shortest wait between two refreshes of a feed.
const DIGEST_TTL_S: u32 = 300;

/// What the list of all public digests is called.
pub const OUTLINE_TITLE: &str = "veille";

/// The service as the publisher of its digests.
#[must_use]
pub fn publisher(settings: &Settings) -> Publisher {
    let public_url = settings.http.public_url.as_str().trim_end_matches('/').to_owned();
    let own_hub = settings.http.hub.then(|| format!("{public_url}/hub"));
    Publisher {
        public_url,
        time_zone: settings.service.time_zone.clone(),
        hubs: own_hub.into_iter().chain(settings.http.hubs.iter().map(ToString::to_string)).collect(),
        ttl_s: DIGEST_TTL_S,
        tag_titles: settings.rules.tags.iter().map(|rule| (rule.name.clone(), rule.title.clone())).collect(),
    }
}

/// The digest of this name, whether private or not.
#[must_use]
pub fn configured_digest<'a>(settings: &'a Settings, name: &str) -> Option<&'a DigestSettings> {
    settings.digests.iter().find(|digest| digest.spec.name.0 == name)
}

/// A digest as it was asked for: whether as a public or as a private one, and where.
#[derive(Debug, Clone)]
pub(super) struct Place {
    name: String,
    is_private: bool,
    /// Below our address, without an extension.
    pub(super) path: String,
}

impl Place {
    pub(super) fn public(name: &str) -> Self {
        Self { name: name.to_owned(), is_private: false, path: format!("digests/{name}") }
    }

    /// `key` has been checked.
    pub(super) fn private(key: &str, name: &str) -> Self {
        Self { name: name.to_owned(), is_private: true, path: format!("private/{key}/{name}") }
    }

    /// What stands there: a private digest at none of the public addresses, and the other way round.
    pub(super) fn digest<'a>(&self, settings: &'a Settings) -> Option<&'a DigestSettings> {
        configured_digest(settings, &self.name).filter(|digest| digest.spec.private == self.is_private)
    }
}

/// Where a digest is, below our address and without an extension: `digests/NAME`, or of a private one
/// `private/KEY/NAME`. `None`: it is private, and has no key before it was first in force.
///
/// # Errors
/// The store cannot be read.
pub fn digest_path(tx: &ReadTx<'_>, spec: &DigestSpec) -> Result<Option<String>, StoreError> {
    let name = &spec.name;
    if !spec.private {
        return Ok(Some(format!("digests/{}", name.0)));
    }
    Ok(tx.private_key(name)?.map(|key| format!("private/{}/{}", key.reveal(), name.0)))
}

/// What subscribers of a digest poll, or with `before` the page of what came before that entry.
///
/// `before` is the sequence of a story in a stream, the number of an issue in a periodic digest.
///
/// # Errors
/// The store cannot be read.
pub fn digest_document(
    tx: &ReadTx<'_>,
    digest: &DigestSettings,
    publisher: &Publisher,
    before: Option<i64>,
) -> Result<Option<PublishedFeed>, StoreError> {
    let spec = &digest.spec;
    let Some(version) = tx.digest_version(&spec.name)? else { return Ok(None) };
    let Some(path) = digest_path(tx, spec)? else { return Ok(None) };
    let page_url = publisher.address(&path);
    let (entries, older, updated_at) = match spec.kind {
        DigestKind::Stream => {
            let (stories, older) = tx.digest_page(&spec.name, before, spec.limit)?;
            let entries: Vec<PublishedEntry> =
                stories.iter().map(|(membership, story)| story_entry(story, membership, publisher)).collect();
            (entries, older, version.changed_at)
        }
        DigestKind::Periodic { .. } => {
            let issues = tx.issues(&spec.name, before.map(IssueId), spec.limit + 1)?;
            let fitting = together(&issues, spec.limit);
            let (issues, older) = cut_page(issues, fitting, |issue| issue.id.0);
            let entry = |issue: &Issue| {
                tx.issue_stories(issue.id).map(|stories| issue_entry(spec, issue, &stories, &page_url, publisher))
            };
            let entries = issues.iter().map(entry).collect::<Result<_, _>>()?;
            // What waits for the next issue is no part of the document yet.
            let updated_at = issues.iter().map(|issue| issue.updated_at).max();
            (entries, older, updated_at.or(tx.created_at(&spec.name)?).unwrap_or(version.changed_at))
        }
    };
    let newest_archive = match before {
        None => tx.newest_archive_part(&spec.name, has_issues(digest))?,
        Some(_) => None,
    };
    let addresses = FeedAddresses {
        prev_archive_stem: newest_archive.map(|part| archive_stem(&page_url, part.number)),
        ..addresses(page_url, before, older)
    };
    Ok(Some(document(spec, publisher, addresses, entries, updated_at)))
}

/// The full documents of a digest's archive, oldest first.
///
/// # Errors
/// The store cannot be read.
pub fn archive(tx: &ReadTx<'_>, digest: &DigestSettings) -> Result<Vec<ArchivePart>, StoreError> {
    tx.archive_parts(&digest.spec.name, has_issues(digest))
}

/// The part of a digest's archive with this number; `None` while it is not full.
///
/// # Errors
/// The store cannot be read.
pub(super) fn archive_part(
    tx: &ReadTx<'_>,
    digest: &DigestSettings,
    number: u64,
) -> Result<Option<ArchivePart>, StoreError> {
    tx.archive_part(&digest.spec.name, has_issues(digest), number)
}

fn has_issues(digest: &DigestSettings) -> bool {
    digest.spec.kind != DigestKind::Stream
}

/// The document of a part of a digest's archive. It is dated by its entries, so that what enters the digest later does
/// not change it. `None`: the digest was never in force.
///
/// # Errors
/// The store cannot be read.
pub fn archive_document(
    tx: &ReadTx<'_>,
    digest: &DigestSettings,
    publisher: &Publisher,
    part: ArchivePart,
) -> Result<Option<PublishedFeed>, StoreError> {
    let spec = &digest.spec;
    let Some(path) = digest_path(tx, spec)? else { return Ok(None) };
    let page_url = publisher.address(&path);
    let entries: Vec<PublishedEntry> = match spec.kind {
        DigestKind::Stream => {
            let stories = tx.stories_of_part(&spec.name, &part)?;
            stories.iter().map(|(membership, story)| story_entry(story, membership, publisher)).collect()
        }
        DigestKind::Periodic { .. } => {
            let entry = |issue: &Issue| {
                tx.issue_stories(issue.id).map(|stories| issue_entry(spec, issue, &stories, &page_url, publisher))
            };
            tx.issues_of_part(&spec.name, &part)?.iter().map(entry).collect::<Result<_, _>>()?
        }
    };
    let Some(updated_at) = entries.iter().map(|entry| entry.updated_at).max().or(tx.created_at(&spec.name)?) else {
        return Ok(None);
    };
    let addresses = FeedAddresses {
        stem: archive_stem(&page_url, part.number),
        first_stem: Some(page_url.clone()),
        prev_archive_stem: Some(part.number - 1)
            .filter(|before| *before > 0)
            .map(|before| archive_stem(&page_url, before)),
        is_archive: true,
        page_url,
        ..FeedAddresses::default()
    };
    Ok(Some(document(spec, publisher, addresses, entries, updated_at)))
}

fn archive_stem(page_url: &str, number: u64) -> String {
    format!("{page_url}/archive/{number}")
}

/// What has become of the feeds, as a digest for the operator.
///
/// # Errors
/// The store cannot be read.
pub fn feed_health_document(tx: &ReadTx<'_>, publisher: &Publisher) -> Result<PublishedFeed, StoreError> {
    let since = tx.watching_since()?.unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(feed_health(&tx.notices(feed_health_spec().limit)?, since, publisher))
}

/// The digests that anyone may know of, as an outline for a reader to import.
#[must_use]
pub fn public_outline(settings: &Settings, publisher: &Publisher) -> Vec<OutlinedFeed> {
    let public = settings.digests.iter().map(|digest| &digest.spec).filter(|spec| !spec.private).cloned();
    let specs = public.chain(settings.http.list_feed_health.then(feed_health_spec));
    specs
        .map(|spec| OutlinedFeed {
            feed_url: publisher.address(&format!("digests/{}.atom", spec.name.0)),
            site_url: Some(publisher.address(&format!("digests/{}", spec.name.0))),
            title: spec.title,
            description: spec.description,
            groups: Vec::new(),
            language: None,
            enabled: true,
        })
        .collect()
}

/// How many of these issues stand in one document, `limit` at most.
fn together(issues: &[Issue], limit: usize) -> usize {
    let mut stories = 0;
    let fits = |issue: &&Issue| {
        stories += issue.listed();
        stories <= DOCUMENT_STORIES.into()
    };
    issues.iter().take_while(fits).count().clamp(1, limit)
}

/// At most `limit` members of one more than that, and the last one's place when there are more.
pub(super) fn cut_page<T, P>(mut members: Vec<T>, limit: usize, place: impl Fn(&T) -> P) -> (Vec<T>, Option<P>) {
    let has_more = members.len() > limit;
    members.truncate(limit);
    let older = members.last().filter(|_| has_more).map(place);
    (members, older)
}

/// Pages lead from the newest to the past (RFC 5005 section 3); entries before a given one are the same
/// whatever comes after.
fn addresses(first: String, before: Option<i64>, older: Option<i64>) -> FeedAddresses {
    let at = |place: i64| format!("{first}?before={place}");
    FeedAddresses {
        stem: before.map_or_else(|| first.clone(), at),
        older_stem: older.map(at),
        first_stem: before.map(|_| first.clone()),
        page_url: first,
        ..FeedAddresses::default()
    }
}
