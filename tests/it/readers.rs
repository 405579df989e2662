//! Our digests in readers that are not ours: feedparser (a Python that has it in `VEILLE_PYTHON`) and newsboat. feedparser
//! knows no JSON Feed; that is read as its specification says, by Python's own JSON.

use crate::support::app::{App, FAST, PATIENCE, wait_until};
use crate::support::origin::Origin;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use veille::app::sync_store;
use veille::config::{Environment, load};
use veille::refresh::Watch as RulesInForce;
use veille::scheduler::cut_due_issues;
use veille::store::Store;

/// Headlines that break careless writers and readers.
const TITLES: [&str; 4] = [
    "Mistral AI ouvre un bureau à Palo Alto",
    "法国AI初创企业在帕洛阿尔托设立办事处",
    "Profits &amp;amp; losses at the &lt;b&gt;lab&lt;/b&gt; of A&amp;B",
    "“Quoted” — €uros, emoji 🚀 and ]]&gt;",
];

/// A daemon's config with one feed of such headlines, a tag and a digest, polled once.
fn app(origin: &Origin) -> App {
    let feed = origin.feed("/news.xml");
    feed.add(TITLES.len());
    for (number, title) in (1..).zip(TITLES) {
        feed.retitle(number, title);
    }
    let watch = format!(
        "[[feeds]]\nurl = \"{}\"\ntitle = \"The wire\"\n[tags.french-ai]\ntitle = \"French AI\"\nany = [\"Mistral AI\", \"法国\"]\n\
         [digests.all]\ntitle = \"All & everything <here>\"\nquery = \"published>=1970-01-02\"\n",
        origin.url("/news.xml")
    );
    let app = App::new(FAST, &watch);
    assert_eq!(app.poll(&[])["items_added"], TITLES.len());
    app
}

const FEEDPARSER: &str = r#"
import feedparser, json, sys

def by_feedparser(path):
    read = feedparser.parse(path)
    entries = [[e.get("id"), e.get("title"), e.get("link"), "updated" in e or "published" in e,
                sorted(t["term"] for t in e.get("tags", []))] for e in read.entries]
    return {"bozo": int(read.bozo), "why": str(read.get("bozo_exception", "")), "version": read.version,
            "title": read.feed.get("title"), "entries": sorted(entries)}

def by_its_specification(path):
    read = json.load(open(path, encoding="utf-8"))
    entries = [[e["id"], e["title"], e.get("url"), "date_published" in e or "date_modified" in e,
                sorted(e.get("tags", []))] for e in read["items"]]
    return {"bozo": 0, "version": read["version"], "title": read["title"], "entries": sorted(entries)}

path = sys.argv[1]
print(json.dumps(by_its_specification(path) if path.endswith(".json") else by_feedparser(path)))
"#;

