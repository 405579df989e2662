//! What is pushed: webhooks, mail, and `WebSub`, seen by receivers that fail, are slow to like us, or leave.

use crate::support;
use crate::support::app::{App, Daemon, FAST, PATIENCE, Response, limit_file_size, wait_until};
use crate::support::origin::{Origin, Request, ok, status};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::Sha256;
use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use veille::model::{ConfiguredDigest, DigestName, SubscriptionRequest};
use veille::store::{HubLimits, Store};

const SECRET: &str = "between us";
/// Long enough for a delivery to come that should not.
const A_WHILE: Duration = Duration::from_secs(4);

fn hmac(key: &str, message: &[u8]) -> Vec<u8> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    hmac.update(message);
    hmac.finalize().into_bytes().to_vec()
}

fn delivered(app: &App) -> i64 {
    app.ask("SELECT count(*) FROM deliveries WHERE state = 'delivered'")
}

fn wait_for_delivered(app: &App, count: i64) {
    let found = wait_until(PATIENCE, || (delivered(app) == count).then_some(()));
    assert!(found.is_some(), "{} delivered, {count} expected", delivered(app));
}

/// A retry is as if its time had come.
fn hurry(app: &App) {
    app.change("UPDATE deliveries SET next_try_at = 0 WHERE state = 'waiting'; UPDATE outputs SET held_until_at = 0");
}

fn webhook_watch(origin: &Origin) -> String {
    format!(
        "[[feeds]]\nurl = \"{}\"\n[digests.all]\nquery = \"published>=1970-01-02\"\n\
         [[digests.all.webhooks]]\nurl = \"{}\"\nsecret = {{ file = \"hook.secret\" }}\n",
        origin.url("/news.xml"),
        origin.url("/hook")
    )
}

fn hooked(origin: &Origin) -> App {
    let app = App::new(FAST, "");
    app.write("hook.secret", &format!("{SECRET}\n"));
    app.write("watch.toml", &webhook_watch(origin));
    app
}

fn checked_body(request: &Request) -> Value {
    let id = request.header("webhook-id").expect("an id");
    let timestamp = request.header("webhook-timestamp").expect("a timestamp");
    let signed = [format!("{id}.{timestamp}.").as_bytes(), &request.body].concat();
    let expected = format!("v1,{}", BASE64_STANDARD.encode(hmac(SECRET, &signed)));
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["id"], id);
    body
}

#[test]
fn a_webhook_gets_each_entry_through_failure_and_restart_and_an_edit_is_no_news() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(2);
    origin.script("/hook", [status(500)]);
    let app = hooked(&origin);
    let daemon = app.start();
    let first = origin.wait_for("/hook", 1).remove(0);
    daemon.wait_for_line("a delivery failed: it answered 500");
    let shown = app.run(&["digests", "show", "all"]).stdout;
    assert!(shown.contains("2 waiting") && shown.contains("it answered 500"), "{shown}");
    assert!(app.run(&["status"]).stdout.contains("failing     webhook of all"), "status names it");
    daemon.kill();
    assert_eq!(delivered(&app), 0);

    hurry(&app);
    origin.script("/hook", [status(204)]);
    let daemon = app.start();
    wait_for_delivered(&app, 2);
    let tries = origin.requests("/hook");
    assert_eq!(tries.len(), 3, "one failure and two successes");
    assert_eq!(tries[1].header("webhook-id"), first.header("webhook-id"), "a try again has the same id");
    let bodies: Vec<Value> = tries.iter().map(checked_body).collect();
    assert_eq!((&bodies[1]["version"], &bodies[1]["event"]), (&Value::from(1), &Value::from("entry")));
    assert_eq!(bodies[1]["digest"]["name"], "all");
    assert_ne!(bodies[1]["entry"]["id"], bodies[2]["entry"]["id"]);

    feed.retitle(1, "Another headline for the same story");
    feed.add(1);
    wait_for_delivered(&app, 3);
    thread::sleep(A_WHILE);
    assert_eq!(origin.requests("/hook").len(), 4, "the edit was pushed, or something twice");
    drop(daemon);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM deliveries"), 3);
}

