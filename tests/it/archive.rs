//! The archive through the binary: why, search, corrections, retag, diff and suggest over a store that real polls filled.

use crate::support::origin::{Origin, ok};
use rusqlite::Connection;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const RULES: &str = r#"
[lists]
companies = ["Mistral AI", "LightOn"]
[tags.french-ai]
title = "French AI"
any = ["@companies"]
match = 'France NEAR/6 =AI'
[tags.relocation]
match = '(office* OR bureau*) NEAR/6 (open* OR ouvr*) OR 设立'
except = 'refugee*'
[digests.west]
title = "West"
query = "tag:french-ai AND tag:relocation"
"#;

/// A watch of one feed in a directory of its own.
struct Watched {
    directory: tempfile::TempDir,
    origin: Origin,
}

struct Entry {
    guid: String,
    title: String,
    summary: String,
}

fn entry(guid: &str, title: &str, summary: &str) -> Entry {
    Entry { guid: guid.to_owned(), title: title.to_owned(), summary: summary.to_owned() }
}

fn three_entries() -> Vec<Entry> {
    vec![
        entry("a", "Mistral AI opens an office in Palo Alto", "The company from Paris goes west."),
        entry("b", "法国公司在加州设立办事处", "法国的人工智能公司。"),
        entry("c", "A storm over the south", "The wind called mistral blows; nobody opens a window."),
    ]
}

impl Watched {
    fn over(entries: &[Entry]) -> Self {
        let watched = Self { directory: tempfile::tempdir().unwrap(), origin: Origin::start() };
        watched.write_rules(RULES);
        watched.publish(entries);
        watched.done(&["poll"]);
        watched
    }

    fn write_rules(&self, rules: &str) {
        let url = self.origin.url("/feed.xml");
        let config = format!(
            "[service]\ndata_dir = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[fetch]\nallow_private_addresses = true\n\
             [[feeds]]\nurl = \"{url}\"\ntitle = \"Wire\"\n{rules}",
            self.directory.path().join("data")
        );
        std::fs::write(self.config(), config).unwrap();
    }

    fn publish(&self, entries: &[Entry]) {
        let mut items = String::new();
        for (index, Entry { guid, title, summary }) in entries.iter().enumerate() {
            let minute = index % 60;
            let hour = index / 60 % 24;
            write!(
                items,
                "<item><guid isPermaLink=\"false\">{guid}</guid><link>https://wire.example/{guid}</link><title>{title}</title>\
                 <description>{summary}</description><pubDate>Mon, 02 Nov 2026 {hour:02}:{minute:02}:00 GMT</pubDate></item>"
            )
            .unwrap();
        }
        let document = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\"><channel><title>Wire</title>\
             <link>https://wire.example/</link><description>Made for a test</description>{items}</channel></rss>"
        );
        self.origin.script("/feed.xml", [ok(document)]);
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("veille.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_veille"));
        command.arg("--config").arg(self.config()).args(arguments);
        command.env_remove("VEILLE_CONFIG").env_remove("STATE_DIRECTORY");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        self.exits(arguments, 0)
    }

    /// What it prints, once it has exited with that code.
    fn exits(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        if code == 0 { out } else { out + &err }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.done(&[&["--json"], arguments].concat())).unwrap()
    }

    fn database(&self) -> Connection {
        Connection::open(self.directory.path().join("data/veille.db")).unwrap()
    }

    /// Guids of the items with each tag, as stored.
    fn tagged(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.pairs("SELECT t.tag, i.guid FROM item_tags t JOIN items i USING (item_id)")
    }

    /// Adds seven copies of every item, each a story of its own: more than one transaction holds.
    fn multiply(&self) {
        const COPIED: &str = "content_key, content_hash, link, title, authors, published_at, updated_at, categories, summary, \
             content_html, content_text, enclosures, language, first_seen_at, changed_at, ordered_at";
        let sql = format!(
            "CREATE TEMP TABLE copies AS SELECT value AS n FROM json_each('[1,2,3,4,5,6,7]');
             INSERT INTO stories (entry_id, created_at) SELECT entry_id || '-' || n, created_at FROM stories, copies;
             INSERT INTO items (feed_id, story_id, item_key, guid, {COPIED})
                 SELECT i.feed_id, t.story_id, i.item_key || '-' || n, i.guid || '-' || n, {COPIED}
                 FROM copies CROSS JOIN items i JOIN stories s USING (story_id) JOIN stories t ON t.entry_id = s.entry_id || '-' || n"
        );
        self.database().execute_batch(&sql).unwrap();
    }

    /// Guids of the items in each digest, as stored.
    fn digested(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.pairs(
            "SELECT e.digest, i.guid FROM digest_entries e JOIN items i USING (story_id) WHERE e.left_at IS NULL",
        )
    }

    fn pairs(&self, sql: &str) -> BTreeMap<String, BTreeSet<String>> {
        let database = self.database();
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        let mut pairs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in rows {
            let (name, guid) = row.unwrap();
            pairs.entry(name).or_default().insert(guid);
        }
        pairs
    }

    fn titles(&self, query: &str) -> Vec<String> {
        let found = self.json(&["search", query]);
        found["items"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_owned()).collect()
    }
}

