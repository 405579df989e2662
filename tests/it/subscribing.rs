//! Subscriptions at hubs, against a scripted hub: what the hub is asked, what it may deliver, and what happens when
//! it fails, lies or falls silent.

use crate::support::app::{ALL, App, Daemon, PATIENCE, feed_tables, wait_until};
use crate::support::origin::{Origin, Request, ok, rss, status};
use hmac::digest::{FixedOutput, KeyInit, Update};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;

const DAY: i64 = 24 * 3600;
const USUAL: &str = "allow_private_addresses = true\n";

/// A feed of `count` items that names the origin's hub.
fn feed(origin: &Origin, count: usize) -> String {
    let links = format!(
        "<atom:link xmlns:atom=\"http://www.w3.org/2005/Atom\" rel=\"hub\" href=\"{}\"/>\
         <atom:link xmlns:atom=\"http://www.w3.org/2005/Atom\" rel=\"self\" href=\"{}\"/>",
        origin.url("/hub"),
        origin.url("/feed.xml")
    );
    rss(count).replace("<description>Made", &format!("{links}<description>Made"))
}

/// An origin with a feed of two items and a hub that accepts, and a config that subscribes.
fn watched() -> (Origin, App) {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(feed(&origin, 2)).etag("\"2\"")]);
    origin.script("/hub", [status(202)]);
    let app = App::new(USUAL, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    subscribing(&app);
    (origin, app)
}

fn subscribing(app: &App) {
    let text = std::fs::read_to_string(app.config()).expect("the config");
    app.write("veille.toml", &text.replace("[http]\n", "[http]\nsubscribe_to_hubs = true\n"));
}

/// The form that a hub was sent.
fn form(request: &Request) -> HashMap<String, String> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

/// Path of the address that the hub is to call.
fn callback(asked: &HashMap<String, String>) -> String {
    asked["hub.callback"].strip_prefix("http://watch.example").expect("our public address").to_owned()
}

/// Waits for the hub to be asked for the `count`th time.
fn asked(origin: &Origin, count: usize) -> HashMap<String, String> {
    form(&origin.wait_for("/hub", count)[count - 1])
}

fn verification(asked: &HashMap<String, String>, mode: &str, lease_s: i64) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("hub.mode", mode)
        .append_pair("hub.topic", &asked["hub.topic"])
        .append_pair("hub.challenge", "a challenge & more")
        .append_pair("hub.lease_seconds", &lease_s.to_string())
        .finish();
    format!("{}?{query}", callback(asked))
}

fn verify(daemon: &Daemon, asked: &HashMap<String, String>, lease_s: i64) {
    let answer = daemon.get(&verification(asked, "subscribe", lease_s));
    assert_eq!((answer.status, answer.text().as_str()), (200, "a challenge & more"));
}