#[test]
fn what_a_new_digest_finds_in_the_archive_is_not_pushed() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(5);
    origin.script("/hook", [status(200)]);
    let app = hooked(&origin);
    let whole = webhook_watch(&origin);
    app.write("watch.toml", whole.split("[digests").next().unwrap());
    app.poll(&[]);
    app.write("watch.toml", &whole);
    assert_eq!(app.run(&["retag"]).code(), 0);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM digest_entries"), 5);
    let daemon = app.start();
    feed.add(1);
    wait_for_delivered(&app, 1);
    thread::sleep(A_WHILE);
    assert_eq!(origin.requests("/hook").len(), 1);
    drop(daemon);
}

/// One delivery, whose first try was refused and whose next will be taken.
fn refused_once() -> (Origin, App, Daemon) {
    let origin = Origin::start();
    origin.feed("/news.xml").add(1);
    origin.script("/hook", [status(500), status(204)]);
    let app = hooked(&origin);
    let daemon = app.start();
    daemon.wait_for_line("a delivery failed: it answered 500");
    (origin, app, daemon)
}

#[test]
fn what_a_full_disk_lets_nobody_note_is_not_delivered_again_and_again() {
    let (origin, app, daemon) = refused_once();
    limit_file_size(daemon.pid(), "1:unlimited");
    daemon.wait_for_line("no delivery can be noted; none is made for a minute");
    thread::sleep(A_WHILE);
    assert_eq!(origin.requests("/hook").len(), 1, "it was told what cannot be noted");
    let log = daemon.kill();
    assert_eq!(log.iter().filter(|line| line.contains("no delivery can be noted")).count(), 1, "{log:#?}");

    hurry(&app);
    let _daemon = app.start();
    wait_for_delivered(&app, 1);
    assert_eq!(origin.requests("/hook").len(), 2);
}

#[test]
fn a_delivery_put_off_by_a_clock_that_was_set_back_is_made() {
    let (_origin, app, daemon) = refused_once();
    daemon.kill();
    let in_a_month = Timestamp::now() + SignedDuration::from_hours(30 * 24);
    let put_off = "UPDATE deliveries SET next_try_at = {}; UPDATE outputs SET held_until_at = {}";
    app.change(&put_off.replace("{}", &in_a_month.as_millisecond().to_string()));
    let _daemon = app.start();
    wait_for_delivered(&app, 1);
}

#[test]
fn a_webhook_that_answers_410_is_left_alone_and_retry_after_is_kept() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(3);
    origin.script("/hook", [status(503).retry_after("3600")]);
    let app = hooked(&origin);
    let daemon = app.start();
    daemon.wait_for_line("a delivery failed: it answered 503");
    let wait_s = "SELECT (held_until_at - max(created_at)) / 1000 FROM deliveries JOIN outputs USING (output_id)";
    let waits = wait_until(PATIENCE, || Some(app.ask::<i64>(wait_s)).filter(|seconds| *seconds >= 3_590));
    assert!(waits.is_some(), "all three wait as the receiver asked");
    daemon.kill();
    hurry(&app);
    origin.script("/hook", [status(410)]);
    let daemon = app.start();
    daemon.wait_for_line("nothing more is delivered there");
    feed.add(1);
    let stored = wait_until(PATIENCE, || (app.ask::<i64>("SELECT count(*) FROM items") == 4).then_some(()));
    assert!(stored.is_some());
    thread::sleep(A_WHILE);
    assert_eq!(origin.requests("/hook").len(), 2);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM deliveries WHERE state = 'given_up'"), 3);
    assert!(app.run(&["digests"]).stdout.contains("stopped"));
    drop(daemon);
}

