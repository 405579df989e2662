//! The client against the scripted origin: what is said on the wire, and what an answer is taken for.
//!
//! Named by the numbers of the checks. The store is played by [`Reader`], which keeps what it is told to keep.

use crate::support::app::{PATIENCE, wait_until};
use crate::support::namespace::run_within;
use crate::support::origin::{
    Answer, Fault, Gate, Origin, Request, fault, not_modified, ok, redirect, rss, status, tempting_rss,
};
use crate::support::politeness::{Manners, assert_polite};
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;
use veille::config::{FetchSettings, Interval, Secret};
use veille::fetch::{Cause, Client, FetchError, FetchOutcome, FetchRequest, Phase, RedirectFault, Refusal};

const ETAG: &str = "\"v1\"";
const DATE: &str = "Mon, 23 Nov 2026 07:00:00 GMT";

fn settings() -> FetchSettings {
    FetchSettings {
        interval: Interval::Adaptive,
        min_interval: SignedDuration::from_secs(2),
        max_interval: SignedDuration::from_hours(24),
        timeout: SignedDuration::from_secs(10),
        max_body_bytes: 1 << 20,
        concurrency: 64,
        per_host: 2,
        per_host_gap: None,
        user_agent: "veille/0.1 (+https://veille.example/contact)".to_owned(),
        allow_private_addresses: true,
        allow_networks: Vec::new(),
        proxy: None,
    }
}

/// A client and what a store would hold for one feed.
struct Reader {
    client: Client,
    request: FetchRequest,
}

impl Reader {
    fn of(address: &str) -> Self {
        Self::with(&settings(), address)
    }

    fn with(settings: &FetchSettings, address: &str) -> Self {
        let client = Client::new(settings).expect("a client");
        Self { client, request: FetchRequest::new(address.parse().expect("an address")) }
    }

    /// One visit; a good answer's validators replace those known of its address.
    async fn visit(&mut self) -> Result<FetchOutcome, FetchError> {
        let outcome = self.client.fetch(&self.request, Timestamp::now()).await?;
        let remembered = match &outcome {
            FetchOutcome::Modified(modified) => Some(&modified.remembered),
            FetchOutcome::NotModified(same) => Some(&same.remembered),
            _ => None,
        };
        if let Some(remembered) = remembered.cloned() {
            self.request.remembered.retain(|known| known.url != remembered.url);
            self.request.remembered.push(remembered);
        }
        Ok(outcome)
    }

    async fn visits(&mut self, count: usize) {
        for _ in 0..count {
            // Good or bad: what matters is the log.
            let _ = self.visit().await;
        }
    }

    async fn cause(&mut self) -> Cause {
        match self.visit().await {
            Ok(outcome) => panic!("expected a failure, got {outcome:?}"),
            Err(error) => error.cause,
        }
    }

    async fn document(&mut self) -> String {
        match self.visit().await {
            Ok(FetchOutcome::Modified(modified)) => String::from_utf8(modified.body.to_vec()).expect("UTF-8"),
            other => panic!("expected a document, got {other:?}"),
        }
    }
}

/// What each request for `target` said of a header; `-` where it said nothing.
fn said(origin: &Origin, target: &str, header: &str) -> Vec<String> {
    origin.requests(target).iter().map(|request| request.header(header).unwrap_or("-").to_owned()).collect()
}

// --- P: polite polling ---------------------------------------------------------------------

#[tokio::test]
async fn p01_a_first_visit_is_one_plain_get() {
    let (origin, canary) = (Origin::start(), Origin::start());
    origin.script("/feed.xml", [ok(tempting_rss(&canary.url(""))).header("Set-Cookie", "id=1")]);
    let mut reader = Reader::of(&origin.url("/feed.xml"));
    assert!(reader.document().await.contains("Tempting"));
    let log = origin.log();
    let [request] = &log[..] else { panic!("one request, not {log:#?}") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/feed.xml"));
    assert_eq!(request.header("user-agent"), Some("veille/0.1 (+https://veille.example/contact)"));
    let accept = request.header("accept").expect("Accept");
    assert!(["atom+xml", "rss+xml", "feed+json"].iter().all(|kind| accept.contains(kind)), "{accept}");
    assert!(request.header("accept-encoding").is_some_and(|codings| codings.contains("gzip")));
    for name in ["cookie", "referer", "range", "authorization", "if-none-match", "if-modified-since", "a-im"] {
        assert_eq!(request.header(name), None, "{name}");
    }
    assert_eq!(canary.log().len(), 0);
    assert_polite(&log, &Manners::default());
}

#[tokio::test]
async fn p02_p06_validators_go_back_verbatim_and_together() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(2)).etag(ETAG).last_modified(DATE).conditional()]);
    let mut reader = Reader::of(&origin.url("/feed"));
    reader.document().await;
    assert!(matches!(reader.visit().await, Ok(FetchOutcome::NotModified(_))));
    reader.visits(1).await;
    assert_eq!(said(&origin, "/feed", "if-none-match"), ["-", ETAG, ETAG]);
    assert_eq!(said(&origin, "/feed", "if-modified-since"), ["-", DATE, DATE]);
    assert_polite(&origin.log(), &Manners::default());
}

#[tokio::test]
async fn p03_p04_odd_tags_go_back_byte_for_byte() {
    let origin = Origin::start();
    for (path, tag) in [
        ("/weak", "W/\"x\""),
        ("/bare", "x"),
        ("/inner", "\"a\"b\""),
        ("/commas", "\"a, b\", \"c\""),
        ("/spaces", "\"a  b\" c"),
        ("/dashes", "\"abc-gzip\""),
        ("/utf8", "\"é\""),
        ("/empty", "\"\""),
    ] {
        origin.script(path, [ok(rss(1)).etag(tag)]);
        Reader::of(&origin.url(path)).visits(2).await;
        assert_eq!(said(&origin, path, "if-none-match"), ["-", tag], "{path}");
    }
}

#[tokio::test]
async fn p05_a_date_goes_back_as_it_came_and_none_is_made_up() {
    let origin = Origin::start();
    for (path, date) in [("/good", DATE), ("/odd", "2026-11-23 7:00"), ("/zone", "Mon, 23 Nov 2026 08:00:00 +0100")] {
        origin.script(path, [ok(rss(1)).last_modified(date)]);
        Reader::of(&origin.url(path)).visits(2).await;
        assert_eq!(said(&origin, path, "if-modified-since"), ["-", date], "{path}");
    }
    origin.script("/none", [ok(rss(1)).etag(ETAG)]);
    Reader::of(&origin.url("/none")).visits(2).await;
    assert_eq!(said(&origin, "/none", "if-modified-since"), ["-", "-"]);
}