fn post(daemon: &Daemon, path: &str, signature: Option<&str>, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(daemon.address()).expect("the daemon listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let signature = signature.map_or(String::new(), |value| format!("X-Hub-Signature: {value}\r\n"));
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/rss+xml\r\n\
         {signature}Content-Length: {}\r\n\r\n",
        daemon.address(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("a request");
    // A body that is refused unread ends in a broken pipe.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {text}"))
}

fn sign<M: KeyInit + Update + FixedOutput>(method: &str, secret: &str, body: &[u8]) -> String {
    let mut mac = M::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(body);
    let hex: String = mac.finalize_fixed().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{method}={hex}")
}

fn sha256(secret: &str, body: &[u8]) -> String {
    sign::<hmac::Hmac<sha2::Sha256>>("sha256", secret, body)
}

fn items(app: &App) -> i64 {
    app.ask("SELECT count(*) FROM items")
}

fn reason(app: &App) -> String {
    app.ask("SELECT next_check_reason FROM feeds")
}

/// Lets the feed be polled now by a new daemon, which is stopped again.
fn polled_once(origin: &Origin, app: &App) {
    let before = origin.requests("/feed.xml").len();
    app.change("UPDATE feeds SET next_check_at = 0, fresh_until_at = NULL");
    let daemon = app.start();
    origin.wait_for("/feed.xml", before + 1);
    wait_until(PATIENCE, || (app.ask::<i64>("SELECT next_check_at FROM feeds") > 0).then_some(())).expect("stored");
    daemon.stop();
}

#[test]
fn a_feed_that_names_a_hub_is_subscribed_to_and_what_is_delivered_is_stored_once() {
    let (origin, app) = watched();
    let daemon = app.start();
    let asked = asked(&origin, 1);
    assert_eq!(asked["hub.mode"], "subscribe");
    assert_eq!(asked["hub.topic"], origin.url("/feed.xml"));
    assert!(asked["hub.secret"].len() >= 40 && callback(&asked).len() >= 48, "{asked:?}");
    assert_ne!(asked["hub.secret"], callback(&asked)["/websub/".len()..]);
    verify(&daemon, &asked, 864_000);

    let (path, secret) = (callback(&asked), asked["hub.secret"].as_str());
    let document = feed(&origin, 4).into_bytes();
    let signatures = [
        sign::<hmac::Hmac<sha1::Sha1>>("sha1", secret, &document),
        sha256(secret, &document),
        sign::<hmac::Hmac<sha2::Sha384>>("sha384", secret, &document),
        sign::<hmac::Hmac<sha2::Sha512>>("sha512", secret, &document),
    ];
    for signature in &signatures {
        assert_eq!(post(&daemon, &path, Some(signature), &document) / 100, 2);
        assert_eq!(items(&app), 4, "stored when it is answered, and once");
    }
    assert!(daemon.get("/digests/all.atom").text().contains("number 4"));
    assert_eq!(app.ask::<i64>("SELECT overflow_count FROM feeds"), 0, "a delivery is no window");
    let (status, ..) = daemon.stop();
    assert!(status.success());
}

#[test]
fn what_is_not_signed_or_not_ours_is_dropped_and_whoever_sent_it_learns_nothing() {
    let (origin, app) = watched();
    let daemon = app.start();
    let asked = asked(&origin, 1);
    assert_eq!(daemon.get(&verification(&asked, "unsubscribe", 60)).status, 404, "we did not ask for that");
    let other_topic = verification(&asked, "subscribe", 60).replace("feed.xml", "other.xml");
    assert_eq!(daemon.get(&other_topic).status, 404);
    verify(&daemon, &asked, 864_000);
    let (path, secret) = (callback(&asked), asked["hub.secret"].as_str());
    let document = feed(&origin, 3).into_bytes();
    let right = sha256(secret, &document);
    let right_answer = post(&daemon, &path, Some(&right), &feed(&origin, 2).into_bytes());
    for wrong in
        [None, Some(""), Some("sha256=00"), Some("md5=abc"), Some(&right[..60]), Some(&sha256("no", &document))]
    {
        assert_eq!(post(&daemon, &path, wrong, &document), right_answer, "{wrong:?}");
    }
    assert_eq!(items(&app), 2, "nothing of it is stored");
    let nowhere = format!("/websub/{}", "0".repeat(40));
    assert_eq!(post(&daemon, &nowhere, Some(&right), &document), 410);
    let nowhere = verification(&asked, "subscribe", 60).replace(&path, &nowhere);
    assert_eq!(daemon.get(&nowhere).status, 404);
    let huge = vec![b' '; 17 << 20];
    assert_eq!(post(&daemon, &path, Some(&right), &huge), 413);
    let text = b"no feed at all";
    assert_eq!(post(&daemon, &path, Some(&sha256(secret, text)), text) / 100, 2, "not the hub's business");
    let log = daemon.stop().2.join("\n");
    assert!(!log.contains(&path) && !log.contains(secret), "no secret is logged");
}

#[test]
fn polling_is_rare_while_a_hub_delivers_and_as_before_when_it_does_not() {
    let (origin, app) = watched();
    let daemon = app.start();
    let asked = asked(&origin, 1);
    verify(&daemon, &asked, 864_000);
    daemon.stop();
    polled_once(&origin, &app);
    assert!(reason(&app).starts_with("its hub delivers"), "{}", reason(&app));
    let wait_ms: i64 = app.ask("SELECT next_check_at - last_refresh_at FROM feeds");
    assert_eq!(wait_ms / 60_000, 12 * 60);

    // A lease that is about to end: polled when it does.
    app.change("UPDATE subscriptions SET expires_at = (SELECT last_refresh_at FROM feeds) + 7200000");
    polled_once(&origin, &app);
    let wait_ms: i64 = app.ask("SELECT next_check_at - last_refresh_at FROM feeds");
    assert!(wait_ms <= 7_200_000, "{wait_ms}");
    app.change("UPDATE subscriptions SET expires_at = 1000");
    polled_once(&origin, &app);
    assert!(!reason(&app).starts_with("its hub"), "{}", reason(&app));

    // A hub that keeps news to itself is not relied upon until it delivers again.
    let ends: i64 = jiff::Timestamp::now().as_millisecond() + 9 * DAY * 1_000;
    app.change(&format!("UPDATE subscriptions SET expires_at = {ends}"));
    origin.script("/feed.xml", [ok(feed(&origin, 3)).etag("\"3\"")]);
    polled_once(&origin, &app);
    polled_once(&origin, &app);
    assert!(!reason(&app).starts_with("its hub"), "{}", reason(&app));
    let daemon = app.start();
    let document = feed(&origin, 3).into_bytes();
    post(&daemon, &callback(&asked), Some(&sha256(&asked["hub.secret"], &document)), &document);
    daemon.stop();
    polled_once(&origin, &app);
    assert!(reason(&app).starts_with("its hub"), "{}", reason(&app));

    // A hub that denies is left, and the feed polled at once.
    let daemon = app.start();
    let before = origin.requests("/feed.xml").len();
    assert_eq!(daemon.get(&verification(&asked, "denied", 0)).status, 200);
    origin.wait_for("/feed.xml", before + 1);
    daemon.stop();
    assert_eq!(app.ask::<String>("SELECT state FROM subscriptions"), "denied");
    assert!(!reason(&app).starts_with("its hub"), "{}", reason(&app));
}

#[test]
fn a_subscription_survives_a_restart_and_is_renewed_before_its_lease_ends() {
    let (origin, app) = watched();
    let daemon = app.start();
    let first = asked(&origin, 1);
    verify(&daemon, &first, 10_000);
    daemon.kill();
    let left_s = "SELECT (expires_at - next_try_at) / 1000 FROM subscriptions";
    assert_eq!(app.ask::<i64>(left_s), 2_000, "after four fifths");
    let daemon = app.start();
    let document = feed(&origin, 3).into_bytes();
    assert_eq!(post(&daemon, &callback(&first), Some(&sha256(&first["hub.secret"], &document)), &document) / 100, 2);
    assert_eq!((items(&app), origin.requests("/hub").len()), (3, 1), "the same address and secret, and no new request");
    daemon.stop();
    app.change("UPDATE subscriptions SET next_try_at = 0");
    let daemon = app.start();
    let again = asked(&origin, 2);
    assert_eq!((&again["hub.callback"], &again["hub.secret"]), (&first["hub.callback"], &first["hub.secret"]));
    assert_eq!(app.ask::<String>("SELECT state FROM subscriptions"), "active", "in force while it is renewed");
    verify(&daemon, &again, 20_000);
    assert_eq!(app.ask::<i64>("SELECT tries FROM subscriptions"), 0);
}

#[test]
fn a_hub_that_is_down_or_refuses_is_asked_later_and_the_feed_polled_as_any_other() {
    let (origin, app) = watched();
    origin.script("/hub", [status(500)]);
    let daemon = app.start();
    asked(&origin, 1);
    daemon.wait_for_line("the hub cannot be subscribed to");
    daemon.stop();
    let wait = "SELECT (next_try_at - (SELECT last_refresh_at FROM feeds)) / 60000 FROM subscriptions";
    assert!((9..=11).contains(&app.ask::<i64>(wait)), "{}", app.ask::<i64>(wait));
    assert!(app.ask::<String>("SELECT last_error FROM subscriptions").contains("500"));
    polled_once(&origin, &app);
    assert!(!reason(&app).starts_with("its hub"), "{}", reason(&app));
    assert_eq!(origin.requests("/hub").len(), 1, "not before its time, whatever restarts");
}

#[test]
fn nothing_is_asked_of_hubs_unless_the_config_says_so() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(feed(&origin, 2))]);
    let app = App::new(USUAL, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    app.poll(&[]);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM subscriptions"), 0);
    let daemon = app.start();
    assert_eq!(daemon.get(&format!("/websub/{}", "0".repeat(40))).status, 404);
    daemon.stop();
    assert_eq!(origin.canary_hits().len(), 0, "the hub is no address that was asked for");
    let text = std::fs::read_to_string(app.config()).expect("the config");
    let without = text
        .replace("public_url = \"http://watch.example\"\n", "")
        .replace("[http]\n", "[http]\nsubscribe_to_hubs = true\n");
    app.write("veille.toml", &without);
    let checked = app.run(&["check"]);
    assert!(
        checked.stderr.contains("`subscribe_to_hubs` needs `public_url`")
            || checked.stdout.contains("needs `public_url`"),
        "{checked:?}"
    );
}

