//! Who may ask for what: visitors behind a web server, the limit of requests, the login. Checks W10 to W15.

use super::serving::{Answer, Watch};
use super::support::app::{ALL, App, feed_tables};
use super::support::origin::{Origin, ok, rss, status};
use rusqlite::{Connection, OpenFlags};
use veille::config::{Secret, Settings};
use veille::http::Limits;

const FRENCH_AI: &str = "/digests/french-ai.atom";

async fn start(adjust: impl FnOnce(&mut Settings)) -> Watch {
    Watch::start_with(Limits::default(), adjust).await
}

/// Behind a web server on this machine, whose word is taken.
async fn start_behind_proxy(adjust: impl FnOnce(&mut Settings)) -> Watch {
    start(|settings| {
        settings.http.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        adjust(settings);
    })
    .await
}

/// What this visitor gets of the web server before us.
async fn get_as(watch: &Watch, visitor: &str, path: &str, headers: &str) -> Answer {
    watch.get(path, &format!("X-Forwarded-For: {visitor}\r\n{headers}")).await
}

#[test]
fn w15_nobody_is_told_the_query_of_a_feeds_address_but_the_operator() {
    const UNTITLED: &str = "<rss version='2.0'><channel><link>https://site.test/</link>\
        <item><guid>1</guid><title>One</title><link>https://site.test/1</link></item></channel></rss>";
    let origin = Origin::start();
    origin.script("/untitled.xml", [ok(UNTITLED)]);
    origin.script("/feed.xml", [ok(rss(2)), status(500)]);
    let queries = [
        "/untitled.xml?key=s3cr3t",
        "/feed.xml?key=s3cr3t",
        "/feed.xml?key=s3cr3t-2",
        "/feed.xml?key=s3cr3t-3",
        "/itself.xml?key=s3cr3t-6",
    ];
    let urls = queries.map(|path| origin.url(path));
    // A document that refers to itself: by its address, by what has no path, in a text.
    let itself = format!(
        "<rss version='2.0'><channel><title>Itself</title><link>{}</link>\
         <item><guid>6</guid><title>Fragment</title><link>#six</link></item>\
         <item><guid isPermaLink='false'>7</guid><title>Note</title>\
         <description>&lt;p&gt;A &lt;a href='#note'&gt;note&lt;/a&gt;&lt;/p&gt;</description></item></channel></rss>",
        urls[4]
    );
    origin.script("/itself.xml", [ok(itself)]);
    let app = App::new(
        "interval = \"24h\"\nallow_private_addresses = true\n",
        &(feed_tables(&urls.each_ref().map(String::as_str)) + ALL),
    );
    app.poll(&["--force"]);
    // One has moved, the site of another offers an address, a third leads where another is polled.
    app.change(&format!(
        "UPDATE feeds SET fetch_url = '{0}/moved?s3cr3t-4' WHERE feed_id IN (2, 4); \
         INSERT INTO offered_addresses (feed_id, url, searched_at) VALUES (3, '{0}/offered?s3cr3t-5', 0); \
         UPDATE feeds SET failing_since_at = 1000, failure_count = 4 WHERE feed_id = 3;",
        origin.url("")
    ));
    app.poll(&["--force"]);
    let daemon = app.start();
    let mut told = String::new();
    for path in [
        "/",
        "/?q=one",
        "/feeds",
        "/items/1",
        "/stories/1",
        "/digests",
        "/digests/all",
        "/digests/all.atom",
        "/digests/all.rss",
        "/digests/all.json",
        "/digests/feed-health",
        "/digests/feed-health.atom",
        "/digests/feed-health.rss",
        "/digests/feed-health.json",
        "/digests.opml",
        "/healthz",
        "/metrics",
        "/api/v1/items",
        "/api/v1/items/1",
        "/api/v1/stories/1",
        "/api/v1/feeds",
        "/api/v1/digests/all",
        "/api/v1/status",
    ] {
        let answer = daemon.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains("s3cr3t"), "{path}: {}", answer.text());
        told += &answer.text();
    }
    for part in ["/untitled.xml", "/moved", "/offered", "/itself.xml", "/itself.xml#six", "/itself.xml#note"] {
        assert!(told.contains(&origin.url(part)), "{part} is told");
    }
    let found = |query: &str| daemon.json(&format!("/api/v1/items?q={query}"))["items"].as_array().unwrap().len();
    assert_eq!((found("feed:untitled.xml"), found("feed:s3cr3t*")), (1, 0), "nor may a search find it out");
    let (exported, listed) = (app.run(&["feeds", "export"]).stdout, app.run(&["feeds", "--json"]).stdout);
    for url in &urls {
        assert!(exported.contains(&format!("xmlUrl=\"{url}\"")), "{url}: {exported}");
        assert!(listed.contains(&format!("\"{url}\"")), "{url}: {listed}");
    }
    let twice = std::fs::read_to_string(app.directory().join("watch.toml")).unwrap() + &feed_tables(&[&urls[0]]);
    app.write("watch.toml", &twice);
    daemon.wait_for_line("is listed twice");
    for path in ["/", "/healthz", "/api/v1/status"] {
        let told = daemon.get(path).text();
        assert!(told.contains("/untitled.xml?…") && !told.contains("s3cr3t"), "{path}: {told}");
    }
    assert!(!daemon.log().concat().contains("s3cr3t"), "nor does the log: {:?}", daemon.log());
}

