//! Our digests in readers that are not ours: feedparser (a Python that has it in `VEILLE_PYTHON`) and newsboat. feedparser
//! knows no JSON Feed; that is read as its specification says, by Python's own JSON.

use crate::support::app::{App, FAST};
use crate::support::origin::Origin;
use serde_json::Value;
use std::fs;
use std::process::Command;

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
