//! Feeds that move: what the config is told, what the operator is told, and that nobody downstream notices.

use crate::support::app::{ALL, App, PATIENCE, feed_tables};
use crate::support::origin::{Gate, Origin, ok, redirect, rss, status};
use std::sync::Arc;

const DAY: i64 = 24 * 3600;
const USUAL: &str = "allow_private_addresses = true\n";

/// Where every item and entry is known, and the feed it is known by.
const IDENTITIES: &str = "SELECT group_concat(entry_id || ' ' || f.url || ' ' || item_id) \
    FROM items JOIN feeds f USING (feed_id) JOIN stories USING (story_id)";
const FEEDS: &str = "SELECT group_concat(url || ' ' || state) FROM feeds";

/// A feed at `/old.xml` that has moved to `/new.xml` for good, and is followed there.
fn moved(watch: impl Fn(&str) -> String) -> (Origin, App) {
    let origin = Origin::start();
    origin.script("/old.xml", [redirect(301, origin.url("/new.xml"))]);
    origin.script("/new.xml", [ok(rss(2)).etag("\"n\"").conditional()]);
    let app = App::new(USUAL, &watch(&origin.url("/old.xml")));
    for _ in 0..6 {
        app.poll(&["--force"]);
        app.let_pass(2 * DAY);
    }
    assert_eq!(app.ask::<String>("SELECT fetch_url FROM feeds"), origin.url("/new.xml"), "adopted");
    (origin, app)
}

fn text(app: &App, name: &str) -> String {
    std::fs::read_to_string(app.directory().join(name)).expect("a file of the config")
}

#[test]
fn a_moved_feed_is_written_into_the_config_and_nothing_comes_twice() {
    let written = |url: &str| {
        format!("# What I read.\n[[feeds]]   # the best\nurl   = '{url}'  # since 2019\n\n# digests\n{ALL}")
    };
    let (origin, app) = moved(written);
    let (old, new) = (origin.url("/old.xml"), origin.url("/new.xml"));
    let before: String = app.ask(IDENTITIES);
    let original = text(&app, "watch.toml");

    let shown = app.run(&["feeds", "fix", "--dry-run"]);
    assert_eq!(shown.code(), 0, "{shown:?}");
    assert!(shown.stdout.contains(&format!("- url   = '{old}'")), "{shown:?}");
    assert!(shown.stdout.contains(&format!("+ url   = \"{new}\"")), "{shown:?}");
    assert!(shown.stdout.contains("watch.toml:3"), "{shown:?}");
    assert_eq!(text(&app, "watch.toml"), original, "a dry run changes nothing");

    let fixed = app.run(&["feeds", "fix", "--json"]).json();
    assert_eq!((&fixed["fixed"][0]["url"], &fixed["fixed"][0]["to"]), (&old.clone().into(), &new.clone().into()));
    assert_eq!(text(&app, "watch.toml"), original.replace(&format!("'{old}'"), &format!("\"{new}\"")));

    assert!(
        app.run(&["feeds", "fix"]).stdout.contains("nothing to fix"),
        "nor before anybody has read the config anew"
    );
    let asked = origin.requests("/new.xml").len();
    app.poll(&["--force"]);
    assert_eq!(origin.requests("/new.xml").len(), asked + 1, "it is polled where it is");
    assert_eq!(app.ask::<String>(IDENTITIES), before, "no item is new, no id changes");
    assert_eq!(app.ask::<String>(FEEDS), format!("{old} active"));
    assert!(app.run(&["feeds", "fix"]).stdout.contains("nothing to fix"));
    assert!(!app.run(&["feeds"]).stdout.contains("moved to"));

    app.write("watch.toml", &original);
    app.poll(&["--force"]);
    assert_eq!((app.ask::<String>(IDENTITIES), app.ask::<String>(FEEDS)), (before, format!("{old} active")));
}

#[test]
fn an_address_that_the_operator_changes_by_hand_is_the_same_feed() {
    let (origin, app) = moved(|url| feed_tables(&[url]) + ALL);
    let before: String = app.ask(IDENTITIES);
    app.write("watch.toml", &(feed_tables(&[&origin.url("/new.xml"), &origin.url("/other.xml")]) + ALL));
    origin.script("/other.xml", [ok(rss(0))]);
    app.poll(&["--force"]);
    assert_eq!(app.ask::<String>(IDENTITIES), before);
    let (old, other) = (origin.url("/old.xml"), origin.url("/other.xml"));
    assert_eq!(app.ask::<String>(FEEDS), format!("{old} active,{other} active"));

    // The feed moves once more, and the config with it.
    origin.script("/new.xml", [redirect(301, origin.url("/newest.xml"))]);
    origin.script("/newest.xml", [ok(rss(3))]);
    for _ in 0..6 {
        app.poll(&["--force"]);
        app.let_pass(2 * DAY);
    }
    assert_eq!(app.run(&["feeds", "fix", "--json"]).json()["fixed"][0]["to"], origin.url("/newest.xml"));
    app.poll(&["--force"]);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 3, "one item is new");
    assert_eq!(app.ask::<String>(FEEDS), format!("{old} active,{other} active"));
}