/// Its log is kept, by a journal often; what a command prints is for who runs it.
#[test]
fn s08_a_daemon_that_is_refused_its_config_tells_no_query() {
    let refused = |watch: &str, said: &str| {
        let app = App::new("", watch);
        app.write("list.opml", "<opml><outline xmlUrl=\"ftp://a.example/f?key=s3cr3t\"/></opml>");
        app.write(
            "veille.toml",
            &std::fs::read_to_string(app.config()).unwrap().replace("watch.toml", "*.toml\", \"*.opml"),
        );
        let told = app.run(&["run"]);
        assert_eq!(told.code(), 2, "{told:?}");
        assert!(told.stderr.contains(said), "{said}: {told:?}");
        assert!(!told.stderr.contains("s3cr3t"), "{told:?}");
        let checked = app.run(&["check"]);
        assert!(checked.stderr.contains(said), "{checked:?}");
    };
    let feed = "[[feeds]]\nurl = \"https://a.example/f?key=s3cr3t\"\n";
    refused(&format!("{feed}{feed}"), "https://a.example/f");
    refused(&feed.replace("https://", ""), "`a.example/f?…` is not a web address");
    refused(&feed.replace("https://", "ftp://"), "`ftp://a.example/f?…` is not a web address");
    refused(&format!("{feed}intervall = \"2h\"\n"), "unknown key");
    refused("feeds = [{ url = \"https://a.example/f?key=s3cr3t\", groupz = [] }]", "unknown key");
    let hook = "[[digests.d.webhooks]]\nurl = \"https://chat.example/s3cr3t\"\n";
    refused(&format!("[digests.d]\nquery = \"ai\"\n{hook}{hook}"), "a webhook at `chat.example` twice");
}

#[tokio::test]
async fn w14_too_many_requests_of_one_address_are_429_and_say_when_to_come_back() {
    let watch = start_behind_proxy(|settings| settings.http.requests_per_minute = 3).await;
    let first = get_as(&watch, "203.0.113.5", FRENCH_AI, "").await;
    assert_eq!(first.status, 200);
    let etag = format!("If-None-Match: {}\r\n", first.header("etag").unwrap());
    assert_eq!(get_as(&watch, "203.0.113.5", FRENCH_AI, &etag).await.status, 304);
    assert_eq!(get_as(&watch, "203.0.113.5", "/nothing-here", "").await.status, 404);

    let refused = get_as(&watch, "203.0.113.5", FRENCH_AI, "").await;
    assert_eq!(refused.status, 429);
    let wait_s: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=21).contains(&wait_s), "a third of a minute at most, not {wait_s} s");
    assert!(refused.text().contains(&format!("the next one may come in {wait_s} s")), "{}", refused.text());
    assert_eq!(get_as(&watch, "203.0.113.6", FRENCH_AI, "").await.status, 200, "another address has its own");
    let api = get_as(&watch, "203.0.113.5", "/api/v1/items", "").await;
    assert_eq!((api.status, api.header("content-type")), (429, Some("application/json")));
}

#[tokio::test]
async fn w14_an_ipv6_household_is_one_address() {
    let watch = start_behind_proxy(|settings| settings.http.requests_per_minute = 2).await;
    assert_eq!(get_as(&watch, "2001:db8:1:2::1", FRENCH_AI, "").await.status, 200);
    assert_eq!(get_as(&watch, "2001:db8:1:2::2", FRENCH_AI, "").await.status, 200);
    assert_eq!(get_as(&watch, "2001:db8:1:2:ffff::3", FRENCH_AI, "").await.status, 429);
    assert_eq!(get_as(&watch, "2001:db8:1:3::1", FRENCH_AI, "").await.status, 200);
}