#[tokio::test]
async fn p07_the_newest_of_each_is_sent() {
    let origin = Origin::start();
    origin.script(
        "/feed",
        [
            ok(rss(1)).etag("\"1\"").last_modified("one"),
            ok(rss(2)).etag("\"2\"").last_modified("one"),
            ok(rss(3)).etag("\"2\"").last_modified("two"),
            not_modified().etag("\"3\""),
            not_modified().last_modified("three"),
            ok(rss(4)).etag("\"4\""),
            not_modified(),
        ],
    );
    Reader::of(&origin.url("/feed")).visits(7).await;
    let expected = ["-", "\"1\"", "\"2\"", "\"2\"", "\"3\"", "\"3\"", "\"4\""];
    assert_eq!(said(&origin, "/feed", "if-none-match"), expected);
    let expected = ["-", "one", "one", "two", "two", "three", "-"];
    assert_eq!(said(&origin, "/feed", "if-modified-since"), expected);
    assert_polite(&origin.log(), &Manners::default());
}

#[tokio::test]
async fn p08_a_complete_200_without_validators_clears_both() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(1)).etag(ETAG).last_modified(DATE), ok(rss(2)), ok(rss(2))]);
    Reader::of(&origin.url("/feed")).visits(3).await;
    assert_eq!(said(&origin, "/feed", "if-none-match"), ["-", ETAG, "-"]);
    assert_eq!(said(&origin, "/feed", "if-modified-since"), ["-", DATE, "-"]);
}

#[tokio::test]
async fn p09_a_bad_answer_after_a_good_one_leaves_its_validators() {
    let origin = Origin::start();
    let body = rss(5);
    let bad: Vec<(&str, Answer)> = vec![
        ("/short", ok(&*body).fault(Fault::Length(body.len() + 10))),
        ("/reset", ok(&*body).fault(Fault::ResetAfter(100))),
        ("/gzip", ok(gzip(&body)[..60].to_vec()).header("Content-Encoding", "gzip")),
        ("/500", status(500).body("trouble")),
        ("/404", status(404).body("nothing")),
        ("/429", status(429)),
        ("/large", ok(vec![b' '; 2 << 20])),
        ("/empty", ok("")),
        ("/204", status(204)),
        ("/206", status(206).body(&*body)),
    ];
    for (path, answer) in bad {
        let answer = answer.etag("\"B\"").last_modified("never");
        origin.script(path, [ok(&*body).etag("\"A\""), answer, not_modified()]);
        let mut reader = Reader::of(&origin.url(path));
        reader.document().await;
        let answer = reader.visit().await;
        assert!(!matches!(answer, Ok(FetchOutcome::Modified(_) | FetchOutcome::NotModified(_))), "{path}: {answer:?}");
        reader.visits(1).await;
        assert_eq!(said(&origin, path, "if-none-match"), ["-", "\"A\"", "\"A\""], "{path}");
    }
}

#[tokio::test]
async fn p10_a_304_that_nobody_asked_for_is_a_failure() {
    let origin = Origin::start();
    origin.script("/feed", [not_modified().etag(ETAG)]);
    let mut reader = Reader::of(&origin.url("/feed"));
    let error = reader.visit().await.expect_err("a failure");
    assert_eq!((error.status, error.cause), (Some(304), Cause::UnaskedNotModified));
    reader.visits(1).await;
    assert_eq!(said(&origin, "/feed", "if-none-match"), ["-", "-"]);
}

#[tokio::test]
async fn p11_a_304_for_ever_stays_conditional() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(1)).etag(ETAG), not_modified()]);
    Reader::of(&origin.url("/feed")).visits(20).await;
    assert!(said(&origin, "/feed", "if-none-match")[1..].iter().all(|tag| tag == ETAG));
}

#[tokio::test]
async fn p13_p14_freshness_counts_on_200_and_on_304() {
    let origin = Origin::start();
    origin.script(
        "/feed",
        [ok(rss(1)).etag(ETAG).max_age(43_200), not_modified(), not_modified().max_age(600), not_modified()],
    );
    let mut reader = Reader::of(&origin.url("/feed"));
    for expected_s in [43_200, 43_200, 600, 600] {
        let freshness = match reader.visit().await.expect("a good answer") {
            FetchOutcome::Modified(modified) => modified.freshness,
            FetchOutcome::NotModified(same) => same.freshness,
            other => panic!("{other:?}"),
        };
        assert_eq!(freshness.fresh_for(), Some(SignedDuration::from_secs(expected_s)));
    }
}

#[tokio::test]
async fn p16_expires_counts_by_the_origins_own_clock() {
    let origin = Origin::start();
    let a_day_slow = [("Date", "Mon, 23 Nov 2020 07:00:00 GMT"), ("Expires", "Mon, 23 Nov 2020 08:00:00 GMT")];
    let answer = a_day_slow.iter().fold(ok(rss(1)), |answer, (name, value)| answer.header(name, *value));
    origin.script("/feed", [answer]);
    let Ok(FetchOutcome::Modified(modified)) = Reader::of(&origin.url("/feed")).visit().await else { panic!() };
    assert_eq!(modified.freshness.fresh_for(), Some(SignedDuration::from_hours(1)));
}

#[tokio::test]
async fn p21_p22_429_and_503_say_when_to_come_back() {
    let origin = Origin::start();
    let a_date = "Tue, 24 Nov 2026 09:00:00 GMT";
    let dated = status(429).header("Date", "Tue, 24 Nov 2026 07:00:00 GMT").retry_after(a_date);
    for (path, answer, wait_s) in [
        ("/seconds", status(429).retry_after("7200"), Some(7200)),
        ("/date", dated, Some(7200)),
        ("/busy", status(503).retry_after("60"), Some(60)),
        ("/none", status(429), None),
        ("/junk", status(429).retry_after("soon"), None),
        ("/negative", status(429).retry_after("-5"), None),
    ] {
        origin.script(path, [answer]);
        let Ok(FetchOutcome::RetryLater(later)) = Reader::of(&origin.url(path)).visit().await else { panic!("{path}") };
        assert_eq!(later.freshness.retry_after.map(|wait| wait.as_secs()), wait_s, "{path}");
        assert_eq!(origin.requests(path).len(), 1, "no layer asks again at once");
    }
    origin.script("/both", [status(429).retry_after("60").max_age(172_800)]);
    let Ok(FetchOutcome::RetryLater(later)) = Reader::of(&origin.url("/both")).visit().await else { panic!() };
    assert_eq!(later.freshness.fresh_for(), Some(SignedDuration::from_hours(48)));
    origin.script("/plain-503", [status(503)]);
    assert_eq!(Reader::of(&origin.url("/plain-503")).cause().await, Cause::Status(503));
}