#[test]
fn feedparser_reads_the_same_entries_in_all_three_formats() {
    let Some(python) = std::env::var_os("VEILLE_PYTHON") else {
        println!("skipped: VEILLE_PYTHON names no Python that has feedparser");
        return;
    };
    let origin = Origin::start();
    let app = app(&origin);
    let daemon = app.start();
    let read = |format: &str| -> Value {
        // As a file: feedparser's own way over HTTP is not what is tested.
        let path = app.directory().join(format!("all.{format}"));
        fs::write(&path, daemon.get(&format!("/digests/all.{format}")).body).expect("writes");
        let output = Command::new(&python).args(["-c", FEEDPARSER]).arg(&path).output().expect("python runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("our script prints JSON")
    };
    let atom = read("atom");
    assert_eq!(atom["entries"].as_array().map(Vec::len), Some(TITLES.len()), "{atom}");
    for (format, version) in [("atom", "atom10"), ("rss", "rss20"), ("json", "https://jsonfeed.org/version/1.1")] {
        let read = read(format);
        assert_eq!((&read["bozo"], &read["version"]), (&0.into(), &version.into()), "{read}");
        assert_eq!(read["title"], atom["title"], "{format}");
        assert_eq!(read["entries"], atom["entries"], "{format}");
    }
    let said = atom.to_string();
    for part in ["Palo Alto", "帕洛阿尔托", "Profits & losses", "🚀", "french-ai"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn newsboat_subscribes_and_shows_each_entry_once_unread() {
    if Command::new("newsboat").arg("--version").output().is_err() {
        println!("skipped: newsboat is not installed");
        return;
    }
    let origin = Origin::start();
    let app = app(&origin);
    let daemon = app.start();
    for format in ["atom", "rss"] {
        let home = app.directory().join(format);
        fs::create_dir(&home).expect("a directory");
        fs::write(home.join("urls"), format!("http://{}/digests/all.{format}\n", daemon.address())).expect("writes");
        fs::write(home.join("config"), "").expect("writes");
        let newsboat = |command: &[&str]| {
            let mut newsboat = Command::new("newsboat");
            newsboat.env("HOME", &home).env("LANG", "C.UTF-8");
            for (option, name) in [("-u", "urls"), ("-c", "cache.db"), ("-C", "config")] {
                newsboat.arg(option).arg(home.join(name));
            }
            let output = newsboat.arg("-x").args(command).output().expect("newsboat runs");
            assert!(output.status.success(), "{command:?}: {output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        // Twice: what comes again is no news.
        for _ in 0..2 {
            newsboat(&["reload"]);
            assert_eq!(newsboat(&["print-unread"]).split(' ').next(), Some("4"), "{format}");
        }
        let cache = rusqlite::Connection::open(home.join("cache.db")).expect("newsboat's cache");
        let titles = "SELECT group_concat(title, '|') FROM rss_item";
        let titles: String = cache.query_row(titles, [], |row| row.get(0)).expect("newsboat's cache");
        assert!(titles.contains("Palo Alto") && titles.contains("帕洛阿尔托"), "{titles}");
    }
}

/// A newsboat with a home of its own; `None` where it is not installed, which is said.
struct Newsboat {
    home: PathBuf,
}

impl Newsboat {
    fn subscribed(home: PathBuf, url: &str) -> Option<Self> {
        if Command::new("newsboat").arg("--version").output().is_err() {
            println!("skipped: newsboat is not installed");
            return None;
        }
        fs::create_dir(&home).expect("a directory");
        fs::write(home.join("config"), "").expect("writes");
        let newsboat = Self { home };
        newsboat.subscribe(url);
        Some(newsboat)
    }

    fn subscribe(&self, url: &str) {
        fs::write(self.home.join("urls"), format!("{url}\n")).expect("writes");
    }

    /// Reloads, and gives how many entries it has ever shown.
    fn seen(&self) -> i64 {
        let mut newsboat = Command::new("newsboat");
        newsboat.env("HOME", &self.home).env("LANG", "C.UTF-8");
        for (option, name) in [("-u", "urls"), ("-c", "cache.db"), ("-C", "config")] {
            newsboat.arg(option).arg(self.home.join(name));
        }
        let output = newsboat.args(["-x", "reload"]).output().expect("newsboat runs");
        assert!(output.status.success(), "{output:?}");
        self.count("SELECT count(*) FROM rss_item")
    }

    fn unread(&self) -> i64 {
        self.count("SELECT count(*) FROM rss_item WHERE unread = 1")
    }

    fn mark_all_read(&self) {
        self.cache().execute("UPDATE rss_item SET unread = 0", []).expect("newsboat's cache");
    }

    /// The ids of all that it has shown, sorted.
    fn ids(&self) -> Vec<String> {
        let cache = self.cache();
        let mut statement = cache.prepare("SELECT guid FROM rss_item ORDER BY guid").expect("newsboat's cache");
        let ids = statement.query_map([], |row| row.get(0)).expect("newsboat's cache");
        ids.collect::<Result<_, _>>().expect("newsboat's cache")
    }

    fn count(&self, sql: &str) -> i64 {
        self.cache().query_row(sql, [], |row| row.get(0)).expect("newsboat's cache")
    }

    fn cache(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.home.join("cache.db")).expect("newsboat's cache")
    }
}

#[test]
fn newsboat_sees_each_entry_once_through_edit_restart_retag_and_a_rule_changed_and_back() {
    let origin = Origin::start();
    let feed = origin.feed("/news.xml");
    feed.add(3);
    let watch = |rule: &str| {
        format!(
            "[[feeds]]\nurl = \"{}\"\n[tags.some]\npublish = false\nany = [\"{rule}\"]\n\
             [digests.all]\nquery = \"tag:some\"\n",
            origin.url("/news.xml")
        )
    };
    let app = App::new(FAST, &watch("Item"));
    app.poll(&["--force"]);
    // A port that stays over the restart: a reader knows a feed by its address.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let service = fs::read_to_string(app.config()).expect("written by us");
    app.write("veille.toml", &service.replace("127.0.0.1:0", &format!("127.0.0.1:{port}")));
    let mut daemon = app.start();
    let url = format!("http://127.0.0.1:{port}/digests/all.atom");
    let Some(newsboat) = Newsboat::subscribed(app.directory().join("reader"), &url) else { return };
    assert_eq!(newsboat.seen(), 3);

    feed.retitle(1, "Item 1, with another title");
    let edited = || daemon.get("/digests/all.atom").text().contains("with another title").then_some(());
    assert!(wait_until(PATIENCE, edited).is_some(), "the edit is served");
    assert_eq!(newsboat.seen(), 3, "after an edit");
    daemon.kill();
    for rule in ["Nothing that is said", "Item"] {
        app.write("watch.toml", &watch(rule));
        assert_eq!(app.run(&["retag"]).code(), 0);
        daemon = app.start();
        assert_eq!(newsboat.seen(), 3, "under the rule {rule}");
        daemon.kill();
    }
    daemon = app.start();
    feed.add(1);
    let grown = || (daemon.get("/digests/all.atom").text().matches("<entry>").count() == 4).then_some(());
    assert!(wait_until(PATIENCE, grown).is_some(), "the new entry is served");
    assert_eq!(newsboat.seen(), 4);
}

/// Another format is another address to a reader; what it has shown it knows again by the ids.
#[test]
fn newsboat_sees_each_entry_once_through_a_switch_of_format() {
    let origin = Origin::start();
    let app = app(&origin);
    let daemon = app.start();
    let url = |format: &str| format!("http://{}/digests/all.{format}", daemon.address());
    let Some(newsboat) = Newsboat::subscribed(app.directory().join("reader"), &url("atom")) else { return };
    let entries = i64::try_from(TITLES.len()).expect("few");
    assert_eq!(newsboat.seen(), entries);
    newsboat.mark_all_read();
    for format in ["rss", "atom"] {
        newsboat.subscribe(&url(format));
        assert_eq!(newsboat.seen(), entries, "as {format}");
        assert_eq!(newsboat.unread(), 0, "as {format}, what was read is read");
    }
    // It reads no JSON Feed; one that does would know the same ids again.
    let document = daemon.json("/digests/all.json");
    let items = document["items"].as_array().expect("items");
    let mut ids: Vec<&str> = items.iter().map(|item| item["id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    assert_eq!(newsboat.ids(), ids);
}

/// Days of a virtual clock around the ends of summer time, each with a story and its issue, and ten without the daemon.
#[tokio::test]
async fn newsboat_sees_each_issue_once_across_summer_time_and_ten_days_asleep() {
    const HOUR: SignedDuration = SignedDuration::from_hours(1);
    for start in ["2026-03-25T12:00:00Z", "2026-10-21T12:00:00Z"] {
        let app = App::new(
            FAST,
            "[digests.daily]\nquery = \"published>=1970-01-02\"\nevery = \"day\"\nat = \"02:30\"\nempty_issues = true\n\
             [[feeds]]\nurl = \"https://feed.example/\"\n",
        );
        let service = fs::read_to_string(app.config()).expect("written by us");
        app.write("veille.toml", &service.replace("timezone = \"UTC\"", "timezone = \"Europe/Paris\""));
        let environment = Environment::new([("HOME", "/nonexistent")]);
        let watch =
            RulesInForce::compile(load(&app.config(), &environment).expect("valid").settings).expect("compiles");
        fs::create_dir_all(app.data_dir()).expect("a directory");
        let store = Store::open(app.data_dir()).expect("a store");
        let mut now: Timestamp = start.parse().expect("an instant");
        sync_store(&store, &watch, now).await.expect("stored");
        let site = app.directory().join("site");
        let url = format!("file://{}", site.join("digests/daily.atom").display());
        let Some(newsboat) = Newsboat::subscribed(app.directory().join("reader"), &url) else { return };

        let exported = || {
            let written = app.run(&["export", site.to_str().expect("a path")]);
            assert_eq!(written.code(), 0, "{written:?}");
        };
        for day in 1..=8 {
            // Each hour, as the bell rings: 02:30 is skipped on one of these nights, and comes twice on another.
            for _ in 0..24 {
                now += HOUR;
                cut_due_issues(&store, &watch, now).await.expect("cut");
            }
            exported();
            assert_eq!(newsboat.seen(), day, "on day {day} from {start}");
        }
        now += HOUR * (10 * 24);
        for _ in 0..2 {
            cut_due_issues(&store, &watch, now).await.expect("cut");
            exported();
            assert_eq!(newsboat.seen(), 18, "after ten days asleep from {start}");
        }
    }
}