fn set(guids: &[&str]) -> BTreeSet<String> {
    guids.iter().map(ToString::to_string).collect()
}

#[test]
fn why_shows_the_stored_evidence_and_says_when_the_rule_has_changed() {
    let watched = Watched::over(&three_entries());
    let why = watched.json(&["why", "https://wire.example/a", "french-ai"]);
    let tag = &why["tags"][0];
    assert_eq!((tag["tag"].as_str(), tag["rule_changed"].as_bool()), (Some("french-ai"), Some(false)), "{why}");
    let span = &tag["evidence"][0];
    assert_eq!(
        (span["field"].as_str(), span["start"].as_u64(), span["end"].as_u64(), span["text"].as_str()),
        (Some("title"), Some(0), Some(10), Some("Mistral AI")),
        "{why}"
    );
    assert_eq!(span["clause"], "any: @companies");

    watched.write_rules(&RULES.replace("\"LightOn\"", "\"Kyutai\""));
    // A tracking parameter makes no other item of it, and an id is as good.
    let by_url = watched.json(&["why", "http://wire.example/a?utm_source=mail"]);
    assert!(by_url["tags"].as_array().unwrap().iter().any(|tag| tag["rule_changed"] == true), "{by_url}");
    let id = by_url["id"].to_string();
    assert_eq!(watched.json(&["why", &id])["url"], "https://wire.example/a");
    assert!(watched.done(&["why", &id]).contains("the rule has changed since"));
}

#[test]
fn why_not_names_what_held_and_what_failed() {
    let watched = Watched::over(&three_entries());
    let lines = watched.done(&["why", "https://wire.example/c", "relocation"]);
    assert!(lines.contains("relocation does not hold") && lines.contains("✓ open*"), "{lines}");
    let why_not = &watched.json(&["why", "https://wire.example/c", "french-ai"])["why_not"];
    assert_eq!(why_not["holds"], false);
    assert!(why_not["clauses"].as_array().unwrap().len() == 2, "{why_not}");
}

#[test]
fn an_item_that_is_not_there_is_a_no_and_an_unknown_tag_an_error() {
    let watched = Watched::over(&three_entries());
    assert!(watched.exits(&["why", "999"], 1).contains("there is no item"));
    watched.exits(&["correct", "https://wire.example/nowhere", "+french-ai"], 1);
    assert!(watched.exits(&["why", "1", "french-al"], 2).contains("did you mean `french-ai`"));
    assert!(watched.exits(&["correct", "1", "+french-al"], 2).contains("did you mean `french-ai`"));
    assert!(watched.exits(&["suggest", "french-al"], 2).contains("did you mean `french-ai`"));
}

