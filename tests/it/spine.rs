//! The whole way, from a feed at an origin to a digest in a subscriber's hands, through the binary.

use crate::support::app::{ALL, App, Daemon, FAST, PATIENCE, feed_tables, finish, get, veille, wait_until};
use crate::support::origin::{Fault, Gate, Origin, Request, ok, rss, status};
use crate::support::politeness::{Manners, assert_polite};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The text of every element or attribute value between two marks.
fn between<'t>(text: &'t str, start: &str, end: &str) -> Vec<&'t str> {
    text.split(start).skip(1).filter_map(|rest| rest.split(end).next()).collect()
}

/// Entry ids and titles of a JSON Feed.
fn entries(document: &Value) -> BTreeMap<String, String> {
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let items = document["items"].as_array().expect("a JSON Feed has items");
    items.iter().map(|item| (text(item, "id"), text(item, "title"))).collect()
}

#[test]
fn a_poll_stores_each_item_once_and_a_second_one_is_answered_304() {
    let origin = Origin::start();
    let (news, blog) = (origin.feed("/news.xml"), origin.feed("/blog.xml"));
    news.add(3);
    blog.add(2);
    let app = App::watching(&[&origin.url("/news.xml"), &origin.url("/blog.xml")]);
    let first = app.poll(&[]);
    assert_eq!((&first["refreshed"], &first["items_added"]), (&2.into(), &5.into()), "{first}");
    let second = app.poll(&["--force"]);
    assert_eq!((&second["not_modified"], &second["items_added"]), (&2.into(), &0.into()), "{second}");
    news.add(1);
    let third = app.poll(&["--force"]);
    assert_eq!((&third["refreshed"], &third["items_added"]), (&1.into(), &1.into()), "{third}");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 6);
    assert_eq!(app.ask::<i64>("SELECT count(DISTINCT item_key || feed_id) FROM items"), 6);
    assert_polite(&origin.log(), &Manners::default());
}

#[test]
fn an_edit_updates_in_place_and_its_entry_keeps_its_id() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(2);
    let app = App::watching(&[&origin.url("/news.xml")]);
    app.poll(&[]);
    let daemon = app.start();
    let before = entries(&daemon.json("/digests/all.json"));
    let tag = daemon.get("/digests/all.atom").header("etag").map(str::to_owned);
    feed.retitle(1, "Quite another headline");
    let edited = |now: &BTreeMap<String, String>| now.values().any(|title| title == "Quite another headline");
    let after = wait_until(PATIENCE, || Some(entries(&daemon.json("/digests/all.json"))).filter(edited));
    let after = after.expect("the edit arrives");
    assert!(before.keys().eq(after.keys()), "{before:?} {after:?}");
    assert_ne!(tag.as_deref(), daemon.get("/digests/all.atom").header("etag"), "subscribers are told");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 2);
}

#[test]
fn feeds_that_fail_touch_no_other_and_each_is_one_line_of_the_log() {
    let origin = Origin::start();
    let good = origin.feed("/good.xml");
    good.add(1);
    origin.script("/broken.xml", [ok("<rss><channel><title>x</titel></channel></rss>")]);
    origin.script("/page", [ok("<!DOCTYPE html><title>Not a feed</title>")]);
    origin.script("/refused", [status(500)]);
    origin.script("/cut.xml", [ok(rss(3)).fault(Fault::CloseAfter(80))]);
    let bad = ["/broken.xml", "/page", "/refused", "/cut.xml"].map(|path| origin.url(path));
    let mut feeds: Vec<&str> = bad.iter().map(String::as_str).collect();
    let good_url = origin.url("/good.xml");
    feeds.push(&good_url);
    let app = App::new(&(FAST.to_owned() + "max_interval = \"2s\"\n"), &(feed_tables(&feeds) + ALL));
    let daemon = app.start();
    for path in ["/broken.xml", "/page", "/refused", "/cut.xml", "/good.xml"] {
        origin.wait_for(path, 2);
    }
    good.add(1);
    let arrived = || Some(app.ask::<i64>("SELECT count(*) FROM items")).filter(|count| *count == 2);
    wait_until(PATIENCE, arrived).expect("the good feed goes on");
    let failing = app.run(&["status", "--json"]).json()["failing"].as_array().map(Vec::len);
    assert_eq!(failing, Some(4));
    let log = daemon.kill();
    for url in &bad {
        let lines: Vec<&String> = log.iter().filter(|line| line.contains(" WARN ") && line.contains(url)).collect();
        // A page of the log has room for five lines, so that some of a feed's failures may be in a summary.
        let asked = origin.log().iter().filter(|request| url.ends_with(&request.target)).count();
        assert!((1..=asked).contains(&lines.len()), "{url}, asked {asked} times: {log:#?}");
    }
    assert!(!log.iter().any(|line| line.contains(" WARN ") && line.contains("/good.xml")), "{log:#?}");
}