#[test]
fn what_a_feed_has_told_does_not_come_again_where_somebody_writes_another_address_for_it() {
    let origin = Origin::start();
    origin.script("/old.xml", [ok(rss(3))]);
    origin.script("/new.xml", [ok(rss(4))]);
    let app = App::new(USUAL, &(feed_tables(&[&origin.url("/old.xml")]) + ALL));
    app.poll(&[]);
    // Longer than stories find each other.
    app.let_pass(6 * DAY);
    app.write("watch.toml", &(feed_tables(&[&origin.url("/new.xml")]) + ALL));
    assert_eq!(app.poll(&[])["items_added"], 4);
    let entries = "SELECT count(*) FROM digest_entries WHERE digest = 'all' AND left_at IS NULL";
    assert_eq!(app.ask::<i64>(entries), 4, "one story is new");
}

#[test]
fn a_feed_that_comes_back_from_where_it_moved_is_found_there() {
    for answer in [404, 410] {
        let (origin, app) = moved(|url| feed_tables(&[url]) + ALL);
        let before: String = app.ask(IDENTITIES);
        origin.script("/new.xml", [status(answer)]);
        origin.script("/old.xml", [ok(rss(2))]);
        let ends = if answer == 404 { 4 } else { 0 };
        app.poll(&["--force"]);
        app.let_pass(ends * DAY);
        for _ in 0..2 {
            app.poll(&["--force"]);
        }
        let shown = app.run(&["feeds"]).stdout;
        assert!(shown.starts_with("ok") && !shown.contains("It is now at"), "{answer}: {shown}");
        assert_eq!(app.ask::<String>(IDENTITIES), before, "{answer}");
    }
}

#[test]
fn a_feed_that_is_gone_where_it_moved_and_where_it_was_is_gone() {
    let (origin, app) = moved(|url| feed_tables(&[url]) + ALL);
    origin.script("/new.xml", [status(410)]);
    for _ in 0..2 {
        app.poll(&["--force"]);
    }
    assert_eq!(app.ask::<String>(FEEDS), format!("{} gone", origin.url("/old.xml")));
}

#[test]
fn what_the_config_cannot_follow_is_left_to_the_operator_by_name() {
    let (origin, app) = moved(|url| format!("{ALL}[[feeds]]\nurl = \"{url}\"\n"));
    let (old, new) = (origin.url("/old.xml"), origin.url("/new.xml"));
    let opml = format!("<opml version=\"2.0\"><body><outline xmlUrl=\"{old}\" text=\"x\"/></body></opml>");
    for list in ["list.opml", "feeds.XML"] {
        app.write(list, &opml);
        app.write("watch.toml", &format!("include = [\"{list}\"]\n{ALL}"));
        let left = app.run(&["feeds", "fix", "--json"]).json();
        assert!(left["by_hand"][0]["reason"].as_str().unwrap().contains(list), "{left}");
        assert_eq!((left["fixed"].as_array().unwrap().len(), text(&app, list)), (0, opml.clone()));
    }

    let both = feed_tables(&[&old, &new]) + ALL;
    app.write("watch.toml", &both);
    let left = app.run(&["feeds", "fix", "--json"]).json();
    assert!(left["by_hand"][0]["reason"].as_str().unwrap().contains("remove this feed"), "{left}");
    assert_eq!(text(&app, "watch.toml"), both);
}