#[test]
fn what_comes_while_a_receiver_wants_peace_waits_behind_what_failed() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(1);
    origin.script("/hook", [status(503).retry_after("3600")]);
    let app = hooked(&origin);
    let daemon = app.start();
    daemon.wait_for_line("a delivery failed: it answered 503");
    feed.add(1);
    let noted = "SELECT count(*) FROM deliveries";
    assert!(wait_until(PATIENCE, || (app.ask::<i64>(noted) == 2).then_some(())).is_some());
    thread::sleep(A_WHILE);
    assert_eq!(origin.requests("/hook").len(), 1);
    daemon.kill();

    // And whoever goes on: the wait is the receiver's.
    feed.add(1);
    let polled = app.poll(&["--force"]);
    assert_eq!((&polled["items_added"], &polled["delivered"]), (&1.into(), &0.into()), "{polled}");
    assert_eq!(origin.requests("/hook").len(), 1);
    let waits = app.run(&["digests", "--json"]).json();
    let next = &waits[0]["outputs"][0]["next_try_at"];
    let next: Timestamp = next.as_str().unwrap_or_else(|| panic!("{waits}")).parse().unwrap();
    assert!(next.duration_since(Timestamp::now()).as_secs() > 3_500, "{waits}");
}

#[test]
fn what_comes_while_a_try_is_under_way_waits_behind_it_after_a_kill_too() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(1);
    origin.script("/hook", [status(200).delay(PATIENCE)]);
    let app = hooked(&origin);
    let daemon = app.start();
    origin.wait_until(PATIENCE, |log| log.iter().any(|request| request.target == "/hook"));
    daemon.kill();

    feed.add(1);
    origin.script("/hook", [status(200)]);
    let polled = app.poll(&["--force"]);
    assert_eq!((&polled["items_added"], &polled["delivered"]), (&1.into(), &0.into()), "{polled}");
    hurry(&app);
    assert_eq!(app.poll(&["--force"])["delivered"], 2);
    let ids: Vec<Value> = origin.requests("/hook").iter().map(|request| checked_body(request)["id"].clone()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "the first is first again: {ids:?}");
}

/// Who calls `poll` from cron has no daemon that would deliver later.
#[test]
fn a_poll_makes_the_deliveries_that_are_due_before_it_ends() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(2);
    origin.script("/hook", [status(200), status(500)]);
    let app = hooked(&origin);
    let polled = app.poll(&["--force"]);
    assert_eq!((&polled["delivered"], &polled["deliveries_failed"]), (&1.into(), &1.into()), "{polled}");
    assert_eq!(origin.requests("/hook").len(), 2);

    let polled = app.poll(&["--force"]);
    assert_eq!(polled["delivered"], 0, "the second waits for its time: {polled}");
    hurry(&app);
    origin.script("/hook", [status(200)]);
    let polled = app.run(&["poll", "--force"]);
    assert!(polled.stdout.contains("1 delivered, 0 deliveries failed"), "{polled:?}");
    assert_eq!(delivered(&app), 2);
    let tries: Vec<Value> = origin.requests("/hook").iter().map(checked_body).collect();
    assert_eq!(tries[1]["id"], tries[2]["id"]);
}

/// A mail server that does, connection by connection, what it was told.
struct MailServer {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Manner {
    TryLater,
    HangUpInData,
    Accept,
}

impl MailServer {
    /// After the last of `manners` it accepts.
    fn start(manners: impl IntoIterator<Item = Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let (kept, mut manners) = (Arc::clone(&mails), manners.into_iter().collect::<VecDeque<_>>());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let manner = manners.pop_front().unwrap_or(Manner::Accept);
                // A client that leaves in the middle is what these tests are about.
                let _ = Self::talk(&stream.unwrap(), manner, &kept);
            }
        });
        Self { address, mails }
    }

    fn talk(stream: &TcpStream, manner: Manner, mails: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let (mut reader, mut writer) = (BufReader::new(stream), stream);
        writer.write_all(b"220 sink\r\n")?;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            let answer = match line.get(..4).unwrap_or_default() {
                "EHLO" => "250 sink",
                "MAIL" if manner == Manner::TryLater => "451 the disk is full, try later",
                "DATA" => {
                    writer.write_all(b"354 go on\r\n")?;
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") {
                        reader.read_line(&mut mail)?;
                        if manner == Manner::HangUpInData {
                            return Ok(());
                        }
                    }
                    mails.lock().unwrap().push(mail);
                    "250 taken"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            writer.write_all(format!("{answer}\r\n").as_bytes())?;
            line.clear();
        }
        Ok(())
    }
}

