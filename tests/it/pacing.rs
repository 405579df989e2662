//! When a feed is asked again, as its origin sees it: what answers and documents ask for, what a kill, a sleep and a clock
//! that jumps change of it, and whom a feed waits for. The rest of polite polling is in `polling.rs`.

use crate::support::app::{ALL, App, Daemon, FAST, PATIENCE, faketime_library, feed_tables, wait_until};
use crate::support::namespace::run_within;
use crate::support::origin::{Answer, Gate, Origin, not_modified, ok, redirect, rss, status};
use crate::support::politeness::{Manners, assert_polite};
use crate::support::polled::{DAY, HOUR, USUAL, next_check, one_feed, outcome, wait_s};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// What each request for the feed said of a header; `-` where it said nothing.
fn said(origin: &Origin, header: &str) -> Vec<String> {
    let log = origin.requests("/feed.xml");
    log.iter().map(|request| request.header(header).unwrap_or("-").to_owned()).collect()
}

#[test]
fn p07_p08_the_newest_of_each_goes_out_from_one_process_to_the_next_and_a_200_without_any_clears_both() {
    let answers = [
        ok(rss(1)).etag("\"1\"").last_modified("one"),
        not_modified().etag("\"2\""),
        not_modified().last_modified("two"),
        ok(rss(2)).etag("W/\"3\""),
        ok(rss(2)).last_modified("not a date"),
        ok(rss(2)),
        ok(rss(2)),
    ];
    let count = answers.len();
    let (origin, app) = one_feed(FAST, answers);
    for _ in 0..count {
        app.poll(&["--force"]);
    }
    assert_eq!(said(&origin, "if-none-match"), ["-", "\"1\"", "\"2\"", "\"2\"", "W/\"3\"", "-", "-"]);
    assert_eq!(said(&origin, "if-modified-since"), ["-", "one", "one", "two", "-", "not a date", "-"]);
    assert_polite(&origin.log(), &Manners::default());
}

#[test]
fn p09_a_document_with_broken_markup_gives_its_items_but_vouches_for_nothing() {
    let whole = rss(3);
    let in_an_item = whole.find("Item number 2").expect("the second of three, newest first") + 4;
    let without_end = whole.trim_end().trim_end_matches("</channel></rss>").to_owned();
    let misspelt = whole.replacen("</title>", "</titel>", 1);
    let json = "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"x\",\"items\":[{\"id\":\"1\",\"title\":\"y\"},{\"id\"";
    for broken in [whole[..in_an_item].to_owned(), without_end, misspelt, json.to_owned()] {
        let (origin, app) = one_feed(
            FAST,
            [
                ok(rss(1)).etag("\"A\"").last_modified("a"),
                ok(broken.clone()).etag("\"B\"").last_modified("b"),
                ok(broken.clone()).etag("\"C\"").last_modified("c"),
                not_modified(),
            ],
        );
        for _ in 0..4 {
            app.poll(&["--force"]);
        }
        assert_eq!(said(&origin, "if-none-match"), ["-", "\"A\"", "\"A\"", "\"A\""], "{broken}");
        assert_eq!(said(&origin, "if-modified-since"), ["-", "a", "a", "a"], "{broken}");
        assert!(app.ask::<i64>("SELECT count(*) FROM items") >= 2, "what is sound is kept");
    }
}

#[test]
fn p09_of_a_feed_whose_markup_is_always_broken_the_newest_validators_go_out() {
    let broken = |count: usize| rss(count).replacen("</title>", "</titel>", 1);
    let tagged = |body: String, tag: &str| ok(body).etag(format!("\"{tag}\""));
    let (origin, app) =
        one_feed(FAST, [tagged(broken(1), "1"), tagged(broken(2), "2"), not_modified(), tagged(broken(3), "3")]);
    for _ in 0..5 {
        app.poll(&["--force"]);
    }
    assert_eq!(said(&origin, "if-none-match"), ["-", "\"1\"", "\"2\"", "\"2\"", "\"3\""]);
    // One that was whole, and is broken for days.
    let (origin, app) = one_feed(
        FAST,
        [
            tagged(rss(1), "A"),
            tagged(broken(1), "B"),
            tagged(broken(2), "C"),
            tagged(broken(3), "D"),
            tagged(rss(3), "E"),
        ],
    );
    for _ in 0..2 {
        app.poll(&["--force"]);
    }
    app.let_pass(4 * DAY);
    for _ in 0..4 {
        app.poll(&["--force"]);
    }
    assert_eq!(said(&origin, "if-none-match"), ["-", "\"A\"", "\"A\"", "\"C\"", "\"D\"", "\"E\""]);
}