#[test]
fn link_headers_name_a_hub_and_go_before_the_document() {
    let origin = Origin::start();
    let link = format!("<{}>; rel=\"hub\", <{}>; rel=\"self\"", origin.url("/hub"), origin.url("/topic"));
    origin.script("/feed.xml", [ok(feed(&origin, 2).replace("/hub\"", "/another-hub\"")).header("Link", link)]);
    origin.script("/hub", [status(202)]);
    let app = App::new(USUAL, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    subscribing(&app);
    let _daemon = app.start();
    assert_eq!(asked(&origin, 1)["hub.topic"], origin.url("/topic"));
}

/// What the hub asks back before it ends a subscription.
fn ending(asked: &HashMap<String, String>) -> String {
    verification(asked, "unsubscribe", 0)
}

#[test]
fn a_subscription_ends_when_its_feed_leaves_the_config_and_the_hub_is_told_once() {
    let (origin, app) = watched();
    let daemon = app.start();
    let first = asked(&origin, 1);
    verify(&daemon, &first, 864_000);
    app.write("watch.toml", ALL);
    daemon.signal("HUP");
    let last = asked(&origin, 2);
    assert_eq!((last["hub.mode"].as_str(), last.get("hub.secret")), ("unsubscribe", None));
    assert_eq!((&last["hub.topic"], &last["hub.callback"]), (&first["hub.topic"], &first["hub.callback"]));
    assert_eq!(daemon.get(&ending(&last).replace("feed.xml", "other.xml")).status, 404, "not what we asked for");
    assert_eq!(daemon.get(&ending(&last)).text(), "a challenge & more");
    assert_eq!(daemon.get(&ending(&last)).status, 404, "it has ended");
    let document = feed(&origin, 3).into_bytes();
    assert_eq!(post(&daemon, &callback(&first), Some(&sha256(&first["hub.secret"], &document)), &document), 410);
    daemon.stop();
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM subscriptions"), 0);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM ended_subscriptions"), 0);
}