#[test]
fn the_three_formats_carry_the_same_entries_under_the_same_ids() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(4);
    let app = App::watching(&[&origin.url("/news.xml")]);
    app.poll(&[]);
    let daemon = app.start();
    let json = entries(&daemon.json("/digests/all.json"));
    assert_eq!(json.len(), 4);
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let owned = |ids: Vec<&str>| sorted(ids.into_iter().map(str::to_owned).collect());
    let atom = daemon.get("/digests/all.atom").text();
    let atom_ids = atom.split("<entry>").skip(1).filter_map(|entry| between(entry, "<id>", "</id>").first().copied());
    let json_ids: Vec<String> = json.keys().cloned().collect();
    assert_eq!(owned(atom_ids.collect()), json_ids);
    let rss = daemon.get("/digests/all.rss").text();
    let guids = between(&rss, "<guid isPermaLink=\"false\">", "</guid>");
    assert_eq!(owned(guids), json_ids, "{rss}");
    for (format, kind) in
        [("atom", "application/atom+xml"), ("rss", "application/rss+xml"), ("json", "application/feed+json")]
    {
        let response = daemon.get(&format!("/digests/all.{format}"));
        assert!(response.header("content-type").is_some_and(|value| value.starts_with(kind)), "{response:?}");
    }
}

#[test]
fn a_digests_etag_is_answered_304_also_after_a_restart_and_polls_without_news() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(2);
    let app = App::watching(&[&origin.url("/news.xml")]);
    app.poll(&[]);
    let daemon = app.start();
    for format in ["atom", "rss", "json"] {
        let path = format!("/digests/all.{format}");
        let tag = daemon.get(&path).header("etag").expect("a digest has an ETag").to_owned();
        let again = daemon.get_with(&path, &[("If-None-Match", &tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
    }
    let tag = daemon.get("/digests/all.atom").header("etag").map(str::to_owned);
    origin.wait_for("/news.xml", 3);
    daemon.stop();
    let daemon = app.start();
    assert_eq!(daemon.get("/digests/all.atom").header("etag").map(str::to_owned), tag);
}

#[test]
fn w2_a_restart_changes_no_date_and_an_edit_of_the_config_does() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(3)).etag("\"a\"").conditional()]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    app.poll(&[]);
    let daemon = app.start();
    let date = daemon.get("/digests/all.atom").header("last-modified").expect("a date").to_owned();
    let answered = |daemon: &Daemon| daemon.get_with("/digests/all.atom", &[("If-Modified-Since", &date)]).status;
    assert_eq!(answered(&daemon), 304);
    drop(daemon);
    // Dates are whole seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    let daemon = app.start();
    assert_eq!(answered(&daemon), 304, "a restart changes nothing");
    daemon.signal("HUP");
    daemon.wait_for_line("config reloaded");
    assert_eq!(answered(&daemon), 304, "nor does a reload of the same files");
    let watch = feed_tables(&[&origin.url("/feed.xml")]) + &ALL.replace("All of it", "Everything");
    app.write("watch.toml", &watch);
    let anew = wait_until(PATIENCE, || (answered(&daemon) == 200).then_some(()));
    anew.expect("another title is told");
}

