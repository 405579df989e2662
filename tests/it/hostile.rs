//! Hostile and broken origins before the whole program: what is refused, what it costs, and that nothing else notices.
//! What the client makes of a single answer is shown in `fetching.rs`.

use crate::support::app::{ALL, App, FAST, PATIENCE, feed_tables, finish, wait_until};
use crate::support::origin::{Answer, Fault, Origin, fault, ok, redirect, rss, status};
use crate::support::polled::one_feed;
use serde_json::Value;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The default policy, but for the one address that the feed itself is at.
const AT_HOME: &str = "interval = \"2s\"\nmin_interval = \"2s\"\nallow_networks = [\"127.0.0.7/32\"]\n";

fn at_home() -> Origin {
    Origin::listen(Ipv4Addr::new(127, 0, 0, 7), 0, None)
}

fn outcome(polled: &Value) -> &str {
    polled["feeds"][0]["outcome"].as_str().unwrap_or_else(|| panic!("no outcome: {polled}"))
}

#[test]
fn h01_private_addresses_are_refused_wherever_they_are_written() {
    let canary = Origin::start();
    canary.script("/feed.xml", [ok(rss(1))]);
    canary.script("/", [ok("<link rel=alternate type='application/rss+xml' href='/feed.xml'>")]);
    let port = canary.address().port();
    let hosts = ["127.0.0.1", "localhost", "[::1]", "0", "127.1", "2130706433", "0x7f.1", "017700000001", "①②7.0.0.1"];
    let mut urls: Vec<String> = hosts.iter().map(|host| format!("http://{host}:{port}/feed.xml?{host}")).collect();
    urls.extend(["[::ffff:7f00:1]", "localhost."].map(|host| format!("http://{host}:{port}/feed.xml?{host}")));
    let outlines: String =
        urls.iter().map(|url| format!("<outline type=\"rss\" text=\"x\" xmlUrl=\"{url}\"/>")).collect();
    let app = App::new("", &(feed_tables(&urls.iter().map(String::as_str).collect::<Vec<_>>()) + ALL));
    let from_config = app.poll(&[]);
    app.write("watch.toml", &format!("include = [\"list.opml\"]\n{ALL}"));
    app.write(
        "list.opml",
        &format!("<opml version=\"2.0\"><body>{outlines}</body></opml>").replace("feed.xml?", "feed.xml?opml"),
    );
    let from_opml = app.poll(&[]);
    for polled in [&from_config, &from_opml] {
        let feeds = polled["feeds"].as_array().expect("feeds");
        assert_eq!(feeds.len(), urls.len(), "{polled}");
        for feed in feeds {
            let reason = feed["reason"].as_str().expect("a reason");
            assert!(reason.contains("refused to connect"), "{feed}");
        }
    }
    for host in hosts {
        let added = app.run(&["feeds", "add", &format!("http://{host}:{port}/")]);
        assert_ne!(added.code(), 0, "{host}: {added:?}");
        assert!(added.stderr.contains("refused to connect"), "{host}: {added:?}");
    }
    assert_eq!(canary.connections(), 0);
}

#[test]
fn h01_every_spelling_of_this_host_is_let_through_where_that_is_allowed() {
    let origin = Origin::start();
    origin.script("/feed.xml", [ok(rss(1))]);
    let port = origin.address().port();
    for host in ["127.0.0.1", "localhost", "localhost.", "127.1", "0x7f.1", "[::ffff:7f00:1]"] {
        let polled = App::watching(&[&format!("http://{host}:{port}/feed.xml")]).poll(&[]);
        assert_eq!(outcome(&polled), "stored", "{host}: {polled}");
    }
}