#[test]
fn search_finds_newest_first_in_every_script_and_shows_where_a_bad_query_breaks() {
    let watched = Watched::over(&three_entries());
    assert_eq!(
        watched.titles("opens OR 设立"),
        ["A storm over the south", "法国公司在加州设立办事处", "Mistral AI opens an office in Palo Alto"]
    );
    assert_eq!(watched.titles("法國"), ["法国公司在加州设立办事处"]);
    assert_eq!(watched.titles("tag:french-ai"), ["Mistral AI opens an office in Palo Alto"]);
    assert_eq!(watched.titles("@companies"), ["Mistral AI opens an office in Palo Alto"]);
    assert_eq!(watched.done(&["search", "--limit", "1", "opens"]).lines().count(), 2);
    assert!(watched.done(&["search", "palo", "alto"]).contains("[french-ai]"));
    let negated =
        [&["search", "opens", "-storm", "--limit", "1"][..], &["search", "--limit", "1", "-\"a storm\" opens"]];
    for arguments in negated {
        let found = watched.done(arguments);
        assert!(found.lines().count() == 2 && found.contains("[french-ai]"), "{arguments:?}: {found}");
    }
    watched.exits(&["search", "zeppelin"], 1);
    let fault = watched.exits(&["search", "storm or wind"], 2);
    assert!(fault.contains("storm or wind") && fault.contains("^^"), "{fault}");
    assert!(watched.exits(&["search", "@compnies"], 2).contains("did you mean `@companies`"));
}

