//! The digest of feeds: what an operator's reader is told, once, and that a network that is down is one entry.

use crate::support::app::{ALL, App, FAST, feed_tables};
use crate::support::origin::{Origin, ok, rss, status};
use serde_json::Value;

const DAY: i64 = 24 * 3600;

/// Title, id and text of each entry, newest first.
fn entries(app: &App) -> Vec<(String, String, String)> {
    let daemon = app.start();
    let document = daemon.json("/digests/feed-health.json");
    daemon.stop();
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_else(|| panic!("no {key}: {item}")).to_owned();
    let items = document["items"].as_array().expect("items");
    items.iter().map(|item| (text(item, "title"), text(item, "id"), text(item, "content_html"))).collect()
}

fn poll_times(app: &App, times: u32) {
    for _ in 0..times {
        app.poll(&["--force"]);
    }
}

/// Polled only by hand.
const SLOW: &str = "min_interval = \"24h\"\nallow_private_addresses = true\n";

#[test]
fn a_feed_that_fails_is_told_once_with_what_to_do_and_its_recovery_once() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(1)), status(500), status(500), status(500), status(500), ok(rss(1))]);
    let app = App::new(SLOW, &(feed_tables(&[&origin.url("/feed.xml")]) + ALL));
    poll_times(&app, 3);
    assert_eq!(entries(&app), [], "two failures are weather");
    poll_times(&app, 1);
    let told = entries(&app);
    assert_eq!(told.len(), 1, "{told:?}");
    let (title, id, text) = &told[0];
    assert_eq!(title, "Failing: Scripted news");
    for said in ["3 times in a row since 20", "500", "The next try is at", "veille feeds fix"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    poll_times(&app, 1);
    assert_eq!(&entries(&app), &told, "while it lasts, nothing is told again");
    poll_times(&app, 1);
    let after = entries(&app);
    assert_eq!(
        after.iter().map(|(title, ..)| title.as_str()).collect::<Vec<_>>(),
        ["Well again: Scripted news", title]
    );
    assert_eq!(&after[1].1, id, "one entry from beginning to end");
    assert!(after[1].2.contains("This was over at"), "{after:?}");
    poll_times(&app, 1);
    assert_eq!(entries(&app), after);
}

#[test]
fn gone_moved_and_silent_feeds_are_told_in_every_format_and_on_the_page() {
    let origin = Origin::start();
    origin.script("/gone.xml", [status(410)]);
    origin.script("/moved.xml", [ok(rss(1))]);
    origin.script("/silent.xml", [ok(rss(2))]);
    let app = App::new(
        SLOW,
        &(feed_tables(
            &["/gone.xml", "/moved.xml", "/silent.xml"].map(|path| origin.url(path)).each_ref().map(String::as_str),
        ) + ALL),
    );
    app.poll(&["--force"]);
    app.let_pass(100 * DAY);
    app.change(&format!("UPDATE feeds SET fetch_url = '{}' WHERE url LIKE '%moved%'", origin.url("/silent.xml?moved")));
    app.poll(&[&origin.url("/gone.xml"), "--force"]);
    let mut titles: Vec<String> = entries(&app).into_iter().map(|(title, ..)| title).collect();
    titles.sort();
    titles.dedup();
    let gone = format!("Gone: {}", origin.url("/gone.xml"));
    assert_eq!(titles, [gone.as_str(), "Moved: Scripted news", "Silent: Scripted news"]);
    let daemon = app.start();
    for (path, media_type) in [
        ("/digests/feed-health.atom", "application/atom+xml; charset=utf-8"),
        ("/digests/feed-health.rss", "application/rss+xml; charset=utf-8"),
        ("/digests/feed-health.json", "application/feed+json; charset=utf-8"),
        ("/digests/feed-health", "text/html; charset=utf-8"),
    ] {
        let answer = daemon.get(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{path}");
        assert!(answer.text().contains("veille feeds fix"), "{path}: {}", answer.text());
        let etag = answer.header("etag").expect("a validator").to_owned();
        if path.contains('.') {
            assert_eq!(daemon.get_with(path, &[("If-None-Match", &etag)]).status, 304, "{path}");
        }
    }
}

#[test]
fn many_feeds_behind_a_network_that_is_down_are_one_entry() {
    let origin = Origin::start();
    origin.script("/feed", [ok(rss(1))]);
    let urls: Vec<String> = (0..100).map(|n| origin.url(&format!("/feed?n={n}"))).collect();
    let fetch = format!("{SLOW}per_host = 64\n");
    let app = App::new(&fetch, &(feed_tables(&urls.iter().map(String::as_str).collect::<Vec<_>>()) + ALL));
    app.poll(&[]);
    origin.set_down(true);
    poll_times(&app, 4);
    let told = entries(&app);
    assert_eq!(told.len(), 1, "{} entries", told.len());
    assert_eq!(told[0].0, "Many feeds fail at once");
    assert!(told[0].2.contains("100 feeds"), "{told:?}");
    origin.set_down(false);
    poll_times(&app, 2);
    let after = entries(&app);
    assert_eq!((after.len(), &after[0].1), (1, &told[0].1));
    assert!(after[0].2.contains("This was over at"), "{after:?}");
}

#[test]
fn the_digests_name_is_taken() {
    for watch in ["[digests.feed-health]\nquery = 'a'\n", "[tags.feed-health]\nany = ['a']\n"] {
        let checked = App::new(FAST, watch).run(&["check"]);
        assert_eq!(checked.code(), 2, "{checked:?}");
        let said = checked.stdout + &checked.stderr;
        assert!(said.contains("veille's own digest") && said.contains("watch.toml:1:"), "{said}");
    }
}

#[test]
fn who_asks_a_terminal_for_the_digest_is_told_where_it_is() {
    let app = App::new(SLOW, ALL);
    app.poll(&[]);
    let shown = app.run(&["digests", "show", "feed-health"]);
    assert!(shown.code() == 2 && shown.stderr.contains("`veille feeds`"), "{shown:?}");
}