#[tokio::test]
async fn w14_this_machine_has_no_limit_whatever_a_header_claims() {
    let watch = start(|settings| settings.http.requests_per_minute = 1).await;
    for round in 0..5 {
        assert_eq!(watch.get("/healthz", "").await.status, 200, "round {round}");
        // Nobody told us to trust this: it neither limits nor frees anybody.
        assert_eq!(get_as(&watch, "203.0.113.5", "/healthz", "").await.status, 200, "round {round}");
    }
}

#[tokio::test]
async fn w15_metrics_are_for_this_machine_and_not_for_who_comes_through_its_web_server() {
    let watch = start(|settings| settings.http.token = Some(Secret("token".into()))).await;
    assert_eq!(watch.get("/metrics", "").await.status, 200);
    for headers in [
        "X-Forwarded-For: 127.0.0.1\r\n",
        "X-Real-IP: 203.0.113.5\r\n",
        "Forwarded: for=203.0.113.5\r\n",
        "Via: 1.1 front\r\n",
    ] {
        let refused = watch.get("/metrics", headers).await;
        assert_eq!(refused.status, 401, "{headers}");
        assert!(!refused.text().contains("veille_items"), "{headers}");
    }
    assert_eq!(get_as(&watch, "203.0.113.5", "/metrics", "Authorization: Bearer token\r\n").await.status, 200);
    let nobody = start(|_| {}).await;
    assert_eq!(get_as(&nobody, "203.0.113.5", "/metrics", "Authorization: Bearer token\r\n").await.status, 403);
}

#[tokio::test]
async fn w12_the_bad_tries_of_one_visitor_do_not_lock_out_another() {
    let watch = start_behind_proxy(|settings| settings.http.token = Some(Secret("token".into()))).await;
    let (guess, token) = ("Authorization: Bearer guess\r\n", "Authorization: Bearer token\r\n");
    for _ in 0..10 {
        assert_eq!(get_as(&watch, "203.0.113.5", "/metrics", guess).await.status, 401);
    }
    let locked_out = get_as(&watch, "203.0.113.5", "/metrics", token).await;
    assert_eq!((locked_out.status, locked_out.header("retry-after")), (429, Some("60")));
    assert_eq!(get_as(&watch, "203.0.113.6", "/metrics", token).await.status, 200);
}

#[tokio::test]
async fn w12_a_rule_is_saved_by_nobody_without_the_login() {
    let body = "tag=french-ai&rule=x&action=save";
    let post = |headers: &str| {
        format!(
            "POST /rules HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let nobody = start(|_| {}).await;
    assert_eq!(nobody.send(&post("Authorization: Bearer token\r\n")).await.status, 403);
    let watch = start(|settings| settings.http.token = Some(Secret("token".into()))).await;
    let unknown = watch.send(&post("")).await;
    assert_eq!(unknown.status, 401);
    assert!(unknown.header("www-authenticate").unwrap().starts_with("Basic realm="));
    assert_eq!(watch.send(&post("Authorization: Bearer guess\r\n")).await.status, 401);
}

#[tokio::test]
async fn w11_get_and_head_change_nothing() {
    let watch = start(|_| {}).await;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(watch.directory.path().join("veille.db"), flags).unwrap();
    // Changes for this connection whenever another one has committed.
    let version = || database.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    for path in [
        "/",
        "/?q=mistral",
        "/feeds",
        "/digests",
        "/digests/french-ai",
        FRENCH_AI,
        "/digests.opml",
        "/tags/french-ai",
        "/items/1",
        "/rules?tag=french-ai&rule=x&action=save",
        "/api/v1/items",
        "/api/v1/feeds",
        "/healthz",
        "/readyz",
        "/metrics",
    ] {
        for method in ["GET", "HEAD"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let status = watch.send(&request).await.status;
            assert!(status < 500, "{method} {path}: {status}");
            assert_eq!(version(), before, "{method} {path}");
        }
    }
    watch.store.write(|tx| tx.hold_host("example.org:443", jiff::Timestamp::MAX, None)).await.unwrap();
    assert_ne!(version(), before, "a change would have been seen");
}

#[tokio::test]
async fn w12_pages_show_no_version_to_strangers() {
    let watch = start(|_| {}).await;
    for path in ["/", "/feeds", "/digests", "/rules", "/nothing-here", "/healthz", "/readyz", "/api/v1/feeds"] {
        let answer = watch.get(path, "").await;
        assert!(!answer.text().contains(env!("CARGO_PKG_VERSION")), "{path}");
        assert_eq!(answer.header("server"), None, "{path}");
    }
}
