//! One evaluator: ingest, preview, search and retag say the same of the same items, whatever the index of words holds.
//! `VEILLE_LONG=1` puts 100,000 items to it.

use crate::support::app::{App, FAST, wait_until};
use crate::support::origin::{Origin, ok};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// A tag, the body of its rule, and the query that says the same, where one can.
const RULES: &[(&str, &str, Option<&str>)] = &[
    ("names", r#"any = ["Mistral AI", "=AI", "Disney+"]"#, Some(r#""Mistral AI" OR =AI OR "Disney+""#)),
    ("wild", "match = 'open* OR *fuge'", Some("open* OR *fuge")),
    ("stem", "match = '~relocate'", Some("~relocate")),
    ("regex", "match = '/zep+elin/'", Some("/zep+elin/")),
    ("han", "match = '法国 NEAR/4 公司 OR 人工智能'", Some("法国 NEAR/4 公司 OR 人工智能")),
    ("near", "match = '(office* OR bureau*) NEAR/6 open*'", Some("(office* OR bureau*) NEAR/6 open*")),
    ("before", "match = 'France BEFORE/5 Paris'", Some("France BEFORE/5 Paris")),
    ("sentence", "match = 'storm SENTENCE south'", Some("storm SENTENCE south")),
    ("free", "match = 'Mistral NOT NEAR/2 Bugatti'", Some("Mistral NOT NEAR/2 Bugatti")),
    ("title", "match = 'title:(storm OR 设立)'", Some("title:(storm OR 设立)")),
    ("author", "match = 'author:doe category:science'", Some("author:doe category:science")),
    ("url", "match = 'host:wire.example url:n1*'", Some("host:wire.example url:n1*")),
    ("lang", "match = 'lang:fr AND NOT Paris'", Some("lang:fr AND NOT Paris")),
    ("size", "match = 'words>20 published>=2026-10-15'", Some("words>20 published>=2026-10-15")),
    ("code", "match = 'C++ NOT Kyutai'", Some("C++ NOT Kyutai")),
    ("vetoed", "match = 'storm'\nexcept = 'south'", Some("storm NOT south")),
    ("named", "match = 'tag:near AND NOT tag:title'", Some("tag:near AND NOT tag:title")),
    (
        "weighed",
        "threshold = 2\nscore = [{ match = 'Paris', weight = 1 }, { match = 'office*', weight = 1 }, { match = '法国', weight = 2 }, { match = 'storm', weight = -1 }]",
        None,
    ),
];

const WORDS: [&str; 32] = [
    "Mistral AI",
    "Mistral",
    "Bugatti",
    "France",
    "Paris",
    "=AI",
    "AI",
    "j'ai",
    "office",
    "offices",
    "opens",
    "opened",
    "bureau",
    "refuge",
    "storm",
    "south",
    "relocated",
    "relocates",
    "zeppelin",
    "zepelin",
    "法国",
    "公司",
    "人工智能",
    "设立",
    "法国AI公司",
    "C++",
    "Disney+",
    "Kyutai",
    "déménage",
    "the",
    "of",
    "and",
];
const ENDS: [&str; 8] = [" ", " ", " ", " ", ", ", ". ", "; ", "。"];
const LANGUAGES: [&str; 3] = ["en", "fr", "zh"];

struct Made {
    guid: String,
    title: String,
    summary: String,
    content: String,
    author: &'static str,
    category: &'static str,
    published_at: String,
}

/// The same numbers at each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn text(&mut self, words: usize) -> String {
        let text: String = (0..words).map(|_| format!("{}{}", WORDS[self.below(32)], ENDS[self.below(8)])).collect();
        text.trim().to_owned()
    }
}

fn made(number: usize) -> Made {
    let mut random = Random(number as u64 + 11);
    for _ in 0..3 {
        random.below(1);
    }
    let content = if random.below(3) == 0 {
        format!("<p>{}</p><p>{}</p>", random.text(15), random.text(9))
    } else {
        String::new()
    };
    Made {
        guid: format!("n{number}"),
        title: random.text(5),
        summary: format!("<p>{}</p>", random.text(9)),
        content,
        author: ["Jane Doe", "Max Roe"][random.below(2)],
        category: ["science", "finance", "science fiction"][random.below(3)],
        published_at: format!("2026-10-{:02}T{:02}:00:00Z", 1 + random.below(28), random.below(24)),
    }
}

impl Made {
    fn entry(&self) -> String {
        let Made { guid, title, summary, content, author, category, published_at } = self;
        let content = if content.is_empty() {
            String::new()
        } else {
            format!("<content type=\"html\"><![CDATA[{content}]]></content>")
        };
        format!(
            "<entry><id>{guid}</id><link href=\"https://wire.example/{guid}\"/><title>{title}</title>\
             <summary type=\"html\"><![CDATA[{summary}]]></summary>{content}<author><name>{author}</name></author>\
             <category term=\"{category}\"/><published>{published_at}</published><updated>{published_at}</updated></entry>"
        )
    }

    /// The item as `veille tag` reads it.
    fn line(&self, language: &str) -> Value {
        json!({
            "id": self.guid, "title": self.title, "summary": self.summary, "content": self.content,
            "url": format!("https://wire.example/{}", self.guid), "author": self.author, "categories": [self.category],
            "lang": language, "published_at": self.published_at,
        })
    }
}

fn rules() -> String {
    let table = |(tag, body, _): &(&str, &str, Option<&str>)| format!("[tags.{tag}]\n{body}\n");
    RULES.iter().map(table).collect()
}