#[test]
fn p10_a_304_that_nobody_asked_for_is_a_failure_and_is_asked_again_in_its_time_without_validators() {
    let (origin, app) =
        one_feed("interval = \"30m\"\nallow_private_addresses = true\n", [not_modified().etag("\"x\""), ok(rss(1))]);
    let polled = app.poll(&[]);
    assert_eq!((outcome(&polled), origin.log().len()), ("failed", 1), "{polled}");
    assert!(wait_s(&polled) >= 30 * 60, "{polled}");
    app.poll(&[]);
    assert_eq!(origin.log().len(), 1, "not at once");
    app.let_pass(2 * HOUR);
    assert_eq!(outcome(&app.poll(&[])), "stored");
    assert_eq!(said(&origin, "if-none-match"), ["-", "-"]);
}

#[test]
fn p12_a_feed_that_was_conditional_once_is_not_taken_for_one_that_is() {
    let away = Origin::start();
    away.script("/there.xml", [ok(rss(2)).etag("\"there\"")]);
    let (_origin, app) = one_feed(USUAL, [redirect(302, away.url("/there.xml")), ok(rss(2))]);
    assert!(wait_s(&app.poll(&[])) < 20 * HOUR, "its target can say that nothing changed");
    assert!(wait_s(&app.poll(&["--force"])) >= DAY - 60, "it cannot itself");
}

#[test]
fn p15_p16_no_store_stores_items_odd_values_do_no_harm_and_age_counts() {
    let check = |name: &'static str, value: &str, expected_s: std::ops::RangeInclusive<i64>| {
        let answer = value.split('|').fold(ok(rss(2)).etag("\"a\""), |answer, line| match line.split_once(": ") {
            Some((name, value)) => answer.header(name, value),
            None => answer.header(name, line),
        });
        let (_origin, app) = one_feed(FAST, [answer]);
        let polled = app.poll(&[]);
        assert_eq!(polled["items_added"], 2, "{value}: {polled}");
        assert!(expected_s.contains(&wait_s(&polled)), "{value}: {} s, {polled}", wait_s(&polled));
    };
    let (soon, ten) = (0..=2, 540..=600);
    check("Cache-Control", "no-store, no-cache, max-age=600", ten.clone());
    check("Cache-Control", "MAX-AGE=600", ten.clone());
    check("Cache-Control", "max-age=\"600\"", ten.clone());
    check("Cache-Control", "max-age=60, max-age=600", ten.clone());
    check("Cache-Control", "max-age=600|Cache-Control: max-age=60", ten.clone());
    check("Cache-Control", "max-age=3600|Age: 3000", ten.clone());
    check("Cache-Control", "max-age=600|Expires: Thu, 01 Jan 2099 00:00:00 GMT", ten);
    for odd in ["max-age=soon", "max-age=-600", "max-age=", "max-age", "s-maxage=600", "max-age=60|Age: 600"] {
        check("Cache-Control", odd, soon.clone());
    }
    check("Cache-Control", "max-age=99999999999999999999", 7 * DAY - 60..=7 * DAY);
    for odd in ["0", "-1", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        check("Expires", odd, soon.clone());
    }
}

/// A channel that lists every hour but these.
fn skipping_all_but(hours: &[i64]) -> Answer {
    let listed: String =
        (0..24).filter(|hour| !hours.contains(hour)).map(|hour| format!("<hour>{hour}</hour>")).collect();
    ok(rss(1).replacen("<channel>", &format!("<channel><skipHours>{listed}</skipHours>"), 1))
        .etag("\"a\"")
        .conditional()
}

fn hour_of(at: Timestamp) -> i64 {
    at.as_second().rem_euclid(DAY) / HOUR
}