#[test]
fn an_issue_is_one_mail_a_reader_through_refusal_hang_up_and_restart() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(2);
    let server = MailServer::start([Manner::TryLater, Manner::HangUpInData]);
    // An issue a second, of which only the first has stories.
    let watch = format!(
        "[smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nfrom = \"veille <veille@watch.example>\"\n\
         [[feeds]]\nurl = \"{}\"\n[digests.often]\ntitle = \"Often – à l'heure\"\nquery = \"published>=1970-01-02\"\n\
         cron = \"* * * * * *\"\nemail = {{ to = [\"reader@mail.example\"] }}\n",
        server.address.port(),
        origin.url("/news.xml")
    );
    let app = App::new(FAST, &watch);
    for failure in ["451", "did not take it"] {
        let daemon = app.start();
        daemon.wait_for_line(failure);
        daemon.kill();
        assert_eq!(delivered(&app), 0);
        hurry(&app);
    }
    let daemon = app.start();
    wait_for_delivered(&app, 1);
    thread::sleep(A_WHILE);
    drop(daemon);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM deliveries"), 1, "one issue, one mail");
    let mails = server.mails.lock().unwrap();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    for line in ["From: ", "To: reader@mail.example", "Message-ID: <", "Date: ", "List-Unsubscribe: <mailto:"] {
        assert!(mail.contains(line), "no {line} in {mail}");
    }
    for part in
        ["multipart/alternative", "text/plain; charset=utf-8", "text/html; charset=utf-8", "Item number 1", "<h1>"]
    {
        assert!(mail.contains(part), "no {part} in {mail}");
    }
    assert!(!mail.to_ascii_lowercase().contains("<script"));
}

fn with_hub(app: &App) {
    let text = std::fs::read_to_string(app.config()).unwrap();
    app.write("veille.toml", &text.replace("[fetch]", "hub = true\n[fetch]"));
}

fn ask_hub(daemon: &Daemon, mode: &str, topic: &str, callback: &str) -> Response {
    let fields = [
        ("hub.mode", mode),
        ("hub.topic", topic),
        ("hub.callback", callback),
        ("hub.secret", SECRET),
        ("hub.lease_seconds", "600"),
    ];
    daemon.post("/hub", &fields, &[])
}

