//! Article pages (`full_text = true`): the second kind of work of a visit, after its document is stored.
//!
//! An item enters with its teaser. Its page is asked for here, few pages a visit and with the gap of a host between
//! them; what it says becomes an ordinary update of the item. A page that fails leaves the teaser, and is tried again
//! at later visits, a bounded number of times.

use super::visit::HOLD_UNASKED;
use super::{Surroundings, UpdatePlan, archive};
use crate::config::FeedSettings;
use crate::feed::{self, ReadContext};
use crate::fetch::{ACCEPT_PAGE, FetchOutcome, FetchRequest, Modified};
use crate::model::{FeedId, ItemContent, ItemId, Timestamp, host_of, host_of_url};
use crate::store::{StoreError, StoredArticle, WantedArticle};
use jiff::SignedDuration;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Pages asked for after one visit; the others wait for the next.
const PAGES_PER_VISIT: u32 = 10;
/// A page that failed so often is given up.
const TRIES: u64 = 3;
/// The first wait after a failure; the next ones are twice as long.
const FIRST_WAIT: SignedDuration = SignedDuration::from_hours(1);
/// A text shorter than this, in characters, may be no more than the beginning of the article.
const TEASER_CHARS: usize = 1_000;
const DEFAULT_GAP: Duration = Duration::from_secs(1);

/// Whether what the feed gives of an item is hardly the whole article, which its link then leads to.
pub(super) fn is_teaser(content: &ItemContent) -> bool {
    content.link.is_some() && is_short(&content.content_text) && is_short(&content.summary)
}

fn is_short(text: &str) -> bool {
    text.chars().nth(TEASER_CHARS).is_none()
}

/// Gives edited items the articles that were read before, so that an edit of a teaser takes none away.
pub(super) async fn keep_articles(around: &Surroundings, mut plan: UpdatePlan) -> Result<UpdatePlan, StoreError> {
    let ids: Vec<ItemId> = plan.changed.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(plan);
    }
    let mut articles = around.store.read(move |tx| tx.articles(&ids)).await?;
    for (id, item) in plan.changed.iter_mut().filter(|(_, item)| is_teaser(&item.content)) {
        if let Some(article) = articles.remove(id) {
            item.content.content_html = article.html;
            item.content.content_text = article.text;
        }
    }
    Ok(plan)
}

/// Reads the pages that this feed's items wait for, as far as one visit may.
///
/// # Errors
/// The store failed; the pages before that are kept.
pub(super) async fn read_articles(
    around: &Surroundings,
    feed: FeedId,
    settings: &FeedSettings,
) -> Result<(), StoreError> {
    let now = (around.clock)();
    let (wanted, held) =
        around.store.read(move |tx| Ok((tx.wanted_articles(feed, now, PAGES_PER_VISIT)?, tx.held_hosts(now)?))).await?;
    let mut held: HashSet<String> = held.into_iter().map(|(host, _)| host).collect();
    let gap = around.watch.settings.fetch.per_host_gap.map_or(DEFAULT_GAP, |gap| gap.unsigned_abs());
    for wanted in wanted {
        let host = host_of(&wanted.link);
        if held.contains(&host) {
            continue;
        }
        tokio::time::sleep(gap).await;
        let page = ask(around, settings, &wanted.link).await?;
        if let Page::HostAsksForPeace(asking, _) = &page {
            held.insert(asking.clone());
        }
        store(around, wanted, page).await?;
    }
    Ok(())
}

/// How asking for a page ended.
enum Page {
    Article(StoredArticle),
    /// Asking again will not help.
    Useless(&'static str),
    Failed(String),
    /// Host and port, and for how long where it says so.
    HostAsksForPeace(String, Option<SignedDuration>),
}

async fn ask(around: &Surroundings, settings: &FeedSettings, link: &str) -> Result<Page, StoreError> {
    let Ok(url) = Url::parse(link) else { return Ok(Page::Useless("its link is no address")) };
    // What the operator wrote for the feed (credentials, a port) holds for the feed's own host and port alone.
    let request = FetchRequest { url, accept: ACCEPT_PAGE, ..FetchRequest::for_feed(settings) };
    Ok(match around.watch.client.fetch(&request, (around.clock)()).await {
        Ok(FetchOutcome::Modified(answer)) if is_page(&answer) => {
            match around.desk.work(move || article_of(&answer)).await? {
                Some(article) => Page::Article(article),
                None => Page::Useless("no article was found in the page"),
            }
        }
        Ok(FetchOutcome::Modified(_)) => Page::Useless("its link leads to no web page"),
        Ok(FetchOutcome::Gone) => Page::Useless("the page is gone (410)"),
        Ok(FetchOutcome::NotModified(_)) => Page::Failed("a 304 to an unconditional request".to_owned()),
        Ok(FetchOutcome::RetryLater(answer)) => {
            Page::HostAsksForPeace(host_of_url(&answer.url), answer.freshness.retry_after)
        }
        Err(error) => Page::Failed(error.to_string()),
    })
}

fn is_page(answer: &Modified) -> bool {
    answer.content_type.as_deref().is_none_or(|kind| kind.to_ascii_lowercase().contains("html"))
}

fn article_of(answer: &Modified) -> Option<StoredArticle> {
    let context =
        ReadContext { base_url: answer.final_url.as_str(), http_charset: answer.charset(), ..ReadContext::default() };
    feed::article(&answer.body, &context).map(|article| StoredArticle { html: article.html, text: article.text })
}

/// Stores how it ended. An article is an edit of its item: tagged anew, its story placed anew, no second entry.
async fn store(around: &Surroundings, wanted: WantedArticle, page: Page) -> Result<(), StoreError> {
    let (watch, now) = (Arc::clone(&around.watch), (around.clock)());
    around
        .store
        .write(move |tx| {
            let id = wanted.item;
            let again = (wanted.tries + 1 < TRIES).then(|| now.checked_add(wait(wanted.tries)).ok()).flatten();
            match page {
                Page::Article(article) => {
                    let Some(item) = tx.as_read().item(id)? else { return Ok(()) };
                    let said = item.content.content_text.len().max(item.content.summary.len());
                    if article.text.len() <= said {
                        return tx.article_failed(id, "the page says no more than the feed", None);
                    }
                    tx.keep_article(id, &article, now)?;
                    archive::judge_anew(tx, id, &watch, now)
                }
                Page::Useless(reason) => tx.article_failed(id, reason, None),
                Page::Failed(reason) => tx.article_failed(id, &reason, again),
                Page::HostAsksForPeace(host, wait) => {
                    let after = |wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
                    tx.hold_host(&host, after(wait.unwrap_or(HOLD_UNASKED)), wait.map(after))?;
                    tx.article_failed(id, "its host asks to be left alone (429 or 503)", again)
                }
            }
        })
        .await
}

/// How long to wait after so many failures before.
fn wait(tries: u64) -> SignedDuration {
    let doublings = i32::try_from(tries.min(TRIES)).expect("a handful of tries");
    FIRST_WAIT * (1 << doublings)
}
