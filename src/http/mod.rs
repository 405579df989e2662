//! Serving: feeds, pages, API, metrics. Reads, formats, answers; never fetches, and holds no SQL.
//!
//! [`serve`] runs the [`site`] of an [`AppState`] on a listener; [`Site`] is what every request passes.

mod api;
mod conditional;
mod digests;
mod documents;
mod feed_health;
mod guard;
mod health;
mod hub;
mod json;
mod login;
mod negotiation;
mod operations;
mod pages;
mod patience;
mod private;
mod representation;
mod server;
mod signature;
mod site;
mod visitor;
mod websub;
mod workbench;

pub use documents::{
    OUTLINE_TITLE, archive, archive_document, configured_digest, digest_document, digest_path, feed_health_document,
    public_outline, publisher,
};
pub use health::{Health, RefusedReload};
pub use login::BadTries;
pub use operations::HttpMetrics;
pub use pages::FAVICON;
pub use server::{Limits, serve};
pub use site::Site;
pub use visitor::Allowances;
pub use websub::TakeDelivery;
pub use workbench::ConfigFiles;

use crate::classifier::Classifier;
use crate::config::Settings;
use crate::model::Timestamp;
use crate::store::Store;
use axum::Router;
use axum::routing::get;
pub use digests::DocumentCache;
use prometheus_client::registry::Registry;
use site::{PAGE_POLICY, not_found, path_for_logs, refuse};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// For a search to look through the archive; what is further back is sought with the next page.
const SEARCH_DEADLINE: Duration = Duration::from_millis(500);

/// Terms in a search from outside: what an answer may cost is bounded.
const MAX_SEARCH_TERMS: usize = 32;

/// The rules in force, compiled, as whoever tags by them has them.
pub type RulesInForce = Arc<dyn Fn() -> Arc<Classifier> + Send + Sync>;

/// The config that everything is done by.
#[derive(Debug, Clone)]
pub struct InForce {
    pub settings: Arc<Settings>,
    pub since: Timestamp,
}

impl InForce {
    /// When a document last became other than it was: with its digest, or with the config, which has a say in titles,
    /// addresses and more. Never in the future, where a clock that was set back may have left the digest's date.
    fn modified_at(&self, digest_changed_at: Timestamp, now: Timestamp) -> Timestamp {
        digest_changed_at.max(self.since).min(now)
    }
}

/// What the routes work with; filled by the composition root.
#[derive(Clone)]
pub struct AppState {
    pub store: Arc<Store>,
    /// Changes on reload.
    pub in_force: watch::Receiver<InForce>,
    pub rules: RulesInForce,
    pub health: Arc<Health>,
    /// Everybody's metrics.
    pub registry: Arc<Registry>,
    pub metrics: HttpMetrics,
    pub started_at: Timestamp,
    /// The wall clock.
    pub clock: fn() -> Timestamp,
    /// Empty at first.
    pub documents: Arc<DocumentCache>,
    /// None at first.
    pub bad_tries: Arc<BadTries>,
    /// None taken at first.
    pub allowances: Arc<Allowances>,
    pub config: Arc<ConfigFiles>,
    pub take_delivery: TakeDelivery,
}

impl std::fmt::Debug for AppState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppState").field("started_at", &self.started_at).finish_non_exhaustive()
    }
}

impl AppState {
    fn in_force(&self) -> InForce {
        self.in_force.borrow().clone()
    }

    fn settings(&self) -> Arc<Settings> {
        self.in_force().settings
    }

    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// Every address that veille answers.
pub fn site(state: AppState) -> Site {
    let routes = Router::new()
        .merge(pages::routes())
        .merge(digests::routes())
        .merge(feed_health::routes())
        .merge(private::routes())
        .merge(websub::routes())
        .merge(api::routes())
        .merge(hub::routes())
        .route("/healthz", get(operations::healthz))
        .route("/readyz", get(operations::readyz))
        .route("/metrics", get(operations::metrics));
    Site::new(state, routes)
}

/// Says no once a search that begins now has had its time.
fn until_search_deadline() -> impl FnMut() -> bool {
    let started = Instant::now();
    move || started.elapsed() < SEARCH_DEADLINE
}