#[test]
fn a_missing_feed_is_offered_what_its_site_names_and_moves_only_when_told() {
    let origin = Origin::start();
    let document = rss(2).replace("<link>http://feed.example/</link>", &format!("<link>{}</link>", origin.url("/")));
    origin.script("/old.xml", [ok(document.clone()), status(404)]);
    origin.script("/page", [ok("<link rel=alternate type='application/rss+xml' href='/page'>")]);
    let page = "<link rel=alternate type='application/rss+xml' href='/old.xml'>\
                <link rel=alternate type='application/rss+xml' href='/page'>\
                <link rel=alternate type='application/rss+xml' href='/there.xml'>";
    origin.script("/", [ok(page)]);
    origin.script("/there.xml", [ok(document)]);
    let (old, there) = (origin.url("/old.xml"), origin.url("/there.xml"));
    let app = App::new(USUAL, &(feed_tables(&[&old]) + ALL));
    app.poll(&[]);
    app.poll(&["--force"]);
    assert_eq!(origin.requests("/").len(), 0, "a feed that has just begun to fail is given time");
    app.let_pass(4 * DAY);
    app.poll(&[]);
    app.poll(&[]);
    assert_eq!(origin.requests("/").len(), 1, "its site is asked, and not again the same day");
    let listed = app.run(&["feeds"]).stdout;
    assert!(listed.contains(&format!("the site now offers {there}")), "{listed}");
    assert_eq!(app.ask::<String>("SELECT coalesce(fetch_url, '') FROM feeds"), "", "nothing is adopted");

    let before: String = app.ask(IDENTITIES);
    let offered = app.run(&["feeds", "fix"]).stdout;
    assert!(offered.contains(&format!("its site now offers {there}")), "{offered}");
    assert!(text(&app, "watch.toml").contains(&old), "an offer is not taken unasked");
    let taken = app.run(&["feeds", "fix", &old]);
    assert!(text(&app, "watch.toml").contains(&there), "{taken:?}");
    app.poll(&[]);
    assert_eq!(app.ask::<String>(IDENTITIES), before);
    assert_eq!(app.ask::<String>("SELECT url || failure_count FROM feeds"), format!("{old}0"), "it is well again");
}

#[test]
fn what_a_site_offered_stands_until_the_site_says_otherwise() {
    let origin = Origin::start();
    origin.script("/there.xml", [ok(rss(2))]);
    let names_it = ok("<link rel=alternate type='application/rss+xml' href='/there.xml'>");
    origin.script("/", [names_it.clone(), status(503), names_it, ok("<p>no feed here any more</p>")]);
    let document = rss(2).replace("<link>http://feed.example/</link>", &format!("<link>{}</link>", origin.url("/")));
    origin.script("/old.xml", [ok(document), status(404)]);
    let (old, there) = (origin.url("/old.xml"), origin.url("/there.xml"));
    let app = App::new(USUAL, &(feed_tables(&[&old]) + ALL));
    app.poll(&[]);
    app.poll(&["--force"]);
    app.let_pass(4 * DAY);
    let search = || {
        app.change("UPDATE offered_addresses SET searched_at = 0");
        app.poll(&[]);
        app.run(&["feeds"]).stdout.contains(&format!("the site now offers {there}"))
    };
    assert!(search(), "found");
    assert!(search(), "the site is down");
    origin.script("/there.xml", [status(500)]);
    assert!(search(), "the feed is down");
    assert!(!search(), "it is named no more");
    assert_eq!(origin.requests("/").len(), 4);
}

#[test]
fn an_address_that_leads_to_a_feed_of_the_config_for_good_adds_no_feed() {
    let origin = Origin::start();
    origin.script("/new.xml", [ok(rss(2))]);
    origin.script("/old.xml", [redirect(301, "/new.xml")]);
    origin.script("/for-now.xml", [redirect(302, "/new.xml")]);
    origin.script("/", [ok("<link rel=alternate type='application/rss+xml' href='/old.xml'>")]);
    let new = origin.url("/new.xml");
    let app = App::new(USUAL, &(feed_tables(&[&new]) + ALL));
    let before = text(&app, "watch.toml");
    for url in [origin.url("/old.xml"), origin.url("/")] {
        let told = app.run(&["feeds", "add", &url]);
        assert_eq!(told.code(), 0, "{told:?}");
        assert!(told.stdout.contains(&format!("already there {new}")), "{told:?}");
        assert!(told.stdout.contains(&format!("{} leads to {new} for good", origin.url("/old.xml"))), "{told:?}");
        let told = app.run(&["feeds", "add", &url, "--json"]).json();
        assert_eq!((&told["added"], &told["already_there"]), (&serde_json::json!([]), &serde_json::json!([new])));
    }
    assert_eq!(text(&app, "watch.toml"), before);
    let told = app.run(&["feeds", "add", &origin.url("/for-now.xml")]);
    assert!(told.stdout.contains("added "), "it may lead elsewhere tomorrow: {told:?}");
}

#[test]
fn a_feed_that_is_gone_or_failing_for_long_is_named_with_what_to_do() {
    let origin = Origin::start();
    origin.script("/gone.xml", [status(410)]);
    origin.script("/broken.xml", [status(500)]);
    let app = App::new(USUAL, &(feed_tables(&[&origin.url("/gone.xml"), &origin.url("/broken.xml")]) + ALL));
    for _ in 0..3 {
        app.poll(&["--force"]);
        app.let_pass(4 * DAY);
    }
    let named = app.run(&["feeds", "fix"]);
    assert_eq!(named.code(), 0);
    assert!(named.stdout.contains("gone.xml since 12d"), "{named:?}");
    assert!(named.stdout.contains("its publisher ended it"), "{named:?}");
    assert!(named.stdout.contains("its server fails"), "{named:?}");
    assert!(named.stdout.contains("nothing was changed"), "{named:?}");
}

