//! The JSON of the pages, under `/api/v1`. Its shape is documented in `docs/api.md`, and only grows.

use super::documents::{configured_digest, cut_page, publisher};
use super::json::{DigestJson, IssueJson, ItemJson, StoryJson, TagJson};
use super::operations::unread;
use super::representation::{Effort, Representation};
use super::{AppState, MAX_SEARCH_TERMS, not_found, refuse, until_search_deadline};
use crate::config::{DigestSettings, Settings};
use crate::model::{DigestKind, DigestName, FeedHealth, FeedId, IssueId, ItemId, StoryId, TagName, Timestamp};
use crate::search::{compile, search};
use crate::store::{ItemFilter, ReadTx, StoreError};
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::num::NonZeroUsize;
use std::sync::Arc;

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;
const STATUS_DAYS: u16 = 30;

pub(super) fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/v1/items", get(items))
        .route("/api/v1/items/{id}", get(item))
        .route("/api/v1/stories/{id}", get(story))
        .route("/api/v1/tags", get(tags))
        .route("/api/v1/tags/{name}", get(tag))
        .route("/api/v1/feeds", get(feeds))
        .route("/api/v1/digests", get(digests))
        .route("/api/v1/digests/{name}", get(digest))
        .route("/api/v1/digests/{name}/{issue}", get(issue))
        .route("/api/v1/status", get(status))
}

/// Which items.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemsQuery {
    q: Option<String>,
    tag: Option<String>,
    feed: Option<i64>,
    before: Option<i64>,
    limit: Option<NonZeroUsize>,
}

/// Which part of a digest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartQuery {
    before: Option<i64>,
    limit: Option<NonZeroUsize>,
}

type Asked<T> = Result<Query<T>, QueryRejection>;

fn members_at_most(limit: Option<NonZeroUsize>) -> usize {
    limit.map_or(DEFAULT_LIMIT, NonZeroUsize::get).min(MAX_LIMIT)
}

async fn items(State(state): State<AppState>, asked: Asked<ItemsQuery>, uri: Uri, headers: HeaderMap) -> Response {
    let Ok(Query(asked)) = asked else {
        const TAKES: &str = "a list takes q, tag, feed (a number), before (a number) and limit (1 to 200)";
        return refuse(&uri, StatusCode::BAD_REQUEST, TAKES);
    };
    if let Some(q) = &asked.q {
        return found(&state, q, &asked, &headers, &uri).await;
    }
    answer(&state, &headers, &uri, move |tx, _| {
        let limit = members_at_most(asked.limit);
        let filter = ItemFilter {
            limit: limit + 1,
            tag: asked.tag.map(TagName),
            feed: asked.feed.map(FeedId),
            before: asked.before.map(ItemId),
        };
        let (items, before) = cut_page(tx.newest_items(&filter)?, limit, |item| item.id);
        Ok(Some(json!({ "items": items.iter().map(ItemJson::line).collect::<Vec<_>>(), "before": before })))
    })
    .await
}

/// The items that a query holds for.
async fn found(state: &AppState, q: &str, asked: &ItemsQuery, headers: &HeaderMap, uri: &Uri) -> Response {
    if asked.tag.is_some() || asked.feed.is_some() {
        return refuse(uri, StatusCode::BAD_REQUEST, "with q, say tag:NAME and feed:NAME in the query itself");
    }
    let query = match compile(q, &state.settings().rules, MAX_SEARCH_TERMS) {
        Ok(query) => query,
        Err(faults) => {
            let lines: Vec<_> = faults.iter().map(|fault| fault.line(q)).collect();
            return refuse(uri, StatusCode::BAD_REQUEST, &lines.join("\n"));
        }
    };
    let (before, limit, now) = (asked.before.map(ItemId), members_at_most(asked.limit), state.now());
    answer(state, headers, uri, move |tx, _| {
        let found = search(tx, &query, before, limit, now, until_search_deadline())?;
        let items: Vec<_> = found.items.iter().map(ItemJson::line).collect();
        Ok(Some(json!({ "items": items, "before": found.before })))
    })
    .await
}

async fn item(State(state): State<AppState>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&state, &headers, &uri, move |tx, _| {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(tx.item(ItemId(id))?.map(|item| to_value(&ItemJson::whole(&item))))
    })
    .await
}

async fn story(State(state): State<AppState>, Path(id): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&state, &headers, &uri, move |tx, _| {
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(tx.story(StoryId(id))?.map(|story| to_value(&StoryJson::whole(&story))))
    })
    .await
}

async fn tags(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&state, &headers, &uri, |tx, settings| {
        let counts = tx.tag_counts()?;
        Ok(Some(json!({ "tags": every_tag(settings, &counts) })))
    })
    .await
}

async fn tag(State(state): State<AppState>, Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&state, &headers, &uri, move |tx, settings| {
        let tag = TagName(name);
        let items = tx.tag_count(&tag)?;
        let newest_at = tx.newest_tagged_at(&tag, items)?;
        let counts: Vec<_> = newest_at.map(|newest_at| (tag.clone(), items, newest_at)).into_iter().collect();
        Ok(every_tag(settings, &counts).into_iter().find(|one| one.name == tag.0).map(|tag| to_value(&tag)))
    })
    .await
}

