//! `full_text = true`: the page behind a teaser, read once, kept, and politely done without.

use crate::support::app::{ALL, App, FAST, PATIENCE, wait_until};
use crate::support::origin::{Answer, Gate, Origin, Request, ok, redirect, rss, status};
use crate::support::politeness::{Manners, assert_polite};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

const RULES: &str =
    "[tags.antitrust]\nany = [\"cartel\"]\n[digests.cases]\ntitle = \"Cases\"\nquery = \"tag:antitrust\"\n";

fn feed(origin: &Origin, teaser: &str) -> Answer {
    let link = origin.url("/article");
    ok(format!(
        "<rss version=\"2.0\"><channel><title>News</title><item><guid isPermaLink=\"false\">1</guid><title>A merger</title>\
         <link>{link}</link><description>{teaser}</description></item></channel></rss>"
    ))
}

fn page() -> Answer {
    let words =
        "The regulator said, in its statement, that a cartel of makers had fixed the price of paper. ".repeat(12);
    ok(format!(
        "<!DOCTYPE html><html><head><title>A merger</title></head><body><nav><a href=\"/\">Front page</a></nav>\
         <article><p>{words}</p><p onclick=\"x()\">{words}</p><script>steal()</script></article>\
         <footer>Cookie settings</footer></body></html>"
    ))
    .header("Content-Type", "text/html; charset=utf-8")
}

fn app(origin: &Origin) -> App {
    app_with(origin, "")
}

fn app_with(origin: &Origin, more: &str) -> App {
    let feeds = format!("[[feeds]]\nurl = \"{}\"\nfull_text = true\n", origin.url("/news.xml"));
    App::new(&(FAST.to_owned() + "per_host_gap = \"50ms\"\n"), &(feeds + RULES + more + ALL))
}

fn text(app: &App) -> String {
    app.ask("SELECT content_text FROM items")
}

#[test]
fn the_page_behind_a_teaser_is_read_once_and_takes_part_in_matching() {
    let origin = Origin::start();
    origin.script(
        "/news.xml",
        [feed(&origin, "In short."), feed(&origin, "In short."), feed(&origin, "In short, edited.")],
    );
    origin.script("/article", [page()]);
    let app = app(&origin);
    app.poll(&[]);
    assert!(text(&app).contains("a cartel of makers"), "{}", text(&app));
    let html: String = app.ask("SELECT content_html FROM items");
    for gone in ["steal", "onclick", "Cookie settings", "Front page"] {
        assert!(!html.contains(gone), "{gone}: {html}");
    }
    assert_eq!(app.ask::<String>("SELECT tag FROM item_tags"), "antitrust");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM digest_entries WHERE digest = 'cases'"), 1);
    let same = app.poll(&["--force"]);
    assert_eq!(same["items_changed"], 0, "{same}");
    app.poll(&["--force"]);
    assert_eq!(app.ask::<String>("SELECT summary FROM items"), "In short, edited.");
    assert!(text(&app).contains("a cartel of makers"), "an edit of the teaser takes no article away");
    assert_eq!(app.ask::<String>("SELECT tag FROM item_tags"), "antitrust");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM digest_entries WHERE digest = 'cases'"), 1);
    assert_eq!(origin.requests("/article").len(), 1);
    assert_polite(&origin.log(), &Manners::default());
}

#[test]
fn what_an_article_or_a_curator_brings_into_a_stream_is_pushed_to_its_webhooks() {
    let origin = Origin::start();
    origin.script("/news.xml", [feed(&origin, "In short.")]);
    origin.script("/article", [page()]);
    origin.script("/hook", [status(200)]);
    let hook = origin.url("/hook");
    let pushed = format!(
        "[[digests.cases.webhooks]]\nurl = \"{hook}\"\n[tags.chosen]\nany = [\"nowhere\"]\npublish = false\n\
         [[digests.choice.webhooks]]\nurl = \"{hook}\"\n[digests.choice]\nquery = \"tag:chosen\"\n"
    );
    let app = app_with(&origin, &pushed);
    app.poll(&[]);
    assert_eq!(origin.requests("/hook").len(), 1, "the article made it an entry");
    assert_eq!(app.run(&["correct", "1", "+chosen"]).code(), 0);
    app.poll(&[]);
    assert_eq!(origin.requests("/hook").len(), 2, "the curator made it one of another digest");
    for correction in ["-chosen", "+chosen"] {
        assert_eq!(app.run(&["correct", "1", correction]).code(), 0);
        app.poll(&[]);
    }
    assert_eq!(origin.requests("/hook").len(), 2, "what comes back is no news");
}

