//! Polite polling as origins see it: the numbered checks that only the whole program can show, its schedule, its
//! memory across restarts and its commands. What a single request looks like is shown in `fetching.rs`.

use crate::support::app::{ALL, App, CLOCK_RATE, FAST, PATIENCE, faketime_library, feed_tables, wait_until};
use crate::support::origin::{Answer, Fault, Origin, fault, not_modified, ok, redirect, rss, status, tempting_rss};
use crate::support::politeness::{Manners, assert_polite, report};
use crate::support::polled::{DAY, HOUR, USUAL, one_feed, outcome, wait_s};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

fn reason(polled: &Value) -> &str {
    polled["feeds"][0]["reason"].as_str().unwrap_or_else(|| panic!("no reason: {polled}"))
}

fn feed_state(app: &App) -> String {
    app.ask("SELECT state FROM feeds ORDER BY feed_id LIMIT 1")
}

#[test]
fn p01_a_first_visit_is_one_request_and_nothing_that_the_document_names_is_fetched() {
    let canary = Origin::start();
    let (origin, app) = one_feed(USUAL, [ok(tempting_rss(&canary.url(""))).header("Set-Cookie", "a=b")]);
    let daemon = app.start();
    origin.wait_for("/feed.xml", 1);
    wait_until(PATIENCE, || (app.ask::<i64>("SELECT count(*) FROM items") == 1).then_some(())).expect("it is stored");
    for path in ["/", "/feeds", "/digests/all.atom", "/items/1"] {
        daemon.get(path);
    }
    daemon.stop();
    let log = origin.log();
    assert_eq!((log.len(), canary.log().len()), (1, 0), "{log:#?}");
    assert_eq!((log[0].header("if-none-match"), log[0].header("if-modified-since")), (None, None));
    assert_polite(&log, &Manners::default());
}

#[test]
fn p02_a_304_touches_no_item_and_moves_the_next_check() {
    let (origin, app) = one_feed(USUAL, [ok(rss(3)).etag("\"x\"").conditional()]);
    let items = "SELECT group_concat(item_id || guid || changed_at) FROM items";
    let first = app.poll(&[]);
    let before: String = app.ask(items);
    let second = app.poll(&["--force"]);
    assert_eq!(outcome(&second), "not_modified");
    assert_eq!(origin.requests("/feed.xml")[1].header("if-none-match"), Some("\"x\""));
    assert_eq!(app.ask::<String>(items), before);
    assert_ne!(first["feeds"][0]["next_check_at"], second["feeds"][0]["next_check_at"]);
}

#[test]
fn p09_after_a_bad_answer_the_validators_of_the_good_one_go_out_again() {
    let tagged = |answer: Answer| answer.etag("\"B\"");
    let bad = [
        tagged(ok("<!DOCTYPE html><title>Welcome</title>")),
        tagged(ok(rss(3)).fault(Fault::Length(100_000))),
        tagged(ok("<rss version=\"2.0\"><channel><title>x</titel></channel></rss>")),
        fault(Fault::ResetAfter(40)),
        tagged(ok("\u{1f}\u{8b} not gzip").header("Content-Encoding", "gzip")),
        tagged(status(500)),
        tagged(status(404)),
        tagged(ok("x".repeat(200_000))),
        tagged(ok("")),
        tagged(status(429)).retry_after("1"),
    ];
    let count = bad.len();
    let good = ok(rss(3)).etag("\"A\"");
    let answers = std::iter::once(good).chain(bad).chain([not_modified()]);
    let (origin, app) = one_feed(&(FAST.to_owned() + "max_body = \"100KiB\"\n"), answers);
    assert_eq!(outcome(&app.poll(&[])), "stored");
    for number in 1..=count {
        let polled = app.poll(&["--force"]);
        assert_eq!(outcome(&polled), "failed", "bad answer {number}: {polled}");
    }
    let last = || Some(app.poll(&["--force"])).filter(|polled| outcome(polled) == "not_modified");
    wait_until(PATIENCE, last).expect("once the second that was asked for is over");
    let log = origin.requests("/feed.xml");
    assert_eq!(log.len(), count + 2);
    for request in &log[1..] {
        assert_eq!(request.header("if-none-match"), Some("\"A\""));
    }
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 3);
}

#[test]
fn p37_force_lifts_the_pause_that_no_retry_after_asked_for() {
    for unclear in ["", "soon", "-5"] {
        let pause = if unclear.is_empty() { status(429) } else { status(429).retry_after(unclear) };
        let (origin, app) =
            one_feed(FAST, [pause.clone(), pause.clone(), redirect(302, "/there.xml"), pause, ok(rss(1))]);
        origin.script("/there.xml", [ok(rss(2))]);
        let mut waits = Vec::new();
        for _ in 0..2 {
            let polled = app.poll(&["--force"]);
            assert_eq!(outcome(&polled), "failed", "{polled}");
            waits.push(wait_s(&polled));
        }
        assert!(waits[0] >= HOUR - 60 && waits[1] >= 2 * waits[0] - 60, "it doubles: {waits:?}");
        let unforced = app.poll(&[&origin.url("/feed.xml")]);
        assert_eq!(outcome(&unforced), "declined", "{unforced}");
        assert_eq!(outcome(&app.poll(&["--force"])), "stored", "nor is a redirect there held back");
        app.poll(&["--force"]);
        assert_eq!(outcome(&app.poll(&["--force"])), "stored");
        assert_eq!(origin.requests("/feed.xml").len(), 5);
    }
}