/// A store of `feeds` feeds with `size` items each, as a poll has filled it, and the items as `veille tag` reads them.
fn filled(feeds: usize, size: usize) -> (App, Origin, Vec<Value>) {
    let origin = Origin::start();
    let (mut watch, mut lines) = (rules(), Vec::new());
    for feed in 0..feeds {
        let (path, language) = (format!("/{feed}.xml"), LANGUAGES[feed % 3]);
        let items: Vec<Made> = (feed * size..(feed + 1) * size).map(made).collect();
        lines.extend(items.iter().map(|item| item.line(language)));
        let entries: String = items.iter().map(Made::entry).collect();
        let document = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{language}\">\
             <id>urn:{feed}</id><title>Wire {feed}</title><updated>2026-11-01T00:00:00Z</updated>{entries}</feed>"
        );
        origin.script(&path, [ok(document)]);
        write!(watch, "[[feeds]]\nurl = \"{}\"\n", origin.url(&path)).unwrap();
    }
    let app = App::new(FAST, &watch);
    let report = app.poll(&[]);
    assert_eq!(report["items_added"], feeds * size, "{report}");
    (app, origin, lines)
}

/// Guids by tag.
type Tagged = BTreeMap<String, BTreeSet<String>>;

fn stored(app: &App) -> Tagged {
    let database = app.database();
    let mut statement = database.prepare("SELECT t.tag, i.guid FROM item_tags t JOIN items i USING (item_id)").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let mut tagged = Tagged::new();
    for row in rows {
        let (tag, guid) = row.unwrap();
        tagged.entry(tag).or_default().insert(guid);
    }
    tagged
}

/// Everything about every tag of every item but when it was given.
fn evidence(app: &App) -> String {
    let columns = "item_id || ' ' || tag || ' ' || score || ' ' || rule_hash || ' ' || evidence";
    app.ask(&format!(
        "SELECT group_concat(line, char(10)) FROM (SELECT {columns} AS line FROM item_tags ORDER BY item_id, tag)"
    ))
}

fn previewed(app: &App, lines: &[Value]) -> Tagged {
    app.write("items.jsonl", &lines.iter().map(|line| format!("{line}\n")).collect::<String>());
    let file = app.directory().join("items.jsonl");
    let finished = app.run(&["tag", file.to_str().unwrap()]);
    assert_eq!(finished.code(), 0, "{}", finished.stderr);
    let mut tagged = Tagged::new();
    for line in finished.stdout.lines() {
        let item: Value = serde_json::from_str(line).unwrap();
        for tag in item["tags"].as_array().unwrap() {
            let (tag, guid) = (tag["tag"].as_str().unwrap(), item["id"].as_str().unwrap());
            tagged.entry(tag.to_owned()).or_default().insert(guid.to_owned());
        }
    }
    tagged
}

fn found(app: &App, query: &str) -> BTreeSet<String> {
    let finished = app.run(&["--json", "search", "--limit", "1000000", query]);
    let items = finished.json()["items"].clone();
    let guid = |item: &Value| item["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    items.as_array().unwrap().iter().map(guid).collect()
}

fn searched(app: &App) -> Tagged {
    let by_query = RULES.iter().filter_map(|(tag, _, query)| Some(((*tag).to_owned(), found(app, query.as_ref()?))));
    by_query.collect()
}

#[test]
fn the_daemon_indexes_within_seconds_what_a_new_feed_brought() {
    let (app, _origin, _) = filled(1, 20);
    let unindexed = || app.ask::<u32>("SELECT count(*) FROM unindexed_items");
    assert_eq!(unindexed(), 20);
    let _daemon = app.start();
    let indexed = wait_until(Duration::from_mins(1), || (unindexed() == 0).then_some(()));
    indexed.expect("the index follows without being asked");
    assert!(app.ask::<u32>("SELECT count(*) FROM item_words WHERE item_words MATCH '\"storm\"'") > 0);
}

#[test]
fn ingest_preview_search_and_retag_give_identical_tags() {
    let (feeds, size) = if std::env::var_os("VEILLE_LONG").is_some() { (20, 5_000) } else { (3, 350) };
    let (app, _origin, lines) = filled(feeds, size);
    let ingested = stored(&app);
    assert!(
        RULES.iter().all(|(tag, ..)| ingested[*tag].len() > feeds * size / 500),
        "every rule has something to find"
    );
    assert_eq!(previewed(&app, &lines), ingested, "veille tag");

    let by_query: Tagged = ingested.clone().into_iter().filter(|(tag, _)| tag != "weighed").collect();
    let unindexed = || app.ask::<u32>("SELECT count(*) FROM unindexed_items");
    assert_eq!(unindexed() as usize, feeds * size, "what new feeds bring is indexed when it is searched");
    assert_eq!(searched(&app), by_query, "search that makes the index first");
    assert_eq!(unindexed(), 0);
    app.change(
        "INSERT INTO unindexed_items SELECT item_id, 0 FROM items WHERE item_id % 2 AND item_id < 1500; \
         DELETE FROM item_words WHERE rowid % 2 AND rowid < 1500",
    );
    let lacking = unindexed();
    assert_eq!(searched(&app), by_query, "search with half an index");
    assert_eq!(unindexed(), lacking, "few items are read, not indexed");

    let given = evidence(&app);
    assert_eq!(app.run(&["diff", "--exit-code"]).code(), 0, "there is nothing to change");
    assert_eq!(app.run(&["--json", "retag"]).json()["changed"], 0);
    assert_eq!(evidence(&app), given);
    app.change("DELETE FROM item_tags; DELETE FROM digest_entries");
    app.run(&["retag"]);
    assert_eq!(evidence(&app), given, "retag of what has no tags");
}