fn query_of(request: &Request) -> BTreeMap<String, String> {
    let (_, query) = request.target.split_once('?').unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A subscriber that means it, and takes what it is sent.
fn subscribe_willingly(origin: &Origin, path: &str) {
    origin.serve(path, |request| match query_of(request).remove("hub.challenge") {
        Some(challenge) => ok(challenge),
        None => status(204),
    });
}

fn pushes(origin: &Origin, path: &str) -> Vec<Request> {
    origin.log().into_iter().filter(|request| request.method == "POST" && request.target.starts_with(path)).collect()
}

const TOPIC: &str = "http://watch.example/digests/all.atom";

#[test]
fn a_subscriber_of_the_hub_is_asked_back_and_sent_the_signed_document_until_it_says_410() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(1);
    let app = App::watching(&[&origin.url("/news.xml")]);
    with_hub(&app);
    let daemon = app.start();
    let document =
        wait_until(PATIENCE, || Some(daemon.get("/digests/all.atom")).filter(|r| r.text().contains("<entry>")));
    let document = document.expect("the feed is polled");
    assert_eq!(
        document.header("link"),
        Some("<http://watch.example/hub>; rel=\"hub\", <http://watch.example/digests/all.atom>; rel=\"self\"")
    );
    assert!(document.text().contains("<link rel=\"hub\" href=\"http://watch.example/hub\"/>"), "{}", document.text());

    subscribe_willingly(&origin, "/cb");
    let callback = origin.url("/cb?reader=7");
    assert_eq!(ask_hub(&daemon, "subscribe", TOPIC, &callback).status, 202);
    let asked = origin.wait_until(PATIENCE, |log| log.iter().any(|request| request.target.starts_with("/cb")));
    let asked = query_of(asked.iter().find(|request| request.target.starts_with("/cb")).expect("asked back"));
    assert_eq!((asked["hub.mode"].as_str(), asked["hub.topic"].as_str()), ("subscribe", TOPIC));
    assert_eq!((asked["reader"].as_str(), asked["hub.lease_seconds"].as_str()), ("7", "600"));
    daemon.wait_for_line("hub: confirmed");

    feed.add(1);
    origin.wait_until(PATIENCE, |log| log.iter().any(|request| request.method == "POST"));
    let push = pushes(&origin, "/cb").remove(0);
    assert_eq!(push.header("content-type"), Some("application/atom+xml; charset=utf-8"));
    let hex: String = hmac(SECRET, &push.body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(push.header("x-hub-signature"), Some(format!("sha256={hex}").as_str()));
    let links: Vec<&[u8]> =
        push.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link")).map(|(_, v)| &**v).collect();
    assert_eq!(links.len(), 2, "self and hub");
    let served = wait_until(PATIENCE, || Some(daemon.get("/digests/all.atom").body == push.body).filter(|same| *same));
    assert!(served.is_some(), "what is pushed is what is served");

    origin.script("/cb", [status(410)]);
    feed.add(1);
    daemon.wait_for_line("nothing more is delivered there");
    let gone = wait_until(PATIENCE, || (app.ask::<i64>("SELECT count(*) FROM outputs") == 0).then_some(()));
    assert!(gone.is_some(), "the subscription has ended");
}

#[test]
fn the_hub_takes_neither_a_strangers_document_nor_a_reader_that_did_not_mean_it() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(1);
    let app = App::watching(&[&origin.url("/news.xml")]);
    let off = app.start();
    assert_eq!(ask_hub(&off, "subscribe", TOPIC, "https://reader.example/").status, 404, "off unless configured");
    off.kill();
    with_hub(&app);
    let daemon = app.start();
    let callback = origin.url("/cb");
    for (mode, topic, callback) in [
        ("subscribe", "https://elsewhere.example/feed.atom", callback.as_str()),
        ("subscribe", "http://watch.example/digests/none.atom", callback.as_str()),
        ("publish", TOPIC, callback.as_str()),
        ("subscribe", TOPIC, "ftp://reader.example/"),
        ("subscribe", TOPIC, "http://user:pass@reader.example/"),
        ("subscribe", TOPIC, "http://watch.example/hub"),
    ] {
        assert_eq!(ask_hub(&daemon, mode, topic, callback).status, 400, "{mode} {topic} {callback}");
    }
    origin.script("/cb", [ok("yes of course")]);
    assert_eq!(ask_hub(&daemon, "subscribe", TOPIC, &callback).status, 202);
    daemon.wait_for_line("hub: not confirmed");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM outputs"), 0);

    let refusals =
        (0..30).filter(|n| ask_hub(&daemon, "subscribe", TOPIC, &origin.url(&format!("/cb/{n}"))).status == 429);
    assert!(refusals.count() > 0, "one host cannot fill the hub");
}

#[test]
fn the_hub_asks_nobody_at_a_private_address() {
    let origin = Origin::start();
    let app = App::new("", crate::support::app::ALL);
    with_hub(&app);
    let daemon = app.start();
    assert_eq!(ask_hub(&daemon, "subscribe", TOPIC, &origin.url("/cb")).status, 202);
    let line = daemon.wait_for_line("hub: not confirmed");
    assert!(line.contains("loopback"), "{line}");
    assert!(origin.log().is_empty());
}