#[test]
fn h06_articles_hubs_and_sites_are_asked_through_the_same_gate() {
    let (origin, canary) = (at_home(), Origin::start());
    canary.script("/", [ok("x")]);
    let document = |link: String| {
        format!(
            "<rss version=\"2.0\" xmlns:a=\"http://www.w3.org/2005/Atom\"><channel><title>x</title><link>{site}</link>\
             <a:link rel=\"hub\" href=\"{site}hub\"/><item><title>y</title><link>{link}</link></item></channel></rss>",
            site = canary.url("/")
        )
    };
    origin.script("/page", [redirect(302, canary.url("/article"))]);
    origin.script("/feed.xml", [ok(document(canary.url("/article"))), ok(document(origin.url("/page"))), status(404)]);
    let feeds = format!("[[feeds]]\nurl = \"{}\"\nfull_text = true\n", origin.url("/feed.xml"));
    let app = App::new(&(AT_HOME.to_owned() + "per_host_gap = \"1ms\"\n"), &(feeds + ALL));
    let text = std::fs::read_to_string(app.config()).expect("the config");
    app.write("veille.toml", &text.replace("[http]\n", "[http]\nsubscribe_to_hubs = true\n"));
    assert_eq!(outcome(&app.poll(&[])), "stored");
    assert_eq!(outcome(&app.poll(&["--force"])), "stored");
    let failed: i64 = app.ask("SELECT count(*) FROM articles WHERE last_error LIKE '%refused to connect%'");
    assert!(failed > 0, "the article's page was refused");
    let daemon = app.start();
    daemon.wait_for_line("the hub cannot be subscribed to");
    daemon.stop();
    // A feed that is missing: its site is looked at.
    app.poll(&["--force"]);
    app.let_pass(4 * 86_400);
    app.poll(&[]);
    assert_eq!(canary.connections(), 0, "{:?}", canary.log());
}

#[test]
fn h06_a_proxy_in_the_environment_has_no_effect() {
    let (origin, proxy) = (Origin::start(), Origin::start());
    origin.script("/feed.xml", [ok(rss(1))]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    let mut command = app.command(&["poll", "--json"]);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(variable, proxy.url("/"));
    }
    assert_eq!(outcome(&finish(&mut command).json()), "stored");
    assert_eq!((origin.log().len(), proxy.connections()), (1, 0));
}

/// The largest that a process has been since it was last measured anew, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process of ours");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

fn measure_anew(pid: u32) -> u64 {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
    peak_kib(pid)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality: 2, ..Default::default() };
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &params).expect("memory");
    out
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

#[test]
fn h07_h09_bombs_of_a_gigabyte_cost_less_than_twice_the_cap_and_other_feeds_go_on() {
    let origin = Origin::start();
    let piece = vec![b' '; 16 << 20];
    let coded = |coding: &str, body: Vec<u8>| ok(body).header("Content-Encoding", coding);
    origin.script("/good", [ok(rss(3)).etag("\"a\"").conditional()]);
    let urls = [origin.url("/good"), origin.url("/bomb")];
    // One visit at a time: what is measured is one bomb.
    let fetch = FAST.to_owned() + "per_host = 1\nmax_interval = \"2s\"\n";
    origin.script("/bomb", [status(404)]);
    let app = App::new(&fetch, &(feed_tables(&urls.each_ref().map(String::as_str)) + ALL));
    let daemon = app.start();
    origin.wait_for("/good", 2);
    for (coding, bomb) in [
        ("gzip", coded("gzip", gzip(&piece).repeat(64))),
        ("br", coded("br", brotli(&piece.repeat(4)))),
        ("zstd", coded("zstd", zstd(&piece).repeat(64))),
        ("none", ok(piece.clone()).fault(Fault::EndlessBody).until_close()),
    ] {
        let before = measure_anew(daemon.pid());
        origin.script("/bomb", [bomb]);
        let told = || {
            let error: Option<String> = app.ask("SELECT last_error FROM feeds WHERE url LIKE '%/bomb'");
            error.filter(|error| error.contains("too large")).map(drop)
        };
        wait_until(3 * PATIENCE, told).unwrap_or_else(|| panic!("{coding}: {:?}", daemon.log()));
        let grown = peak_kib(daemon.pid()).saturating_sub(before);
        assert!(grown <= 20 << 10, "{coding}: grew by {grown} KiB");
        origin.script("/bomb", [status(404)]);
        let gone = || {
            let error: Option<String> = app.ask("SELECT last_error FROM feeds WHERE url LIKE '%/bomb'");
            error.filter(|error| error.contains("404")).map(drop)
        };
        wait_until(3 * PATIENCE, gone).expect("the next one begins anew");
    }
    let asked = origin.requests("/good").len();
    origin.wait_for("/good", asked + 1);
}