#[test]
fn a_page_that_fails_leaves_the_teaser_and_is_tried_a_few_times() {
    let origin = Origin::start();
    origin.script("/news.xml", [feed(&origin, "In short.")]);
    origin.script("/article", [status(500)]);
    let app = app(&origin);
    for round in 1..=5 {
        let polled = app.poll(&["--force"]);
        assert_eq!(polled["failed"], 0, "{polled}");
        assert_eq!(origin.requests("/article").len(), round.min(3), "round {round}");
        app.poll(&["--force"]);
        assert_eq!(origin.requests("/article").len(), round.min(3), "not again at once, round {round}");
        app.let_pass(24 * 3600);
    }
    assert_eq!(text(&app), "");
    assert_eq!(app.ask::<String>("SELECT summary FROM items"), "In short.");
}

#[test]
fn a_host_that_asks_for_peace_is_left_alone() {
    let origin = Origin::start();
    origin.script("/news.xml", [feed(&origin, "In short.")]);
    origin.script("/article", [status(429).header("Retry-After", "3600"), page()]);
    let app = app(&origin);
    app.poll(&[]);
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM hosts"), 1);
    app.let_pass(2 * 3600);
    app.poll(&["--force"]);
    assert!(text(&app).contains("a cartel of makers"));
    assert_eq!(origin.requests("/article").len(), 2);
}

#[test]
fn no_page_is_asked_for_a_whole_text_or_without_full_text() {
    let origin = Origin::start();
    origin.script("/news.xml", [feed(&origin, &"A whole text of many words. ".repeat(60))]);
    origin.script("/short.xml", [feed(&origin, "In short.")]);
    let both = format!(
        "[[feeds]]\nurl = \"{}\"\nfull_text = true\n[[feeds]]\nurl = \"{}\"\n",
        origin.url("/news.xml"),
        origin.url("/short.xml")
    );
    let app = App::new(FAST, &(both + ALL));
    let polled = app.poll(&[]);
    assert_eq!(polled["refreshed"], 2, "{polled}");
    assert_eq!(origin.requests("/article").len(), 0);
}

#[test]
fn the_pages_of_a_feed_that_has_moved_are_read_too() {
    let origin = Origin::start();
    origin.script("/old.xml", [ok(rss(0)), redirect(301, origin.url("/news.xml"))]);
    origin.script("/news.xml", [ok(rss(0))]);
    origin.script("/article", [page()]);
    let listed_at = |path: &str| format!("[[feeds]]\nurl = \"{}\"\nfull_text = true\n{RULES}{ALL}", origin.url(path));
    let app = App::new(FAST, &listed_at("/old.xml"));
    for _ in 0..7 {
        app.poll(&["--force"]);
        app.let_pass(2 * 24 * 3600);
    }
    app.write("watch.toml", &listed_at("/news.xml"));
    origin.script("/news.xml", [feed(&origin, "In short.")]);
    app.poll(&["--force"]);
    assert_eq!(app.ask::<String>("SELECT url FROM feeds"), origin.url("/old.xml"), "the same feed");
    assert!(text(&app).contains("a cartel of makers"), "{}", text(&app));
}

#[test]
fn pages_that_do_not_come_keep_no_other_feed_waiting() {
    let origin = Origin::start();
    let gate = Arc::new(Gate::default());
    let mut watch = format!("[[feeds]]\nurl = \"{}\"\n", origin.url("/quick.xml"));
    // As many as there are places for documents.
    for number in 0..32 {
        let path = format!("/teasers.xml?n={number}");
        origin.script(&path, [feed(&origin, "In short.")]);
        let url = origin.url(&path);
        let _ = write!(watch, "[[feeds]]\nurl = \"{url}\"\nfull_text = true\nhost_limits = false\n");
    }
    origin.script("/article", [page().behind(&gate)]);
    let quick = origin.feed("/quick.xml");
    quick.add(1);
    let app = App::new(&(FAST.to_owned() + "per_host_gap = \"10ms\"\nconcurrency = 128\n"), &(watch + ALL));
    let _daemon = app.start();
    let asked = |log: &[Request]| log.iter().filter(|request| request.target == "/article").count() == 32;
    origin.wait_until(PATIENCE, asked);
    quick.add(1);
    let stored = "SELECT count(*) FROM items JOIN feeds USING (feed_id) WHERE url LIKE '%/quick.xml'";
    let came = wait_until(Duration::from_secs(12), || (app.ask::<i64>(stored) == 2).then_some(()));
    gate.open();
    assert!(came.is_some(), "the document of the quick feed waited for other feeds' pages");
}