/// The tags of the config in its order, then those that only old items carry.
fn every_tag<'a>(settings: &'a Settings, counts: &'a [(TagName, u64, Timestamp)]) -> Vec<TagJson<'a>> {
    let rules = &settings.rules.tags;
    let configured = rules.iter().map(|rule| {
        let counted = counts.iter().find(|(name, ..)| *name == rule.name);
        TagJson {
            name: &rule.name.0,
            title: &rule.title,
            configured: true,
            items: counted.map_or(0, |(_, items, _)| *items),
            newest_at: counted.map(|(.., newest_at)| *newest_at),
        }
    });
    let orphaned = counts.iter().filter(|(name, ..)| rules.iter().all(|rule| rule.name != *name));
    let orphaned = orphaned.map(|(name, items, newest_at)| TagJson {
        name: &name.0,
        title: &name.0,
        configured: false,
        items: *items,
        newest_at: Some(*newest_at),
    });
    configured.chain(orphaned).collect()
}

async fn feeds(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    let now = state.now();
    answer(&state, &headers, &uri, move |tx, _| {
        let feeds: Vec<_> = tx.feeds(now)?.into_iter().map(FeedHealth::for_all).collect();
        Ok(Some(json!({ "feeds": feeds })))
    })
    .await
}

async fn digests(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    answer(&state, &headers, &uri, |tx, settings| {
        let public = settings.digests.iter().filter(|digest| !digest.spec.private);
        let found = public.map(|digest| digest_json(tx, settings, digest)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(json!({ "digests": found })))
    })
    .await
}

async fn digest(
    State(state): State<AppState>,
    Path(name): Path<String>,
    asked: Asked<PartQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Ok(Query(asked)) = asked else {
        return refuse(&uri, StatusCode::BAD_REQUEST, "a digest takes before (a number) and limit (1 to 200)");
    };
    answer(&state, &headers, &uri, move |tx, settings| {
        let Some(digest) = public_digest(settings, &name) else { return Ok(None) };
        let mut value = to_value(&digest_json(tx, settings, digest)?);
        let (members, list, before) = members(tx, digest, &asked)?;
        value[members] = list;
        value["before"] = json!(before);
        Ok(Some(value))
    })
    .await
}

/// What a digest holds, as the name of the list, the list, and where its next part begins.
fn members(
    tx: &ReadTx<'_>,
    digest: &DigestSettings,
    asked: &PartQuery,
) -> Result<(&'static str, Value, Option<i64>), StoreError> {
    let (name, limit) = (&digest.spec.name, members_at_most(asked.limit));
    match digest.spec.kind {
        DigestKind::Stream => {
            let (stories, before) = tx.digest_page(name, asked.before, limit)?;
            Ok(("stories", stories.iter().map(|(_, story)| to_value(&StoryJson::line(story))).collect(), before))
        }
        DigestKind::Periodic { .. } => {
            let issues = tx.issues(name, asked.before.map(IssueId), limit + 1)?;
            let (issues, before) = cut_page(issues, limit, |issue| issue.id.0);
            Ok(("issues", issues.iter().map(|issue| to_value(&IssueJson::from(issue))).collect(), before))
        }
    }
}

async fn issue(
    State(state): State<AppState>,
    Path((name, period)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    answer(&state, &headers, &uri, move |tx, settings| {
        let Some(digest) = public_digest(settings, &name) else { return Ok(None) };
        let Some(issue) = tx.issue(&digest.spec.name, &period)? else { return Ok(None) };
        let stories = tx.issue_stories(issue.id)?;
        let mut value = to_value(&IssueJson::from(&issue));
        value["stories"] = stories.iter().map(|(_, story)| to_value(&StoryJson::line(story))).collect();
        Ok(Some(value))
    })
    .await
}

async fn status(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Response {
    let (now, started_at, refused_reload) = (state.now(), state.started_at, state.health.refused_reload());
    answer(&state, &headers, &uri, move |tx, _| {
        let mut value = to_value(&tx.counts(now)?);
        value["items_a_day"] = json!(tx.items_a_day(now, STATUS_DAYS)?);
        value["started_at"] = json!(started_at);
        value["refused_reload"] = json!(refused_reload);
        Ok(Some(value))
    })
    .await
}

fn public_digest<'a>(settings: &'a Settings, name: &str) -> Option<&'a DigestSettings> {
    configured_digest(settings, name).filter(|digest| !digest.spec.private)
}

fn digest_json<'a>(
    tx: &ReadTx<'_>,
    settings: &Settings,
    digest: &'a DigestSettings,
) -> Result<DigestJson<'a>, StoreError> {
    let name: &DigestName = &digest.spec.name;
    let changed_at = tx.digest_version(name)?.map(|version| version.changed_at);
    Ok(DigestJson::new(digest, &publisher(settings), changed_at, tx.digest_size(name)?))
}

/// Reads in one snapshot and answers with what was found; `None` when there is no such thing.
async fn answer<F>(state: &AppState, headers: &HeaderMap, uri: &Uri, read: F) -> Response
where
    F: FnOnce(&ReadTx<'_>, &Settings) -> Result<Option<Value>, StoreError> + Send + 'static,
{
    let settings: Arc<Settings> = state.settings();
    match state.store.read(move |tx| read(tx, &settings)).await {
        Ok(Some(value)) => Representation::new("application/json", value.to_string(), Effort::Passing).answer(headers),
        Ok(None) => not_found(uri),
        Err(error) => unread(uri, &error),
    }
}

fn to_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("our own types are JSON")
}