#[test]
fn h35_s09_a_reload_by_signal_or_by_a_changed_file_takes_effect_and_a_bad_one_changes_nothing() {
    let origin = Origin::start();
    for path in ["/one.xml", "/two.xml", "/three.xml"] {
        origin.feed(path).add(1);
    }
    let watch = |paths: &[&str]| {
        let urls: Vec<String> = paths.iter().map(|path| origin.url(path)).collect();
        feed_tables(&urls.iter().map(String::as_str).collect::<Vec<_>>()) + ALL
    };
    let app = App::new(FAST, &watch(&["/one.xml"]));
    let daemon = app.start();
    origin.wait_for("/one.xml", 1);
    app.write("watch.toml", &watch(&["/one.xml", "/two.xml"]));
    origin.wait_for("/two.xml", 1);
    app.write("watch.toml", &(watch(&["/three.xml"]) + "[[feds]]\n"));
    daemon.signal("HUP");
    let line = daemon.wait_for_line("config not reloaded");
    assert!(line.contains("ERROR"), "{line}");
    let refused = daemon.json("/healthz");
    let said = refused["refused_reload"]["error"].as_str().unwrap_or_default();
    assert!(said.contains("watch.toml:") && said.contains("feds"), "{refused}");
    let directory = app.directory().display().to_string();
    assert!(!said.contains(&directory), "strangers learn nothing of this machine: {refused}");
    origin.wait_for("/one.xml", origin.requests("/one.xml").len() + 2);
    assert!(origin.requests("/three.xml").is_empty(), "nothing of the bad config is in force");
    app.write("watch.toml", &watch(&["/one.xml", "/two.xml", "/three.xml"]));
    daemon.signal("HUP");
    origin.wait_for("/three.xml", 1);
    let healed = || daemon.json("/healthz")["refused_reload"].is_null().then_some(());
    wait_until(PATIENCE, healed).expect("health forgets the refusal");
}

#[test]
fn s09_a_reload_drops_no_request_spreads_what_is_new_and_asks_no_more_for_what_is_gone() {
    let (origin, gate) = (Origin::start(), Arc::new(Gate::default()));
    origin.script("/slow", [ok(rss(2)).behind(&gate)]);
    origin.feed("/gone.xml").add(1);
    origin.script("/new", [ok(rss(1)).etag("\"a\"").conditional()]);
    let watch = |paths: &[String]| {
        let urls: Vec<String> = paths.iter().map(|path| origin.url(path)).collect();
        feed_tables(&urls.iter().map(String::as_str).collect::<Vec<_>>()) + ALL
    };
    let fetch = "interval = \"2s\"\nmin_interval = \"2s\"\nper_host_gap = \"100ms\"\nallow_private_addresses = true\n";
    let app = App::new(fetch, &watch(&["/slow".to_owned(), "/gone.xml".to_owned()]));
    let daemon = app.start();
    origin.wait_until(PATIENCE, |log| count(log, "/slow") == 1);
    origin.wait_for("/gone.xml", 1);
    let with_new: Vec<String> =
        std::iter::once("/slow".to_owned()).chain((0..10).map(|n| format!("/new?n={n}"))).collect();
    app.write("watch.toml", &watch(&with_new));
    daemon.signal("HUP");
    daemon.wait_for_line("config reloaded");
    let gone = origin.requests("/gone.xml").len();
    let is_new = |request: &Request| request.target.starts_with("/new");
    let log = origin.wait_until(PATIENCE, |log| log.iter().filter(|request| is_new(request)).count() >= 10);
    assert_polite(&log, &Manners { start_gap: Duration::from_millis(60), ..Manners::default() });
    gate.open();
    let stored = || {
        let items: i64 = app.ask("SELECT count(*) FROM items JOIN feeds USING (feed_id) WHERE feeds.url LIKE '%/slow'");
        (items == 2).then_some(())
    };
    wait_until(PATIENCE, stored).expect("what was in flight is stored");
    let slow = origin.requests("/slow");
    assert!(
        slow[0].answered.as_ref().is_some_and(|answer| answer.complete),
        "what was in flight was answered: {slow:#?}"
    );
    // Well after its interval: the new ones have each come twice.
    origin.wait_until(PATIENCE, |log| (0..10).all(|n| count(log, &format!("/new?n={n}")) >= 2));
    assert_eq!(origin.requests("/gone.xml").len(), gone, "what left the config is not asked for");
}

fn count(log: &[Request], target: &str) -> usize {
    log.iter().filter(|request| request.target == target).count()
}

