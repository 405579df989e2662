//! What we publish, held against grammars of Atom, RSS, JSON Feed and OPML by programs that are not ours:
//! `tests/validity/validate.py`, run by the Python that `VEILLE_PYTHON` names (lxml, jsonschema, feedparser).

use super::serving::Watch;
use crate::support::app::{ALL, App};
use crate::support::origin::{Origin, ok, rss, status};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const EXTENSIONS: [&str; 3] = ["atom", "rss", "json"];

/// Runs the validator; `None`, and says so, where there is none.
fn validate(files: &[PathBuf]) -> Option<Output> {
    let Some(python) = std::env::var_os("VEILLE_PYTHON") else {
        println!("skipped: VEILLE_PYTHON names no Python with lxml, jsonschema and feedparser");
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validity/validate.py");
    Some(Command::new(python).arg(script).args(files).output().expect("the validator runs"))
}

#[track_caller]
fn check_valid(files: &[PathBuf]) {
    let Some(output) = validate(files) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&format!("{} documents, 0 faults", files.len())), "{said}");
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/publishing").join(name)
}

/// Hubs, paging, enclosures, hostile titles and missing ones.
#[test]
fn documents_with_everything_in_them_are_valid() {
    let mut files = vec![golden("digests.opml")];
    for name in ["stream", "weekly"] {
        files.extend(EXTENSIONS.map(|extension| golden(&format!("{name}.{extension}"))));
    }
    check_valid(&files);
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    for (name, right, wrong) in [
        ("stream.atom", "<updated>", "<updated>yesterday, "),
        ("stream.atom", "rel=\"self\"", "rel=\"related\""),
        ("stream.atom", "   <title>Journal", "   <updated>2026-11-23T09:10:00Z</updated>\n   <titel>Journal"),
        ("stream.atom", "<published>2026", "<published>1970"),
        ("stream.atom", "?a=1&amp;b=2\"", "?a=1|b=2\""),
        ("stream.rss", "<description>La", "<summary>La"),
        ("stream.atom", "&lt;p&gt;", "&lt;p&gt;&lt;script&gt;"),
        ("stream.atom", "<title>", "<titel/><title>"),
        ("stream.rss", "<pubDate>", "<pubDate>Someday, "),
        ("stream.rss", " isPermaLink=\"false\"", ""),
        ("stream.json", "\"version\"", "\"verison\""),
        ("stream.json", "\"date_published\": \"", "\"date_published\": \"on "),
        ("digests.opml", "xmlUrl", "xmlurl"),
    ] {
        let document = std::fs::read_to_string(golden(name)).unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, document.replacen(right, wrong, 1)).unwrap();
        assert!(document.contains(right), "{name} holds {right}");
        let Some(output) = validate(&[path]) else { return };
        assert!(!output.status.success(), "{wrong} in {name} was not found");
    }
}

/// A stream, an issue of a periodic digest, and the same digest as a private one: the newest entries, a page of the past and
/// the archive of each.
#[tokio::test]
async fn streams_issues_and_private_digests_are_valid_as_served() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for is_private in [false, true] {
        let watch = Watch::start_with(veille::http::Limits::default(), |settings| {
            settings.digests[1].spec.private = is_private;
            settings.digests[0].spec.limit = 2;
            settings.digests[1].spec.limit = 1;
            settings.http.hubs = vec!["https://hub.example.org/".parse().unwrap()];
        })
        .await;
        let weekly = if is_private {
            format!("/private/{}/weekly", watch.private_key("weekly").await)
        } else {
            "/digests/weekly".to_owned()
        };
        let archived = format!("{weekly}/archive/1");
        for (stem, query) in [
            ("/digests/french-ai", ""),
            ("/digests/french-ai", "?before=3"),
            ("/digests/french-ai/archive/1", ""),
            (&weekly, ""),
            (&archived, ""),
            ("/digests/feed-health", ""),
        ] {
            for extension in EXTENSIONS {
                let answer = watch.get(&format!("{stem}.{extension}{query}"), "").await;
                assert_eq!(answer.status, 200, "{stem}.{extension}{query}");
                let path = directory.path().join(format!("{}.{extension}", files.len()));
                std::fs::write(&path, &answer.body).unwrap();
                files.push(path);
            }
        }
    }
    check_valid(&files);
}

