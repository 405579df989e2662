//! What clients see of the server: real sockets, a real store, checks W1 to W15.

use crate::support;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use veille::classifier::Classifier;
use veille::config::{
    DigestSettings, Environment, FetchSettings, FileStamps, HttpSettings, Interval, RetentionSettings, ServiceSettings,
    Settings,
};
use veille::digest::{issue_entry_id, story_entry_id};
use veille::http::{AppState, ConfigFiles, Health, HttpMetrics, InForce, Limits, serve, site};
use veille::model::{
    ConfiguredDigest, ConfiguredFeed, ContentHash, DigestKind, DigestName, DigestSpec, Evidence, Field, GroupBy,
    ItemContent, ItemKey, ItemKeys, NewItem, Schedule, TagMatch, TagName, TagOrigin,
};
use veille::query::{RuleSet, TagRule};
use veille::store::{NewIssue, Store};

/// Every test is over by then, or has failed.
const DEADLINE: Duration = Duration::from_secs(20);

fn now() -> Timestamp {
    "2026-11-24T09:30:00Z".parse().unwrap()
}

/// When its config came in force.
fn begun_at() -> Timestamp {
    "2026-11-24T08:30:00Z".parse().unwrap()
}

/// A server on a port of its own over a store with a few stories.
pub(super) struct Watch {
    address: SocketAddr,
    pub(super) store: Arc<Store>,
    health: Arc<Health>,
    in_force: watch::Sender<InForce>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    pub(super) directory: TempDir,
}

impl Watch {
    pub(super) async fn start() -> Self {
        Self::start_with(Limits::default(), |_| {}).await
    }

    pub(super) async fn start_with(limits: Limits, adjust: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(directory.path()).unwrap());
        let mut settings = settings(directory.path());
        adjust(&mut settings);
        fill(&store, &settings).await;
        let rules = Arc::new(Classifier::compile(&settings.rules).unwrap());
        let (in_force, receiver) = watch::channel(InForce { settings: Arc::new(settings), since: begun_at() });
        let health = Arc::new(Health::new(now()));
        let mut registry = Registry::default();
        let metrics = HttpMetrics::register(&mut registry);
        let state = AppState {
            store: Arc::clone(&store),
            in_force: receiver,
            rules: Arc::new(move || Arc::clone(&rules)),
            health: Arc::clone(&health),
            registry: Arc::new(registry),
            metrics,
            started_at: now(),
            clock: now,
            documents: Arc::default(),
            bad_tries: Arc::default(),
            allowances: Arc::default(),
            take_delivery: Arc::new(|_| Box::pin(async { Ok(()) })),
            config: Arc::new(ConfigFiles {
                path: directory.path().join("veille.toml"),
                environment: Environment::default(),
            }),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, site(state), limits, async {
            let _ = stopped.await;
        }));
        Self { address, store, health, in_force, stop: Some(stop), served, directory }
    }

    /// A GET with these further header lines, on a connection of its own.
    pub(super) async fn get(&self, path: &str, headers: &str) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")).await
    }

    /// Puts another config in force.
    fn reload(&self, since: Timestamp, adjust: impl FnOnce(&mut Settings)) {
        self.in_force.send_modify(|in_force| {
            adjust(Arc::make_mut(&mut in_force.settings));
            in_force.since = since;
        });
    }

    /// The key of a private digest, as a start or a reload leaves it.
    pub(super) async fn private_key(&self, digest: &str) -> String {
        let name = DigestName(digest.to_owned());
        let found = self.store.write(move |tx| {
            tx.give_private_keys(std::slice::from_ref(&name))?;
            tx.as_read().private_key(&name)
        });
        found.await.unwrap().expect("it was given one").reveal().to_owned()
    }

    pub(super) async fn send(&self, request: &str) -> Answer {
        self.send_bytes(request.as_bytes()).await
    }

    async fn send_bytes(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut bytes = Vec::new();
        within(DEADLINE, async {
            // A server that closes with unread bytes of ours resets the connection after its answer.
            let _ = stream.read_to_end(&mut bytes).await;
        })
        .await;
        Answer::parse(&bytes)
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_else(|| {
            panic!("no answer in {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
        });
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head[9..12].parse().unwrap();
        let answer = Self { status, head, body: bytes[end + 4..].to_vec() };
        if let Some(length) = answer.header("content-length")
            && !answer.body.is_empty()
        {
            assert_eq!(answer.body.len().to_string(), length, "the body is as long as announced");
        }
        answer
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Every header line but the date.
    fn lines(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.head.lines().skip(1).filter(|line| !line.starts_with("date")).collect();
        lines.sort_unstable();
        lines
    }
}

pub(super) async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, work).await.expect("done before the deadline")
}

// ---------------------------------------------------------------------------------------------------------------
// Digests

#[tokio::test]
async fn w2_w9_a_digest_is_served_in_three_formats_with_every_header() {
    let watch = Watch::start().await;
    for (extension, media_type) in
        [("atom", "application/atom+xml"), ("rss", "application/rss+xml"), ("json", "application/feed+json")]
    {
        let answer = watch.get(&format!("/digests/french-ai.{extension}"), "").await;
        assert_eq!(answer.status, 200, "{}", answer.head);
        assert_eq!(answer.header("content-type").unwrap(), format!("{media_type}; charset=utf-8"));
        assert_eq!(answer.header("cache-control").unwrap(), "public, max-age=300");
        assert_eq!(answer.header("vary").unwrap(), "accept-encoding");
        assert_eq!(answer.header("last-modified").unwrap(), "Tue, 24 Nov 2026 09:00:00 GMT");
        assert!(answer.header("etag").unwrap().starts_with('"'), "a strong tag");
        assert_eq!(answer.header("x-content-type-options").unwrap(), "nosniff");
        assert_eq!(answer.header("content-security-policy").unwrap(), "default-src 'none'; sandbox");
        assert_eq!(answer.header("access-control-allow-origin").unwrap(), "*");
        assert_eq!(answer.header("referrer-policy").unwrap(), "no-referrer");
        assert!(answer.text().contains("Mistral AI"), "{}", answer.text());
        assert!(answer.text().contains(&format!("https://watch.example.org/digests/french-ai.{extension}")));
    }
}