#[test]
fn an_edit_is_noticed_where_links_of_the_config_lead_and_in_a_list_named_xml() {
    use std::os::unix::fs::symlink;
    let app = App::new(FAST, "");
    let at = |name: &str| app.directory().join(name);
    let rules = |name: &str| format!("[tags.{name}]\nany = [\"x\"]\n");
    let service = std::fs::read_to_string(app.config()).expect("written");
    app.write("veille.toml", &service.replace("\"watch.toml\"", "\"watch.toml\", \"list.xml\""));
    app.write("list.xml", "<opml><body/></opml>");
    for name in ["one", "two"] {
        std::fs::create_dir(at(name)).expect("a directory");
        app.write(&format!("{name}/watch.toml"), &rules(name));
    }
    std::fs::remove_file(at("watch.toml")).expect("a file");
    symlink("one", at("current")).expect("a link");
    symlink("current/watch.toml", at("watch.toml")).expect("a link");
    let daemon = app.start();
    let all = |name: &str, key: &str| -> Vec<String> {
        let answer = daemon.json(&format!("/api/v1/{name}"));
        let members = answer[name].as_array().expect("a list").iter();
        members.map(|member| member[key].as_str().expect("a text").to_owned()).collect()
    };
    let wait_for = |tags: &[&str], feeds: usize| {
        let is_so = || (all("tags", "name") == tags && all("feeds", "url").len() == feeds).then_some(());
        wait_until(PATIENCE, is_so).unwrap_or_else(|| panic!("{tags:?}: {:?}", all("tags", "name")));
    };
    wait_for(&["one"], 0);
    app.write("one/watch.toml", &(rules("one") + &rules("more")));
    wait_for(&["one", "more"], 0);
    symlink("two", at("next")).expect("a link");
    std::fs::rename(at("next"), at("current")).expect("another link in its place");
    wait_for(&["two"], 0);
    app.write("list.xml", "<opml><body><outline xmlUrl='http://127.0.0.1:9/'/></body></opml>");
    wait_for(&["two"], 1);
}