#[test]
fn p19_a_feed_is_asked_in_no_listed_hour_or_day_and_lists_of_all_are_ignored() {
    let free = (hour_of(Timestamp::now()) + 5) % 24;
    let (origin, app) = one_feed(FAST, [skipping_all_but(&[free])]);
    assert_eq!(hour_of(next_check(&app.poll(&[]))), free);
    // Due before the listed hours, and not asked then, as when the machine was off: it is not made up for within them.
    app.change("UPDATE feeds SET next_check_at = 1000");
    let daemon = app.start();
    let moved = || (app.ask::<i64>("SELECT next_check_at FROM feeds") > 1000).then_some(());
    wait_until(PATIENCE, moved).expect("moved out of the listed hours");
    daemon.stop();
    assert_eq!(
        hour_of(Timestamp::from_millisecond(app.ask("SELECT next_check_at FROM feeds")).expect("an instant")),
        free
    );
    assert!(app.ask::<String>("SELECT next_check_reason FROM feeds").contains("skipHours"));
    assert_eq!(origin.log().len(), 1);

    let (_origin, app) = one_feed(FAST, [skipping_all_but(&[])]);
    assert!(wait_s(&app.poll(&[])) <= 2);
    assert!(app.run(&["feeds", "--json"]).stdout.contains("skip all hours or all days, which is ignored"));
    app.write("document.xml", &String::from_utf8(skipping_all_but(&[]).into_body()).expect("UTF-8"));
    let parsed = app.run(&["parse", &app.directory().join("document.xml").display().to_string()]).stdout;
    assert!(parsed.contains("which is ignored"), "{parsed}");

    let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let listed: String = days[..6].iter().map(|day| format!("<day>{day}</day>")).collect();
    let sundays = rss(1).replacen("<channel>", &format!("<channel><skipDays>{listed}</skipDays>"), 1);
    let (_origin, app) = one_feed(FAST, [ok(sundays).etag("\"a\"")]);
    let next = jiff::tz::TimeZone::UTC.to_datetime(next_check(&app.poll(&[])));
    assert_eq!(next.weekday(), jiff::civil::Weekday::Sunday);
}