#[test]
fn a_feed_that_is_listed_where_it_was_at_first_is_asked_there() {
    let origin = Origin::start();
    origin.script("/first.xml", [ok(rss(2))]);
    origin.script("/second.xml", [ok(rss(2))]);
    let (first, second) = (origin.url("/first.xml"), origin.url("/second.xml"));
    let app = App::new(USUAL, &(feed_tables(&[&first]) + ALL));
    app.poll(&[]);
    app.change(&format!(
        "INSERT INTO offered_addresses (feed_id, url, searched_at) SELECT feed_id, '{second}', 0 FROM feeds"
    ));
    app.write("watch.toml", &(feed_tables(&[&second]) + ALL));
    app.poll(&[]);
    assert_eq!(origin.requests("/second.xml").len(), 1, "the address that was offered is this feed");
    app.write("watch.toml", &(feed_tables(&[&first]) + ALL));
    app.poll(&[]);
    assert_eq!((origin.requests("/first.xml").len(), origin.requests("/second.xml").len()), (2, 1));
    assert_eq!(app.ask::<String>(FEEDS), format!("{first} active"));
}

#[test]
fn a_feed_that_is_listed_elsewhere_during_a_visit_is_asked_there() {
    let origin = Origin::start();
    let gate = Arc::new(Gate::default());
    origin.script("/old.xml", [ok(rss(2)).behind(&gate)]);
    origin.script("/new.xml", [ok(rss(2))]);
    let (old, new) = (origin.url("/old.xml"), origin.url("/new.xml"));
    let app = App::new(USUAL, &(feed_tables(&[&old]) + ALL));
    let daemon = app.start();
    origin.wait_until(PATIENCE, |log| !log.is_empty());
    app.change(&format!(
        "INSERT INTO offered_addresses (feed_id, url, searched_at) SELECT feed_id, '{new}', 0 FROM feeds"
    ));
    app.write("watch.toml", &(feed_tables(&[&new]) + ALL));
    daemon.wait_for_line("config reloaded");
    gate.open();
    origin.wait_for("/new.xml", 1);
    assert_eq!(app.ask::<String>("SELECT fetch_url FROM feeds"), new);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 2, "what the visit brought is kept");
}

#[test]
fn what_a_site_names_is_tried_until_one_is_a_feed() {
    let origin = Origin::start();
    let page = "<link rel=alternate type='application/rss+xml' href='/dead.xml'>\
                <link rel=alternate type='application/rss+xml' href='/there.xml'>";
    origin.script("/", [ok(page)]);
    origin.script("/dead.xml", [status(404)]);
    origin.script("/there.xml", [ok(rss(2))]);
    let app = App::new(USUAL, ALL);
    let added = app.run(&["feeds", "add", &origin.url("/")]);
    assert_eq!(added.code(), 0, "{added:?}");
    assert!(added.stdout.contains("/there.xml"), "{added:?}");
    origin.script("/", [ok(page.replace("/there.xml", "/dead.xml"))]);
    let failed = app.run(&["feeds", "add", &origin.url("/")]);
    assert!(failed.code() == 1 && failed.stderr.contains("HTTP 404"), "what was named is told of: {failed:?}");
}

#[test]
fn a_site_that_asks_to_be_left_alone_is_asked_for_no_other_feed_that_it_names() {
    let origin = Origin::start();
    let named = |path: &str| format!("<link rel=alternate type='application/rss+xml' href='{path}'>");
    origin.script("/", [ok(named("/busy.xml") + &named("/there.xml"))]);
    origin.script("/busy.xml", [status(429)]);
    origin.script("/there.xml", [ok(rss(2))]);
    origin.script("/old.xml", [status(404)]);
    let app = App::new(USUAL, &(feed_tables(&[&origin.url("/old.xml")]) + ALL));
    let added = app.run(&["feeds", "add", &origin.url("/")]);
    assert!(added.code() == 1 && added.stderr.contains("left alone"), "{added:?}");
    app.poll(&[]);
    app.let_pass(4 * DAY);
    app.poll(&[]);
    assert_eq!(origin.requests("/busy.xml").len(), 2, "its site is asked where the missing feed went");
    assert_eq!(origin.requests("/there.xml").len(), 0);
}