#[test]
fn what_does_not_exist_is_said_with_what_was_meant() {
    let origin = Origin::start();
    let app = App::watching(&[&origin.url("/news.xml")]);
    app.poll(&[]);
    let check = |arguments: &[&str], code: i32, meant: &str| {
        let finished = app.run(arguments);
        assert_eq!(finished.code(), code, "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains(meant), "{arguments:?}: {finished:?}");
        assert!(finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
    };
    check(&["poll", &origin.url("/new.xml")], 2, &origin.url("/news.xml"));
    check(&["digests", "show", "al"], 2, "all");
    check(&["pol"], 2, "poll");
    check(&["poll", "--forced"], 2, "--force");
    let missing = finish(&mut veille(&["poll", "--config", "/nowhere/veille.toml"]));
    assert_eq!(missing.code(), 2, "{missing:?}");
    assert!(missing.stderr.contains("/nowhere/veille.toml"), "{missing:?}");
}

#[test]
fn d09_a_newer_or_foreign_database_is_refused_and_left_as_it_is() {
    let newer = App::watching(&[]);
    newer.poll(&[]);
    newer.change("PRAGMA journal_mode = delete; PRAGMA user_version = 999");
    let foreign = App::watching(&[]);
    foreign.poll(&[]);
    std::fs::write(foreign.data_dir().join("veille.db"), "a letter, not a database. ".repeat(400)).expect("writes");
    for (app, why) in [(newer, "schema 999"), (foreign, "not a database of veille")] {
        let listing = |app: &App| {
            let entries = std::fs::read_dir(app.data_dir()).expect("a directory");
            let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        let path = app.data_dir().join("veille.db");
        for sidecar in ["veille.db-wal", "veille.db-shm"] {
            // A file of an earlier run that has ended in order is of no use to anyone.
            let _ = std::fs::remove_file(app.data_dir().join(sidecar));
        }
        let (bytes, names) = (std::fs::read(&path).expect("reads"), listing(&app));
        for arguments in [&["run"][..], &["poll"], &["status"]] {
            let finished = app.run(arguments);
            assert_eq!(finished.code(), 2, "{finished:?}");
            assert!(finished.stderr.contains(why) && finished.stderr.contains("veille.db"), "{finished:?}");
            assert!(std::fs::read(&path).expect("reads") == bytes, "{arguments:?} has changed the file");
            assert_eq!(listing(&app), names, "{arguments:?} has left a file");
        }
    }
}

#[test]
fn d10_a_second_daemon_on_one_data_directory_ends_at_once_and_names_the_first() {
    let app = App::watching(&[]);
    let daemon = app.start();
    let second = app.run(&["run"]);
    assert_eq!(second.code(), 2, "{second:?}");
    assert!(second.stderr.contains(&format!("pid {}", daemon.pid())), "{second:?}");
    std::fs::remove_file(app.data_dir().join("veille.lock")).expect("the note");
    assert_eq!(app.run(&["poll"]).code(), 2, "without the note too");
    assert_eq!(app.run(&["status"]).code(), 0, "looking is free");
    assert_eq!(daemon.get("/healthz").status, 200);
}

#[test]
fn s06_sigterm_ends_in_order_within_five_seconds_though_a_visit_hangs_and_though_it_comes_twice() {
    let origin = Origin::start();
    origin.script("/hangs.xml", [status(200).fault(Fault::Silence)]);
    origin.feed("/news.xml").add(1);
    let app = App::watching(&[&origin.url("/hangs.xml"), &origin.url("/news.xml")]);
    let daemon = app.start();
    origin.wait_until(PATIENCE, |log| log.iter().any(|request| request.target == "/hangs.xml"));
    origin.wait_for("/news.xml", 1);
    daemon.signal("TERM");
    let (status, took, log) = daemon.stop();
    assert!(status.success(), "{status}: {log:#?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(log.iter().any(|line| line.ends_with(" stopped")), "{log:#?}");
    let left = std::fs::metadata(app.data_dir().join("veille.db-wal")).map_or(0, |wal| wal.len());
    assert_eq!(left, 0, "the log is written back");
}

#[test]
fn a_reader_of_our_output_who_has_seen_enough_is_no_failure() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(3);
    let app = App::watching(&[&origin.url("/news.xml")]);
    app.poll(&[]);
    let document = app.directory().join("news.xml");
    std::fs::write(&document, rss(1)).unwrap();
    let document = document.display().to_string();
    for arguments in
        [&["status", "--json"][..], &["feeds"], &["search", "item", "--json"], &["parse", &document], &["man"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = app.command(arguments).stdout(writer).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !told.contains("veille:"), "{arguments:?}: {} {told}", output.status);
    }
}

#[test]
fn a_watch_without_a_digest_offers_none() {
    let app = App::new(FAST, "");
    let daemon = app.start();
    for path in ["/", "/digests"] {
        let page = daemon.get(path).text();
        assert!(!page.contains("subscribe to</h2>") && !page.contains("import"), "{path}: {page}");
    }
}

#[test]
fn an_export_is_byte_for_byte_what_is_served() {
    let origin = Origin::start();
    origin.feed("/news.xml").add(3);
    let app = App::watching(&[&origin.url("/news.xml")]);
    app.poll(&[]);
    let target = app.directory().join("public");
    let daemon = app.start();
    let exported = app.run(&["export", &target.display().to_string()]);
    assert_eq!(exported.code(), 0, "{exported:?}");
    for path in ["digests/all.atom", "digests/all.rss", "digests/all.json", "digests.opml"] {
        let served = get(daemon.address(), &format!("/{path}"), &[]);
        assert_eq!(served.status, 200, "{path}");
        let written = std::fs::read(target.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(written == served.body, "{path}: {}\n{}", String::from_utf8_lossy(&written), served.text());
    }
}

#[test]
fn a_digest_that_was_away_gets_what_came_meanwhile_though_nobody_retagged_when_it_returned() {
    let origin = Origin::start();
    let feed = origin.feed("/feed.xml");
    feed.add(2);
    let feeds = feed_tables(&[&origin.url("/feed.xml")]);
    let app = App::new(FAST, &(feeds.clone() + ALL));
    app.poll(&[]);
    app.run(&["retag"]);
    app.write("watch.toml", &feeds);
    feed.add(1);
    app.poll(&["--force"]);
    app.write("watch.toml", &(feeds + ALL));
    // A poll of all feeds would go through the archive itself.
    app.poll(&["--force", &origin.url("/feed.xml")]);
    let daemon = app.start();
    let members = "SELECT count(*) FROM digest_entries WHERE digest = 'all'";
    let all = wait_until(PATIENCE, || (app.ask::<i64>(members) == 3).then_some(()));
    assert!(all.is_some(), "{} of 3 items are in the digest", app.ask::<i64>(members));
    daemon.stop();
}

#[test]
fn a_new_title_is_a_new_version_also_where_the_rules_change_with_it() {
    let app = App::new(FAST, ALL);
    app.poll(&[]);
    app.run(&["retag"]);
    let version = || app.ask::<i64>("SELECT version FROM digests WHERE digest = 'all'");
    let before = version();
    let renamed = ALL.replace("All of it", "Everything");
    app.write("watch.toml", &renamed);
    app.poll(&[]);
    assert_eq!(version(), before + 1);
    app.write("watch.toml", &(ALL.to_owned() + "[tags.ai]\nany = [\"AI\"]\n"));
    app.poll(&[]);
    assert_eq!(version(), before + 2);
}