/// A digest of what befell a feed that fails, the list of digests with it, the feeds in groups, and each file of an export.
#[test]
fn feed_health_lists_and_exported_files_are_valid() {
    let origin = Origin::start();
    origin.script("/fails.xml", [ok(rss(2)), status(500)]);
    let watch = format!(
        "[[feeds]]\nurl = \"{}\"\ngroups = [\"ai & co\", \"fr\"]\n[[feeds]]\nurl = \"{}\"\n{ALL}limit = 1\n",
        origin.url("/fails.xml"),
        origin.url("/else.xml?a=b&c=d"),
    );
    let app = App::new("min_interval = \"24h\"\nallow_private_addresses = true\n", &watch);
    let service = std::fs::read_to_string(app.config()).unwrap();
    app.write("veille.toml", &service.replace("[http]\n", "[http]\nlist_feed_health = true\n"));
    for _ in 0..5 {
        app.poll(&["--force"]);
    }
    let site = app.directory().join("site");
    assert_eq!(app.run(&["export", site.to_str().unwrap()]).code(), 0);
    let feeds = site.join("feeds.opml");
    std::fs::write(&feeds, app.run(&["feeds", "export"]).stdout).unwrap();
    let mut files = vec![feeds, site.join("digests.opml")];
    for stem in ["all", "all/archive/1", "all/archive/2", "feed-health"] {
        files.extend(EXTENSIONS.map(|extension| site.join(format!("digests/{stem}.{extension}"))));
    }
    let health = std::fs::read_to_string(site.join("digests/feed-health.atom")).unwrap();
    assert!(health.contains("<entry>") && !health.contains(">1970"), "{health}");
    assert!(std::fs::read_to_string(&files[1]).unwrap().contains("feed-health.atom"));
    check_valid(&files);
}

/// A daemon that ends with the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing is left of it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_address_of_the_demo_is_valid() {
    if std::env::var_os("VEILLE_PYTHON").is_none() {
        println!("skipped: VEILLE_PYTHON names no Python with lxml, jsonschema and feedparser");
        return;
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_veille"));
    command.args(["demo", "--listen", "127.0.0.1:0", "--json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut demo = Demo(command.spawn().unwrap());
    let lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(|line| line.expect("a line"));
    let mut said = String::new();
    for line in lines {
        said.push_str(&line);
        if line == "}" {
            break;
        }
    }
    let addresses: serde_json::Value = serde_json::from_str(&said).unwrap();
    let page = addresses["page"].as_str().unwrap();
    let host = page.trim_start_matches("http://").trim_end_matches('/');
    let digests = digests_when_filled(host);
    let directory = tempfile::tempdir().unwrap();
    let mut files = vec![directory.path().join("digests.opml")];
    std::fs::write(&files[0], get(host, "/digests.opml")).unwrap();
    for name in &digests {
        for extension in EXTENSIONS {
            let path = directory.path().join(format!("{name}.{extension}"));
            std::fs::write(&path, get(host, &format!("/digests/{name}.{extension}"))).unwrap();
            files.push(path);
        }
    }
    assert!(files.len() > 30, "{digests:?}");
    check_valid(&files);
}

/// The demo's digests, once stories have come into some of them.
fn digests_when_filled(host: &str) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let listed: serde_json::Value = serde_json::from_slice(&get(host, "/api/v1/digests")).unwrap();
        let digests = listed["digests"].as_array().unwrap();
        if digests.iter().filter(|digest| digest["stories"].as_u64() > Some(3)).count() >= 5 {
            return digests.iter().map(|digest| digest["name"].as_str().unwrap().to_owned()).collect();
        }
        assert!(Instant::now() < deadline, "the demo's digests stay empty: {listed}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn get(host: &str, path: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    answer.split_off(head + 4)
}