#[test]
fn p12_without_validators_a_day_with_them_at_least_the_minimum() {
    let (_origin, app) = one_feed(USUAL, [ok(rss(3))]);
    let wait = wait_s(&app.poll(&[]));
    assert!((DAY - 60..=DAY + 3 * HOUR).contains(&wait), "{wait} s");
    let (_origin, app) = one_feed(USUAL, [ok(rss(3)).etag("\"a\"").conditional()]);
    for polled in [app.poll(&[]), app.poll(&["--force"])] {
        let wait = wait_s(&polled);
        assert!((15 * 60 - 60..=DAY).contains(&wait), "{wait} s");
    }
    let (_origin, app) = one_feed("interval = \"30m\"\nallow_private_addresses = true\n", [ok(rss(3))]);
    let wait = wait_s(&app.poll(&[]));
    assert!((29 * 60..=36 * 60).contains(&wait), "the operator's word: {wait} s");
}

#[test]
fn p13_p14_max_age_counts_from_each_answer_also_from_a_304() {
    let twelve_hours = ok(rss(3)).etag("\"a\"").max_age(43_200).conditional();
    let (_origin, app) = one_feed(FAST, [twelve_hours]);
    assert!(wait_s(&app.poll(&[])) >= 43_200 - 60);
    assert!(wait_s(&app.poll(&["--force"])) >= 43_200 - 60, "again after the 304");
    let answers = [ok(rss(3)).etag("\"a\"").max_age(1), not_modified().max_age(600)];
    let (_origin, app) = one_feed(FAST, answers);
    assert!(wait_s(&app.poll(&[])) < 10);
    assert!(wait_s(&app.poll(&["--force"])) >= 600 - 60);
}

#[test]
fn p17_a_monstrous_wait_is_cut_and_the_operator_is_told() {
    for answer in [ok(rss(1)).max_age(315_360_000), status(429).retry_after("99999999999")] {
        let (_origin, app) = one_feed(FAST, [answer]);
        let wait = wait_s(&app.poll(&[]));
        assert!((7 * DAY - 60..=7 * DAY).contains(&wait), "{wait} s");
        let said = app.run(&["feeds", "--json"]).stdout;
        assert!(said.contains("is cut to 7 d"), "{said}");
    }
}

#[test]
fn p18_p20_a_document_may_ask_for_a_slower_pace() {
    let check = |channel: &str, expected_s: std::ops::RangeInclusive<i64>| {
        let feed = rss(2).replacen("<channel>", &format!("<channel>{channel}"), 1).replacen(
            "<rss ",
            "<rss xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\" ",
            1,
        );
        let (_origin, app) = one_feed(FAST, [ok(feed).etag("\"a\"").conditional()]);
        let waits = [wait_s(&app.poll(&[])), wait_s(&app.poll(&["--force"]))];
        assert!(waits.iter().all(|wait| expected_s.contains(wait)), "{channel}: {waits:?} s");
    };
    let three_hours = 3 * HOUR - 60..=3 * HOUR;
    check("<ttl>180</ttl>", three_hours.clone());
    check("<ttl>10</ttl><ttl>180</ttl>", 10 * 60 - 60..=3 * HOUR);
    for junk in ["0", "-5", "soon", ""] {
        check(&format!("<ttl>{junk}</ttl>"), 0..=2);
    }
    // Ignored or cut.
    check("<ttl>1000000000</ttl>", 0..=7 * DAY);
    let twice_a_day = "<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>2</sy:updateFrequency>";
    check(twice_a_day, 12 * HOUR - 60..=12 * HOUR);
    check(&format!("<ttl>180</ttl>{twice_a_day}"), 12 * HOUR - 60..=12 * HOUR);
}

#[test]
fn p13_a_visit_that_fails_leaves_max_age_as_it_was() {
    let good = ok(rss(2)).etag("\"a\"").max_age(43_200);
    let (_origin, app) = one_feed(FAST, [good, status(500), ok("<!DOCTYPE html><p>Sorry"), fault(Fault::Reset)]);
    app.poll(&[]);
    for failing in 1..=3 {
        let polled = app.poll(&["--force"]);
        assert_eq!(outcome(&polled), "failed", "{polled}");
        assert!(wait_s(&polled) >= 43_200 - 60, "failure {failing}: {polled}");
    }
    app.let_pass(43_200);
    assert!(wait_s(&app.poll(&[])) < 60, "then it is due, and fails at its own pace");
}