#[test]
fn p34_a_kill_in_the_middle_of_a_visit_costs_no_second_request_within_the_interval() {
    let origin = Origin::start();
    let gate = Arc::new(Gate::default());
    origin.script("/feed.xml", [ok(rss(2)).etag("\"a\"").behind(&gate), ok(rss(2)).etag("\"a\"").conditional()]);
    let fetch = "interval = \"1h\"\nallow_private_addresses = true\n";
    let app = App::new(fetch, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    let daemon = app.start();
    origin.wait_until(PATIENCE, |log| log.len() == 1);
    daemon.kill();
    gate.open();
    for _ in 0..5 {
        let daemon = app.start();
        // Proof of a look at what is due.
        wait_until(PATIENCE, || (daemon.get("/readyz").status == 200).then_some(())).expect("it is ready");
        daemon.kill();
    }
    assert_eq!(origin.log().len(), 1);
    assert!(app.ask::<String>("SELECT next_check_reason FROM feeds").contains("a visit has begun"));
    let wait_ms = app.ask::<i64>("SELECT next_check_at FROM feeds") - Timestamp::now().as_millisecond();
    assert!((50 * 60_000..=60 * 60_000).contains(&wait_ms), "{wait_ms} ms");
    app.let_pass(HOUR);
    assert_eq!(app.poll(&[])["items_added"], 2, "nothing was lost by it");
}

#[test]
fn p23_p33_a_feed_without_host_limits_neither_waits_for_its_host_nor_speaks_for_it() {
    let origin = Origin::start();
    origin.script("/loud.xml", [status(429).retry_after("600")]);
    origin.script("/calm.xml", [ok(rss(1)).etag("\"a\"")]);
    origin.script("/busy.xml", [status(429).retry_after("600")]);
    let alone = |path: &str| format!("[[feeds]]\nurl = \"{}\"\nhost_limits = false\n", origin.url(path));
    let app = App::new(
        "per_host = 1\nallow_private_addresses = true\n",
        &(alone("/loud.xml") + &feed_tables(&[&origin.url("/calm.xml")])),
    );
    let polled = app.poll(&[]);
    assert_eq!(
        (&polled["failed"], &polled["refreshed"], &polled["declined"]),
        (&1.into(), &1.into(), &0.into()),
        "{polled}"
    );
    app.write("watch.toml", &(feed_tables(&[&origin.url("/busy.xml")]) + &alone("/calm.xml")));
    let polled = app.poll(&["--force"]);
    assert_eq!(
        (&polled["failed"], &polled["refreshed"], &polled["declined"]),
        (&1.into(), &1.into(), &0.into()),
        "{polled}"
    );
    let declined = app.poll(&["--force", &origin.url("/busy.xml")]);
    assert_eq!(outcome(&declined), "declined", "its own Retry-After holds: {declined}");
}

#[test]
fn p23_a_host_that_asked_to_be_left_alone_is_not_asked_by_way_of_another() {
    let (asking, other) = (Origin::start(), Origin::start());
    asking.script("/busy.xml", [status(429).retry_after("600")]);
    asking.script("/there.xml", [ok(rss(1)).etag("\"a\"")]);
    other.script("/moved.xml", [redirect(302, asking.url("/there.xml"))]);
    let (busy, moved) = (asking.url("/busy.xml"), other.url("/moved.xml"));
    let app = App::new(USUAL, &feed_tables(&[&busy, &moved]));
    app.poll(&[&busy]);
    let polled = app.poll(&[&moved]);
    assert_eq!(outcome(&polled), "failed", "{polled}");
    assert!(wait_s(&polled) >= 590, "{polled}");
    assert!(polled.to_string().contains("asked to be left alone"), "{polled}");
    assert_eq!((asking.log().len(), other.log().len()), (1, 1));
    app.let_pass(3 * HOUR);
    assert_eq!(outcome(&app.poll(&[&moved])), "stored");
}

#[test]
fn p25_the_reason_of_a_failure_stands_in_plain_words_on_the_page_and_in_the_list() {
    let captcha = ok("<!DOCTYPE html><title>Are you a robot?</title>").header("Content-Type", "text/html");
    for (answer, words) in [
        (status(401), "a login is needed"),
        (status(403), "the server does not let us in"),
        (status(404), "there is nothing at this address"),
        (status(451), "withheld for legal reasons"),
        (captcha, "this is a web page, not a feed"),
    ] {
        let (_origin, app) = one_feed(USUAL, [answer]);
        app.poll(&[]);
        app.let_pass(30 * DAY);
        for _ in 0..7 {
            app.poll(&["--force"]);
        }
        let polled = app.poll(&["--force"]);
        assert!((20 * HOUR..=DAY).contains(&wait_s(&polled)), "backs off up to a day: {polled}");
        let listed = app.run(&["feeds"]).stdout;
        assert!(listed.contains(words) && listed.contains("failing"), "{listed}");
        let daemon = app.start();
        let page = daemon.get("/feeds").text();
        assert!(page.contains(words) && page.contains("It has failed"), "{page}");
    }
}

#[test]
fn p27_a_redirect_that_is_taken_back_leaves_the_feed_where_it_was() {
    let origin = Origin::start();
    let to_b = || redirect(301, origin.url("/b.xml"));
    origin.script("/feed.xml", [to_b(), to_b(), to_b(), to_b(), ok(rss(2)).etag("\"a\"").conditional()]);
    origin.script("/b.xml", [ok(rss(2)).etag("\"b\"").conditional()]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    for _ in 0..8 {
        app.poll(&["--force"]);
        app.let_pass(3 * DAY);
    }
    assert_eq!(app.ask::<String>("SELECT coalesce(fetch_url, '') FROM feeds"), "");
    assert_eq!((origin.requests("/feed.xml").len(), origin.requests("/b.xml").len()), (8, 4));
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 2);
    assert_polite(&origin.log(), &Manners::default());
}

#[test]
fn p36_a_boot_in_1970_asks_nobody_twice_and_lets_no_feed_sleep() {
    let Some(library) = faketime_library() else { return };
    let origin = Origin::start();
    origin.script("/etag", [ok(rss(1)).etag("\"a\"").conditional()]);
    let fresh = ok(rss(1)).etag("\"f\"").max_age(3 * 86_400).conditional();
    origin.script("/fresh", [fresh]);
    let mut urls: Vec<String> = (0..5).map(|n| origin.url(&format!("/etag?n={n}"))).collect();
    urls.push(origin.url("/fresh"));
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let app = App::new("interval = \"1h\"\nallow_private_addresses = true\n", &(feed_tables(&urls) + ALL));
    app.poll(&[]);
    assert_eq!(origin.log().len(), 6);
    app.write("clock", "@1970-01-01 00:10:00");
    let mut daemon = app.start_by_its_own_clock(&library);
    let latest = || app.ask::<i64>("SELECT max(next_check_at) FROM feeds");
    wait_until(PATIENCE, || (latest() < 8 * DAY * 1000).then_some(())).expect("no feed sleeps by the clock that was");
    assert!(app.ask::<String>("SELECT next_check_reason FROM feeds").contains("the clock was set back"));
    // The right time comes by the network.
    app.write("clock", "+0");
    let again = || app.ask::<i64>("SELECT min(next_check_at) FROM feeds") > Timestamp::now().as_millisecond() - 60_000;
    wait_until(PATIENCE, || again().then_some(())).expect("spread by the right clock");
    assert!(!daemon.has_ended());
    let log = daemon.kill();
    assert!(!log.iter().any(|line| line.contains("panic")), "{log:#?}");
    let asked = |target: &str| origin.requests(target).len();
    assert!((0..5).all(|n| asked(&format!("/etag?n={n}")) <= 2), "one more each at most");
    assert_eq!(asked("/fresh"), 1, "what is fresh stays fresh");
    let fresh_until = "SELECT next_check_at >= fresh_until_at FROM feeds WHERE url LIKE '%fresh'";
    assert!(app.ask::<bool>(fresh_until));
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 6);
}