#[test]
fn a_hub_elsewhere_is_told_once_of_many_changes() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(20);
    origin.script("/elsewhere", [status(204)]);
    let app = App::watching(&[&origin.url("/news.xml")]);
    let text = std::fs::read_to_string(app.config()).unwrap();
    app.write("veille.toml", &text.replace("[fetch]", &format!("hubs = [\"{}\"]\n[fetch]", origin.url("/elsewhere"))));
    let daemon = app.start();
    let ping = origin.wait_for("/elsewhere", 1).remove(0);
    let body = String::from_utf8(ping.body).unwrap();
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert!(fields.contains(&("hub.mode".into(), "publish".into())), "{body}");
    assert!(fields.contains(&("hub.url".into(), TOPIC.into())), "{body}");
    thread::sleep(A_WHILE);
    assert_eq!(origin.requests("/elsewhere").len(), 1);
    drop(daemon);
}

fn link_of(document: &str, relation: &str) -> Option<String> {
    let (_, rest) = document.split_once(&format!("<link rel=\"{relation}\" href=\""))?;
    Some(rest.split('"').next().unwrap_or(rest).to_owned())
}

fn entry_ids(document: &str) -> Vec<String> {
    let entries = document.split("<entry>").skip(1);
    entries
        .map(|entry| entry.split("<id>").nth(1).and_then(|rest| rest.split("</id>").next()).unwrap().to_owned())
        .collect()
}

#[test]
fn the_archive_holds_every_entry_once_and_a_complete_document_does_not_change() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(5);
    let watch = format!(
        "[[feeds]]\nurl = \"{}\"\n[digests.all]\nquery = \"published>=1970-01-02\"\nlimit = 2\n",
        origin.url("/news.xml")
    );
    let app = App::new(FAST, &watch);
    app.poll(&["--force"]);
    let daemon = app.start();
    let path = |url: &str| url.strip_prefix("http://watch.example").expect("our address").to_owned();
    let newest = daemon.get("/digests/all.atom").text();
    assert!(link_of(&newest, "current").is_none() && !newest.contains("fh:archive"), "{newest}");

    let mut address = link_of(&newest, "prev-archive").expect("two documents are complete");
    let mut archived = Vec::new();
    let mut documents = Vec::new();
    loop {
        let document = daemon.get(&path(&address)).text();
        assert!(document.contains("<fh:archive"), "{document}");
        assert_eq!(link_of(&document, "self"), Some(address.clone()));
        assert_eq!(link_of(&document, "current").as_deref(), Some(TOPIC));
        archived.extend(entry_ids(&document));
        let older = link_of(&document, "prev-archive");
        documents.push((address, document));
        let Some(older) = older else { break };
        address = older;
    }
    assert_eq!(documents.len(), 2);
    assert_eq!(path(&documents[1].0), "/digests/all/archive/1.atom");
    assert_eq!(link_of(&documents[1].1, "next-archive"), None, "it would change a complete document later");
    let mut all: Vec<String> = archived.iter().cloned().chain(entry_ids(&newest)).collect();
    all.sort();
    all.dedup();
    assert_eq!((archived.len(), all.len()), (4, 5), "each entry is archived or in the newest document");

    for extension in ["atom", "rss", "json"] {
        let part = path(&documents[1].0).replace(".atom", &format!(".{extension}"));
        let before = daemon.get(&part);
        let etag = before.header("etag").expect("an entity tag").to_owned();
        feed.add(1);
        let stored: i64 = app.ask("SELECT count(*) FROM items");
        let grown = wait_until(PATIENCE, || (app.ask::<i64>("SELECT count(*) FROM items") > stored).then_some(()));
        assert!(grown.is_some());
        let after = daemon.get_with(&part, &[("If-None-Match", &etag)]);
        assert_eq!(after.status, 304, "{part} changed: {}", after.text());
        let site = app.directory().join("site");
        assert_eq!(app.run(&["export", site.to_str().unwrap()]).code(), 0);
        assert_eq!(std::fs::read(site.join(part.trim_start_matches('/'))).unwrap(), before.body);
    }
    for missing in ["0.atom", "01.atom", "+1.atom", "all.atom", "99.atom", "../all.atom"] {
        assert_eq!(daemon.get(&format!("/digests/all/archive/{missing}")).status, 404, "{missing}");
    }
}