#[test]
fn p21_p22_a_429_is_obeyed_in_either_form_and_without_one_the_pause_doubles() {
    let in_two_hours =
        (Timestamp::now() + SignedDuration::from_hours(2)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let busy = |code| status(code).etag("\"not yours\"");
    let check = |answer: Answer, names_a_time: bool, waits: std::ops::RangeInclusive<i64>| {
        let (origin, app) = one_feed(FAST, [ok(rss(2)).etag("\"a\""), answer, not_modified()]);
        app.poll(&[]);
        let polled = app.run(&["poll", "--json", "--force"]);
        assert!(waits.contains(&wait_s(&polled.json())), "{polled:?}");
        let lines = polled.stderr.lines().filter(|line| line.contains("/feed.xml")).count();
        assert_eq!((lines, feed_state(&app).as_str()), (1, "active"), "{polled:?}");
        let held = if names_a_time { 2 } else { 0 };
        for arguments in [&["--force"][..], &["--force", &origin.url("/feed.xml")]].into_iter().take(held) {
            let declined = app.poll(arguments);
            assert_eq!(outcome(&declined), "declined", "{declined}");
            assert!(reason(&declined).contains("asked to be left alone"), "{declined}");
        }
        app.let_pass(8 * DAY);
        assert_eq!(outcome(&app.poll(&[])), "not_modified");
        let log = origin.requests("/feed.xml");
        assert_eq!((log.len(), log[2].header("if-none-match")), (3, Some("\"a\"")));
    };
    check(busy(429).retry_after("7200"), true, 7140..=7210);
    check(busy(503).retry_after("7200"), true, 7140..=7210);
    check(busy(429).retry_after(in_two_hours.clone()), true, 7080..=7210);
    check(busy(429).retry_after("60").max_age(172_800), true, 172_700..=172_810);
    for junk in ["-5", "soon", ""] {
        check(busy(429).retry_after(junk), false, 3540..=3660);
    }
    let (_origin, app) = one_feed(FAST, [status(429)]);
    let mut waits = Vec::new();
    for _ in 0..4 {
        waits.push((wait_s(&app.poll(&[])) + 30) / HOUR);
        app.let_pass(DAY);
    }
    assert_eq!(waits, [1, 2, 4, 8]);
}

#[test]
fn p23_a_429_on_one_feed_holds_every_feed_of_its_host_and_no_other() {
    let origin = Origin::start();
    origin.script("/busy.xml", [status(429).retry_after("4"), ok(rss(1)).etag("\"a\"").conditional()]);
    origin.script("/calm.xml", [ok(rss(2)).etag("\"b\"").conditional()]);
    let elsewhere = Origin::start();
    elsewhere.script("/other.xml", [ok(rss(3)).etag("\"c\"").conditional()]);
    let urls = [origin.url("/busy.xml"), origin.url("/calm.xml"), elsewhere.url("/other.xml")];
    let app = App::new(
        "interval = \"1s\"\nmin_interval = \"500ms\"\nper_host = 1\nallow_private_addresses = true\n",
        &(feed_tables(&urls.each_ref().map(String::as_str)) + ALL),
    );
    let daemon = app.start();
    origin.wait_for("/busy.xml", 1);
    let others = elsewhere.log().len();
    elsewhere.wait_until(PATIENCE, |log| log.len() >= others + 2);
    daemon.kill();
    // What was asked for outlives a restart, and holds for a poll by hand.
    let declined = app.poll(&["--force", &urls[1]]);
    assert_eq!(outcome(&declined), "declined", "{declined}");
    let daemon = app.start();
    origin.wait_for("/busy.xml", 2);
    origin.wait_for("/calm.xml", 1);
    daemon.stop();
    assert_polite(&origin.log(), &Manners { in_flight_max: 1, ..Manners::default() });
}

#[test]
fn p23_a_poll_holds_back_the_feeds_that_wait_behind_a_429() {
    let origin = Origin::start();
    let paths: Vec<String> = (0..5).map(|n| format!("/feed-{n}.xml")).collect();
    for path in &paths {
        origin.script(path, [status(503).retry_after("600")]);
    }
    let urls: Vec<String> = paths.iter().map(|path| origin.url(path)).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let app = App::new("per_host = 1\nallow_private_addresses = true\n", &feed_tables(&urls));
    let polled = app.poll(&[]);
    assert_eq!((&polled["failed"], &polled["declined"]), (&1.into(), &4.into()), "{polled}");
    assert_eq!(origin.log().len(), 1);
    let soonest: i64 = app.ask("SELECT min(next_check_at) FROM feeds");
    assert!(soonest >= Timestamp::now().as_millisecond() + 590_000, "all of them wait");
    assert_eq!(app.poll(&[])["feeds"], Value::Array(Vec::new()), "nothing is due");
}

#[test]
fn p24_each_failure_is_one_request_the_pause_doubles_and_the_first_success_ends_it() {
    let bad = [status(500), status(502), status(504), fault(Fault::Reset), fault(Fault::Raw(b"?".to_vec()))];
    let answers = bad.iter().cycle().take(10).cloned().chain([ok(rss(1)).etag("\"a\"")]);
    let fetch = "interval = \"20m\"\nallow_private_addresses = true\n";
    let (origin, app) = one_feed(fetch, answers);
    let waits: Vec<i64> = (0..10).map(|_| wait_s(&app.poll(&["--force"]))).collect();
    assert_eq!(origin.log().len(), 10);
    for (n, wait) in (1..).zip(&waits) {
        let wanted = (1200 << n).min(DAY);
        assert!((wanted * 8 / 10 - 60..=wanted * 12 / 10).contains(wait), "failure {n}: {wait} s in {waits:?}");
    }
    assert!(wait_s(&app.poll(&["--force"])) <= 1200, "well again");
}

#[test]
fn p24_an_origin_that_recovers_is_polled_again_without_help() {
    let origin = Origin::start();
    let feed = origin.feed("/feed.xml");
    feed.add(1);
    let app =
        App::new(&(FAST.to_owned() + "max_interval = \"2s\"\n"), &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    let daemon = app.start();
    origin.wait_for("/feed.xml", 1);
    origin.set_down(true);
    daemon.wait_for_line("refresh failed");
    feed.add(1);
    origin.set_down(false);
    daemon.wait_for_line("the feed is well again");
    wait_until(PATIENCE, || (app.ask::<i64>("SELECT count(*) FROM items") == 2).then_some(()))
        .expect("it has caught up");
}

#[test]
fn p25_a_feed_that_is_refused_is_never_disabled_and_the_reason_is_said() {
    let captcha = ok("<!DOCTYPE html><title>Are you a robot?</title>").header("Content-Type", "text/html");
    for answer in [status(401), status(403), status(404), status(451), captcha] {
        let (_origin, app) = one_feed("interval = \"10m\"\nallow_private_addresses = true\n", [answer]);
        let mut longest = 0;
        for _ in 0..10 {
            longest = longest.max(wait_s(&app.poll(&["--force"])));
        }
        assert!(longest <= DAY, "{longest} s");
        assert_eq!(feed_state(&app), "active");
        let feeds = app.run(&["feeds", "--json"]).json();
        let said = feeds.to_string();
        assert!(said.contains("\"failure_count\":10") && said.contains("last_error\":\""), "{said}");
    }
}

#[test]
fn a_feed_whose_record_cannot_be_read_keeps_no_other_from_being_polled() {
    let origin = Origin::start();
    let urls: Vec<String> = (0..4).map(|n| origin.url(&format!("/{n}.xml?key=s3cr3t"))).collect();
    (0..4).for_each(|n| origin.script(&format!("/{n}.xml?key=s3cr3t"), [ok(rss(1)).etag("\"e\"")]));
    let app = App::watching(&urls.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(app.poll(&[])["refreshed"], 4);
    app.change(&format!("UPDATE validators SET url = 'nowhere' WHERE url = '{}'", urls[1]));
    app.change(&format!("UPDATE feeds SET skip_hours = -1 WHERE url = '{}'", urls[2]));

    let finished = app.run(&["poll", "--force", "--json"]);
    let polled = finished.json();
    assert_eq!((&polled["refreshed"], &polled["failed"]), (&2.into(), &2.into()), "{polled}");
    for url in &urls[1..3] {
        let line = polled["feeds"].as_array().unwrap().iter().find(|line| line["url"] == **url).unwrap();
        let reason = line["reason"].as_str().unwrap();
        assert!(reason.contains("cannot be read") && reason.contains("restore a backup"), "{reason}");
        let told = url.replace("?key=s3cr3t", "?…");
        assert!(
            finished.stderr.lines().any(|line| line.contains("cannot be read") && line.contains(&told)),
            "{finished:?}"
        );
    }
    assert!(!finished.stderr.contains("s3cr3t"), "{finished:?}");
    let named = app.run(&["poll", &urls[2], "--json"]);
    assert_eq!((named.code(), &named.json()["failed"]), (1, &1.into()), "{named:?}");

    let daemon = app.start();
    let asked = origin.requests("/3.xml?key=s3cr3t").len();
    origin.wait_for("/3.xml?key=s3cr3t", asked + 2);
    for number in 1..3 {
        daemon.wait_for_line(&format!("{number}.xml?… cannot be read"));
    }
}

#[test]
fn a_poll_that_ends_early_tells_what_it_had_done() {
    let origin = Origin::start();
    let urls = [origin.url("/quick.xml"), origin.url("/slow.xml")];
    origin.script("/quick.xml", [ok(rss(1))]);
    origin.script("/slow.xml", [ok(rss(1)).delay(Duration::from_secs(1))]);
    let app = App::watching(&[]);
    app.poll(&[]);
    app.change(
        "CREATE TRIGGER refused BEFORE INSERT ON items WHEN NEW.feed_id = \
             (SELECT feed_id FROM feeds WHERE url LIKE '%slow%') BEGIN SELECT raise(ABORT, 'on purpose'); END",
    );
    app.write("watch.toml", &(feed_tables(&[&urls[0], &urls[1]]) + ALL));
    let finished = app.run(&["poll", "--json"]);
    assert!(finished.code() == 2 && finished.stderr.contains("on purpose"), "{finished:?}");
    let polled = finished.json();
    assert_eq!((&polled["refreshed"], &polled["feeds"][0]["url"]), (&1.into(), &urls[0].as_str().into()), "{polled}");
}

#[test]
fn p26_after_a_410_there_is_one_more_request_a_day_later_and_then_none_until_told() {
    let (origin, app) = one_feed(FAST, [status(410)]);
    assert!(wait_s(&app.poll(&[])) >= DAY - 60);
    app.poll(&[]);
    assert_eq!(origin.log().len(), 1, "not before a day has passed");
    app.let_pass(DAY + HOUR);
    app.poll(&[]);
    assert_eq!((origin.log().len(), feed_state(&app).as_str()), (2, "gone"));
    app.let_pass(30 * DAY);
    let daemon = app.start();
    daemon.wait_for_line("veille is watching");
    let (_, _, log) = daemon.stop();
    assert_eq!(origin.log().len(), 2, "{log:#?}");
    let declined = app.poll(&[&origin.url("/feed.xml")]);
    assert_eq!(outcome(&declined), "declined");
    origin.script("/feed.xml", [ok(rss(1)).etag("\"back\"")]);
    assert_eq!(outcome(&app.poll(&["--force", &origin.url("/feed.xml")])), "stored");
    assert_eq!(feed_state(&app), "active");
}

#[test]
fn p27_a_permanent_redirect_is_adopted_after_five_answers_in_a_week_and_no_id_changes() {
    let origin = Origin::start();
    origin.script("/old.xml", [redirect(301, origin.url("/new.xml"))]);
    origin.script("/new.xml", [ok(rss(2)).etag("\"n\"").conditional()]);
    let app = App::watching(&[&origin.url("/old.xml")]);
    let ids = "SELECT group_concat(entry_id) FROM stories";
    let adopted = "SELECT coalesce(fetch_url, '') FROM feeds";
    app.poll(&[]);
    let before: String = app.ask(ids);
    for answers in 2..=5 {
        assert_eq!(origin.requests("/old.xml").len(), answers - 1);
        app.let_pass(DAY);
        app.poll(&["--force"]);
    }
    assert_eq!(app.ask::<String>(adopted), "", "five answers, but four days");
    app.let_pass(4 * DAY);
    let polled = app.run(&["poll", "--force"]);
    assert!(polled.stderr.contains("moved for good"), "{polled:?}");
    assert_eq!(app.ask::<String>(adopted), origin.url("/new.xml"));
    let asked = origin.requests("/old.xml").len();
    app.poll(&["--force"]);
    assert_eq!(origin.requests("/old.xml").len(), asked, "the old address is left in peace");
    assert_eq!((app.ask::<String>(ids), app.ask::<i64>("SELECT count(*) FROM items")), (before, 2));
    assert_eq!(app.ask::<String>("SELECT url FROM feeds"), origin.url("/old.xml"));
    for request in origin.requests("/old.xml") {
        assert_eq!((request.header("if-none-match"), request.header("referer")), (None, None));
    }
}

#[test]
fn p27_a_redirect_taken_back_or_to_a_page_is_never_adopted() {
    let origin = Origin::start();
    origin.script("/portal", [ok("<!DOCTYPE html><title>Log in</title>")]);
    origin.script("/captive.xml", [redirect(301, origin.url("/portal"))]);
    let app = App::watching(&[&origin.url("/captive.xml")]);
    for _ in 0..8 {
        assert_eq!(outcome(&app.poll(&["--force"])), "failed");
        app.let_pass(2 * DAY);
    }
    origin.script("/captive.xml", [ok(rss(1)).etag("\"a\"")]);
    assert_eq!(outcome(&app.poll(&["--force"])), "stored");
    assert_eq!(app.ask::<String>("SELECT coalesce(fetch_url, '') FROM feeds"), "");
}

#[test]
fn p27_of_two_feeds_that_moved_to_one_address_one_is_polled_until_the_other_leaves() {
    let origin = Origin::start();
    for path in ["/one.xml", "/two.xml"] {
        origin.script(path, [redirect(301, origin.url("/both.xml"))]);
    }
    origin.script("/both.xml", [ok(rss(2)).etag("\"b\"").conditional()]);
    let (one, two) = (origin.url("/one.xml"), origin.url("/two.xml"));
    let app = App::watching(&[&one, &two]);
    for _ in 0..6 {
        app.poll(&["--force"]);
        app.let_pass(2 * DAY);
    }
    let states: String = app.ask("SELECT group_concat(state) FROM (SELECT state FROM feeds ORDER BY state)");
    assert_eq!(states, "active,duplicate");
    let asked = origin.requests("/both.xml").len();
    app.poll(&["--force"]);
    assert_eq!(origin.requests("/both.xml").len(), asked + 1, "one request for one document");
    let polled: String = app.ask("SELECT url FROM feeds WHERE state = 'active'");
    let twin = if polled == one { &two } else { &one };
    let said = app.run(&["feeds", "--json"]).stdout;
    assert!(said.contains("polled in its place"), "{said}");
    app.write("watch.toml", &(feed_tables(&[twin]) + ALL));
    app.poll(&["--force"]);
    assert_eq!(app.ask::<String>("SELECT url FROM feeds WHERE state = 'active'"), *twin);
    assert_eq!(origin.requests("/both.xml").len(), asked + 2);
}

#[test]
fn p35_after_three_days_off_what_is_overdue_comes_over_ten_minutes() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(2)).etag("\"a\"").conditional()]);
    let urls: Vec<String> = (0..60).map(|n| origin.url(&format!("/feed?n={n}"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let app = App::new(USUAL, &(feed_tables(&urls) + ALL));
    app.poll(&[]);
    app.let_pass(3 * DAY);
    let started_ms = Timestamp::now().as_millisecond();
    let daemon = app.start();
    let first = origin.wait_until(PATIENCE, |log| log.len() > 60).len();
    drop(daemon.kill());
    assert!(first < 70, "{first} requests: no storm");
    let spread =
        "SELECT (max(next_check_at) - min(next_check_at)) / 1000 FROM feeds WHERE next_check_reason LIKE 'overdue%'";
    // The first of them is asked at once.
    assert!((580..=600).contains(&app.ask::<i64>(spread)), "{} s", app.ask::<i64>(spread));
    let last = app.ask::<i64>("SELECT max(next_check_at) FROM feeds WHERE next_check_reason LIKE 'overdue%'");
    assert!(last - started_ms >= 600_000, "{last} is not ten minutes after {started_ms}");
}

#[test]
fn p33_feeds_of_one_host_added_at_once_come_two_at_a_time_and_apart() {
    let origin = Origin::start();
    origin.script("/etag", [ok(rss(1)).etag("\"a\"").conditional().delay(Duration::from_millis(150))]);
    let urls: Vec<String> = (0..20).map(|n| origin.url(&format!("/etag?n={n}"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let fetch = "interval = \"1h\"\nper_host_gap = \"100ms\"\nallow_private_addresses = true\n";
    let app = App::new(fetch, &feed_tables(&urls));
    let _daemon = app.start();
    let log = origin.wait_until(PATIENCE, |log| log.iter().filter(|request| request.answered.is_some()).count() >= 20);
    // Starts are spaced by us; what the kernel and the origin's threads add varies by some milliseconds.
    assert_polite(&log, &Manners { start_gap: Duration::from_millis(60), ..Manners::default() });
    let third = &log[2];
    assert!(third.at >= Duration::from_millis(150), "two in flight at most: {third:?}");
}

#[test]
fn p34_twenty_restarts_within_an_interval_cost_no_feed_a_second_request() {
    let origin = Origin::start();
    origin.script("/etag", [ok(rss(1)).etag("\"a\"").conditional()]);
    let urls: Vec<String> = (0..10).map(|n| origin.url(&format!("/etag?n={n}"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let app = App::new("interval = \"1h\"\nallow_private_addresses = true\n", &feed_tables(&urls));
    for round in 1..=20 {
        let daemon = app.start();
        if round == 1 {
            let stored = || (app.ask::<i64>("SELECT count(last_refresh_at) FROM feeds") == 10).then_some(());
            wait_until(PATIENCE, stored).expect("each is visited once");
        }
        daemon.kill();
    }
    assert_polite(&origin.log(), &Manners { min_interval: Duration::from_hours(1), ..Manners::default() });
    assert_eq!(origin.log().len(), 10);
}

#[test]
fn p37_a_poll_by_hand_declines_when_it_is_too_early_and_force_lifts_all_but_a_retry_after() {
    let (origin, app) = one_feed(USUAL, [ok(rss(1)).etag("\"a\"").max_age(3600).conditional()]);
    let url = origin.url("/feed.xml");
    app.poll(&[]);
    let declined = app.run(&["poll", "--json", &url]);
    assert_eq!((declined.code(), outcome(&declined.json())), (1, "declined"), "{declined:?}");
    assert!(reason(&declined.json()).contains("fresh"), "{declined:?}");
    let forced = app.poll(&["--force", &url]);
    assert_eq!(outcome(&forced), "not_modified");
    assert_eq!(origin.log()[1].header("if-none-match"), Some("\"a\""), "stays conditional");
    let (origin, app) = one_feed(FAST, [ok(rss(1)).etag("\"a\"").conditional(), status(503).retry_after("3600")]);
    let url = origin.url("/feed.xml");
    app.poll(&[]);
    let declined = app.poll(&[&url]);
    assert!(reason(&declined).contains("5 minutes"), "{declined}");
    app.let_pass(360);
    assert_eq!(outcome(&app.poll(&[&url])), "failed");
    let declined = app.poll(&["--force", &url]);
    assert!(reason(&declined).contains("left alone"), "{declined}");
    assert_eq!(origin.log().len(), 2);
}

#[test]
fn p38_one_address_is_one_request_however_often_and_however_it_is_written() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(2)).etag("\"a\"").conditional()]);
    let url = origin.url_by_name("/feed.xml");
    let shouted = url.replace("http://localhost", "HTTP://LocalHost");
    let outline = |url: &str| format!("<outline type=\"rss\" text=\"x\" xmlUrl=\"{url}\"/>");
    let app = App::new(USUAL, &(feed_tables(&[&url]) + ALL));
    let service = std::fs::read_to_string(app.config()).expect("written by us");
    app.write("veille.toml", &service.replace("\"watch.toml\"", "\"watch.toml\", \"*.opml\""));
    for name in ["one.opml", "two.opml"] {
        let text = [outline(&url), outline(&shouted)].concat();
        app.write(
            name,
            &format!("<opml version=\"2.0\"><head/><body><outline text=\"group\">{text}</outline></body></opml>"),
        );
    }
    let polled = app.poll(&[]);
    assert_eq!((origin.log().len(), polled["feeds"].as_array().map(Vec::len)), (1, Some(1)), "{polled}");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM feeds"), 1);
}

#[test]
fn p46_the_user_agent_has_a_contact_and_check_says_when_it_has_none() {
    let (origin, app) = one_feed(USUAL, [ok(rss(1))]);
    app.poll(&[]);
    let sent = origin.log()[0].header("user-agent").expect("one is sent").to_owned();
    assert!(sent.starts_with("veille/") && sent.contains("(+http"), "{sent}");
    let check = |agent: &str, code: i32, says: &str| {
        let (_origin, app) = one_feed(&format!("{USUAL}user_agent = \"{agent}\"\n"), [ok(rss(1))]);
        let checked = app.run(&["check"]);
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert_eq!(checked.code(), code, "{agent}: {said}");
        assert!(said.contains(says), "{agent}: {said}");
    };
    check("watch/1 (+https://example.org/contact)", 2, "placeholder");
    check("Mozilla/5.0", 0, "no contact");
    check("watch/1 (ops@watch.test)", 0, "");
}

#[test]
fn p45_a_feed_that_left_the_config_is_not_asked_again_and_its_items_stay() {
    let origin = Origin::start();
    for (path, heading) in [("/stays.xml", "Harbour"), ("/leaves.xml", "Meridian")] {
        origin.feed(path).set_heading(heading).add(2);
    }
    let (stays, leaves) = (origin.url("/stays.xml"), origin.url("/leaves.xml"));
    let fetch = "interval = \"200ms\"\nmin_interval = \"200ms\"\nallow_private_addresses = true\n";
    let app = App::new(fetch, &(feed_tables(&[&stays, &leaves]) + ALL));
    let daemon = app.start();
    origin.wait_for("/leaves.xml", 2);
    app.write("watch.toml", &(feed_tables(&[&stays]) + ALL));
    daemon.signal("HUP");
    daemon.wait_for_line("config reloaded");
    // What was in flight at the reload has ended once the other feed has come round again.
    origin.wait_for("/stays.xml", origin.requests("/stays.xml").len() + 2);
    let asked = origin.requests("/leaves.xml").len();
    origin.wait_for("/stays.xml", origin.requests("/stays.xml").len() + 5);
    assert_eq!(origin.requests("/leaves.xml").len(), asked);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 4);
    assert_eq!(daemon.json("/digests/all.json")["items"].as_array().map(Vec::len), Some(4));
}

#[test]
fn p36_a_clock_that_jumps_brings_no_storm_no_early_visit_and_no_endless_sleep() {
    let Some(library) = faketime_library() else { return };
    let origin = Origin::start();
    origin.script("/etag", [ok(rss(1)).etag("\"a\"").conditional()]);
    let busy = Origin::start();
    busy.script("/busy.xml", [status(503).retry_after("7200")]);
    let mut urls: Vec<String> = (0..6).map(|n| origin.url(&format!("/etag?n={n}"))).collect();
    urls.push(busy.url("/busy.xml"));
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let app = App::new("interval = \"1h\"\nallow_private_addresses = true\n", &(feed_tables(&urls) + ALL));
    app.write("clock", "+0");
    let mut daemon = app.start_by_its_own_clock(&library);
    // A round is over when it is stored under its clock: a visit in flight reads the clock once more when its answer comes.
    let rounds = |count: usize, days: i64| {
        let middle = (Timestamp::now() + SignedDuration::from_hours(24 * days)).as_millisecond();
        let (from, to) = (middle - 3_600_000, middle + 3_600_000);
        let refreshed =
            format!("SELECT count(*) FROM feeds WHERE failure_count = 0 AND last_refresh_at BETWEEN {from} AND {to}");
        origin.wait_until(PATIENCE, |log| log.iter().filter(|request| request.answered.is_some()).count() >= 6 * count);
        wait_until(PATIENCE, || (app.ask::<i64>(&refreshed) == 6).then_some(())).expect("the round is stored");
    };
    rounds(1, 0);
    busy.wait_for("/busy.xml", 1);
    let after = |days: i64| (Timestamp::now() + SignedDuration::from_hours(24 * days)).as_millisecond() - 60_000;
    let soonest = || app.ask::<i64>("SELECT min(next_check_at) FROM feeds WHERE failure_count = 0");
    app.write("clock", "+1d");
    wait_until(PATIENCE, || (soonest() > after(1)).then_some(())).expect("what is overdue is spread by the new clock");
    origin.wait_until(PATIENCE, |log| log.len() > 6);
    app.write("clock", "-10d");
    // Ten days back, and seven ahead at most.
    let horizon = (Timestamp::now() - SignedDuration::from_hours(3 * 24)).as_millisecond();
    let latest = || app.ask::<i64>("SELECT max(next_check_at) FROM feeds WHERE failure_count = 0");
    wait_until(PATIENCE, || (latest() < horizon).then_some(())).expect("no feed sleeps by the clock that was");
    assert!(!daemon.has_ended());
    let log = daemon.kill();
    assert!(!log.iter().any(|line| line.contains("panic")), "{log:#?}");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 6);
    assert!(origin.log().len() <= 8, "no storm: {} requests", origin.log().len());
    assert!((0..6).all(|n| origin.requests(&format!("/etag?n={n}")).len() <= 2), "once a feed a jump");
    assert_eq!(busy.log().len(), 1, "what it asked for is measured by a clock that does not jump");
    assert_polite(&origin.log(), &Manners::default());
}

const SOAK: &str = "polling::p43_a_soak_on_a_fast_clock_has_a_clean_report";
const SOAK_RATE: u32 = 100;

/// Thirteen kinds of feed for hours, with three restarts. Runs itself again on a fast clock, which origin and daemon share.
/// `VEILLE_SOAK_HOURS=24` makes the long form of it: twenty feeds of each kind.
#[test]
fn p43_a_soak_on_a_fast_clock_has_a_clean_report() {
    if std::env::var_os("VEILLE_SOAKING").is_some() {
        return soak();
    }
    if faketime_library().is_none() {
        return;
    }
    let again = Command::new("faketime")
        .args(["-f", &format!("+0 x{SOAK_RATE}")])
        .arg(std::env::current_exe().expect("a test runs from a file"))
        .args([SOAK, "--exact", "--nocapture"])
        .env("VEILLE_SOAKING", "1")
        .env(CLOCK_RATE, SOAK_RATE.to_string())
        .output()
        .expect("faketime runs");
    let said = [again.stdout, again.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    println!("{said}");
    assert!(again.status.success() && said.contains("clean report"), "{said}");
}

/// How much of a soak.
struct Soak {
    minutes: i64,
    feeds_of_a_kind: usize,
    /// Between two visits, by config.
    interval_minutes: u64,
    /// What the origins ask for where they ask for anything.
    asked_s: u64,
}

fn soak() {
    let hours: Option<i64> = std::env::var("VEILLE_SOAK_HOURS").ok().and_then(|hours| hours.parse().ok());
    let form = match hours {
        Some(hours) => Soak { minutes: 60 * hours, feeds_of_a_kind: 20, interval_minutes: 30, asked_s: 7200 },
        None => Soak { minutes: 44, feeds_of_a_kind: 4, interval_minutes: 5, asked_s: 900 },
    };
    let (hosts, urls) = origins_of_every_kind(&form);
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    // A generous timeout, since on this clock it passes 100 times as fast; one visit a host at a time, since a visit that
    // starts within the milliseconds that an answer takes to arrive would look seconds late.
    let (interval, least) = (form.interval_minutes, form.interval_minutes - 1);
    let fetch = format!(
        "interval = \"{interval}m\"\nmin_interval = \"{least}m\"\nper_host = 1\ntimeout = \"1h\"\n\
         allow_private_addresses = true\n"
    );
    let app = App::new(&fetch, &(feed_tables(&urls) + ALL));
    let started = Timestamp::now();
    for quarter in 1..=4 {
        let daemon = app.start();
        let end = started + SignedDuration::from_secs(15 * form.minutes * quarter);
        // At rest: what dies in flight is shown in `durability.rs`.
        while Timestamp::now() < end || !is_at_rest(&app, &hosts) {
            std::thread::sleep(Duration::from_secs(1));
        }
        drop(daemon.kill());
    }
    let manners = Manners { min_interval: Duration::from_mins(least), ..Manners::default() };
    let (mut requests, mut faults) = (0, 0);
    for host in &hosts {
        let log = host.log();
        requests += log.len();
        let found = report(&log, &manners);
        found.iter().for_each(|fault| println!("{fault:?}"));
        faults += found.len();
    }
    let Soak { minutes, feeds_of_a_kind, .. } = form;
    println!(
        "{faults} faults in {requests} requests: 13 kinds of {feeds_of_a_kind} feeds, {minutes} minutes, 3 restarts"
    );
    assert_eq!(faults, 0);
    let least = urls.len() * usize::try_from(minutes).expect("some") / 60;
    assert!(requests > least, "{requests} requests are no soak");
    println!("clean report");
}

/// Feeds of the thirteen kinds. Those that answer 429 and 503 have hosts of their own, since they speak for their host.
fn origins_of_every_kind(form: &Soak) -> (Vec<Origin>, Vec<String>) {
    let (origin, asked_s) = (Origin::start(), form.asked_s);
    let date = "Mon, 23 Nov 2026 07:00:00 GMT";
    let conditional = |answer: Answer| vec![answer.conditional()];
    let kinds: Vec<(&str, Vec<Answer>)> = vec![
        ("/strong", conditional(ok(rss(2)).etag("\"s\""))),
        ("/weak", conditional(ok(rss(2)).etag("W/\"w\""))),
        ("/both", conditional(ok(rss(2)).etag("\"b\"").last_modified(date))),
        ("/dated", conditional(ok(rss(2)).last_modified(date))),
        ("/cookie", conditional(ok(rss(2)).etag("\"c\"").header("Set-Cookie", "a=b"))),
        ("/renewed", vec![ok(rss(2)).etag("\"1\""), not_modified().etag("\"2\""), not_modified().etag("\"3\"")]),
        ("/fresh", conditional(ok(rss(2)).etag("\"f\"").max_age(asked_s))),
        ("/gone", vec![status(410)]),
        ("/target", conditional(ok(rss(2)).etag("\"t\""))),
    ];
    for (path, answers) in kinds {
        origin.script(path, answers);
    }
    origin.serve("/moved", |request| redirect(301, request.target.replace("/moved", "/target")));
    origin.serve("/expiring", move |_| {
        let in_http = |at: Timestamp| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let (now, asked) = (Timestamp::now(), SignedDuration::from_secs(asked_s.cast_signed()));
        let answer = ok(rss(2)).etag("\"e\"").header("Date", in_http(now));
        answer.header("Expires", in_http(now + asked)).conditional()
    });
    let asked: Mutex<HashMap<String, usize>> = Mutex::default();
    origin.serve("/flaky", move |request| {
        let mut asked = asked.lock().expect("no thread panics");
        let nth = asked.entry(request.target.clone()).or_default();
        *nth += 1;
        if nth.is_multiple_of(3) { status(500) } else { ok(rss(2)).etag("\"x\"").conditional() }
    });
    let mut feeds: Vec<(&str, usize)> =
        ["/strong", "/weak", "/both", "/dated", "/cookie", "/renewed", "/fresh", "/gone"]
            .into_iter()
            .chain(["/moved", "/expiring", "/flaky"])
            .map(|path| (path, 0))
            .collect();
    let mut hosts = vec![origin];
    for code in [429, 503] {
        let host = Origin::start();
        let good = || ok(rss(2)).etag("\"a\"").conditional();
        host.script("/busy", [good(), status(code).retry_after(asked_s.to_string()), good()]);
        feeds.push(("/busy", hosts.len()));
        hosts.push(host);
    }
    let of_kind = |(path, host): &(&str, usize)| {
        let url = hosts[*host].url(path);
        (0..form.feeds_of_a_kind).map(move |n| format!("{url}?n={n}")).collect::<Vec<_>>()
    };
    let urls = feeds.iter().flat_map(of_kind).collect();
    (hosts, urls)
}

/// Nothing is asked now, and nothing will be in the next moment.
fn is_at_rest(app: &App, hosts: &[Origin]) -> bool {
    let now = SystemTime::now();
    let a_while_ago = now - Duration::from_secs(10);
    let quiet = |host: &Origin| {
        host.log().iter().rev().take(9).all(|request| request.answered.is_some() && request.wall < a_while_ago)
    };
    let next: i64 = app.ask("SELECT coalesce(min(next_check_at), 0) FROM feeds WHERE state = 'active'");
    hosts.iter().all(quiet) && next > (Timestamp::now() + SignedDuration::from_secs(10)).as_millisecond()
}