#[test]
fn p35_p36_what_a_sleeping_machine_has_missed_comes_over_ten_minutes() {
    let Some(library) = faketime_library() else { return };
    let origin = Origin::start();
    origin.script("/etag", [ok(rss(1)).etag("\"a\"").conditional()]);
    let urls: Vec<String> = (0..20).map(|n| origin.url(&format!("/etag?n={n}"))).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let app = App::new("interval = \"1h\"\nallow_private_addresses = true\n", &feed_tables(&urls));
    app.poll(&[]);
    app.write("clock", "+0");
    let daemon = app.start_by_its_own_clock(&library);
    app.write("clock", "+10h");
    let spread =
        "SELECT (max(next_check_at) - min(next_check_at)) / 1000 FROM feeds WHERE next_check_reason LIKE 'overdue%'";
    let is_spread = || (app.ask::<Option<i64>>(spread).unwrap_or(0) > 500).then_some(());
    wait_until(PATIENCE, is_spread).expect("over ten minutes");
    let last = (Timestamp::now() + SignedDuration::from_mins(609)).as_millisecond();
    assert!(app.ask::<i64>("SELECT max(next_check_at) FROM feeds") >= last);
    daemon.kill();
    let late = origin.log().len() - 20;
    assert!(late <= 3, "{late} requests at one stroke");
    assert_polite(&origin.log(), &Manners { start_gap: Duration::ZERO, ..Manners::default() });
}

#[test]
fn p37_the_pages_refresh_is_conditional_and_declines_as_a_poll_by_hand_does() {
    let (origin, app) =
        one_feed("interval = \"1h\"\nallow_private_addresses = true\n", [ok(rss(2)).etag("\"a\"").conditional()]);
    app.write("secret", "open sesame");
    let service = std::fs::read_to_string(app.config()).expect("the config");
    let secret = app.directory().join("secret").display().to_string();
    let login = format!("[http]\nlogin = {{ username = \"curator\", password_file = \"{secret}\" }}\n");
    app.write("veille.toml", &service.replace("[http]\n", &login));
    app.poll(&[]);
    let daemon = app.start();
    // "curator:open sesame"
    let known = [("Authorization", "Basic Y3VyYXRvcjpvcGVuIHNlc2FtZQ==")];
    let page = daemon.get("/feeds").text();
    assert!(page.contains("action=\"/feeds/1/refresh\""), "{page}");
    assert!(page.contains("<button aria-label=\"Refresh "), "each button says which feed: {page}");
    assert_eq!(daemon.post("/feeds/1/refresh", &[], &[]).status, 401, "changing something needs the login");
    let declined = daemon.post("/feeds/1/refresh", &[], &known);
    assert_eq!(declined.status, 409);
    assert!(declined.text().contains("refreshed less than 5 minutes ago"), "{}", declined.text());
    daemon.stop();
    app.let_pass(600);
    let daemon = app.start();
    let told = daemon.post("/feeds/1/refresh", &[], &known);
    assert_eq!((told.status, told.header("location")), (303, Some("/feeds#feed-1")));
    let log = origin.wait_for("/feed.xml", 2);
    assert_eq!(log[1].header("if-none-match"), Some("\"a\""));
    assert_eq!(daemon.post("/feeds/9/refresh", &[], &known).status, 404);
    daemon.stop();
    let until = Timestamp::now().as_millisecond() + 3_600_000;
    for (column, words) in [("fresh_until_at", "fresh until"), ("retry_after_at", "left alone")] {
        app.change(&format!("UPDATE feeds SET last_refresh_at = 0, next_check_at = {until}, {column} = {until}"));
        let daemon = app.start();
        let declined = daemon.post("/feeds/1/refresh", &[], &known);
        assert!(declined.status == 409 && declined.text().contains(words), "{}", declined.text());
        daemon.stop();
    }
    assert_eq!(origin.log().len(), 2);
}