/// Readers and mail servers refuse what is many megabytes: an issue lists the first stories and leads to the others, a document
/// ends before its issues list too many, and what it leaves out is archived or on the next page.
#[test]
fn issues_of_very_many_stories_are_listed_in_part_and_are_fewer_in_a_document() {
    const ISSUES: usize = 6;
    const STORIES: usize = 520;
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(ISSUES * STORIES);
    let watch = format!(
        "[[feeds]]\nurl = \"{}\"\n[digests.daily]\nquery = \"published>=1970-01-02\"\nevery = \"day\"\n",
        origin.url("/news.xml")
    );
    let app = App::new(FAST, &watch);
    app.poll(&["--force"]);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM digest_entries"), 3_120);
    for issue in 1..=ISSUES {
        app.change(&format!(
            "INSERT INTO issues (digest, period, entry_id, starts_at, ends_at, cut_at, updated_at) \
             VALUES ('daily', '2026-01-0{issue}', 'urn:issue:{issue}', {issue}, {issue}, {issue}, {issue})"
        ));
    }
    app.change(&format!("UPDATE digest_entries SET issue_id = 1 + (sequence - 1) / {STORIES}"));

    let daemon = app.start();
    let get = |path: &str| daemon.get(path).text();
    let newest = get("/digests/daily.atom");
    let ids = |issues: std::ops::RangeInclusive<usize>| -> Vec<String> {
        issues.rev().map(|issue| format!("urn:issue:{issue}")).collect()
    };
    assert_eq!(entry_ids(&newest), ids(3..=6), "four issues list two thousand stories");
    let older = link_of(&newest, "next").expect("a page with the others");
    assert_eq!(entry_ids(&get(older.strip_prefix("http://watch.example").unwrap())), ids(1..=2));
    let archived = get("/digests/daily/archive/1.atom");
    assert!(link_of(&newest, "prev-archive").is_some_and(|part| part.ends_with("/daily/archive/1.atom")));
    assert_eq!(entry_ids(&archived), ids(1..=4), "it is full before it has as many issues as the limit");
    assert_eq!(daemon.get("/digests/daily/archive/2.atom").status, 404);

    let json: Value = serde_json::from_str(&get("/digests/daily.json")).unwrap();
    let first = &json["items"][0];
    let listed = first["content_html"].as_str().unwrap();
    assert_eq!(listed.matches("<li>").count(), 500);
    let page = "http://watch.example/digests/daily/2026-01-06";
    assert!(listed.contains(&format!("<p>And <a href=\"{page}\">20 more stories</a>.</p>")), "{}", &listed[..500]);
    assert!(first["summary"].as_str().unwrap().starts_with("520 stories: "), "{}", first["summary"]);
    assert_eq!(get("/digests/daily/2026-01-06").matches("<article>").count(), STORIES);
}

