//! `veille demo`: what somebody sees who tries veille for the first time.

use crate::support::app::{PATIENCE, get, veille, wait_until};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Items of the bundled documents that are there at once; more come within minutes.
const ITEMS: usize = 73;

struct Demo {
    child: Child,
    addresses: Value,
    /// Where its temporary directory lies.
    temporary: tempfile::TempDir,
}

impl Demo {
    fn start() -> Self {
        let temporary = tempfile::tempdir().expect("a temporary directory");
        let mut command = veille(&["demo", "--listen", "127.0.0.1:0", "--json", "-q"]);
        command.env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut text = String::new();
        let addresses = loop {
            assert!(stdout.read_line(&mut text).expect("stdout is read") > 0, "no addresses in {text:?}");
            if let Ok(addresses) = serde_json::from_str(&text) {
                break addresses;
            }
        };
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        Self { child, addresses, temporary }
    }

    fn page(&self) -> &str {
        self.addresses["page"].as_str().expect("an address")
    }

    fn address(&self) -> SocketAddr {
        self.page().trim_start_matches("http://").trim_end_matches('/').parse().expect("an address")
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&get(self.address(), path, &[]).body).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn directory(&self) -> Option<PathBuf> {
        let mut entries = std::fs::read_dir(self.temporary.path()).expect("a directory");
        entries.next().map(|entry| entry.expect("an entry").path())
    }

    fn database(&self) -> rusqlite::Connection {
        let directory = self.directory().expect("the demo's directory");
        rusqlite::Connection::open_with_flags(
            directory.join("data/veille.db"),
            rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
        )
        .expect("veille.db")
    }

    /// In order, and without a trace.
    fn ends_at(&mut self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
        let status = wait_until(PATIENCE, || self.child.try_wait().expect("a child of ours")).expect("it ends");
        assert!(status.success(), "{status}");
        assert_eq!(self.directory(), None, "its directory is gone");
    }

    fn count(&self, sql: &str) -> usize {
        let count: i64 = self.database().query_row(sql, [], |row| row.get(0)).expect(sql);
        usize::try_from(count).expect("a count")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_shows_the_whole_watch_without_a_network_and_leaves_nothing_behind() {
    let mut demo = Demo::start();
    let items = || (demo.count("SELECT count(*) FROM items") >= ITEMS).then_some(());
    wait_until(PATIENCE, items).unwrap_or_else(|| panic!("{} items", demo.count("SELECT count(*) FROM items")));
    assert!(demo.count("SELECT count(*) FROM items") <= ITEMS + 2, "some came since");

    let config = demo.directory().expect("the demo's directory").join("config");
    for tag in shipped_tags(&config) {
        let sql = format!("SELECT count(*) FROM item_tags WHERE tag = '{tag}'");
        assert!(demo.count(&sql) > 0, "{tag}: no item of the demo has it");
    }
    let homonyms =
        "FROM items i JOIN feeds f USING (feed_id) WHERE coalesce(f.configured_title, f.title) = 'Carnet du large'";
    assert!(demo.count(&format!("SELECT count(*) {homonyms}")) > 0, "the traps are there");
    let caught = format!("SELECT count(*) FROM item_tags WHERE item_id IN (SELECT i.item_id {homonyms})");
    assert_eq!(demo.count(&caught), 0, "wind, sails and first names are no companies");

    for (name, kind) in
        [("atom", "application/atom+xml"), ("rss", "application/rss+xml"), ("json", "application/feed+json")]
    {
        let url = demo.addresses[name].as_str().expect("an address");
        let path = url.strip_prefix(demo.page()).expect("at the same host");
        let served = get(demo.address(), &format!("/{path}"), &[]);
        assert_eq!(served.status, 200, "{url}");
        assert!(served.header("content-type").is_some_and(|value| value.starts_with(kind)), "{served:?}");
        assert!(served.text().contains("Palo Alto"), "{url}");
    }
    assert_eq!(demo.json("/healthz")["status"], "ok");

    demo.ends_at("-TERM");
}

#[test]
fn the_demo_ends_with_its_terminal() {
    Demo::start().ends_at("-HUP");
}

/// The names of the tags in the config that the demo runs on.
fn shipped_tags(config: &Path) -> Vec<String> {
    let files = std::fs::read_dir(config.join("tags")).expect("the demo's tags");
    let mut tags = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file.expect("an entry").path()).expect("reads");
        let table: toml::Table = text.parse().expect("the config is TOML");
        tags.extend(
            table.get("tags").and_then(toml::Value::as_table).into_iter().flat_map(|tags| tags.keys().cloned()),
        );
    }
    assert!(tags.len() >= 5, "{tags:?}");
    tags
}