/// The short form of `benches/fleet.py failing`, where they are thousands.
#[test]
fn d14_h10_feeds_that_never_answer_leave_half_of_the_places_to_those_that_do() {
    const SLOW: usize = 12;
    let origin = Origin::listen(Ipv4Addr::UNSPECIFIED, 0, None);
    origin.script("/slow", [fault(Fault::Silence)]);
    origin.script("/good", [ok(rss(2)).etag("\"a\"").conditional()]);
    let port = origin.address().port();
    // Each at a host of its own.
    let url = |kind: &str, n: usize| format!("http://127.0.9.{n}:{port}/{kind}?n={n}");
    let good = 101..=110;
    let urls: Vec<String> = (1..=SLOW).map(|n| url("slow", n)).chain(good.clone().map(|n| url("good", n))).collect();
    let fetch = "interval = \"2s\"\nmin_interval = \"1s\"\nmax_interval = \"2s\"\ntimeout = \"3s\"\nconcurrency = 6\n\
                 allow_private_addresses = true\n";
    let app = App::new(fetch, &feed_tables(&urls.iter().map(String::as_str).collect::<Vec<_>>()));
    let _daemon = app.start();
    let asked = |log: &[crate::support::origin::Request], kind: &str, n: usize| {
        log.iter().filter(|request| request.target == format!("/{kind}?n={n}")).count()
    };
    // Nobody knows yet who is slow: that takes a round.
    let learnt = origin.wait_until(3 * PATIENCE, |log| (1..=SLOW).all(|n| asked(log, "slow", n) >= 2)).len();
    let known: Vec<usize> = good.clone().map(|n| asked(&origin.log(), "good", n)).collect();
    let log = origin.wait_until(Duration::from_secs(30), |log| {
        good.clone().zip(&known).all(|(n, before)| asked(log, "good", n) >= before + 4)
    });
    // Twice their interval, and what a busy machine adds; behind two rounds of the slow ones it would be six seconds and more.
    for n in good {
        let target = format!("/good?n={n}");
        let times: Vec<Duration> =
            log[learnt - 1..].iter().filter(|request| request.target == target).map(|request| request.at).collect();
        let longest = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
        assert!(longest < Duration::from_secs(6), "{target} was not asked for {longest:?}");
    }
}

#[test]
fn h11_h12_what_is_no_feed_changes_nothing_and_nothing_comes_twice_after_it() {
    let body = rss(5);
    let bad: Vec<(&str, Answer)> = vec![
        ("a page", ok("<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>").header("Content-Type", "text/html")),
        ("nothing", ok("")),
        ("204", status(204)),
        ("cut by length", ok(&*body).fault(Fault::CloseAfter(200))),
        ("cut by chunk", ok(&*body).chunked().fault(Fault::BadChunkAfter(200))),
        ("garbage", fault(Fault::Raw(b"\x00\x01 what is this\r\n\r\n".to_vec()))),
        ("a reset", fault(Fault::ResetAfter(200))),
        ("huge headers", ok(&*body).header("X", "y".repeat(2 << 20))),
        ("too many headers", (0..150).fold(ok(&*body), |answer, nth| answer.header(&format!("X-{nth}"), "y"))),
        ("half a gzip", ok(gzip(body.as_bytes())[..60].to_vec()).header("Content-Encoding", "gzip")),
        ("two codings", ok(gzip(&gzip(body.as_bytes()))).header("Content-Encoding", "gzip, gzip")),
    ];
    let origin = Origin::start();
    let good = |count: usize| ok(rss(count)).etag(format!("\"{count}\""));
    origin.script("/feed.xml", [good(5)]);
    let app = App::watching(&[&origin.url("/feed.xml")]);
    app.poll(&[]);
    let state = "SELECT group_concat(item_id || ' ' || guid || ' ' || changed_at) FROM items";
    let (items, digest): (String, i64) = (app.ask(state), app.ask("SELECT version FROM digests WHERE digest = 'all'"));
    for (name, answer) in bad {
        origin.script("/feed.xml", [answer.etag("\"bad\"")]);
        // The same twice: each failure is a line of its own.
        for _ in 0..2 {
            let failed = app.run(&["poll", "--json", "--force"]);
            assert_eq!(outcome(&failed.json()), "failed", "{name}: {failed:?}");
            let lines = failed.stderr.lines().filter(|line| line.contains("/feed.xml")).count();
            assert_eq!(lines, 1, "{name}: {failed:?}");
        }
        assert_eq!(app.ask::<String>(state), items, "{name}");
        assert_eq!(app.ask::<i64>("SELECT version FROM digests WHERE digest = 'all'"), digest, "{name}");
    }
    for kind in ["image/png", "text/html; charset=utf-8", "application/octet-stream", ""] {
        origin.script("/feed.xml", [good(5).header("Content-Type", kind)]);
        let polled = app.poll(&["--force"]);
        assert_eq!((outcome(&polled), &polled["items_added"]), ("stored", &0.into()), "{kind}: {polled}");
    }
    assert_eq!(app.ask::<String>(state), items);
    assert!(origin.log().iter().all(|request| request.header("if-none-match") != Some("\"bad\"")));
}