/// Items with these numbers, newest first.
fn listing(numbers: std::ops::Range<usize>) -> Answer {
    let items: String = numbers.map(|n| format!("<item><guid>item-{n}</guid><title>Item {n}</title></item>")).collect();
    ok(format!("<rss version=\"2.0\"><channel><title>Busy</title>{items}</channel></rss>"))
}

#[test]
fn a_window_that_slid_past_us_is_told_counted_and_brings_us_back_within_less_than_half_of_it() {
    // Ten items are listed, and ten come in six hours.
    let (_origin, app) = one_feed(USUAL, [0..10, 80..90, 96..106, 99..109].map(listing));
    app.poll(&[]);
    app.let_pass(2 * DAY);
    let overflowed = app.run(&["poll", "--json"]);
    assert!(overflowed.stderr.contains("every item was new"), "{overflowed:?}");
    let wait = wait_s(&overflowed.json());
    assert!((9 * HOUR..10 * HOUR).contains(&wait), "a fifth of two days: {wait} s");
    assert_eq!(app.ask::<i64>("SELECT overflow_count FROM feeds"), 1);
    let listed = app.run(&["feeds"]).stdout;
    assert!(listed.starts_with("overflowing") && listed.contains("some may have come and gone unseen"), "{listed}");
    assert!(app.run(&["status"]).stdout.contains("1 overflowing"));
    app.let_pass(wait + 1);
    let wait = wait_s(&app.poll(&[]));
    assert!(wait < 3 * HOUR, "less than half of the window: {wait} s");
    app.let_pass(wait + 1);
    let wait = wait_s(&app.poll(&[]));
    assert!(wait < 3 * HOUR, "and it stays so: {wait} s");
    assert_eq!(app.ask::<i64>("SELECT overflow_count FROM feeds"), 2, "nothing was lost since");
    let daemon = app.start();
    assert!(daemon.get("/feeds").text().contains("some may have come and gone unseen"));
}

#[test]
fn a_feed_that_begins_empty_has_not_overflowed_with_its_first_items() {
    let (_origin, app) = one_feed(USUAL, [0..0, 0..3, 10..13].map(listing));
    for (overflows, what) in [(0, "empty"), (0, "begun"), (1, "slid past")] {
        app.poll(&["--force"]);
        assert_eq!(app.ask::<i64>("SELECT overflow_count FROM feeds"), overflows, "{what}");
        app.let_pass(2 * DAY);
    }
}