#[tokio::test]
async fn p24_failures_are_asked_once_and_name_their_cause() {
    let origin = Origin::start();
    for code in [400, 401, 403, 404, 418, 451, 500, 502, 504, 599, 300, 305, 201, 206, 226] {
        let path = format!("/{code}");
        origin.script(&path, [status(code).body("x").retry_after("90")]);
        let error = Reader::of(&origin.url(&path)).visit().await.expect_err("a failure");
        assert_eq!((error.status, &error.cause), (Some(code), &Cause::Status(code)));
        assert_eq!(error.freshness.retry_after, Some(SignedDuration::from_secs(90)));
        assert_eq!(origin.requests(&path).len(), 1);
    }
    let refused = Origin::start().url("/feed");
    assert!(matches!(Reader::of(&refused).cause().await, Cause::Connect(_) | Cause::Broken(_)));
    let unknown = Reader::of("http://no-such-host.invalid/feed").cause().await;
    assert!(matches!(&unknown, Cause::Lookup(reason) if reason.contains("no-such-host.invalid")), "{unknown:?}");
}

#[tokio::test]
async fn p26_410_is_gone() {
    let origin = Origin::start();
    origin.script("/gone", [status(410)]);
    origin.script("/moved", [redirect(301, "/gone")]);
    origin.script("/lent", [redirect(302, "/gone")]);
    for path in ["/gone", "/moved"] {
        assert!(matches!(Reader::of(&origin.url(path)).visit().await, Ok(FetchOutcome::Gone)), "{path}");
    }
    assert_eq!(Reader::of(&origin.url("/lent")).cause().await, Cause::Status(410));
}

#[tokio::test]
async fn p27_a_permanent_redirect_is_named_as_far_as_it_is_permanent() {
    let origin = Origin::start();
    origin.script("/a", [redirect(301, "/b")]);
    origin.script("/b", [redirect(308, "/c")]);
    origin.script("/c", [redirect(302, "/d")]);
    origin.script("/d", [redirect(301, "/e")]);
    origin.script("/e", [ok(rss(1)).etag(ETAG)]);
    let mut reader = Reader::of(&origin.url("/a"));
    let Ok(FetchOutcome::Modified(modified)) = reader.visit().await else { panic!() };
    assert_eq!(modified.permanent_target.map(String::from), Some(origin.url("/c")));
    assert_eq!(modified.final_url.as_str(), origin.url("/e"));
    let Ok(FetchOutcome::Modified(lent)) = Reader::of(&origin.url("/c")).visit().await else { panic!() };
    assert_eq!(lent.permanent_target, None);
    assert!(origin.log().iter().all(|request| request.header("referer").is_none()));
}

#[tokio::test]
async fn p28_validators_go_only_to_the_address_that_issued_them() {
    let (origin, other) = (Origin::start(), Origin::start());
    origin.script(
        "/a",
        [ok(rss(1)).etag("\"A\"").last_modified("a"), redirect(302, other.url("/b")), redirect(307, other.url("/b"))],
    );
    other.script("/b", [ok(rss(1)).etag("\"B\"").last_modified("b").conditional()]);
    let mut reader = Reader::of(&origin.url("/a"));
    reader.visits(2).await;
    assert!(matches!(reader.visit().await, Ok(FetchOutcome::NotModified(_))));
    assert_eq!(said(&origin, "/a", "if-none-match"), ["-", "\"A\"", "\"A\""]);
    assert_eq!(said(&other, "/b", "if-none-match"), ["-", "\"B\""]);
    assert_eq!(said(&other, "/b", "if-modified-since"), ["-", "b"]);
    assert_polite(&origin.log(), &Manners::default());
    assert_polite(&other.log(), &Manners::default());
}

#[tokio::test]
async fn p29_five_hops_are_followed_six_are_not_and_circles_end() {
    let origin = Origin::start();
    for hop in 1..=6 {
        origin.script(&format!("/{hop}"), [redirect(302, format!("/{}", hop - 1))]);
    }
    origin.script("/0", [ok(rss(1))]);
    Reader::of(&origin.url("/5")).document().await;
    origin.clear_log();
    assert_eq!(Reader::of(&origin.url("/6")).cause().await, Cause::Redirect(RedirectFault::TooMany));
    assert_eq!(origin.log().len(), 6);
    origin.clear_log();
    origin.script("/x", [redirect(301, "/y")]);
    origin.script("/y", [redirect(301, "/x#again")]);
    assert_eq!(Reader::of(&origin.url("/x")).cause().await, Cause::Redirect(RedirectFault::Loop));
    assert_eq!(origin.log().len(), 2);
}

#[tokio::test]
async fn p30_credentials_and_headers_stay_at_their_host_and_port() {
    let (origin, other_port) = (Origin::start(), Origin::start());
    origin.script("/a", [redirect(302, "/b")]);
    origin.script("/b", [redirect(302, other_port.url("/c"))]);
    other_port.script("/c", [redirect(302, other_port.url_by_name("/d"))]);
    other_port.script("/d", [redirect(302, origin.url_by_name("/e"))]);
    origin.script("/e", [ok(rss(1))]);
    let mut reader = Reader::of(&origin.url("/a"));
    reader.request.headers = vec![("X-Key".to_owned(), "k".to_owned()), ("Cookie".to_owned(), "s=1".to_owned())];
    reader.request.basic_auth = Some(("user".to_owned(), Secret("pass".to_owned())));
    reader.document().await;
    for (host, target, at_home) in [
        (&origin, "/a", true),
        (&origin, "/b", true),
        (&other_port, "/c", false),
        (&other_port, "/d", false),
        (&origin, "/e", false),
    ] {
        assert_eq!(said(host, target, "authorization"), [if at_home { "Basic dXNlcjpwYXNz" } else { "-" }], "{target}");
        assert_eq!(said(host, target, "x-key"), [if at_home { "k" } else { "-" }], "{target}");
        assert_eq!(said(host, target, "cookie"), [if at_home { "s=1" } else { "-" }], "{target}");
    }
}

#[tokio::test]
async fn p30_a_user_name_in_the_configured_address_is_a_login_and_never_shown() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(1)).etag(ETAG), status(500)]);
    let mut reader = Reader::of(&origin.url("/feed").replace("http://", "http://us%20er:p%40ss@"));
    let Ok(FetchOutcome::Modified(modified)) = reader.visit().await else { panic!() };
    assert_eq!(modified.final_url.as_str(), origin.url("/feed"));
    assert_eq!(said(&origin, "/feed", "authorization"), ["Basic dXMgZXI6cEBzcw=="]);
    let shown = format!("{:?}", reader.visit().await.expect_err("500"));
    assert!(!shown.contains("ss@"), "{shown}");
    assert_eq!(said(&origin, "/feed", "if-none-match"), ["-", ETAG]);
}