/// Nothing is wrong with it, so that it is answered; a tag of old rules may still be in the store.
#[test]
fn a_search_tells_what_is_doubtful_in_its_query() {
    let watched = Watched::over(&three_entries());
    let told = |arguments: &[&str]| {
        let output = watched.run(arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, doubt) = told(&["search", "tag:relocatoin"]);
    assert!(code == Some(1) && doubt.contains("warning: there is no tag `relocatoin`"), "{doubt}");
    assert!(doubt.contains("did you mean `relocation`?") && doubt.contains("^^"), "{doubt}");
    let (code, doubt) = told(&["search", "--json", "open* OR franc*"]);
    assert!(code == Some(0) && doubt.contains("francisco"), "{doubt}");
    assert_eq!(told(&["search", "-q", "open* OR franc*"]), (Some(0), String::new()));
    assert_eq!(told(&["search", "tag:relocation"]), (Some(0), String::new()));
}

#[test]
fn a_correction_wins_over_every_later_run_until_it_is_taken_back() {
    let watched = Watched::over(&three_entries());
    assert_eq!(watched.digested()["west"], set(&["a"]));
    watched.done(&["correct", "https://wire.example/a", "-relocation"]);
    watched.done(&["tag-item", "https://wire.example/b", "+french-ai"]);
    let corrected = |watched: &Watched| {
        assert_eq!(watched.tagged()["french-ai"], set(&["a", "b"]));
        assert_eq!(watched.tagged()["relocation"], set(&["b"]));
        assert_eq!(watched.digested()["west"], set(&["b"]));
        assert_eq!(watched.digested()["relocation"], set(&["b"]));
    };
    corrected(&watched);
    assert!(watched.done(&["why", "https://wire.example/a"]).contains("relocation: taken away by hand"));
    assert!(watched.done(&["why", "https://wire.example/b"]).contains("french-ai: given by hand"));

    assert_eq!(watched.json(&["diff"]), serde_json::json!({ "tags": {}, "digests": {} }));
    watched.done(&["retag"]);
    corrected(&watched);
    let mut edited = three_entries();
    edited[0].summary.push_str(" It opens today.");
    watched.publish(&edited);
    watched.done(&["poll", "--force"]);
    corrected(&watched);

    watched.done(&["correct", "https://wire.example/a", "=relocation"]);
    watched.done(&["correct", "https://wire.example/b", "=french-ai"]);
    assert_eq!(watched.tagged()["french-ai"], set(&["a"]));
    assert_eq!(watched.digested()["west"], set(&["a"]));
}

#[test]
fn a_poll_brings_the_archive_in_line_with_rules_and_digests_that_have_changed() {
    let watched = Watched::over(&three_entries());
    watched.write_rules(&(RULES.replace("'refugee*'", "'\"palo alto\"'").replace("digests.west", "digests.renamed")));
    watched.done(&["poll"]);
    assert_eq!(watched.tagged()["relocation"], set(&["b"]));
    assert_eq!(watched.digested()["relocation"], set(&["b"]));
    assert_eq!(watched.json(&["diff"]), serde_json::json!({ "tags": {}, "digests": {} }));
}

/// The store learns of a config's digests from the daemon, a poll or a retag.
#[test]
fn a_tag_that_is_no_digest_follows_its_rule_too() {
    let watched = Watched::over(&three_entries());
    for (term, guid) in [("storm", "c"), ("palo", "a"), ("storm", "c")] {
        watched.write_rules(&format!("[tags.quiet]\npublish = false\nany = [\"{term}\"]\n"));
        watched.done(&["poll"]);
        assert_eq!(watched.tagged(), BTreeMap::from([("quiet".to_owned(), set(&[guid]))]), "{term}");
    }
}

/// Its groups, title and language are what rules ask of a feed, and old items are of it too.
#[test]
fn what_the_config_says_of_a_feed_counts_for_its_old_items() {
    const ASKING: &str = "[tags.press]\nmatch = 'group:press'\n[tags.gazette]\nmatch = 'feed:gazette'\n\
                          [tags.german]\nmatch = 'lang:de'\n[tags.wire]\nmatch = 'feed:wire'\n";
    let watched = Watched::over(&three_entries());
    watched.write_rules(ASKING);
    watched.done(&["poll"]);
    let all = set(&["a", "b", "c"]);
    assert_eq!(watched.tagged(), BTreeMap::from([("wire".to_owned(), all.clone())]));
    let config = std::fs::read_to_string(watched.config()).unwrap();
    let says = "title = \"Gazette\"\ngroups = [\"press\"]\nlanguage = \"de\"";
    std::fs::write(watched.config(), config.replace("title = \"Wire\"", says)).unwrap();
    let differences = watched.json(&["diff"]);
    for list in ["tags", "digests"] {
        for (name, change) in [("press", "gained"), ("gazette", "gained"), ("german", "gained"), ("wire", "lost")] {
            let items = differences[list][name][change].as_array();
            assert_eq!(items.map(Vec::len), Some(3), "{list} {name}: {differences}");
        }
    }
    watched.done(&["poll"]);
    let expected = ["gazette", "german", "press"].map(|tag| (tag.to_owned(), all.clone()));
    assert_eq!((watched.tagged(), watched.digested()), (BTreeMap::from(expected.clone()), BTreeMap::from(expected)));
    assert_eq!(watched.json(&["diff"])["tags"], serde_json::json!({}));
}

#[test]
fn a_tag_that_the_store_has_not_heard_of_is_given_after_a_retag() {
    let watched = Watched::over(&three_entries());
    watched.write_rules(&format!("{RULES}[tags.storms]\nany = [\"hurricane\"]\n"));
    let refused = watched.exits(&["correct", "https://wire.example/c", "+storms"], 2);
    assert!(refused.contains("`storms`") && refused.contains("`veille retag`"), "{refused}");
    watched.done(&["retag"]);
    assert!(watched.done(&["correct", "https://wire.example/c", "+storms"]).contains("[storms]"));
}

#[test]
fn a_correction_becomes_an_example_that_the_config_takes() {
    let watched = Watched::over(&three_entries());
    let lines = watched.done(&["correct", "https://wire.example/b", "+french-ai", "--example"]);
    assert!(lines.contains(r#"examples.match = ["法国公司在加州设立办事处"]"#), "{lines}");
    let example = lines.lines().last().unwrap();
    watched.write_rules(&RULES.replace("title = \"French AI\"", &format!("title = \"French AI\"\n{example}")));
    assert!(watched.exits(&["check"], 1).contains("this example does not get the tag"));
}

#[test]
fn diff_tells_what_retag_then_does() {
    let watched = Watched::over(&three_entries());
    watched.write_rules(&RULES.replace("\"LightOn\"", "\"法国\"").replace("refugee*", "Palo"));
    let before = watched.tagged();
    let diff = watched.json(&["diff"]);
    assert_eq!(watched.tagged(), before, "diff changes nothing");
    let url = |value: &Value| value[0]["url"].as_str().unwrap().to_owned();
    assert_eq!(url(&diff["tags"]["french-ai"]["gained"]), "https://wire.example/b", "{diff}");
    assert_eq!(url(&diff["tags"]["relocation"]["lost"]), "https://wire.example/a");
    assert_eq!(url(&diff["digests"]["west"]["gained"]), "https://wire.example/b");
    assert_eq!(url(&diff["digests"]["west"]["lost"]), "https://wire.example/a");
    let lines = watched.exits(&["diff", "--exit-code"], 1);
    assert!(lines.contains("+ french-ai  法国公司在加州设立办事处  https://wire.example/b"), "{lines}");
    assert!(lines.contains("- relocation  Mistral AI opens"), "{lines}");

    let done = watched.json(&["retag"]);
    assert_eq!((done["items"].as_u64(), done["changed"].as_u64()), (Some(3), Some(2)), "{done}");
    assert_eq!(watched.tagged()["french-ai"], set(&["a", "b"]));
    assert_eq!(watched.digested()["west"], set(&["b"]));
    assert_eq!(watched.json(&["diff"]), serde_json::json!({ "tags": {}, "digests": {} }));
    watched.done(&["diff", "--exit-code"]);
    let versions = "SELECT group_concat(digest || version) FROM digests";
    let version =
        |watched: &Watched| watched.database().query_row(versions, [], |row| row.get::<_, String>(0)).unwrap();
    let stood = version(&watched);
    assert_eq!(watched.json(&["retag"])["changed"], 0);
    assert_eq!(version(&watched), stood, "what changes nothing shows nothing new to a subscriber");
}

#[test]
fn a_story_that_loses_a_tag_is_shown_anew_in_the_digest_where_it_stays() {
    let watched = Watched::over(&three_entries());
    let sql = "SELECT version FROM digests WHERE digest = 'french-ai'";
    let version = || watched.database().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    watched.write_rules(&RULES.replace("refugee*", "Palo"));
    watched.done(&["retag"]);
    assert_eq!(watched.digested().get("relocation").map(|guids| guids.contains("a")), Some(false));
    assert!(watched.digested()["french-ai"].contains("a"));
    assert_eq!(version(), before + 1, "its entry names its tags");
}

/// Texts of known words, the same at each run.
fn many_entries(count: usize) -> Vec<Entry> {
    const WORDS: [&str; 16] = [
        "Mistral AI",
        "France",
        "AI",
        "j'ai",
        "office",
        "opens",
        "bureau",
        "ouvre",
        "refugee",
        "storm",
        "法国公司",
        "设立",
        "办事处",
        "LightOn",
        "OpenAI",
        "south",
    ];
    let mut state = 7_u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS[usize::try_from(state >> 60).unwrap()]
    };
    (0..count)
        .map(|number| {
            let title: Vec<&str> = (0..5).map(|_| word()).collect();
            let summary: Vec<&str> = (0..12).map(|_| word()).collect();
            entry(&format!("n{number}"), &format!("{} {number}", title.join(" ")), &summary.join(" "))
        })
        .collect()
}

#[test]
fn ingest_search_and_retag_give_identical_tags() {
    let watched = Watched::over(&many_entries(1_500));
    let ingested = watched.tagged();
    assert!(ingested.values().all(|guids| guids.len() > 100), "the words make both tags common");
    let queries = [
        ("french-ai", "@companies OR (France NEAR/6 =AI)"),
        ("relocation", "((office* OR bureau*) NEAR/6 (open* OR ouvr*) OR 设立) AND NOT refugee*"),
    ];
    for (tag, query) in queries {
        let found = watched.json(&["search", "--limit", "5000", query]);
        let urls = found["items"].as_array().unwrap().iter().map(|item| item["url"].as_str().unwrap().to_owned());
        let guids: BTreeSet<String> = urls.map(|url| url.rsplit('/').next().unwrap().to_owned()).collect();
        assert_eq!(guids, ingested[tag], "{tag}");
    }
    assert_eq!(watched.json(&["retag"])["changed"], 0);
    watched.database().execute_batch("DELETE FROM item_tags; DELETE FROM digest_entries").unwrap();
    let done = watched.json(&["retag"]);
    assert!(done["changed"].as_u64().unwrap() > 500, "{done}");
    assert_eq!(watched.tagged(), ingested);
}

#[test]
fn a_retag_that_is_killed_goes_on_where_it_was() {
    let entries = many_entries(1_300);
    let watched = Watched::over(&entries);
    let rules = RULES.replace("France NEAR/6 =AI", "storm OR south");
    let expected = {
        let straight = Watched::over(&entries);
        straight.multiply();
        straight.write_rules(&rules);
        straight.done(&["retag"]);
        (straight.tagged(), straight.digested())
    };
    watched.multiply();
    watched.write_rules(&rules);
    let mut child =
        KilledAtEnd(watched.command(&["retag"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let until = "SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'retagged_until'";
    let reached = || watched.database().query_row(until, [], |row| row.get::<_, i64>(0)).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_mins(1);
    while reached() == 0 && Instant::now() < deadline && child.0.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let at = reached();
    let done = watched.json(&["retag"]);
    let items = i64::try_from(entries.len() * 8).unwrap();
    assert_eq!(done["items"].as_i64(), Some(items - at), "it goes on after item {at}");
    assert_eq!((watched.tagged(), watched.digested()), expected);
    assert_eq!(watched.json(&["retag"])["items"].as_i64(), Some(items), "and the next run looks at all again");
}

/// A process that does not outlive its test.
struct KilledAtEnd(Child);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn beside_the_daemon_one_may_look_and_correct_but_not_retag() {
    let watched = Watched::over(&three_entries());
    let daemon = KilledAtEnd(watched.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_mins(1);
    let note = watched.directory.path().join("data/veille.lock");
    let pid = format!("{}\n", daemon.0.id());
    while std::fs::read_to_string(&note).unwrap_or_default() != pid {
        assert!(Instant::now() < deadline, "the daemon takes the directory");
        std::thread::yield_now();
    }
    assert!(watched.exits(&["retag"], 2).contains("another veille"));
    watched.done(&["correct", "https://wire.example/c", "+french-ai"]);
    assert_eq!(watched.tagged()["french-ai"], set(&["a", "c"]));
    assert_eq!(watched.titles("storm"), ["A storm over the south"]);
    watched.done(&["diff"]);
    drop(daemon);
}

#[test]
fn an_old_item_that_a_new_rule_tags_is_in_the_digest_and_in_no_issue_to_come() {
    let watched = Watched::over(&three_entries());
    // As if all of it had been seen, and its issues cut, a day ago.
    let day_ago = "UPDATE items SET first_seen_at = first_seen_at - 86400000; \
                   UPDATE digests SET cut_until_at = created_at - 3600000";
    watched.database().execute_batch(day_ago).unwrap();
    watched.write_rules(&RULES.replace("\"LightOn\"", "\"法国\""));
    watched.done(&["retag"]);
    let backfilled = "SELECT e.backfilled FROM digest_entries e JOIN items i USING (story_id) WHERE e.digest = 'west' AND i.guid = 'b'";
    let is_backfilled = || watched.database().query_row(backfilled, [], |row| row.get::<_, bool>(0)).unwrap();
    assert!(is_backfilled());
    // One of the period under way is news.
    let fresh = "DELETE FROM digest_entries; UPDATE items SET first_seen_at = first_seen_at + 86400000";
    watched.database().execute_batch(fresh).unwrap();
    watched.done(&["retag"]);
    assert!(!is_backfilled());
}

#[test]
fn suggest_ranks_what_the_rule_misses_first() {
    let watched = Watched::over(&three_entries());
    let labels = watched.directory.path().join("labels.jsonl");
    let lines = [
        r#"{"id":1,"title":"Kyutai presents a voice model","tags":["french-ai"]}"#,
        r#"{"id":2,"title":"Kyutai is funded","tags":["french-ai"]}"#,
        r#"{"id":3,"title":"Mistral AI presents a model","tags":["french-ai"]}"#,
        r#"{"id":4,"title":"A model railway","tags":[]}"#,
    ];
    std::fs::write(&labels, lines.join("\n")).unwrap();
    let suggested = watched.json(&["suggest", "french-ai", "--labels", labels.to_str().unwrap()]);
    let first = &suggested["terms"][0];
    assert_eq!(first["term"], "kyutai", "{suggested}");
    assert_eq!((first["items_with_tag"].as_u64(), first["other_items"].as_u64()), (Some(2), Some(0)));
    assert!((first["f1_added"].as_f64().unwrap() - 0.5).abs() < 1e-9, "{first}");
    // Stored items of the tag are too few to tell anything.
    watched.exits(&["suggest", "french-ai"], 1);
}

#[test]
fn what_a_curator_decides_counts_for_rules_that_name_the_tag() {
    let rules = format!("{RULES}[tags.moving-ai]\nmatch = 'tag:french-ai AND tag:relocation'\n");
    let watched = Watched { directory: tempfile::tempdir().unwrap(), origin: Origin::start() };
    watched.write_rules(&rules);
    watched.publish(&three_entries());
    watched.done(&["poll"]);
    let moving = || watched.tagged().remove("moving-ai").unwrap_or_default();
    assert_eq!(moving(), set(&["a"]));
    watched.done(&["correct", "https://wire.example/a", "-french-ai"]);
    watched.done(&["correct", "https://wire.example/b", "+french-ai"]);
    assert_eq!(moving(), set(&["b"]));
    assert_eq!(watched.json(&["retag"])["changed"], 0, "a later run agrees");
    watched.done(&["diff", "--exit-code"]);
    let why_not = watched.done(&["why", "https://wire.example/a", "moving-ai"]);
    assert!(why_not.contains("french-ai"), "{why_not}");

    let mut edited = three_entries();
    edited[1].summary.push_str(" 新的。");
    watched.publish(&edited);
    watched.done(&["poll", "--force"]);
    assert_eq!(moving(), set(&["b"]), "an edit does not undo it");
    watched.done(&["correct", "https://wire.example/a", "=french-ai"]);
    assert_eq!(moving(), set(&["a", "b"]));
}

#[test]
fn an_edited_item_is_found_by_its_new_words_and_a_removed_one_by_none() {
    let watched = Watched::over(&three_entries());
    assert_eq!(watched.titles("storm"), ["A storm over the south"]);
    let mut entries = three_entries();
    entries[2].title = "A calm over the south".to_owned();
    entries.push(entry("d", "A drizzle over the north", "It rains."));
    watched.publish(&entries);
    watched.done(&["poll", "--force"]);
    watched.exits(&["search", "storm"], 1);
    assert_eq!(watched.titles("calm"), ["A calm over the south"]);
    let indexed = "SELECT count(*) FROM item_words WHERE item_words MATCH '\"drizzle\"'";
    let count = || watched.database().query_row(indexed, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 1, "the words of what a known feed brings come with it");
    watched.database().execute_batch("DELETE FROM items WHERE title LIKE 'A drizzle%'").unwrap();
    assert_eq!(count(), 0, "the index keeps no words of what is gone");
    watched.exits(&["search", "drizzle"], 1);
}