#[test]
fn a_cron_goes_by_the_clock_of_the_services_zone_and_gives_way_to_what_the_server_asks() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(1)).etag("\"a\""), ok(rss(1)).etag("\"a\"").max_age(2 * 86_400)]);
    let feeds = format!("[[feeds]]\nurl = \"{}\"\ncron = \"0 30 2 * * *\"\n", origin.url("/feed.xml"));
    let app = App::new(USUAL, &feeds);
    let text = std::fs::read_to_string(app.config()).expect("the config");
    app.write("veille.toml", &text.replace("timezone = \"UTC\"", "timezone = \"Europe/Paris\""));
    let zone = jiff::tz::TimeZone::get("Europe/Paris").expect("a zone");
    let checked_at = |polled: &Value| zone.to_datetime(next_check(polled)).strftime("%H:%M:%S").to_string();
    let polled = app.poll(&[]);
    // Just before half past two the next is tomorrow's: a feed has its shortest interval.
    assert!(checked_at(&polled) == "02:30:00" && wait_s(&polled) <= DAY + HOUR, "{polled}");
    let polled = app.poll(&["--force"]);
    assert!(checked_at(&polled) == "02:30:00" && wait_s(&polled) >= 2 * DAY - 60, "{polled}");
}

const NAMED: usize = 40;
const NAMED_FEEDS: i64 = 40;

/// Names of forty hosts are lost for an hour of a fast clock.
#[test]
fn d13_an_hour_without_names_gives_no_feed_up_and_ends_without_a_storm() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
    write("hosts", &names());
    run_within("pacing::without_names", folder.path(), &[]);
}

fn names() -> String {
    (1..=NAMED).fold(String::new(), |names, n| names + &format!("127.0.9.{n} feed{n}.example\n"))
}

#[test]
#[ignore = "needs the namespace that d13_an_hour_without_names_gives_no_feed_up_and_ends_without_a_storm makes"]
fn without_names() {
    const RATE: u32 = 240;
    let Some(library) = faketime_library() else { return };
    let origin = Origin::listen(Ipv4Addr::UNSPECIFIED, 0, None);
    origin.script("/feed", [ok(rss(2)).etag("\"a\"").conditional()]);
    let port = origin.address().port();
    let urls: Vec<String> = (1..=NAMED).map(|n| format!("http://feed{n}.example:{port}/feed?n={n}")).collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let fetch = "interval = \"10m\"\nmin_interval = \"10m\"\nmax_interval = \"20m\"\ntimeout = \"5m\"\nallow_private_addresses = true\n";
    let app = App::new(fetch, &(feed_tables(&urls) + ALL));
    let mut command = app.command(&["run"]);
    command.env("LD_PRELOAD", library).env("FAKETIME", format!("+0 x{RATE}"));
    let mut daemon = Daemon::start(command);
    let of = |condition: &str| app.ask::<i64>(&format!("SELECT count(*) FROM feeds WHERE {condition}"));
    wait_until(PATIENCE, || (of("last_success_at IS NOT NULL") == NAMED_FEEDS).then_some(())).expect("all are found");
    // Written into the file that is mounted.
    std::fs::write("hosts", "").expect("a file of the namespace");
    let an_hour = "last_refresh_at - failing_since_at >= 2700000";
    wait_until(3 * PATIENCE, || (of(an_hour) == NAMED_FEEDS).then_some(())).expect("all fail for an hour");
    assert_eq!(of("state = 'active'"), NAMED_FEEDS, "none is given up");
    let asked = origin.log().len();
    std::fs::write("hosts", names()).expect("a file of the namespace");
    let returned = std::time::Instant::now();
    wait_until(PATIENCE, || (of("failure_count = 0") == NAMED_FEEDS).then_some(())).expect("all recover by themselves");
    let took = returned.elapsed() * RATE;
    assert!(took <= Duration::from_mins(25), "within the longest pause: {took:?}");
    let log = origin.log();
    let times: Vec<Duration> = log[asked..].iter().map(|request| request.at * RATE).collect();
    let minute = Duration::from_mins(1);
    let in_a_minute = |from: Duration| times.iter().filter(|at| (from..from + minute).contains(*at)).count();
    let most = times.iter().map(|from| in_a_minute(*from)).max().unwrap_or(0);
    println!("{most} of {} in a minute", times.len());
    // A minute is a quarter of a second here, so that a busy machine makes one of two.
    assert!(most <= NAMED / 2, "{most} in a minute: {times:?}");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 2 * NAMED_FEEDS);
    assert!(!daemon.has_ended());
    let is_summary = |line: &String| line.contains("more visits failed within seconds");
    let summaries: Vec<String> = daemon.kill().into_iter().filter(is_summary).collect();
    assert!(summaries.iter().all(|line| line.contains("`…` could not be looked up")), "{summaries:#?}");
}