#[test]
fn all_subscriptions_end_when_they_are_no_longer_wanted_and_the_feed_is_polled_at_once() {
    let (origin, app) = watched();
    let daemon = app.start();
    let first = asked(&origin, 1);
    verify(&daemon, &first, 864_000);
    daemon.stop();
    polled_once(&origin, &app);
    assert!(reason(&app).starts_with("its hub delivers"), "{}", reason(&app));
    let text = std::fs::read_to_string(app.config()).expect("the config");
    app.write("veille.toml", &text.replace("subscribe_to_hubs = true\n", ""));
    let before = origin.requests("/feed.xml").len();
    let daemon = app.start();
    origin.wait_for("/feed.xml", before + 1);
    let last = asked(&origin, 2);
    assert_eq!(last["hub.mode"], "unsubscribe");
    assert_eq!(daemon.get(&ending(&last)).text(), "a challenge & more");
    daemon.stop();
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM ended_subscriptions"), 0);
}

#[test]
fn a_feed_that_names_another_hub_leaves_the_first_and_a_hub_that_is_silent_is_let_go() {
    let (origin, app) = watched();
    origin.script("/other-hub", [status(202)]);
    let daemon = app.start();
    let first = asked(&origin, 1);
    verify(&daemon, &first, 864_000);
    daemon.stop();
    origin.script("/feed.xml", [ok(feed(&origin, 2).replace("/hub\"", "/other-hub\""))]);
    polled_once(&origin, &app);
    let daemon = app.start();
    assert_eq!(form(&origin.wait_for("/other-hub", 1)[0])["hub.mode"], "subscribe");
    let last = asked(&origin, 2);
    assert_eq!((&last["hub.mode"], &last["hub.callback"]), (&"unsubscribe".to_owned(), &first["hub.callback"]));
    daemon.stop();
    let wait: i64 = app.ask("SELECT next_try_at FROM ended_subscriptions");
    assert!(wait > jiff::Timestamp::now().as_millisecond() + 8 * 60_000, "asked again, but not at once");
    app.change("UPDATE ended_subscriptions SET tries = 5, next_try_at = 0");
    let _daemon = app.start();
    let forgotten = || (app.ask::<i64>("SELECT count(*) FROM ended_subscriptions") == 0).then_some(());
    wait_until(PATIENCE, forgotten).expect("its lease will end");
    assert_eq!(origin.requests("/hub").len(), 2);
}