#[tokio::test]
async fn w2_an_unchanged_digest_is_304_and_a_changed_one_is_not() {
    let watch = Watch::start().await;
    let first = watch.get("/digests/french-ai.atom", "").await;
    let etag = first.header("etag").unwrap();
    let again = watch.get("/digests/french-ai.atom", &format!("If-None-Match: {etag}\r\n")).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(again.header("etag"), Some(etag));
    assert_eq!(again.header("cache-control"), Some("public, max-age=300"));
    let dated = watch.get("/digests/french-ai.atom", "If-Modified-Since: Tue, 24 Nov 2026 09:00:00 GMT\r\n").await;
    assert_eq!(dated.status, 304);

    let entered_at = now();
    watch.store.write(move |tx| enter(tx, 77, "Kyutai hires in Boston", entered_at)).await.unwrap();
    let changed = until(|| async {
        let answer = watch.get("/digests/french-ai.atom", &format!("If-None-Match: {etag}\r\n")).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert!(changed.text().contains("Kyutai hires in Boston"));
    assert_ne!(changed.header("etag"), Some(etag));
}

/// A week long a reader is told that there is nothing new, whatever comes for the next issue.
#[tokio::test]
async fn w2_what_waits_for_the_next_issue_changes_no_document() {
    let watch = Watch::start().await;
    for (number, format) in ["atom", "rss", "json"].into_iter().enumerate() {
        let path = &format!("/digests/weekly.{format}");
        let before = watch.get(path, "").await;
        watch.store.write(move |tx| enter(tx, 70 + number, "Kyutai hires in Boston", now())).await.unwrap();
        // Makes the document anew.
        watch.reload(begun_at(), |_| {});
        let unchanged = format!("If-None-Match: {}\r\n", before.header("etag").unwrap());
        assert_eq!(watch.get(path, &unchanged).await.status, 304, "{path}: {}", watch.get(path, "").await.text());
    }
}

#[tokio::test]
async fn w14_a_digests_ttl_agrees_with_its_max_age() {
    let watch = Watch::start().await;
    for path in ["/digests/french-ai.rss", "/digests/weekly.rss", "/digests/feed-health.rss"] {
        let answer = watch.get(path, "").await;
        let text = answer.text();
        let minutes: u64 = between(text, "<ttl>", "</ttl>").expect("a ttl").parse().unwrap();
        let max_age = answer.header("cache-control").and_then(|policy| policy.strip_prefix("public, max-age="));
        assert_eq!(max_age, Some(&*(minutes * 60).to_string()), "{path}");
    }
}

#[tokio::test]
async fn w2_a_reload_that_changes_a_document_changes_its_date() {
    let watch = Watch::start().await;
    for path in ["/digests/french-ai.atom", "/digests/weekly.rss", "/digests/feed-health.json", "/digests.opml"] {
        let first = watch.get(path, "").await;
        let dated = format!("If-Modified-Since: {}\r\n", first.header("last-modified").unwrap());
        assert_eq!(watch.get(path, &dated).await.status, 304, "{path}");
        watch.reload(now(), |settings| settings.http.public_url = "https://elsewhere.example.org/".parse().unwrap());
        let changed = watch.get(path, &dated).await;
        assert_eq!(changed.status, 200, "{path}");
        assert!(changed.text().contains("https://elsewhere.example.org/"), "{path}: {}", changed.text());
        watch.reload(begun_at(), |settings| settings.http.public_url = "https://watch.example.org/".parse().unwrap());
    }
}

/// RFC 9110 section 8.8.2.1.
#[tokio::test]
async fn w2_no_date_is_in_the_future_and_the_next_change_has_another() {
    let watch = Watch::start().await;
    let dates = async |number: usize, at: Timestamp| {
        watch.store.write(move |tx| enter(tx, number, "Kyutai hires in Boston", at)).await.unwrap();
        let count = STORIES.len() + number - 70;
        until(|| async {
            let answer = watch.get("/digests/french-ai.json", "").await;
            (entries_of(&answer) == count).then(|| answer.header("last-modified").unwrap().to_owned())
        })
        .await
    };
    // Noted by a clock that has been set back since.
    assert_eq!(dates(71, now() + SignedDuration::from_hours(24)).await, "Tue, 24 Nov 2026 09:30:00 GMT");
    assert_eq!(dates(72, now() - SignedDuration::from_mins(1)).await, "Tue, 24 Nov 2026 09:29:00 GMT");
}

#[tokio::test]
async fn w2_a_document_is_the_same_whether_it_is_made_or_in_memory() {
    for ask in ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br\r\n", "If-None-Match: *\r\n"] {
        let watch = Watch::start_with(Limits::default(), |settings| {
            settings.http.hubs = vec!["https://hub.example.org/".parse().unwrap()];
        })
        .await;
        for path in ["/digests/french-ai.atom", "/digests/weekly.rss", "/digests/french-ai.json"] {
            let answers = [watch.get(path, ask).await, watch.get(path, ask).await];
            assert_eq!(answers[0].status, answers[1].status, "{path} {ask}");
            assert_eq!(answers[0].lines(), answers[1].lines(), "{path} {ask}");
            assert!(answers[1].header("link").unwrap().contains("rel=\"hub\""), "{path} {ask}");
            assert_eq!(answers[0].body, answers[1].body, "{path} {ask}");
            let head = format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{ask}\r\n");
            let head = watch.send(&head).await;
            assert_eq!((head.status, head.body.len(), head.lines()), (answers[0].status, 0, answers[0].lines()));
        }
    }
}

/// What retention removed stands in no document any more, though the newest change of the digest is no other.
#[tokio::test]
async fn an_issue_goes_when_its_time_is_over_and_then_its_stories() {
    let watch = Watch::start().await;
    let weekly = watch.get("/digests/weekly.json", "").await;
    let stream = watch.get("/digests/french-ai.json", "").await;
    assert_eq!((entries_of(&weekly), entries_of(&stream)), (1, STORIES.len()));
    let later = now() + SignedDuration::from_hours(1);
    let prune = || support::prune(&watch.store, later, later);

    let cut_at: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
    assert_eq!(watch.store.write(move |tx| tx.remove_issues(cut_at)).await.unwrap(), 0, "not old enough");
    assert_eq!(prune().await, 0, "an issue keeps its stories");
    assert_eq!(watch.store.write(move |tx| tx.remove_issues(later)).await.unwrap(), 1);
    let pending = watch.store.read(|tx| tx.pending_entries(&DigestName("weekly".into()))).await.unwrap();
    assert_eq!(pending, [], "a story that was in an issue is in no other");
    let emptied = until(|| async {
        let answer = watch.get("/digests/weekly.json", "").await;
        (entries_of(&answer) == 0).then_some(answer)
    });
    assert_eq!(emptied.await.header("last-modified"), weekly.header("last-modified"));
    assert_eq!(watch.get("/digests/weekly/2026-W47", "").await.status, 404);
    assert_eq!(entries_of(&watch.get("/digests/french-ai.json", "").await), STORIES.len());

    assert_eq!(prune().await, STORIES.len());
    let emptied = until(|| async {
        let answer = watch.get("/digests/french-ai.json", "").await;
        (entries_of(&answer) == 0).then_some(answer)
    });
    assert_eq!(emptied.await.header("last-modified"), stream.header("last-modified"));
}

fn entries_of(document: &Answer) -> usize {
    let document: serde_json::Value = serde_json::from_slice(&document.body).unwrap();
    document["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn w2_a_restart_keeps_the_tag() {
    let (one, other) = (Watch::start().await, Watch::start().await);
    for path in ["/digests/french-ai.atom", "/digests/weekly.rss", "/digests/french-ai.json"] {
        for coding in ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br\r\n"] {
            let tags = [one.get(path, coding).await, other.get(path, coding).await];
            assert_eq!(tags[0].header("etag"), tags[1].header("etag"), "{path} {coding}");
        }
    }
}

/// A digest may hold nothing yet, a list little.
#[tokio::test]
async fn w7_small_documents_are_coded_too() {
    let watch = Watch::start().await;
    for path in ["/digests/feed-health.atom", "/digests/feed-health.json", "/digests.opml"] {
        let plain = watch.get(path, "").await;
        for coding in ["gzip", "br"] {
            let coded = watch.get(path, &format!("Accept-Encoding: {coding}\r\n")).await;
            assert_eq!(coded.header("content-encoding"), Some(coding), "{path}: {} bytes", plain.body.len());
            assert!(coded.body.len() < plain.body.len(), "{path}");
        }
    }
}

#[tokio::test]
async fn w7_codings_carry_the_same_document() {
    use std::io::Read as _;
    let watch = Watch::start().await;
    let plain = watch.get("/digests/french-ai.atom", "Accept: */*\r\n").await;
    assert_eq!(plain.header("content-encoding"), None);
    let gzip = watch.get("/digests/french-ai.atom", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
    let brotli = watch.get("/digests/french-ai.atom", "Accept-Encoding: gzip;q=0.5, br\r\n").await;
    assert_eq!(brotli.header("content-encoding"), Some("br"));
    assert!(brotli.body.len() < plain.body.len() / 2);
    let refused = watch.get("/digests/french-ai.atom", "Accept-Encoding: gzip;q=0\r\n").await;
    assert_eq!(refused.body, plain.body);
}

#[tokio::test]
async fn rfc5005_pages_lead_through_the_whole_digest() {
    let watch = Watch::start_with(Limits::default(), |settings| settings.digests[0].spec.limit = 2).await;
    let mut path = "/digests/french-ai.atom".to_owned();
    let mut ids = Vec::new();
    for _ in 0..10 {
        let answer = watch.get(&path, "").await;
        assert_eq!(answer.status, 200);
        let entries = answer.text().split("<entry>").skip(1);
        ids.extend(entries.map(|entry| between(entry, "<id>", "</id>").unwrap().to_owned()));
        let Some(link) = answer.text().split("<link ").find(|link| link.contains("rel=\"next\"")) else { break };
        let url = between(link, "href=\"", "\"").unwrap();
        path = url.strip_prefix("https://watch.example.org").unwrap().to_owned();
    }
    let mut unique = ids.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((ids.len(), unique.len()), (STORIES.len(), STORIES.len()), "{ids:?}");
}

#[tokio::test]
async fn w13_a_private_digest_is_told_to_nobody() {
    let watch = Watch::start_with(Limits::default(), |settings| settings.digests[1].spec.private = true).await;
    for path in [
        "/digests/weekly.atom",
        "/digests/weekly.rss",
        "/digests/weekly.json",
        "/digests/weekly",
        "/digests/weekly/2026-W47",
    ] {
        assert_eq!(watch.get(path, "").await.status, 404, "{path}");
    }
    let key = watch.private_key("weekly").await;
    watch.get(&format!("/private/{key}/weekly.atom"), "").await;
    for path in ["/", "/digests", "/digests.opml", "/api/v1/digests", "/api/v1/status", "/tags/french-ai", "/metrics"] {
        let answer = watch.get(path, "").await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().to_lowercase().contains("weekly"), "{path}");
        assert!(!answer.text().contains(&key), "{path}");
    }
}

#[tokio::test]
async fn w13_a_private_digest_is_served_under_its_key_alone() {
    let watch = Watch::start_with(Limits::default(), |settings| {
        settings.digests[1].spec.private = true;
        settings.http.hubs = vec!["https://hub.example.org/".parse().unwrap()];
    })
    .await;
    let key = watch.private_key("weekly").await;
    assert!(key.len() >= 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit()), "128 bits and more: {key}");
    for (file, holds) in [
        ("weekly.atom", "weekly.atom\" type=\"application/atom+xml\""),
        ("weekly.rss", "weekly.rss\" type=\"application/rss+xml\""),
        ("weekly.json", "weekly.json\""),
        ("weekly", "weekly.atom"),
        ("weekly/2026-W47", "Mistral AI opens an office"),
    ] {
        let answer = watch.get(&format!("/private/{key}/{file}"), "Accept-Encoding: gzip;q=0\r\n").await;
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(answer.header("cache-control"), Some("private, no-store"), "{file}");
        assert_eq!(answer.header("x-robots-tag"), Some("noindex"), "{file}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{file}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{file}");
        assert!(answer.text().contains(holds), "{file} holds {holds}: {}", answer.text());
        assert!(answer.text().contains(&format!("/private/{key}/weekly")), "{file}");
        assert!(!answer.text().contains("/digests/weekly"), "{file} leads to no public address of its own");
        assert!(!answer.text().contains("hub.example.org"), "{file}: a hub would be told the key");
    }
    let etag = watch.get(&format!("/private/{key}/weekly.atom"), "").await.header("etag").unwrap().to_owned();
    let again = watch.get(&format!("/private/{key}/weekly.atom"), &format!("If-None-Match: {etag}\r\n")).await;
    assert_eq!((again.status, again.header("cache-control")), (304, Some("private, no-store")));
    for path in ["/digests/weekly.atom", "/digests/weekly.rss", "/digests/weekly.json"] {
        assert_eq!(watch.get(path, "").await.status, 404, "{path}: it is in memory, and not for everybody");
    }
}