/// Neither another `limit` nor what retention removes cuts a part anew; what is in none stands in the newest document.
#[test]
fn the_parts_of_an_archive_keep_their_bounds_through_another_limit_and_retention() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(7);
    let watch = |limit: usize| {
        format!(
            "[[feeds]]\nurl = \"{}\"\n[digests.all]\nquery = \"published>=1970-01-02\"\nlimit = {limit}\n",
            origin.url("/news.xml")
        )
    };
    let app = App::new("min_interval = \"24h\"\nallow_private_addresses = true\n", &watch(2));
    app.poll(&["--force"]);
    let parts = |app: &App| -> Vec<Option<Vec<u8>>> {
        let daemon = app.start();
        let newest = daemon.get("/digests/all.atom").text();
        let last = link_of(&newest, "prev-archive").expect("some are complete");
        let part = |number: usize| {
            let answer = daemon.get(&format!("/digests/all/archive/{number}.atom"));
            (answer.status == 200).then_some(answer.body)
        };
        let parts: Vec<_> = (1..=5).map(part).collect();
        let newest_part = format!("/digests/all/archive/{}.atom", parts.iter().flatten().count());
        assert!(last.ends_with(&newest_part), "{last}");
        parts
    };
    let before = parts(&app);
    assert_eq!(before.iter().flatten().count(), 3, "seven entries by two");

    for (limit, complete) in [(50, 3), (3, 3), (1, 4)] {
        app.write("watch.toml", &watch(limit));
        let parts = parts(&app);
        assert_eq!(parts.iter().flatten().count(), complete, "with a limit of {limit}");
        assert_eq!(parts[..3], before[..3], "with a limit of {limit}");
    }
    // The first three are as old as can be; the daemon removes them in its first hour.
    app.change("UPDATE items SET first_seen_at = 0, ordered_at = 0 WHERE item_id <= 3");
    let directory = app.data_dir().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pruned = runtime.block_on(async move {
        let before: Timestamp = "2000-01-01T00:00:00Z".parse().unwrap();
        support::prune(&Store::open(&directory).unwrap(), before, before).await
    });
    assert_eq!(pruned, 3);
    let after = parts(&app);
    let text = |part: &Option<Vec<u8>>| String::from_utf8(part.clone().expect("still there")).unwrap();
    assert_eq!(entry_ids(&text(&after[0])), [""; 0], "all of the first part was removed");
    let (left, all) = (entry_ids(&text(&after[1])), entry_ids(&text(&before[1])));
    assert!(left.len() == 1 && all.contains(&left[0]), "half of the second: {left:?} of {all:?}");
    assert_eq!(after[2], before[2], "and nothing moved into their places");
}

#[tokio::test]
async fn a_full_hub_renews_takes_nobody_new_and_sends_nothing_after_the_lease() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let now: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
    let digest = |title: &str| ConfiguredDigest {
        name: DigestName("all".into()),
        title: title.into(),
        query: "ai".into(),
        rule_hash: String::new(),
        periodic: false,
        limit: 100,
    };
    let request = |host: &str| SubscriptionRequest {
        digest: DigestName("all".into()),
        topic: "all.atom".into(),
        callback: format!("https://{host}:8443/cb"),
        host: host.into(),
        subscribes: true,
        secret: None,
        lease_s: 600,
        requested_at: now,
    };
    let limits =
        HubLimits { requests: 10, requests_per_host: 10, subscriptions_per_topic: 1, subscriptions_per_host: 1 };
    let (first, renamed) = (digest("All"), digest("All of it"));
    let (one, other) = (request("one.example"), request("other.example"));
    store
        .write(move |tx| {
            tx.sync_digests(&[first], now)?;
            tx.sync_outputs(&[], &[DigestName("all".into())])?;
            for _ in 0..2 {
                assert!(tx.request_subscription(&one, &limits)?, "new, then renewed");
                tx.answer_request(&one, true, now)?;
            }
            assert!(!tx.request_subscription(&other, &limits)?, "the document has its one subscriber");
            tx.sync_digests(&[renamed], now).map(drop)
        })
        .await
        .unwrap();
    let due_after = async |seconds| {
        let at = now + SignedDuration::from_secs(seconds);
        store.read(move |tx| tx.due_deliveries(at, 10)).await.unwrap().len()
    };
    assert_eq!((due_after(0).await, due_after(2).await, due_after(601).await), (0, 1, 0));
    let ended = store.write(move |tx| tx.end_leases(now + SignedDuration::from_secs(601))).await;
    assert_eq!(ended.unwrap(), 1);
}