#[test]
fn a_teaser_that_a_hub_delivers_edited_takes_no_article_away_and_is_no_new_item() {
    let origin = Origin::start();
    let teaser = |words: &str| {
        let item = format!(
            "<item><guid isPermaLink=\"false\">1</guid><title>A merger</title><link>{}</link>\
             <description>{words}</description></item></channel>",
            origin.url("/article")
        );
        feed(&origin, 0).replace("</channel>", &item)
    };
    let words =
        "The regulator said, in its statement, that a cartel of makers had fixed the price of paper. ".repeat(24);
    let page = format!("<html><body><article><p>{words}</p></article></body></html>");
    origin.script("/feed.xml", [ok(teaser("In short.")).etag("\"1\"")]);
    origin.script("/article", [ok(page).header("Content-Type", "text/html")]);
    origin.script("/hub", [status(202)]);
    let listed = format!("[[feeds]]\nurl = \"{}\"\nfull_text = true\n{ALL}", origin.url("/feed.xml"));
    let app = App::new(USUAL, &listed);
    subscribing(&app);
    let daemon = app.start();
    let asked = asked(&origin, 1);
    verify(&daemon, &asked, 864_000);
    let has_article = "SELECT content_text LIKE '%a cartel of makers%' FROM items";
    wait_until(PATIENCE, || app.ask::<bool>(has_article).then_some(())).expect("the page was read");
    let last_new_item_at: i64 = app.ask("SELECT last_new_item_at FROM feeds");
    let edited = teaser("In short, edited.").into_bytes();
    post(&daemon, &callback(&asked), Some(&sha256(&asked["hub.secret"], &edited)), &edited);
    assert_eq!(app.ask::<String>("SELECT summary FROM items"), "In short, edited.");
    assert!(app.ask::<bool>(has_article), "{}", app.ask::<String>("SELECT content_text FROM items"));
    assert_eq!(app.ask::<i64>("SELECT last_new_item_at FROM feeds"), last_new_item_at);
}