#[test]
fn h18_what_is_beyond_the_newest_is_counted_in_the_log_when_it_is_new() {
    let (origin, app) = one_feed(FAST, [ok(rss(5_100)), ok(rss(5_100)), ok(rss(5_101))]);
    let said = |expected: &str| {
        let polled = app.run(&["poll", "--json", "--force"]);
        let lines: Vec<&str> = polled.stderr.lines().filter(|line| line.contains("overflow")).collect();
        assert_eq!(lines.len(), usize::from(!expected.is_empty()), "{polled:?}");
        let tells = |line: &&str| line.contains(expected) && line.contains(&origin.url("/feed.xml"));
        assert!(lines.iter().all(tells), "{polled:?}");
        polled.json()["items_added"].as_u64()
    };
    assert_eq!(said("overflow=100"), Some(5_000));
    assert_eq!(said(""), Some(0), "the second visit adds none and has nothing to tell");
    assert_eq!(said("overflow=101"), Some(1));
}

/// The short form of `benches/fleet.py failing`, which has ten thousand.
#[test]
fn d12_feeds_that_all_fail_cost_little_and_all_recover_within_one_cap() {
    const FEEDS: usize = 160;
    let origin = Origin::listen(Ipv4Addr::UNSPECIFIED, 0, None);
    let is_well = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_well);
    origin.serve("/feed", move |request| {
        let nth: usize = request.target.rsplit('=').next().and_then(|n| n.parse().ok()).expect("a number");
        match nth % 4 {
            _ if flag.load(Ordering::SeqCst) => ok(rss(2)).etag("\"a\"").conditional(),
            0 => status(500),
            1 => fault(Fault::Silence),
            2 => fault(Fault::Reset),
            _ => ok("<!DOCTYPE html><title>Maintenance</title>"),
        }
    });
    let port = origin.address().port();
    let urls: Vec<String> = (0..FEEDS).map(|n| format!("http://127.0.10.{}:{port}/feed?n={n}", n + 1)).collect();
    let fetch = "interval = \"1s\"\nmin_interval = \"1s\"\nmax_interval = \"4s\"\ntimeout = \"1s\"\n\
                 allow_private_addresses = true\n";
    let app = App::new(fetch, &(feed_tables(&urls.iter().map(String::as_str).collect::<Vec<_>>()) + ALL));
    let daemon = app.start();
    let failing = |wanted: i64| {
        let failing = "SELECT count(*) FROM feeds WHERE failure_count > 0";
        (app.ask::<i64>(failing) == wanted).then_some(())
    };
    let all = i64::try_from(FEEDS).expect("a few");
    wait_until(3 * PATIENCE, || failing(all)).expect("all of them fail");
    let (began, lines_before) = (Instant::now(), daemon.log().len());
    let asked = origin.log().len();
    // Each once more, at least: the steady state of a failure.
    origin.wait_until(3 * PATIENCE, |log| log.len() >= asked + FEEDS);
    assert_eq!(daemon.get("/").status, 200);
    assert_eq!(daemon.get("/readyz").status, 200);
    let lines = daemon.log().len() - lines_before;
    // A page of the log may be full already when it is looked at.
    let allowed = began.elapsed().as_secs() + 7;
    assert!(lines as u64 <= allowed, "{lines} lines in {:?}: {:#?}", began.elapsed(), daemon.log());
    assert!(peak_kib(daemon.pid()) <= 256 << 10);
    is_well.store(true, Ordering::SeqCst);
    wait_until(2 * PATIENCE, || failing(0)).expect("all recover by themselves");
    let longest: i64 = app.ask("SELECT max(next_check_at - last_refresh_at) FROM feeds");
    assert!(longest <= 4_000, "no pause was longer than the cap: {longest} ms");
    assert_eq!(app.ask::<i64>("SELECT count(*) FROM items"), 2 * all);
    assert!(daemon.stop().0.success());
}
