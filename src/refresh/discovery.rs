//! Looking for a feed on a site: for the operator who adds one, and for feeds that are missing (404, 410).
//!
//! What is found for a missing feed is offered, never adopted: a site's page may name another feed than the one that
//! was there.

use super::Surroundings;
use super::outcome::MISSING_FOR;
use crate::feed::{self, FeedError, ReadContext};
use crate::fetch::{ACCEPT_PAGE, Client, FetchError, FetchOutcome, FetchRequest, Modified};
use crate::model::{Timestamp, WithoutQuery, host_of_url, without_queries};
use crate::store::{MissingFeed, StoreError};
use jiff::SignedDuration;
use url::Url;

/// A site is asked again after so long.
const SEARCH_INTERVAL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Candidates of a page that are tried; each costs its site a request.
const MOST_TRIED: usize = 4;

/// A feed that was found, and read.
#[derive(Debug, Clone)]
pub struct Discovered {
    pub url: Url,
    /// Where that address leads for good.
    pub moved_to: Option<Url>,
    pub title: Option<String>,
    pub language: Option<String>,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    #[error("{url}: the server asks to be left alone for now ({status})")]
    LeftAlone { url: Url, status: u16 },
    #[error("{0}: gone for good (410)")]
    Gone(Url),
    #[error("{0}: not modified, although nothing was known of it")]
    NotModified(Url),
    #[error("{url}: {error}")]
    Fetch { url: Url, error: Box<FetchError> },
    #[error("{0}: this is neither a feed nor a page that names one; look for the site's RSS or Atom address")]
    Nothing(Url),
}

/// The feed at an address, or the first readable one that the page there names.
///
/// # Errors
/// There is none: what kept the page, or the first that it names, from being read; else that it is no feed.
pub async fn discover(client: &Client, page: Url, now: Timestamp) -> Result<Discovered, DiscoveryError> {
    let page = feed::known_site(page.as_str()).unwrap_or(page);
    let answer = get(client, FetchRequest::new(page.clone()), now).await?;
    if let Ok(found) = as_feed(&answer, &page) {
        return Ok(found);
    }
    let mut unread = None;
    for url in candidates(&answer) {
        match get(client, FetchRequest::new(url.clone()), now).await {
            Ok(answer) => {
                if let Ok(found) = as_feed(&answer, &url) {
                    return Ok(found);
                }
            }
            Err(error @ DiscoveryError::LeftAlone { .. }) => return Err(error),
            Err(error) => drop(unread.get_or_insert(error)),
        }
    }
    Err(unread.unwrap_or(DiscoveryError::Nothing(page)))
}

/// Asks the sites of at most `limit` missing feeds, each once a week, whether they name a feed elsewhere, and notes
/// what they offer.
///
/// # Errors
/// The store failed. Of a site that fails, what it offered before stands.
pub async fn seek_missing(around: &Surroundings, limit: u32) -> Result<(), StoreError> {
    let now = (around.clock)();
    let before = |span| now.checked_sub(span).unwrap_or(Timestamp::MIN);
    let (since, searched) = (before(MISSING_FOR), before(SEARCH_INTERVAL));
    let (missing, held) =
        around.store.read(move |tx| Ok((tx.missing_feeds(since, searched, limit)?, tx.held_hosts(now)?))).await?;
    for feed in missing {
        let Some(site) = site_of(&feed) else { continue };
        let is_held = held.iter().any(|(host, _)| *host == host_of_url(&site));
        let searched = if is_held { None } else { Some(successor(&around.watch.client, &feed, site, now).await) };
        let Some(Ok(offered)) = searched else {
            if let Some(Err(error)) = searched {
                let reason = without_queries(&error.to_string());
                tracing::info!(feed.url = %WithoutQuery(&feed.url), reason, "the feed is missing, and its site cannot be searched; it is tried again in a week");
            }
            around.store.write(move |tx| tx.site_searched(feed.id, now)).await?;
            continue;
        };
        if let Some(url) = &offered {
            tracing::info!(feed.url = %WithoutQuery(&feed.url), offered = %WithoutQuery(url.as_str()), "the feed is missing, but its site names another address; `veille feeds fix` takes it");
        }
        let url = offered.map(String::from);
        around.store.write(move |tx| tx.offer_address(feed.id, url.as_deref(), now)).await?;
    }
    Ok(())
}

/// Where a missing feed's site has a feed now; `None`: nowhere that it names.
///
/// # Errors
/// That cannot be told, since the page, or the first of what it names, could not be read.
async fn successor(
    client: &Client,
    feed: &MissingFeed,
    site: Url,
    now: Timestamp,
) -> Result<Option<Url>, DiscoveryError> {
    let request = FetchRequest { accept: ACCEPT_PAGE, ..FetchRequest::new(site) };
    let page = get(client, request, now).await?;
    let mut unread = None;
    let elsewhere =
        candidates(&page).into_iter().filter(|url| ![feed.url.as_str(), &feed.address].contains(&url.as_str()));
    for url in elsewhere.take(MOST_TRIED) {
        match get(client, FetchRequest::new(url.clone()), now).await {
            Ok(answer) if as_feed(&answer, &url).is_ok() => return Ok(Some(url)),
            Err(error @ DiscoveryError::LeftAlone { .. }) => return Err(error),
            Err(error) if !error.is_missing() => drop(unread.get_or_insert(error)),
            Ok(_) | Err(_) => {}
        }
    }
    unread.map_or(Ok(None), Err)
}

impl DiscoveryError {
    /// Whether there is nothing at the address, as far as its server knows.
    fn is_missing(&self) -> bool {
        match self {
            Self::Gone(_) => true,
            Self::Fetch { error, .. } => matches!(error.status, Some(404 | 410)),
            _ => false,
        }
    }
}

/// The page that the feed named as its site's, else the front page of its host.
fn site_of(feed: &MissingFeed) -> Option<Url> {
    let named = feed.site_url.as_deref().and_then(|site| Url::parse(site).ok());
    named.or_else(|| Url::parse(&feed.url).ok()?.join("/").ok())
}

fn candidates(page: &Modified) -> Vec<Url> {
    let html = String::from_utf8_lossy(&page.body);
    let found = feed::discover(&html, page.final_url.as_str());
    found.into_iter().filter_map(|candidate| Url::parse(&candidate.url).ok()).collect()
}

async fn get(client: &Client, request: FetchRequest, now: Timestamp) -> Result<Modified, DiscoveryError> {
    let url = request.url.clone();
    match client.fetch(&request, now).await {
        Ok(FetchOutcome::Modified(answer)) => Ok(answer),
        Ok(FetchOutcome::RetryLater(answer)) => Err(DiscoveryError::LeftAlone { url, status: answer.status }),
        Ok(FetchOutcome::Gone) => Err(DiscoveryError::Gone(url)),
        Ok(FetchOutcome::NotModified(_)) => Err(DiscoveryError::NotModified(url)),
        Err(error) => Err(DiscoveryError::Fetch { url, error: Box::new(error) }),
    }
}

fn as_feed(answer: &Modified, asked: &Url) -> Result<Discovered, FeedError> {
    let context =
        ReadContext { base_url: answer.final_url.as_str(), http_charset: answer.charset(), ..ReadContext::default() };
    let parsed = feed::read(&answer.body, &context)?;
    let moved_to = answer.permanent_target.clone();
    Ok(Discovered { url: asked.clone(), moved_to, title: parsed.title, language: parsed.language })
}