#[tokio::test]
async fn w13_a_wrong_key_a_wrong_name_and_a_public_digest_are_one_404() {
    let watch = Watch::start_with(Limits::default(), |settings| settings.digests[1].spec.private = true).await;
    let key = watch.private_key("weekly").await;
    let wrong = format!("{}{}", &key[1..], &key[..1]);
    let zeros = "0".repeat(key.len());
    let nothing = watch.get(&format!("/private/{zeros}/nobody.atom"), "").await;
    assert_eq!(nothing.status, 404);
    assert_eq!(nothing.header("cache-control"), Some("private, no-store"));
    for path in [
        format!("/private/{wrong}/weekly.atom"),
        format!("/private/{wrong}/weekly"),
        format!("/private/{wrong}/weekly/2026-W47"),
        format!("/private/{}/weekly.rss", &key[1..]),
        format!("/private/{}/weekly.rss", key.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")),
        format!("/private/{zeros}/weekly.json"),
        format!("/private/{key}/french-ai.atom"),
        format!("/private/{key}/french-ai"),
        format!("/private/{zeros}/french-ai.atom"),
    ] {
        let answer = watch.get(&path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!((answer.lines(), answer.text()), (nothing.lines(), nothing.text()), "{path}");
    }
}

#[tokio::test]
async fn w13_a_rotated_key_serves_at_once_and_the_old_one_no_more() {
    let watch = Watch::start_with(Limits::default(), |settings| settings.digests[1].spec.private = true).await;
    let old = watch.private_key("weekly").await;
    assert_eq!(watch.get(&format!("/private/{old}/weekly.atom"), "").await.status, 200);
    assert_eq!(watch.private_key("weekly").await, old, "a sync keeps the key");
    watch.store.write(|tx| tx.rotate_private_key(&DigestName("weekly".into()), now())).await.unwrap();
    let new = watch.private_key("weekly").await;
    assert_ne!(old, new);
    assert_eq!(watch.get(&format!("/private/{old}/weekly.atom"), "").await.status, 404);
    let self_address = format!("https://watch.example.org/private/{new}/weekly.atom");
    until(async || {
        let answer = watch.get(&format!("/private/{new}/weekly.atom"), "").await;
        assert_eq!(answer.status, 200);
        answer.text().contains(&self_address).then_some(())
    })
    .await;
}

/// How fast that is, `benches/serving.py` measures.
#[tokio::test]
async fn w1_while_a_digest_changes_all_who_ask_get_whole_versions_of_it() {
    const CHANGES: usize = 5;
    let watch = Watch::start().await;
    let is_over = Cell::new(false);
    let ask = async |client: usize| {
        let coding = ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: br\r\n"][client % 3];
        let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
        while !is_over.get() {
            let condition = seen.last().map(|(etag, _)| format!("If-None-Match: {etag}\r\n")).unwrap_or_default();
            let answer = watch.get("/digests/french-ai.json", &format!("{coding}{condition}")).await;
            let etag = answer.header("etag").unwrap().to_owned();
            match answer.status {
                200 => seen.push((etag, answer.body)),
                304 => assert_eq!(seen.last().map(|(etag, _)| etag), Some(&etag)),
                status => panic!("{status}: {}", answer.head),
            }
        }
        seen
    };
    let change = async {
        for number in 1..=CHANGES {
            watch.store.write(move |tx| enter(tx, 70 + number, "Kyutai hires in Boston", now())).await.unwrap();
            until(|| async {
                let answer = watch.get("/digests/french-ai.json", "").await;
                (entries_of(&answer) == STORIES.len() + number).then_some(())
            })
            .await;
        }
        is_over.set(true);
    };
    let (seen, ()) = tokio::join!(join_all((0..30).map(ask)), change);
    let mut versions: HashMap<String, Vec<u8>> = HashMap::new();
    for (etag, body) in seen.into_iter().flatten() {
        assert_eq!(versions.entry(etag.clone()).or_insert_with(|| body.clone()), &body, "{etag}");
    }
    assert!((4..=3 * (CHANGES + 1)).contains(&versions.len()), "{} versions in three codings", versions.len());
}

// ---------------------------------------------------------------------------------------------------------------
// Pages

#[tokio::test]
async fn w8_pages_carry_their_policy_and_load_nothing_from_elsewhere() {
    let watch = Watch::start().await;
    for path in [
        "/",
        "/items/1",
        "/stories/1",
        "/tags/french-ai",
        "/feeds",
        "/digests",
        "/digests/french-ai",
        "/digests/weekly",
        "/digests/weekly/2026-W47",
        "/nothing",
    ] {
        let answer = watch.get(path, "").await;
        assert_eq!(answer.status, if path == "/nothing" { 404 } else { 200 }, "{path}: {}", answer.head);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'self'") && policy.contains("frame-ancestors 'none'")
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        let page = answer.text();
        for forbidden in ["<script", "<style", " style=", "<img", "onerror=", "javascript:", "src=\"http"] {
            assert!(!page.contains(forbidden), "{path} holds {forbidden}");
        }
        for link in page.split("<a ").skip(1).filter(|link| link.starts_with("href=\"http")) {
            assert!(
                link.contains("rel=\"noopener noreferrer nofollow ugc\""),
                "{path}: {}",
                &link[..link.len().min(120)]
            );
        }
        assert!(page.contains("<main") && page.contains("class=\"skip\"") && page.contains("lang=\"en\""));
    }
}

#[tokio::test]
async fn h29_h31_a_publishers_markup_is_shown_as_text_and_titles_are_isolated() {
    let watch = Watch::start().await;
    let page = watch.get("/", "").await;
    assert!(page.text().contains("<bdi>&lt;script&gt;alert(1)&lt;/script&gt; {{7*7}}</bdi>"), "{}", page.text());
}

#[tokio::test]
async fn the_evidence_is_marked_in_the_text() {
    let watch = Watch::start().await;
    let page = watch.get("/items/1", "").await;
    assert!(page.text().contains("<mark>Mistral AI</mark> opens"), "{}", page.text());
    assert!(page.text().contains("<code>any</code>"));
}

#[tokio::test]
async fn an_issues_page_tells_each_storys_source_time_language_and_tags() {
    let watch = Watch::start().await;
    let page = watch.get("/digests/weekly/2026-W47", "Accept-Encoding: gzip;q=0\r\n").await;
    let story = page.text().split("<article>").nth(1).and_then(|rest| rest.split("</article>").next()).unwrap();
    for part in ["<h3 lang=\"en\">", "href=\"https://", "<time datetime=", " · en", "french-ai: "] {
        assert!(story.contains(part), "{part} in {story}");
    }
}

#[tokio::test]
async fn search_finds_by_the_query_language_and_explains_a_bad_query() {
    let watch = Watch::start().await;
    let found = watch.get("/?q=title%3A%22palo+alto%22+OR+%E6%B3%95%E5%9B%BD", "").await;
    assert!(
        found.text().contains("opens an office in Palo Alto") && found.text().contains("法国AI"),
        "{}",
        found.text()
    );
    assert!(!found.text().contains("LightOn"));
    let by_tag = watch.get("/?q=tag%3Afrench-ai+austin", "").await;
    assert!(by_tag.text().contains("robots to Austin") && !by_tag.text().contains("LightOn"));
    let bad = watch.get("/?q=office+or+robots", "").await;
    assert_eq!(bad.status, 200);
    assert!(bad.text().contains("column 8:"), "{}", bad.text());
    let json: serde_json::Value = serde_json::from_slice(&watch.get("/api/v1/items?q=austin", "").await.body).unwrap();
    assert_eq!((&json["items"][0]["title"], &json["before"]), (&STORIES[1].into(), &serde_json::Value::Null));
    let bad = watch.get("/api/v1/items?q=%28austin", "").await;
    assert_eq!((bad.status, bad.header("content-type")), (400, Some("application/json")));
}

#[tokio::test]
async fn the_api_tells_what_the_pages_tell() {
    let watch = Watch::start().await;
    let get = async |path: &str| -> serde_json::Value {
        let answer = watch.get(path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{path}");
        serde_json::from_slice(&answer.body).unwrap()
    };
    let items = get("/api/v1/items?tag=french-ai&limit=2").await;
    assert_eq!(items["items"].as_array().unwrap().len(), 2);
    let next = get(&format!("/api/v1/items?limit=200&before={}", items["before"])).await;
    assert_eq!(
        (next["items"].as_array().unwrap().len(), &next["before"]),
        (STORIES.len() - 2, &serde_json::Value::Null)
    );
    let item = get("/api/v1/items/1").await;
    assert_eq!(item["tags"][0]["evidence"][0]["text"], "Mistral AI");
    assert_eq!(item["content_text"], "");
    assert_eq!(get("/api/v1/stories/1").await["items"][0]["feed"]["title"], "News of the Valley");
    assert_eq!(get("/api/v1/tags").await["tags"][0]["items"], STORIES.len());
    assert_eq!(get("/api/v1/tags/french-ai").await["title"], "French AI");
    assert_eq!(get("/api/v1/feeds").await["feeds"][0]["url"], "https://news.example.org/feed.xml");
    assert_eq!(
        get("/api/v1/digests").await["digests"][0]["addresses"]["rss"],
        "https://watch.example.org/digests/french-ai.rss"
    );
    assert_eq!(get("/api/v1/digests/french-ai").await["stories"].as_array().unwrap().len(), STORIES.len());
    assert_eq!(get("/api/v1/digests/weekly").await["issues"][0]["period"], "2026-W47");
    assert_eq!(get("/api/v1/digests/weekly/2026-W47").await["stories"].as_array().unwrap().len(), STORIES.len());
    assert_eq!(get("/api/v1/status").await["items"], STORIES.len());
    for path in ["/api/v1/items/9999", "/api/v1/nothing", "/api/v1/digests/no-such"] {
        let answer = watch.get(path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/json")), "{path}");
    }
    assert_eq!(watch.get("/api/v1/items?limit=many", "").await.status, 400);
}

#[tokio::test]
async fn a_list_that_is_whole_leads_to_no_older_one() {
    const PAGE: usize = 50;
    let watch = Watch::start().await;
    let goes_on = async |path: &str, limit: usize| {
        let answer = watch.get(&format!("{path}limit={limit}"), "").await;
        let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        list["before"].is_number()
    };
    for path in ["/api/v1/items?", "/api/v1/items?tag=french-ai&", "/api/v1/digests/french-ai?"] {
        assert!(goes_on(path, STORIES.len() - 1).await, "{path}");
        assert!(!goes_on(path, STORIES.len()).await, "{path}");
    }
    assert!(!goes_on("/api/v1/digests/weekly?", 1).await);

    let fill = async |numbers: std::ops::Range<usize>| {
        let filled = watch.store.write(move |tx| {
            numbers.into_iter().try_for_each(|number| enter(tx, number, &format!("Story {number} of many"), now()))
        });
        filled.await.unwrap();
    };
    for (numbers, goes_on) in [(STORIES.len()..PAGE, false), (PAGE..PAGE + 1, true)] {
        fill(numbers).await;
        for path in ["/", "/digests/french-ai"] {
            let page = watch.get(path, "").await;
            assert_eq!(page.text().contains("rel=\"next\""), goes_on, "{path}");
        }
    }
}

#[tokio::test]
async fn a_list_whose_place_is_gone_says_so_and_is_not_taken_for_one_that_has_ended() {
    let watch = Watch::start().await;
    let place = async |path: &str| {
        let list: serde_json::Value = serde_json::from_slice(&watch.get(path, "").await.body).unwrap();
        list["before"].as_i64().unwrap()
    };
    let (item, entry) = (place("/api/v1/items?limit=1").await, place("/api/v1/digests/french-ai?limit=1").await);
    let paths = [
        format!("/?before={item}"),
        format!("/?q=AI&before={item}"),
        format!("/tags/french-ai?before={item}"),
        format!("/api/v1/items?before={item}"),
        format!("/api/v1/items?q=AI&before={item}"),
        format!("/api/v1/digests/french-ai?before={entry}"),
        format!("/digests/french-ai?before={entry}"),
        format!("/digests/french-ai.atom?before={entry}"),
        format!("/digests/french-ai.json?before={entry}"),
    ];
    for path in &paths {
        assert_eq!(watch.get(path, "").await.status, 200, "{path}");
    }
    let later = now() + SignedDuration::from_hours(1);
    watch.store.write(move |tx| tx.remove_issues(later)).await.unwrap();
    assert_eq!(support::prune(&watch.store, later, later).await, STORIES.len());
    for path in &paths {
        let answer = watch.get(path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("is gone; begin with its first page"), "{path}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_tags_page_shows_its_count_and_its_trend() {
    let watch = Watch::start().await;
    let page = watch.get("/tags/french-ai", "").await;
    assert!(page.text().contains("5 items carry"), "{}", page.text());
    assert!(page.text().contains("<a href=\"/rules?tag=french-ai\">Its rule</a>"), "{}", page.text());
    assert!(page.text().contains("5 items in 30 days, at most 5 a day"), "{}", page.text());
    let home = watch.get("/", "").await;
    assert!(home.text().contains("Tags of the last 30 days"), "{}", home.text());
    assert!(home.text().contains("<a href=\"/tags/french-ai\">French AI</a><span class=\"quiet\">5</span>"));
}

#[tokio::test]
async fn a_reader_that_is_given_a_page_finds_the_digest() {
    let watch = Watch::start().await;
    for (path, digest) in [
        ("/", "french-ai"),
        ("/", "weekly"),
        ("/digests/french-ai", "french-ai"),
        ("/digests/weekly/2026-W47", "weekly"),
        ("/digests/feed-health", "feed-health"),
        ("/tags/french-ai", "french-ai"),
    ] {
        let page = watch.get(path, "").await;
        let (head, _) = page.text().split_once("</head>").unwrap();
        for (extension, media_type) in [("atom", "atom+xml"), ("rss", "rss+xml"), ("json", "feed+json")] {
            let found =
                between(head, &format!("<link rel=\"alternate\" type=\"application/{media_type}\" title=\""), ">");
            assert!(found.is_some(), "{path}: {head}");
            assert!(head.contains(&format!("href=\"/digests/{digest}.{extension}\"")), "{path}: {head}");
        }
    }
}

#[tokio::test]
async fn an_unchanged_page_is_304() {
    let watch = Watch::start().await;
    let first = watch.get("/", "").await;
    let again = watch.get("/", &format!("If-None-Match: {}\r\n", first.header("etag").unwrap())).await;
    assert_eq!(again.status, 304);
}

#[tokio::test]
async fn the_style_sheet_has_an_address_of_its_own_content() {
    let watch = Watch::start().await;
    let page = watch.get("/", "").await;
    let path = between(page.text(), "rel=\"stylesheet\" href=\"", "\"").unwrap().to_owned();
    let sheet = watch.get(&path, "").await;
    assert_eq!((sheet.status, sheet.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert_eq!(sheet.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(watch.get("/static/veille-0000.css", "").await.status, 404);
}

// ---------------------------------------------------------------------------------------------------------------
// Methods, paths, hosts

#[tokio::test]
async fn w6_head_has_the_headers_of_get_and_no_body() {
    let watch = Watch::start().await;
    for path in ["/", "/digests/french-ai.atom", "/digests.opml", "/feeds", "/healthz"] {
        let get = watch.get(path, "").await;
        let head = watch.send(&format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.lines(), get.lines(), "{path}");
    }
}

#[tokio::test]
async fn w6_other_methods_are_405_and_name_those_allowed() {
    let watch = Watch::start().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let answer = watch
            .send(&format!("{method} /digests/french-ai.atom HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
            .await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,HEAD")), "{method}");
        assert!(answer.text().contains("This address can only be read: use GET."), "{}", answer.text());
    }
    let read = watch.get("/hub", "").await;
    assert_eq!((read.status, read.header("allow")), (405, Some("POST")));
    assert!(read.text().contains("This address takes POST alone."), "{}", read.text());
}

/// A browser asks before a script of another site may ask conditionally: by OPTIONS, with these two headers.
#[tokio::test]
async fn w6_a_preflight_is_told_who_may_read_a_public_document_and_of_others_nothing() {
    let watch = Watch::start().await;
    let key = watch.private_key("weekly").await;
    let private = format!("/private/{key}/weekly.atom");
    for (path, allow, readable) in [
        ("/digests/french-ai.atom", "GET,HEAD", true),
        ("/digests/french-ai/archive/1.json", "GET,HEAD", true),
        ("/digests.opml", "GET,HEAD", true),
        ("/digests/french-ai", "GET,HEAD", false),
        ("/digests/feed-health.atom", "GET,HEAD", false),
        (&private, "GET,HEAD", false),
        ("/feeds", "GET,HEAD", false),
        ("/rules", "GET,HEAD,POST", false),
        ("/hub", "POST", false),
    ] {
        let answer = watch
            .send(&format!("OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: http://reader.example\r\nAccess-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: if-none-match\r\n\r\n"))
            .await;
        let status = if readable { 204 } else { 405 };
        assert_eq!((answer.status, answer.header("allow")), (status, Some(allow)), "{path}");
        let cors = [
            ("access-control-allow-origin", "*"),
            ("access-control-allow-methods", "GET, HEAD"),
            ("access-control-allow-headers", "If-None-Match, If-Modified-Since"),
        ];
        for (name, value) in cors {
            assert_eq!(answer.header(name), readable.then_some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn w6_an_address_with_a_slash_behind_it_leads_to_the_one_without() {
    let watch = Watch::start().await;
    for (path, location) in [
        ("/feeds/", "../feeds"),
        ("/digests/", "../digests"),
        ("/digests/french-ai/", "../french-ai"),
        ("/digests/french-ai/?before=7", "../french-ai?before=7"),
        ("/api/v1/items/?limit=1", "../items?limit=1"),
        ("//evil.example/", "../evil.example"),
    ] {
        let answer = watch.get(path, "").await;
        assert_eq!((answer.status, answer.header("location")), (308, Some(location)), "{path}");
        // As a reader sees it, below a path of a web server before us.
        let base: url::Url = format!("https://watch.example.org/veille{path}").parse().unwrap();
        let target = base.join(location).unwrap();
        assert_eq!(target.host_str(), Some("watch.example.org"));
        assert_eq!(format!("{}/", target.path()), base.path(), "{path}");
    }
    assert_eq!(watch.get("/", "").await.status, 200);
    let sent =
        watch.send("POST /hub/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(sent.status, 404, "what changes something is not sent twice");
}

#[tokio::test]
async fn w6_an_address_that_cannot_be_read_is_refused_in_our_own_words() {
    let watch = Watch::start().await;
    for path in ["/api/v1/tags/%FF", "/api/v1/digests/%F0%9F"] {
        let answer = watch.get(path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/json")), "{path}");
        assert_eq!(answer.text(), r#"{"error":"there is nothing at this address"}"#);
    }
    for path in [
        "/api/v1/items?limit=0",
        "/api/v1/items?limit=-1",
        "/api/v1/items?tags=french-ai",
        "/api/v1/digests/french-ai?limit=0",
        "/api/v1/digests/french-ai?tag=french-ai",
    ] {
        let answer = watch.get(path, "").await;
        assert_eq!((answer.status, answer.header("cache-control")), (400, Some("no-store")), "{path}");
        assert!(answer.text().contains("limit (1 to 200)"), "{path}: {}", answer.text());
    }
    for (path, status) in [
        ("/tags/%FF", 404),
        ("/?before=abc", 400),
        ("/?q=a&q=b", 400),
        ("/tags/french-ai?before=abc", 400),
        ("/rules?tag=a&tag=b", 400),
    ] {
        let page = watch.get(path, "").await;
        assert_eq!((page.status, page.header("content-type")), (status, Some("text/html; charset=utf-8")), "{path}");
    }
}

#[tokio::test]
async fn w6_odd_paths_never_reach_anything() {
    let watch = Watch::start().await;
    for path in [
        "/nothing",
        "//",
        "/feeds//",
        "//etc/passwd",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/digests/..%2f..%2fveille.db",
        "/digests/%00.atom",
        "/items/abc",
        "/items/99999999999999999999",
        "/stories/-1",
        "/tags/no-such",
        "/digests/no-such.atom",
        "/digests/%ff.atom",
        "/static/..%2fstyle.css",
    ] {
        let answer = watch.get(path, "").await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(answer.body.len() < 2500, "{path}: a refusal is small");
    }
}

#[tokio::test]
async fn w6_a_range_is_ignored_and_so_is_a_body_on_get() {
    let watch = Watch::start().await;
    let whole = watch.get("/digests/french-ai.atom", "").await;
    let ranged = watch.get("/digests/french-ai.atom", "Range: bytes=0-9\r\n").await;
    assert_eq!((ranged.status, ranged.body.len()), (200, whole.body.len()));
    let with_body = watch.get("/digests/french-ai.atom", "Content-Length: 5\r\n\r\nhello").await;
    assert_eq!((with_body.status, with_body.body.len()), (200, whole.body.len()));
}

#[tokio::test]
async fn w5_bad_requests_are_refused_each_with_its_status() {
    let watch = Watch::start().await;
    let long = "x".repeat(17 * 1024);
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    let cases = [
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"), 431),
        (format!("GET /?q={} HTTP/1.1\r\nHost: localhost\r\n\r\n", &long[..9000]), 414),
        (format!("GET /?q={long} HTTP/1.1\r\nHost: localhost\r\n\r\n"), 414),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n".to_owned(), 413),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n".to_owned(), 400),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
                .to_owned(),
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
            400,
        ),
        ("\x16\x03\x01garbage\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\nHost: localhost\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 421),
    ];
    for (request, status) in cases {
        // The answer is the last thing on the connection: reading to its end must not wait for another request.
        let answer = watch.send(&request).await;
        assert_eq!(answer.status, status, "{}", &request[..request.len().min(90)]);
    }
}

#[tokio::test]
async fn w10_only_our_own_hosts_are_answered_on_loopback() {
    let watch = Watch::start().await;
    for (host, status) in [("127.0.0.1:1", 200), ("[::1]", 200), ("watch.example.org", 200), ("rebind.example", 421)] {
        for method in ["GET", "HEAD"] {
            let answer =
                watch.send(&format!("{method} /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
            assert_eq!(answer.status, status, "{method} for {host}");
        }
    }
    let answer =
        watch.send("GET /digests/french-ai.atom HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: close\r\n\r\n").await;
    assert!(!answer.text().contains("127.0.0.1"), "addresses come from public_url");
}

#[tokio::test]
async fn w11_a_post_across_sites_is_403() {
    let watch = Watch::start().await;
    for content_type in ["application/x-www-form-urlencoded", "text/plain", "application/json"] {
        let answer = watch
            .send(&format!("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nSec-Fetch-Site: cross-site\r\nContent-Type: {content_type}\r\nContent-Length: 2\r\n\r\n{{}}"))
            .await;
        assert_eq!(answer.status, 403, "{content_type}");
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Operations

#[tokio::test]
async fn w12_no_version_is_shown_to_strangers() {
    let watch = Watch::start().await;
    for path in [
        "/",
        "/digests",
        "/digests/french-ai.atom",
        "/digests/french-ai.rss",
        "/digests/french-ai.json",
        "/digests/feed-health.atom",
        "/digests.opml",
        "/api/v1/status",
        "/healthz",
        "/no-such-address",
    ] {
        let answer = watch.get(path, "Accept-Encoding: gzip;q=0\r\n").await;
        assert!(!answer.text().contains(env!("CARGO_PKG_VERSION")), "{path}: {}", answer.text());
        assert_eq!(answer.header("server"), None, "{path}");
    }
}

#[tokio::test]
async fn w15_liveness_tells_of_a_refused_reload() {
    let watch = Watch::start().await;
    let well: serde_json::Value = serde_json::from_slice(&watch.get("/healthz", "").await.body).unwrap();
    assert_eq!((&well["status"], &well["refused_reload"]), (&"ok".into(), &serde_json::Value::Null));
    watch.health.reload_refused(now(), "feeds.toml:3:1: unknown key `urll`".into());
    let refused: serde_json::Value = serde_json::from_slice(&watch.get("/healthz", "").await.body).unwrap();
    assert_eq!(refused["refused_reload"]["error"], "feeds.toml:3:1: unknown key `urll`");
    assert!(watch.get("/feeds", "").await.text().contains("unknown key `urll`"));
    watch.health.reload_accepted();
    assert!(!watch.get("/feeds", "").await.text().contains("unknown key"));
}

#[tokio::test]
async fn w15_readiness_fails_when_the_scheduler_stalls() {
    let watch = Watch::start().await;
    assert_eq!(watch.get("/readyz", "").await.status, 200);
    watch.health.scheduler_beats(now() - SignedDuration::from_secs(90));
    let stalled = watch.get("/readyz", "").await;
    assert_eq!(stalled.status, 503);
    assert!(stalled.text().contains("the scheduler has been silent for 90 s"), "{}", stalled.text());
    watch.health.scheduler_beats(now());
    assert_eq!(watch.get("/readyz", "").await.status, 200);
}

#[tokio::test]
async fn w15_metrics_count_by_route_and_never_by_path() {
    let watch = Watch::start().await;
    watch.get("/digests/french-ai.atom", "").await;
    watch.get("/no-such-path-of-a-stranger", "").await;
    let metrics = watch.get("/metrics", "").await;
    let text = metrics.text();
    assert!(text.contains("veille_http_requests_total{route=\"/digests/{file}\",status=\"200\"} 1"), "{text}");
    assert!(text.contains("veille_http_requests_total{route=\"none\",status=\"404\"} 1"), "{text}");
    assert!(text.contains(&format!("veille_items {}", STORIES.len())), "{text}");
    assert!(!text.contains("stranger") && text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn a_reload_changes_what_is_served() {
    let watch = Watch::start().await;
    watch.get("/digests/french-ai.atom", "").await;
    watch.reload(now(), |settings| settings.digests[0].spec.title = "Renamed".into());
    assert!(watch.get("/digests/french-ai.atom", "").await.text().contains("Renamed"));
}

// ---------------------------------------------------------------------------------------------------------------
// Slow clients, stopping

fn impatient() -> Limits {
    Limits { head: Duration::from_millis(300), write: Duration::from_millis(300), ..Limits::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_slow_clients_are_closed_while_others_are_served() {
    let watch = Watch::start_with(impatient(), |_| {}).await;
    let openings: [&[u8]; 5] = [
        b"",
        b"GET / HTTP/1.1\r\nHost: loc",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nslow",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ];
    let mut slow = Vec::new();
    for opening in openings.iter().cycle().take(100) {
        let mut stream = TcpStream::connect(watch.address).await.unwrap();
        stream.write_all(opening).await.unwrap();
        slow.push(tokio::spawn(async move {
            let mut all = Vec::new();
            // What matters is that it ends, by a close or a reset.
            let _ = stream.read_to_end(&mut all).await;
        }));
    }
    let dripping = TcpStream::connect(watch.address).await.unwrap();
    slow.push(tokio::spawn(drip(dripping)));
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let asked = Instant::now();
        assert_eq!(watch.get("/healthz", "").await.status, 200);
        slowest = slowest.max(asked.elapsed());
    }
    assert!(slowest < Duration::from_millis(250), "another client waited {slowest:?}");
    for stream in slow {
        within(Duration::from_secs(5), stream).await.unwrap();
    }
}

/// A header that grows by a byte at a time, until the server has had enough.
async fn drip(mut stream: TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        if stream.write_all(b"x").await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn w4_a_reader_that_stops_reading_is_cut_off() {
    let watch = Watch::start_with(impatient(), |_| {}).await;
    let mut stream = TcpStream::connect(watch.address).await.unwrap();
    // Answers pile up unread until the kernel takes no more of them.
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    let cut_off = within(DEADLINE, async {
        loop {
            if let Err(error) = stream.write_all(request.as_bytes()).await {
                break error;
            }
        }
    })
    .await;
    assert_eq!(cut_off.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_connections_beyond_the_cap_wait_for_their_turn() {
    let watch = Watch::start_with(Limits { connections: 2, ..impatient() }, |_| {}).await;
    let _idle = [TcpStream::connect(watch.address).await.unwrap(), TcpStream::connect(watch.address).await.unwrap()];
    let asked = Instant::now();
    assert_eq!(watch.get("/healthz", "").await.status, 200);
    assert!(asked.elapsed() >= Duration::from_millis(200), "it waited for a slot");
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_a_stop_ends_what_is_in_flight_and_accepts_nothing_new() {
    let mut watch = Watch::start().await;
    let mut idle = TcpStream::connect(watch.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    watch.stop.take().unwrap().send(()).unwrap();
    within(Duration::from_secs(5), &mut watch.served).await.unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(watch.address).await.is_err());
}

// ---------------------------------------------------------------------------------------------------------------
// The store behind it

const STORIES: [&str; 5] = [
    "Mistral AI opens an office in Palo Alto",
    "Hugging Face moves its robots to Austin",
    "<script>alert(1)</script> {{7*7}}",
    "法国AI初创企业Mistral宣布在帕洛阿尔托设立办事处",
    "LightOn lève 20 millions d’euros",
];

pub(super) fn settings(data_dir: &std::path::Path) -> Settings {
    let digest = |name: &str, title: &str, kind| DigestSettings {
        spec: DigestSpec {
            name: DigestName(name.into()),
            title: title.into(),
            description: None,
            kind,
            private: false,
            limit: 50,
        },
        query: veille::query::parse("tag:french-ai").unwrap().0,
        query_text: "tag:french-ai".into(),
        from_tag: false,
        webhooks: Vec::new(),
        mail_to: Vec::new(),
    };
    let weekly = DigestKind::Periodic {
        schedule: Schedule::Week { on: jiff::civil::Weekday::Monday, at: jiff::civil::time(8, 0, 0, 0) },
        group_by: GroupBy::Tag,
        empty_issues: false,
    };
    Settings {
        service: ServiceSettings {
            data_dir: data_dir.to_owned(),
            time_zone: jiff::tz::TimeZone::get("Europe/Paris").unwrap(),
        },
        http: HttpSettings {
            list_feed_health: false,
            subscribe_to_hubs: false,
            listen: "127.0.0.1:8787".parse().unwrap(),
            public_url: "https://watch.example.org/".parse().unwrap(),
            hubs: Vec::new(),
            hub: false,
            login: None,
            token: None,
            trusted_proxies: Vec::new(),
            requests_per_minute: 600,
        },
        fetch: FetchSettings {
            interval: Interval::Adaptive,
            min_interval: SignedDuration::from_mins(15),
            max_interval: SignedDuration::from_hours(24),
            timeout: SignedDuration::from_secs(30),
            max_body_bytes: 10 << 20,
            concurrency: 64,
            per_host: 2,
            per_host_gap: None,
            user_agent: "veille".into(),
            allow_private_addresses: false,
            allow_networks: Vec::new(),
            proxy: None,
        },
        retention: RetentionSettings {
            keep_items: SignedDuration::from_hours(24 * 400),
            keep_tagged_items: None,
            keep_issues: None,
        },
        feeds: Vec::new(),
        rules: RuleSet {
            tags: vec![TagRule { title: "French AI".into(), ..TagRule::new("french-ai") }],
            ..RuleSet::default()
        },
        digests: vec![
            digest("french-ai", "French AI going west", DigestKind::Stream),
            digest("weekly", "French AI, weekly", weekly),
        ],
        smtp: None,
        files: Vec::new(),
        stamps: FileStamps::default(),
    }
}

async fn fill(store: &Store, settings: &Settings) {
    let digests: Vec<ConfiguredDigest> = settings
        .digests
        .iter()
        .map(|digest| ConfiguredDigest {
            name: digest.spec.name.clone(),
            title: digest.spec.title.clone(),
            query: digest.query_text.clone(),
            rule_hash: "1".into(),
            periodic: digest.spec.kind != DigestKind::Stream,
            limit: digest.spec.limit,
        })
        .collect();
    let entered_at: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
    let filled = store.write(move |tx| {
        tx.sync_feeds(&[ConfiguredFeed {
            url: "https://news.example.org/feed.xml".into(),
            title: Some("News of the Valley".into()),
            groups: vec!["ai".into()],
            language: Some("en".into()),
            enabled: true,
            first_check_at: entered_at,
        }])?;
        tx.sync_digests(&digests, entered_at)?;
        for (number, title) in STORIES.iter().enumerate() {
            enter(tx, number, title, entered_at - SignedDuration::from_mins(i64::try_from(number).unwrap()))?;
        }
        let weekly = DigestName("weekly".into());
        let pending = tx.as_read().pending_entries(&weekly)?;
        let issue = NewIssue {
            period: "2026-W47".into(),
            entry_id: issue_entry_id(&weekly, "2026-W47"),
            starts_at: "2026-11-16T07:00:00Z".parse().unwrap(),
            ends_at: "2026-11-23T07:00:00Z".parse().unwrap(),
            sequences: pending.iter().map(|entry| entry.sequence).collect(),
        };
        tx.cut_issues(&weekly, &[issue], entered_at, entered_at)?;
        Ok(())
    });
    filled.await.unwrap();
}

/// Stores a story of one item, tags it and enters it into both digests.
fn enter(
    tx: &veille::store::WriteTx<'_>,
    number: usize,
    title: &str,
    at: Timestamp,
) -> Result<(), veille::store::StoreError> {
    let feed = tx.as_read().of_configured_feeds(Result::ok)?.remove(0);
    let key = ItemKey(format!("guid:{number}"));
    let story = tx.begin_story(&story_entry_id(&feed.url, &key), at)?;
    let item = NewItem {
        keys: ItemKeys { guid: Some(key.clone()), link: None, content: ItemKey(format!("content:{number}")) },
        content_hash: ContentHash([u8::try_from(number).unwrap(); 16]),
        content: ItemContent {
            link: Some(format!("https://news.example.org/{number}")),
            title: title.into(),
            published_at: Some(at),
            summary: format!("What is known of it: {}", "it goes west, says the company. ".repeat(8)),
            ..ItemContent::default()
        },
    };
    let id = tx.insert_item(feed.id, &key, &item, story, None, at)?;
    let tag = TagMatch {
        tag: TagName("french-ai".into()),
        score: 1.0,
        rule_hash: "1".into(),
        origin: TagOrigin::Rule,
        evidence: vec![Evidence {
            rule: "french-ai".into(),
            clause: "any".into(),
            field: Field::Title,
            start: 0,
            end: 10,
            text: title.chars().take(10).collect(),
        }],
    };
    tx.set_tags(id, &[tag], at)?;
    for digest in ["french-ai", "weekly"] {
        tx.enter_digest(&DigestName(digest.into()), story, at, false, at)?;
    }
    Ok(())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(&rest[..rest.find(end)?])
}

/// Asks again until there is something, or the deadline has come.
async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> T {
    within(DEADLINE, async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}