#[tokio::test]
async fn p31_no_cookie_comes_back() {
    let origin = Origin::start();
    origin.script("/feed", [redirect(302, "/set").header("Set-Cookie", "a=1"), ok(rss(1)).header("Set-Cookie", "b=2")]);
    origin.script("/set", [ok(rss(1)).header("Set-Cookie", "c=3; Path=/")]);
    Reader::of(&origin.url("/feed")).visits(3).await;
    assert!(origin.log().iter().all(|request| request.header("cookie").is_none()));
}

#[tokio::test]
async fn p32_every_request_of_ours_looks_the_same() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(1)), redirect(302, "/other"), ok(rss(2))]);
    origin.script("/other", [ok(rss(1))]);
    Reader::of(&origin.url("/feed")).visits(3).await;
    let looks = |request: &Request| {
        ["user-agent", "accept", "accept-encoding"].map(|name| request.header(name).map(str::to_owned))
    };
    let log = origin.log();
    assert!(log.iter().all(|request| looks(request) == looks(&log[0])), "{log:#?}");
}

#[tokio::test]
async fn p40_feeds_of_one_host_share_two_connections() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(30)).etag(ETAG).conditional()]);
    origin.script("/moved", [redirect(301, "/feed")]);
    origin.script("/missing", [status(404).body("nothing here")]);
    let client = Client::new(&settings()).expect("a client");
    for pair in 0..25 {
        let visit = |path: &str| {
            let request = FetchRequest::new(origin.url(path).parse().expect("an address"));
            let client = client.clone();
            async move { client.fetch(&request, Timestamp::now()).await.is_ok() }
        };
        let second = if pair % 2 == 0 { "/moved" } else { "/missing" };
        tokio::join!(visit(&format!("/feed?n={pair}")), visit(second));
    }
    assert!(origin.connections() <= 2, "{} connections", origin.connections());
}

/// HTTP/2 by nginx, where there is one: its log says which connection carried what.
#[tokio::test]
async fn p40_connections_are_kept_to_a_few_hosts_and_the_others_are_told_so() {
    let origin = Origin::listen(Ipv4Addr::UNSPECIFIED, 0, None);
    origin.script("/feed", [ok(rss(1))]);
    let client = Client::new(&settings()).expect("a client");
    let port = origin.address().port();
    for round in 0..2 {
        for host in 1..=70 {
            let address = format!("http://127.0.20.{host}:{port}/feed?n={host}.{round}");
            let request = FetchRequest::new(address.parse().expect("an address"));
            client.fetch(&request, Timestamp::now()).await.expect("a document");
        }
    }
    let log = origin.log();
    assert_eq!(log.len(), 140);
    let closed = log.iter().filter(|request| request.header("connection") == Some("close"));
    let mut hosts: Vec<&str> = closed.filter_map(|request| request.header("host")).collect();
    hosts.dedup();
    assert_eq!(hosts.len(), 12, "the last six, twice: {hosts:?}");
    assert_eq!(origin.connections(), 64 + 12);
}

#[tokio::test]
async fn p40_over_http2_feeds_of_one_host_share_two_connections() {
    let Some((host, client)) = Http2Host::start() else { return };
    for pair in 0..25 {
        let visit = |n: usize| {
            let address = host.address(n);
            let (client, request) = (client.clone(), FetchRequest::new(address.parse().expect("an address")));
            async move { client.fetch(&request, Timestamp::now()).await }
        };
        let (one, other) = tokio::join!(visit(2 * pair), visit(2 * pair + 1));
        assert!(matches!((&one, &other), (Ok(FetchOutcome::Modified(_)), Ok(FetchOutcome::Modified(_)))), "{one:?}");
    }
    let log = host.log(50);
    let lines: Vec<&str> = log.lines().collect();
    let connections: std::collections::HashSet<&str> =
        lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(lines.len(), 50, "{log}");
    assert!(lines.iter().all(|line| line.ends_with("HTTP/2.0")), "{log}");
    assert!(connections.len() <= 2, "{} connections", connections.len());
}

/// HTTP/2 forbids the header that says so over HTTP/1.1.
#[tokio::test]
async fn p40_over_http2_a_host_beyond_those_few_is_asked_all_the_same() {
    let Some((host, client)) = Http2Host::start() else { return };
    let others = Origin::listen(Ipv4Addr::UNSPECIFIED, 0, None);
    others.script("/feed", [ok(rss(1))]);
    let of_others = (1..=64).map(|host| format!("http://127.0.21.{host}:{}/feed", others.address().port()));
    let of_nginx = (0..3).map(|n| host.address(n));
    for address in of_others.chain(of_nginx) {
        let request = FetchRequest::new(address.parse().expect("an address"));
        let outcome = client.fetch(&request, Timestamp::now()).await;
        assert!(matches!(outcome, Ok(FetchOutcome::Modified(_))), "{address}: {outcome:?}");
    }
    let log = host.log(3);
    assert_eq!(log.lines().filter(|line| line.ends_with("HTTP/2.0")).count(), 3, "{log}");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A host that speaks HTTP/2, by nginx, and a client that trusts it.
struct Http2Host {
    _nginx: Nginx,
    folder: tempfile::TempDir,
    port: u16,
}

impl Http2Host {
    /// `None`, and a word about it, where there is no such nginx.
    fn start() -> Option<(Self, Client)> {
        let (authority, folder, port) = (Authority::new(), tempfile::tempdir().expect("a folder"), free_port());
        let Some(nginx) = Nginx::start(folder.path(), port, &authority.pem("127.0.0.1")) else {
            eprintln!("SKIPPED: this machine has no nginx with HTTP/2");
            return None;
        };
        let client = Client::with_tls(&settings(), authority.trusting_client()).expect("a client");
        Some((Self { _nginx: nginx, folder, port }, client))
    }

    fn address(&self, n: usize) -> String {
        format!("https://127.0.0.1:{}/feed.xml?n={n}", self.port)
    }

    /// Its log, once it has so many lines: a request is noted after its answer.
    fn log(&self, lines: usize) -> String {
        let log = || std::fs::read_to_string(self.folder.path().join("access.log")).expect("a log");
        wait_until(PATIENCE, || Some(log()).filter(|log| log.lines().count() >= lines)).unwrap_or_else(log)
    }
}

/// A web server that ends with the test.
struct Nginx(std::process::Child);

impl Nginx {
    fn start(folder: &std::path::Path, port: u16, (certificate, key): &(String, String)) -> Option<Self> {
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
        write("certificate.pem", certificate);
        write("key.pem", key);
        write("feed.xml", &rss(3));
        let at = folder.display();
        write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
                 events {{ }}
                 http {{
                     client_body_temp_path {at}/t1; proxy_temp_path {at}/t2; fastcgi_temp_path {at}/t3;
                     uwsgi_temp_path {at}/t4; scgi_temp_path {at}/t5;
                     log_format c '$connection $server_protocol';
                     access_log {at}/access.log c;
                     server {{
                         listen 127.0.0.1:{port} ssl http2;
                         ssl_certificate {at}/certificate.pem; ssl_certificate_key {at}/key.pem;
                         root {at};
                     }}
                 }}"
            ),
        );
        let program = ["nginx", "/usr/sbin/nginx"].into_iter().find_map(|program| {
            let mut command = std::process::Command::new(program);
            command.arg("-c").arg(folder.join("nginx.conf")).stderr(std::process::Stdio::null());
            command.spawn().ok()
        });
        let nginx = Self(program?);
        let answers = || std::net::TcpStream::connect(("127.0.0.1", port)).ok();
        crate::support::app::wait_until(Duration::from_secs(10), answers).map(|_| nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn p39_instance_manipulation_is_not_asked_for_and_an_unasked_226_is_a_failure() {
    let origin = Origin::start();
    let part = || status(226).body(rss(1)).header("IM", "feed").etag("\"v2\"");
    origin.script("/feed", [ok(rss(3)).etag(ETAG), part(), ok(rss(3)).etag(ETAG).conditional()]);
    let mut reader = Reader::of(&origin.url("/feed"));
    reader.document().await;
    assert_eq!(reader.cause().await, Cause::Status(226));
    assert!(matches!(reader.visit().await, Ok(FetchOutcome::NotModified(_))), "the part changed no validator");
    assert_eq!(said(&origin, "/feed", "a-im"), ["-", "-", "-"]);
}

#[tokio::test]
async fn p41_every_coding_that_is_offered_is_capped() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(1))]);
    Reader::of(&origin.url("/feed")).document().await;
    let offered = said(&origin, "/feed", "accept-encoding").remove(0);
    let bomb = vec![b' '; 8 << 20];
    let limit_bytes = settings().max_body_bytes;
    for coding in offered.split(", ") {
        let packed = match coding {
            "gzip" => gzip(&bomb),
            "br" => brotli(&bomb),
            "zstd" => zstd(&bomb),
            "deflate" => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
                encoder.write_all(&bomb).expect("to memory");
                encoder.finish().expect("to memory")
            }
            other => panic!("`{other}` is offered, and nothing shows that it is capped"),
        };
        origin.script("/bomb", [ok(packed).header("Content-Encoding", coding)]);
        assert_eq!(Reader::of(&origin.url("/bomb")).cause().await, Cause::TooLarge { limit_bytes }, "{coding}");
    }
}

#[tokio::test]
async fn p42_path_and_query_go_out_as_configured() {
    let origin = Origin::start();
    for target in ["/a%2Fb", "/a;jsessionid=1", "//a//b", "/a?x=%20&y=+&z", "/a?", "/A/%7Eb/%c3%bc", "/a/?q=a,b;c|d"] {
        origin.script(target, [ok(rss(1))]);
        Reader::of(&origin.url(&format!("{target}#part"))).document().await;
        assert_eq!(origin.requests(target).len(), 1, "{target}: {:?}", origin.log().last());
    }
}

#[tokio::test]
async fn p44_certificates_that_are_not_right_are_failures_and_nothing_falls_back_to_http() {
    let authority = Authority::new();
    for (name, server, wrong) in [
        ("good", authority.certificate("127.0.0.1", 2000, 2100), None),
        ("expired", authority.certificate("127.0.0.1", 2000, 2001), Some("the certificate has expired")),
        ("wrong name", authority.certificate("other.example", 2000, 2100), Some("the certificate is for another name")),
        (
            "of a stranger",
            Authority::new().certificate("127.0.0.1", 2000, 2100),
            Some("no authority that this machine"),
        ),
        ("self-signed", Authority::of_itself("127.0.0.1"), Some("the certificate is signed by itself")),
    ] {
        let origin = Origin::start_tls(server);
        origin.script("/feed", [ok(rss(1))]);
        let client = Client::with_tls(&settings(), authority.trusting_client()).expect("a client");
        let mut reader = Reader { client, request: FetchRequest::new(origin.url("/feed").parse().unwrap()) };
        match (reader.visit().await, wrong) {
            (Ok(FetchOutcome::Modified(_)), None) => {}
            (Err(error), Some(words)) => {
                assert!(matches!(&error.cause, Cause::Tls(told) if told.contains(words)), "{name}: {error:?}");
                assert_eq!(origin.log().len(), 0, "{name}");
            }
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn p30_credentials_never_go_from_https_to_http() {
    let authority = Authority::new();
    let secure = Origin::start_tls(authority.certificate("127.0.0.1", 2000, 2100));
    let plain = Origin::start();
    secure.script("/feed", [redirect(302, plain.url("/feed"))]);
    plain.script("/feed", [ok(rss(1))]);
    let client = Client::with_tls(&settings(), authority.trusting_client()).expect("a client");
    let mut request = FetchRequest::new(secure.url("/feed").parse().unwrap());
    request.basic_auth = Some(("user".to_owned(), Secret("pass".to_owned())));
    Reader { client, request }.document().await;
    assert_ne!(said(&secure, "/feed", "authorization"), ["-"]);
    assert_eq!(said(&plain, "/feed", "authorization"), ["-"]);
}

// --- H: hostile input ----------------------------------------------------------------------

fn guarded() -> FetchSettings {
    FetchSettings { allow_private_addresses: false, ..settings() }
}

/// Every way to write the loopback that a URL knows, and names that lead there.
fn disguises(port: u16) -> Vec<String> {
    [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "[::1]",
        "0",
        "0.0.0.0",
        "[::]",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "[::ffff:7f00:1]",
        "[::ffff:127.0.0.1]",
        "①②7.0.0.1",
        "127.0.0.1.",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ]
    .iter()
    .map(|host| format!("http://{host}:{port}/feed"))
    .collect()
}

#[tokio::test]
async fn h01_private_addresses_are_refused_before_a_connect() {
    let canary = Origin::start();
    canary.script("/feed", [ok(rss(1))]);
    for address in disguises(canary.address().port()) {
        let cause = Reader::with(&guarded(), &address).cause().await;
        assert!(matches!(cause, Cause::Refused(Refusal::Address { .. })), "{address}: {cause:?}");
    }
    assert_eq!(canary.connections(), 0);
    for address in ["http://127.0.0.1", "http://localhost", "http://127.1", "http://0x7f.1"] {
        Reader::of(&format!("{address}:{}/feed", canary.address().port())).document().await;
    }
}

#[tokio::test]
async fn h02_redirects_to_private_addresses_are_refused_at_any_hop() {
    let canary = Origin::start();
    let origin = Origin::start();
    // The origin itself is on loopback: only its own /32 is opened, the canary is asked by every other name.
    let settings = FetchSettings { allow_networks: vec!["127.0.0.7/32".parse().unwrap()], ..guarded() };
    drop(origin);
    let origin = Origin::listen("127.0.0.7".parse().unwrap(), 0, None);
    for address in disguises(canary.address().port()) {
        origin.script("/1", [redirect(302, &*address)]);
        origin.script("/4", [redirect(302, "/3")]);
        origin.script("/3", [redirect(302, "/2")]);
        origin.script("/2", [redirect(301, "/1")]);
        for hop in ["/1", "/4"] {
            let cause = Reader::with(&settings, &origin.url(hop)).cause().await;
            assert!(matches!(cause, Cause::Refused(Refusal::Address { .. })), "{hop} {address}: {cause:?}");
        }
    }
    assert_eq!(canary.connections(), 0);
}

/// A public address, which the loopback interface of a network namespace of our own carries.
const PUBLIC: std::net::Ipv4Addr = std::net::Ipv4Addr::new(93, 184, 215, 14);

/// Runs the next test in a namespace where [`PUBLIC`] is ours and names are what we say.
#[test]
fn h01_h02_h03_h04_p24_the_default_policy_holds_among_public_addresses() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    write("hosts", "127.0.0.1 private.example both.example\n93.184.215.14 both.example public.example\n");
    run_within("fetching::within_a_namespace", folder.path(), &["93.184.215.14/32"]);
}

#[tokio::test]
#[ignore = "needs the namespace that h01_h02_h03_h04_p24_the_default_policy_holds_among_public_addresses makes"]
async fn within_a_namespace() {
    let origin = Origin::listen(PUBLIC, 0, None);
    let port = origin.address().port();
    // The canary waits at the same port of loopback, where a client that mixes up addresses would land.
    let canary = Origin::listen(std::net::Ipv4Addr::LOCALHOST, port, None);
    canary.script("/feed", [ok(rss(1))]);
    origin.script("/feed", [ok(rss(1))]);
    Reader::with(&guarded(), &origin.url("/feed")).document().await;
    for address in disguises(port).into_iter().chain([format!("http://private.example:{port}/feed")]) {
        origin.script("/1", [redirect(302, &*address)]);
        origin.script("/4", [redirect(302, "/3")]);
        origin.script("/3", [redirect(302, "/2")]);
        origin.script("/2", [redirect(301, "/1")]);
        for start in [address.clone(), origin.url("/1"), origin.url("/4")] {
            let cause = Reader::with(&guarded(), &start).cause().await;
            assert!(matches!(cause, Cause::Refused(Refusal::Address { .. })), "{start} {address}: {cause:?}");
        }
    }
    // H4: of a name's two addresses only the public one is dialled.
    Reader::with(&guarded(), &format!("http://both.example:{port}/feed")).document().await;
    // H3: a name that is public at one look-up and loopback at the next.
    scripted_dns();
    let mut outcomes = [0, 0];
    for _ in 0..20 {
        match Reader::with(&guarded(), &format!("http://rebind.example:{port}/feed")).visit().await {
            Ok(FetchOutcome::Modified(_)) => outcomes[0] += 1,
            Err(FetchError { cause: Cause::Refused(Refusal::Address { .. }), .. }) => outcomes[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "both answers were seen: {outcomes:?}");
    // P24: a name that is not, and name servers that say nothing.
    let unknown = Reader::with(&guarded(), &format!("http://unknown.example:{port}/feed")).cause().await;
    assert!(matches!(unknown, Cause::Lookup(_)), "{unknown:?}");
    let started = Instant::now();
    let unanswered = Reader::with(&guarded(), &format!("http://silent.example:{port}/feed")).cause().await;
    assert!(matches!(unanswered, Cause::Lookup(_) | Cause::Timeout { .. }), "{unanswered:?}");
    assert!(started.elapsed() <= Duration::from_secs(15), "within the timeout: {:?}", started.elapsed());
    assert_eq!(canary.connections(), 0);
}

/// Answers questions for an IPv4 address with [`PUBLIC`] and 127.0.0.1 in turn, those for `unknown` with NXDOMAIN, and
/// those for `silent` not at all.
fn scripted_dns() {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 53)).expect("port 53 of the namespace");
    std::thread::spawn(move || {
        let (mut packet, mut questions) = ([0; 512], 0_usize);
        while let Ok((length, client)) = socket.recv_from(&mut packet) {
            let question_end = 12 + packet[12..length].iter().position(|byte| *byte == 0).unwrap_or(0) + 5;
            let asks_for = |name: &[u8]| packet[13..question_end].starts_with(name);
            if asks_for(b"silent") {
                continue;
            }
            let is_known = !asks_for(b"unknown");
            let is_a = is_known && packet[question_end - 4..question_end - 2] == [0, 1];
            let mut answer = packet[..2].to_vec();
            answer.extend([0x81, if is_known { 0x80 } else { 0x83 }, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            answer.extend(&packet[12..question_end]);
            if is_a {
                let address = [PUBLIC, std::net::Ipv4Addr::LOCALHOST][questions % 2];
                questions += 1;
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                answer.extend(address.octets());
            }
            if socket.send_to(&answer, client).is_err() {
                return;
            }
        }
    });
}

#[tokio::test]
async fn h05_bad_locations_are_failures_not_empty_feeds() {
    let origin = Origin::start();
    for (location, refused) in [
        ("file:///etc/passwd", true),
        ("gopher://127.0.0.1/", true),
        ("data:text/xml,<rss/>", true),
        ("ftp://127.0.0.1/", true),
        ("http://user:password@127.0.0.1/", false),
        ("", false),
        ("http://", false),
        ("http://[", false),
    ] {
        origin.script("/feed", [redirect(302, location)]);
        let cause = Reader::of(&origin.url("/feed")).cause().await;
        let as_expected = match cause {
            Cause::Refused(Refusal::Scheme(_)) => refused,
            Cause::Redirect(_) => !refused,
            _ => false,
        };
        assert!(as_expected, "{location}: {cause:?}");
    }
    origin.script("/none", [status(301)]);
    assert_eq!(Reader::of(&origin.url("/none")).cause().await, Cause::Redirect(RedirectFault::NoLocation));
}

#[tokio::test]
async fn h06_ports_of_other_services_are_refused_behind_redirects() {
    let origin = Origin::start();
    for port in [22, 25, 6379] {
        origin.script("/feed", [redirect(302, format!("http://127.0.0.1:{port}/"))]);
        assert_eq!(Reader::of(&origin.url("/feed")).cause().await, Cause::Refused(Refusal::Port(port)));
    }
}

#[tokio::test]
async fn h06_a_proxy_is_used_when_configured_and_literals_are_checked_all_the_same() {
    let proxy = Origin::start();
    proxy.serve("http://feed.example/news", |_| ok(rss(1)));
    let settings = FetchSettings { proxy: Some(proxy.url("/").parse().unwrap()), ..guarded() };
    Reader::with(&settings, "http://feed.example/news").document().await;
    assert_eq!(proxy.log().len(), 1);
    let cause = Reader::with(&settings, "http://10.0.0.1/news").cause().await;
    assert!(matches!(cause, Cause::Refused(Refusal::Address { .. })), "{cause:?}");
    assert_eq!(proxy.log().len(), 1);
    let mut own_way = Reader::with(&guarded(), "http://feed.example/news");
    own_way.request.proxy = Some(proxy.url("/").parse().unwrap());
    own_way.document().await;
}

#[tokio::test]
async fn h07_h09_bombs_and_endless_bodies_stop_at_the_cap() {
    let origin = Origin::start();
    let bomb = vec![b' '; 64 << 20];
    let limit_bytes = settings().max_body_bytes;
    origin.script("/gzip", [ok(gzip(&bomb)).header("Content-Encoding", "gzip")]);
    origin.script("/br", [ok(brotli(&bomb)).header("Content-Encoding", "br")]);
    origin.script("/zstd", [ok(zstd(&bomb)).header("Content-Encoding", "zstd")]);
    origin.script("/unlabelled", [ok(gzip(&bomb))]);
    origin.script("/announced", [ok(vec![b' '; 2 << 20])]);
    origin.script("/chunked", [ok(vec![b' '; 2 << 20]).chunked()]);
    origin.script("/endless", [ok(vec![b' '; 64 << 10]).fault(Fault::EndlessBody).until_close()]);
    for path in ["/gzip", "/br", "/zstd", "/unlabelled", "/announced", "/chunked", "/endless"] {
        let cause = Reader::of(&origin.url(path)).cause().await;
        assert_eq!(cause, Cause::TooLarge { limit_bytes }, "{path}");
    }
}

#[tokio::test]
async fn h08_codings_are_undone_once_or_not_at_all() {
    let origin = Origin::start();
    let text = rss(3);
    for (coding, body) in [
        ("gzip", gzip(&text)),
        ("x-gzip", gzip(&text)),
        ("br", brotli(text.as_bytes())),
        ("zstd", zstd(text.as_bytes())),
        ("identity", text.clone().into_bytes()),
        ("none", gzip(&text)),
        ("gzip", text.clone().into_bytes()),
    ] {
        origin.script("/good", [ok(body).header("Content-Encoding", coding)]);
        assert_eq!(Reader::of(&origin.url("/good")).document().await, text, "{coding}");
    }
    let mut bad_crc = gzip(&text);
    let crc = bad_crc.len() - 8;
    bad_crc[crc] ^= 0xff;
    for (coding, body) in [
        ("gzip", gzip(gzip(&text))),
        ("gzip, gzip", gzip(gzip(&text))),
        ("zstd", text.clone().into_bytes()),
        ("zstd", zstd(text.as_bytes())[..60].to_vec()),
        ("zstd, gzip", gzip(zstd(text.as_bytes()))),
        ("compress", text.clone().into_bytes()),
        ("gzip", bad_crc),
        ("gzip", gzip(&text)[..40].to_vec()),
        ("gzip", [gzip(&text), b"junk".to_vec()].concat()),
    ] {
        origin.script("/bad", [ok(body).header("Content-Encoding", coding)]);
        let cause = Reader::of(&origin.url("/bad")).cause().await;
        assert!(matches!(cause, Cause::Coding(_)), "{coding}: {cause:?}");
    }
}

#[tokio::test]
async fn h10_slowness_of_every_kind_ends_with_the_timeout() {
    let origin = Origin::start();
    let ms = Duration::from_millis;
    let gate = Arc::new(Gate::default());
    origin.script("/drip", [ok(rss(30)).drip(1, ms(20))]);
    origin.script("/silent", [fault(Fault::Silence)]);
    origin.script("/interim", [fault(Fault::EndlessInterim)]);
    origin.script("/late", [ok(rss(1)).behind(&gate)]);
    origin.script("/stall", [ok(rss(1)).fault(Fault::Length(10_000)).drip(100, ms(5_000))]);
    let settings = FetchSettings { timeout: SignedDuration::from_millis(300), ..settings() };
    for path in ["/drip", "/silent", "/interim", "/late", "/stall"] {
        let started = Instant::now();
        let cause = Reader::with(&settings, &origin.url(path)).cause().await;
        assert!(matches!(cause, Cause::Timeout { after_ms: 300, .. }), "{path}: {cause:?}");
        assert!(started.elapsed() < ms(3_000), "{path}: {:?}", started.elapsed());
        let body = matches!(cause, Cause::Timeout { phase: Phase::Body, .. });
        // A dripping head is still "waiting for the answer"; a stall comes after the head.
        assert!(path != "/silent" || !body, "{path}: {cause:?}");
    }
    gate.open();
}

#[tokio::test]
async fn h10_a_connection_has_ten_seconds_and_an_answer_twenty_to_begin() {
    let origin = Origin::start();
    origin.script("/silent", [fault(Fault::Silence)]);
    // Nobody accepts here, and the few places of the queue are taken: the system answers no further connection.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    full.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().expect("an address").into()).expect("binds");
    full.listen(0).expect("listens");
    let address = full.local_addr().expect("bound").as_socket().expect("an address");
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200));
    let waiting: Vec<_> = std::iter::from_fn(|| connect().ok()).take(64).collect();
    if waiting.len() == 64 {
        return eprintln!("SKIPPED: this system's queue of connections has no end");
    }
    let settings = FetchSettings { timeout: SignedDuration::from_secs(30), ..settings() };
    let unconnected = format!("http://{address}/feed");
    let silent = origin.url("/silent");
    let started = Instant::now();
    let (mut connecting, mut answering) = (Reader::with(&settings, &unconnected), Reader::with(&settings, &silent));
    let connecting = async { (connecting.cause().await, started.elapsed().as_secs()) };
    let answering = async { (answering.cause().await, started.elapsed().as_secs()) };
    let (connecting, answering) = tokio::join!(connecting, answering);
    assert!(matches!(connecting.0, Cause::Timeout { phase: Phase::Connect, after_ms: 10_000 }), "{connecting:?}");
    assert!(matches!(answering.0, Cause::Timeout { phase: Phase::Headers, after_ms: 20_000 }), "{answering:?}");
    assert!((10..20).contains(&connecting.1) && (20..30).contains(&answering.1), "{connecting:?} {answering:?}");
}

#[tokio::test]
async fn h10_slow_feeds_do_not_delay_good_ones() {
    let origin = Origin::start();
    origin.script("/slow", [fault(Fault::Silence)]);
    origin.script("/good", [ok(rss(3))]);
    let client =
        Client::new(&FetchSettings { timeout: SignedDuration::from_secs(60), ..settings() }).expect("a client");
    let visit = |target: String| {
        let request = FetchRequest::new(origin.url(&target).parse().expect("an address"));
        let client = client.clone();
        tokio::spawn(async move { client.fetch(&request, Timestamp::now()).await.is_ok() })
    };
    let slow: Vec<_> = (0..100).map(|n| visit(format!("/slow?n={n}"))).collect();
    let started = Instant::now();
    for good in (0..100).map(|n| visit(format!("/good?n={n}"))).collect::<Vec<_>>() {
        assert!(good.await.expect("no panic"));
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    slow.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn h11_broken_answers_are_failures_and_give_no_partial_body() {
    let origin = Origin::start();
    let body = rss(50);
    let large_headers =
        "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"
            .repeat(20_000);
    for (path, answer) in [
        ("/garbage", fault(Fault::Raw(b"\x00\x01\x02 what is this\r\n\r\n".to_vec()))),
        ("/nothing", fault(Fault::Raw(Vec::new()))),
        ("/headers", fault(Fault::Raw(format!("HTTP/1.1 200 OK\r\n{large_headers}\r\n").into_bytes()))),
        ("/half-head", fault(Fault::Raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n".to_vec()))),
        ("/chunk", ok(&*body).fault(Fault::BadChunkAfter(500))),
        ("/rst", fault(Fault::Reset)),
        ("/rst-later", ok(&*body).fault(Fault::ResetAfter(500))),
        ("/cut", ok(&*body).fault(Fault::CloseAfter(500))),
        ("/cut-chunks", ok(&*body).chunked().fault(Fault::CloseAfter(0))),
        ("/too-long", ok(&*body).fault(Fault::Length(body.len() + 1))),
    ] {
        origin.script(path, [answer]);
        let cause = Reader::of(&origin.url(path)).cause().await;
        assert!(matches!(cause, Cause::Broken(_)), "{path}: {cause:?}");
    }
}

#[tokio::test]
async fn h11_a_tag_over_8_kib_is_neither_kept_nor_echoed() {
    let origin = Origin::start();
    let tag = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    origin.script("/long", [ok(rss(1)).etag(tag(8193)).last_modified(DATE)]);
    origin.script("/just", [ok(rss(1)).etag(tag(8192))]);
    for path in ["/long", "/just"] {
        Reader::of(&origin.url(path)).visits(2).await;
    }
    assert_eq!(said(&origin, "/long", "if-none-match"), ["-", "-"]);
    assert_eq!(said(&origin, "/long", "if-modified-since"), ["-", DATE]);
    assert_eq!(said(&origin, "/just", "if-none-match"), ["-".to_owned(), tag(8192)]);
}

#[tokio::test]
async fn h12_a_good_document_with_any_content_type_is_handed_on() {
    let origin = Origin::start();
    origin.script("/html", [ok(rss(1)).header("Content-Type", "text/html; charset=x")]);
    origin.script("/none", [ok(rss(1))]);
    for (path, expected) in [("/html", Some("text/html; charset=x")), ("/none", None)] {
        let Ok(FetchOutcome::Modified(modified)) = Reader::of(&origin.url(path)).visit().await else {
            panic!("{path}")
        };
        assert_eq!(modified.content_type.as_deref(), expected);
    }
    origin.script("/empty", [ok("")]);
    assert_eq!(Reader::of(&origin.url("/empty")).cause().await, Cause::Empty);
}

#[tokio::test]
async fn odd_but_usual_headers_are_forgiven() {
    let origin = Origin::start();
    let many = "X: y\r\n".repeat(110);
    let body = rss(1);
    let head =
        format!("HTTP/1.1 200 OK\r\nBad Header\r\nSpaced : x\r\n{many}Content-Length: {}\r\n\r\n{body}", body.len());
    origin.script("/feed", [fault(Fault::Raw(head.into_bytes()))]);
    assert_eq!(Reader::of(&origin.url("/feed")).document().await, body);
}

#[test]
fn what_went_wrong_is_told_in_words_without_the_query() {
    let url: Url = "https://news.example/feed?token=secret".parse().unwrap();
    let error = FetchError {
        url,
        status: Some(404),
        freshness: veille::fetch::Freshness::default(),
        cause: Cause::Status(404),
        redirected: true,
    };
    assert_eq!(
        error.to_string(),
        "HTTP 404: there is nothing at this address; the feed may have moved or closed (redirected to news.example)"
    );
}

// --- the origin itself -----------------------------------------------------------------------

#[tokio::test]
async fn a_forgetting_feed_shows_what_is_lost_when_a_validator_runs_ahead_of_its_items() {
    let origin = Origin::start();
    let feed = origin.feed("/news");
    feed.set_forgetting();
    feed.add(2);
    let mut reader = Reader::of(&origin.url("/news"));
    assert!(reader.document().await.contains("Item number 2"));
    assert!(matches!(reader.visit().await, Ok(FetchOutcome::NotModified(_))));
    assert!(feed.guids().is_empty(), "the tag claims that both were seen");
    feed.add(1);
    let document = reader.document().await;
    assert!(document.contains("Item number 3") && !document.contains("Item number 2"), "{document}");
    feed.set_failing(Some(status(500)));
    assert_eq!(reader.cause().await, Cause::Status(500));
    origin.set_down(true);
    assert!(matches!(reader.cause().await, Cause::Broken(_) | Cause::Connect(_)));
    assert_eq!(origin.wait_for("/news", 4).len(), 4);
}

// --- makers --------------------------------------------------------------------------------

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes.as_ref()).expect("memory");
    encoder.finish().expect("memory")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let fast = brotli::enc::BrotliEncoderParams { quality: 3, ..Default::default() };
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &fast).expect("memory");
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A certificate authority of the test's own.
pub(super) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    certificate: rcgen::Certificate,
}

fn server(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> rustls::ServerConfig {
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .expect("a certificate and its key")
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "An authority made for a test");
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { issuer: rcgen::Issuer::new(params, key), certificate }
    }

    /// A server that shows a certificate for `name`, valid between the starts of two years.
    pub(super) fn certificate(&self, name: &str, from_year: i32, to_year: i32) -> rustls::ServerConfig {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(from_year, 1, 1);
        params.not_after = rcgen::date_time_ymd(to_year, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        server(&params.signed_by(&key, &self.issuer).expect("a certificate"), &key)
    }

    /// A server whose certificate is signed by itself and says that it may sign others, as `openssl req -x509` makes them.
    fn of_itself(name: &str) -> rustls::ServerConfig {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        server(&params.self_signed(&key).expect("a certificate"), &key)
    }

    /// What a program is given to trust it.
    pub(super) fn root_pem(&self) -> String {
        self.certificate.pem()
    }

    /// Certificate and key for `name` as a web server reads them.
    fn pem(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("a name");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    fn trusting_client(&self) -> rustls::ClientConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.der().clone()).expect("a root");
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}
