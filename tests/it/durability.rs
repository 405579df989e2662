//! Whatever dies when: nothing that a feed served is lost, nothing comes twice, no entry changes its id.
//!
//! The kill harness starts the daemon over feeds that forget, ends it at seeded moments, and reads store and
//! digest after each round. `VEILLE_KILLS=2000` makes the long form of it, `VEILLE_SEED=N` replays one.

mod disasters;

use crate::support::app::{
    App, Daemon, FAST, Finished, PATIENCE, faketime_library, feed_tables, finish, veille, wait_until,
};
use crate::support::origin::{Fault, Feed, Origin, fault, ok, status};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const FEEDS: usize = 20;
/// Rounds without `VEILLE_KILLS`.
const SHORT: usize = 20;

/// A digest that holds everything, and polling as fast as the harness wants it.
const FETCH: &str = "interval = \"200ms\"\nmin_interval = \"200ms\"\nmax_interval = \"400ms\"\nper_host = 20\n\
                     allow_private_addresses = true\n";
const ALL: &str = "[digests.all]\ntitle = \"All\"\nquery = \"published>=1970-01-02\"\nlimit = 500\n";

/// What the harness counts; all zero is the promise.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Faults {
    /// SQLite's own check fails.
    corrupt: usize,
    /// An item of a feed stored twice.
    dup: usize,
    /// A validator, stored or sent, for items that are not in the store.
    ahead: usize,
    /// Dropped by the origin, not in the store.
    lost: usize,
    /// The id of an item's entry has changed.
    reid: usize,
    /// One item under two entries of the digest.
    twice: usize,
    /// The daemon ended or failed to start by itself.
    exit: usize,
}

impl Faults {
    fn add(&mut self, other: Self) {
        self.corrupt += other.corrupt;
        self.dup += other.dup;
        self.ahead += other.ahead;
        self.lost += other.lost;
        self.reid += other.reid;
        self.twice += other.twice;
        self.exit += other.exit;
    }
}

/// An origin of forgetting feeds and a daemon's config over them.
struct Fleet {
    origin: Origin,
    feeds: Vec<(String, Feed)>,
    app: App,
    /// Entry id of each item seen so far, by feed and guid.
    entries: HashMap<(String, String), String>,
    seen_entries: BTreeMap<String, String>,
}

impl Fleet {
    fn new(count: usize) -> Self {
        let origin = Origin::start();
        let feed = |n: usize| {
            let path = format!("/feed-{n}.xml");
            let feed = origin.feed(&path);
            feed.set_forgetting().set_heading(&format!("{} bulletin", NAMES[n % NAMES.len()]));
            (origin.url(&path), feed)
        };
        let feeds: Vec<(String, Feed)> = (0..count).map(feed).collect();
        let urls: Vec<&str> = feeds.iter().map(|(url, _)| url.as_str()).collect();
        let app = App::new(FETCH, &(feed_tables(&urls) + ALL));
        Self { origin, feeds, app, entries: HashMap::new(), seen_entries: BTreeMap::new() }
    }

    fn published(&self) -> usize {
        self.feeds.iter().map(|(_, feed)| feed.history().len()).sum()
    }

    fn stored(&self) -> usize {
        usize::try_from(self.app.ask::<i64>("SELECT count(*) FROM items")).expect("few")
    }

    /// Reads the store while no daemon runs.
    fn look(&mut self) -> Faults {
        let mut faults = Faults::default();
        if !self.app.data_dir().join("veille.db").exists() {
            return faults;
        }
        let database = self.app.database();
        let checked = database.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0));
        if checked.as_deref() != Ok("ok") {
            return Faults { corrupt: 1, ..faults };
        }
        // Killed at its first start, before the schema or the config was written down.
        if count(&database, "SELECT count(*) FROM sqlite_schema WHERE name = 'digests'") == 0
            || count(&database, "SELECT count(*) FROM digests") == 0
        {
            return faults;
        }
        faults.dup = count(&database, "SELECT count(*) - count(DISTINCT feed_id || '|' || guid) FROM items");
        faults.twice = count(
            &database,
            "SELECT count(*) FROM (SELECT 1 FROM items i JOIN digest_entries e ON e.story_id = i.story_id \
             WHERE e.digest = 'all' GROUP BY i.feed_id, i.guid HAVING count(DISTINCT e.story_id) > 1)",
        );
        let stored = self.items_and_entries(&database, &mut faults);
        let mut claims = stored_claims(&database);
        claims.extend(self.sent_claims());
        for (url, feed) in &self.feeds {
            let listed: HashSet<String> = feed.guids().into_iter().collect();
            let missing = |guid: &String| !stored.contains(&(url.clone(), guid.clone()));
            let claimed = claims.get(url).copied().unwrap_or(0);
            for (guid, version) in feed.history() {
                faults.ahead += usize::from(version <= claimed && missing(&guid));
                faults.lost += usize::from(!listed.contains(&guid) && missing(&guid));
            }
        }
        drop(database);
        self.read_digest(&mut faults);
        faults
    }

    fn items_and_entries(&mut self, database: &Connection, faults: &mut Faults) -> HashSet<(String, String)> {
        let sql = "SELECT f.url, i.guid, s.entry_id FROM items i JOIN feeds f USING (feed_id) JOIN stories s USING (story_id)";
        let mut statement = database.prepare(sql).expect(sql);
        let rows =
            statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get::<_, String>(2)?))).expect(sql);
        let mut stored = HashSet::new();
        for row in rows {
            let (item, entry): ((String, String), String) = row.expect(sql);
            stored.insert(item.clone());
            let known = self.entries.entry(item).or_insert_with(|| entry.clone());
            faults.reid += usize::from(*known != entry);
        }
        stored
    }

    /// What subscribers are shown: no headline under two ids, none under another id than before.
    fn read_digest(&mut self, faults: &mut Faults) {
        let shown = self.app.run(&["digests", "show", "all", "--json"]);
        if shown.code() > 1 {
            println!("{shown:?}");
            faults.exit += 1;
            return;
        }
        let document = shown.json();
        let entries = document["entries"].as_array().expect("entries");
        // Where the end came before the first item, the answer is a no.
        faults.exit += usize::from(entries.is_empty() != (shown.code() == 1));
        let mut headlines = HashSet::new();
        for entry in entries {
            let text = |name: &str| {
                entry[name].as_str().unwrap_or_else(|| panic!("an entry without {name}: {entry}")).to_owned()
            };
            let (id, title) = (text("id"), text("title"));
            faults.twice += usize::from(!headlines.insert(title.clone()));
            let known = self.seen_entries.entry(title).or_insert_with(|| id.clone());
            faults.reid += usize::from(*known != id);
        }
    }

    /// The newest version that the requests since the last look claimed to have seen.
    fn sent_claims(&self) -> HashMap<String, u64> {
        let mut claims = HashMap::new();
        for request in self.origin.log() {
            if let Some(version) = request.header("if-none-match").and_then(version_of) {
                let claim: &mut u64 = claims.entry(self.origin.url(&request.target)).or_default();
                *claim = version.max(*claim);
            }
        }
        self.origin.clear_log();
        claims
    }
}

/// Titles of different feeds must not look like one story.
const NAMES: [&str; FEEDS] = [
    "Quartz", "Harbour", "Meridian", "Foxglove", "Lantern", "Tundra", "Cobalt", "Juniper", "Saffron", "Obsidian",
    "Pelican", "Marigold", "Zephyr", "Bramble", "Citadel", "Dynamo", "Everest", "Gondola", "Hemlock", "Indigo",
];

fn count(database: &Connection, sql: &str) -> usize {
    let count: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    usize::try_from(count).expect("a count")
}

fn stored_claims(database: &Connection) -> HashMap<String, u64> {
    let sql = "SELECT url, etag FROM validators WHERE etag IS NOT NULL";
    let mut statement = database.prepare(sql).expect(sql);
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))).expect(sql);
    let claim = |row: rusqlite::Result<(String, Vec<u8>)>| {
        let (url, etag) = row.expect(sql);
        Some((url, version_of(std::str::from_utf8(&etag).ok()?)?))
    };
    rows.filter_map(claim).collect()
}

fn version_of(etag: &str) -> Option<u64> {
    etag.trim_matches(['"', 'v']).parse().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    Terminate,
}

/// Rounds of publishing, polling and ending, with or without an origin that fails now and then.
fn endure(end: End, rounds: usize, troubled: bool) -> (Fleet, Faults) {
    let seed =
        std::env::var("VEILLE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("{rounds} rounds, {end:?}, VEILLE_SEED={seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut fleet = Fleet::new(FEEDS);
    let mut faults = Faults::default();
    for round in 0..rounds {
        publish(&fleet, &mut chance, troubled);
        let mut daemon = Daemon::spawn(fleet.app.command(&["run"]));
        let (before, after) = (chance.u64(25..500), chance.u64(25..500));
        std::thread::sleep(Duration::from_millis(before));
        publish(&fleet, &mut chance, troubled);
        std::thread::sleep(Duration::from_millis(after));
        let mut found = Faults { exit: usize::from(daemon.has_ended()), ..Faults::default() };
        match end {
            End::Kill => drop(daemon.kill()),
            End::Terminate => found.exit += usize::from(!ends_in_order(daemon)),
        }
        found.add(fleet.look());
        if found != Faults::default() {
            println!("round {round}: {found:?}");
        }
        faults.add(found);
    }
    fleet.origin.set_down(false);
    fleet.feeds.iter().for_each(|(_, feed)| feed.set_failing(None));
    (fleet, faults)
}

/// Before it listens for signals a daemon dies by one, as any process does; afterwards it ends with 0 in time.
fn ends_in_order(daemon: Daemon) -> bool {
    let (status, took, log) = daemon.stop();
    let watched = log.iter().any(|line| line.contains("veille is watching"));
    !watched
        || took < Duration::from_secs(5) && (status.success() || !log.iter().any(|line| line.ends_with(" stopping")))
}

fn publish(fleet: &Fleet, chance: &mut fastrand::Rng, troubled: bool) {
    for (_, feed) in &fleet.feeds {
        if chance.bool() {
            feed.add(chance.usize(1..3));
        }
        let trouble = [status(500), fault(Fault::Reset), fault(Fault::CloseAfter(60)), status(404)];
        let failing = troubled && chance.u8(0..4) == 0;
        feed.set_failing(failing.then(|| trouble[chance.usize(0..trouble.len())].clone()));
    }
    fleet.origin.set_down(troubled && chance.u8(0..5) == 0);
}

/// At last the daemon is left alone, and has everything.
fn catches_up(mut fleet: Fleet, mut faults: Faults) {
    let daemon = fleet.app.start();
    let whole = wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(()));
    assert!(whole.is_some(), "{} stored of {}: {:#?}", fleet.stored(), fleet.published(), daemon.log());
    drop(daemon.kill());
    faults.add(fleet.look());
    println!("{} items, {faults:?}", fleet.published());
    assert_eq!(faults, Faults::default());
}

fn rounds() -> usize {
    std::env::var("VEILLE_KILLS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(SHORT)
}

#[test]
fn d01_killed_at_any_moment_nothing_is_lost_and_nothing_comes_twice() {
    let (fleet, faults) = endure(End::Kill, rounds(), false);
    catches_up(fleet, faults);
}

#[test]
fn d02_the_same_while_feeds_fail_and_the_origin_goes_down_and_up() {
    let (fleet, faults) = endure(End::Kill, rounds() / 2, true);
    catches_up(fleet, faults);
}

#[test]
fn d03_sigterm_ends_in_order_at_any_moment() {
    let (fleet, faults) = endure(End::Terminate, rounds() / 2, false);
    catches_up(fleet, faults);
}

/// The harness is worth what it sees: each promise broken by hand is found, and nothing else is.
#[test]
fn d04_the_harness_sees_every_promise_that_is_broken() {
    let mut fleet = Fleet::new(2);
    for (_, feed) in &fleet.feeds {
        feed.add(3);
    }
    fleet.app.poll(&[]);
    fleet.app.poll(&["--force"]);
    assert_eq!(fleet.look(), Faults::default());
    assert!(fleet.feeds.iter().all(|(_, feed)| feed.guids().is_empty()), "the origin has forgotten what we claimed");
    let path = fleet.app.data_dir().join("veille.db");
    fleet.app.change("PRAGMA wal_checkpoint(TRUNCATE)");
    let sound = std::fs::read(&path).expect("reads");
    let mut check = |name: &str, sql: &str, expected: &dyn Fn(Faults) -> bool| {
        std::fs::write(&path, &sound).expect("writes");
        let (entries, seen) = (fleet.entries.clone(), fleet.seen_entries.clone());
        fleet.app.change(sql);
        fleet.app.change("PRAGMA wal_checkpoint(TRUNCATE)");
        let found = fleet.look();
        assert!(expected(found), "{name}: {found:?}");
        (fleet.entries, fleet.seen_entries) = (entries, seen);
    };
    check("an item is gone", "DELETE FROM items WHERE item_id = 1", &|found| found.lost == 1 && found.ahead == 1);
    check("validators ahead, items gone", "DELETE FROM items WHERE feed_id = 1", &|found| found.ahead == 3);
    check("ids of row numbers", "UPDATE stories SET entry_id = 'row:' || story_id", &|found| found.reid >= 6);
    let copy = "INSERT INTO stories (entry_id, created_at) VALUES ('copy', 1); \
        INSERT INTO items (feed_id, story_id, item_key, content_key, content_hash, guid, title, authors, categories, \
            summary, content_html, content_text, enclosures, first_seen_at, changed_at, ordered_at) \
        SELECT feed_id, (SELECT story_id FROM stories WHERE entry_id = 'copy'), 'copy', content_key, content_hash, guid, title, \
            authors, categories, summary, content_html, content_text, enclosures, first_seen_at, changed_at, ordered_at \
        FROM items WHERE item_id = 1;";
    check("an item twice", copy, &|found| found.dup == 1);
    let shown = "INSERT INTO digest_entries (digest, story_id, entered_at, updated_at, ordered_at) \
        SELECT 'all', story_id, 1, 1, 1 FROM stories WHERE entry_id = 'copy'; UPDATE digests SET version = version + 1;";
    check("an entry twice", &(copy.to_owned() + shown), &|found| found.twice >= 1 && found.dup == 1);
    let mut damaged = sound.clone();
    let page = damaged.len() / 2 / 4096 * 4096;
    damaged[page..page + 4096].fill(0xa5);
    std::fs::write(&path, damaged).expect("writes");
    assert_eq!(fleet.look(), Faults { corrupt: 1, ..Faults::default() });
}

fn migration_files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> =
        directory.read_dir().expect("migrations").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

/// As a version left it: the schema after so many of the migrations, and items each with a story of its own.
fn database_of_schema(app: &App, migrations: usize, items: usize) {
    std::fs::create_dir_all(app.data_dir()).expect("a data directory");
    let database = Connection::open(app.data_dir().join("veille.db")).expect("a database");
    for file in &migration_files()[..migrations] {
        database.execute_batch(&std::fs::read_to_string(file).expect("SQL")).expect("migrates");
    }
    // Of today, so that retention leaves them.
    let now = jiff::Timestamp::now().as_millisecond() - 60_000;
    let filled = format!(
        "INSERT INTO feeds (feed_id, url) VALUES (1, 'https://news.example/feed.xml');
         CREATE TEMP TABLE numbers AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {items}) SELECT n FROM n;
         INSERT INTO stories (story_id, entry_id, created_at) SELECT n, 'urn:entry:' || n, n FROM numbers;
         INSERT INTO items (item_id, feed_id, story_id, item_key, link_key, content_key, content_hash, title, authors, categories,
             summary, content_html, content_text, enclosures, first_seen_at, changed_at, ordered_at)
         SELECT n, 1, n, 'g-' || n, format('l-%032x', n), 'c-' || n, zeroblob(16), 'Title ' || n, '[]', '[]',
             hex(zeroblob(200)), '', '', '[]', {now} + n, {now} + n, {now} + n FROM numbers;
         INSERT INTO recent_signatures (item_id, story_id, feed_id, ordered_at, first_seen_at, signature)
         SELECT n, n, 1, {now} + n, {now} + n, zeroblob(60) FROM numbers;
         PRAGMA application_id = 1986357612; PRAGMA user_version = {migrations};"
    );
    database.execute_batch(&filled).expect("items");
}

#[test]
fn d09_a_migration_killed_at_any_moment_still_ends_whole() {
    const ITEMS: usize = 5_000;
    let app = App::new(FETCH, ALL);
    // What a kill leaves to be rolled back, only who may write can read.
    let version =
        || app.database().query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get::<_, u32>(0));
    let mut chance = fastrand::Rng::new();
    let (mut whole_run, mut killed_before) = (Duration::ZERO, 0);
    for round in 0..=rounds().min(50) {
        let _ = std::fs::remove_dir_all(app.data_dir());
        database_of_schema(&app, 10, ITEMS);
        if round > 0 {
            let mut poll = app.command(&["poll"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
            std::thread::sleep(whole_run.mul_f32(chance.f32()));
            poll.kill().expect("is killed, or has ended");
            poll.wait().expect("has ended");
            killed_before += usize::from(!version().is_ok_and(|version| version > 10));
        }
        let begun = Instant::now();
        let finished = app.run(&["poll"]);
        whole_run = if round == 0 { begun.elapsed() } else { whole_run };
        assert_eq!(finished.code(), 0, "{finished:?}");
        assert!(round > 0 || finished.stderr.contains("veille.db.before-10"), "the copy is told of: {finished:?}");
        assert!(version().is_ok_and(|version| version > 10));
        assert_eq!(app.ask::<String>("PRAGMA integrity_check"), "ok");
        assert_eq!(app.ask::<u32>("SELECT count(*) FROM pragma_foreign_key_check"), 0);
        let whole = "SELECT count(DISTINCT entry_id) FROM items JOIN stories USING (story_id) \
                     JOIN recent_signatures r USING (item_id) WHERE entry_id = 'urn:entry:' || item_id";
        assert_eq!(app.ask::<u32>(whole) as usize, ITEMS);
        let copy = Connection::open(app.data_dir().join("veille.db.before-10")).expect("the copy");
        assert_eq!(count(&copy, "SELECT user_version FROM pragma_user_version"), 10);
        assert_eq!(count(&copy, "SELECT count(*) FROM items"), ITEMS);
    }
    println!("{killed_before} of {} kills came before the migration had ended", rounds().min(50));
}

#[test]
fn of_the_copies_made_before_migrations_the_newest_two_stay() {
    let app = App::new(FETCH, ALL);
    database_of_schema(&app, 10, 5);
    for left in ["before-4", "before-8", "before-9", "before-10.x1y2z3.partial", "before-10.x1y2z3.partial-journal"] {
        std::fs::write(app.data_dir().join(format!("veille.db.{left}")), left).expect("writes");
    }
    let finished = app.run(&["poll"]);
    assert_eq!(finished.code(), 0, "{finished:?}");
    let files = app.data_dir().read_dir().expect("reads").map(|entry| entry.expect("an entry").file_name());
    let mut copies: Vec<String> = files.map(|name| name.to_string_lossy().into_owned()).collect();
    copies.retain(|name| name.contains("before"));
    copies.sort();
    assert_eq!(copies, ["veille.db.before-10", "veille.db.before-9"]);
    for removed in ["before-8 ", "before-4 ", "before-10.x1y2z3.partial ", "before-10.x1y2z3.partial-journal "] {
        let told = |line: &str| line.contains("removed") && format!("{line} ").contains(removed);
        assert!(finished.stderr.lines().any(told), "{removed}: {finished:?}");
    }
    // An older veille that meets the newer database names the copy that it can read.
    let known: u32 = app.ask("SELECT user_version FROM pragma_user_version");
    app.change(&format!("PRAGMA user_version = {}", known + 1));
    let refused = app.run(&["poll"]);
    assert!(
        refused.stderr.contains(&format!("restore {}.before-{known}", app.data_dir().join("veille.db").display())),
        "{refused:?}"
    );
}

#[test]
fn d16_a_backup_beside_the_daemon_holds_all_that_was_stored_before_it() {
    let fleet = Fleet::new(4);
    let _daemon = fleet.app.start();
    for round in 0..5 {
        for (_, feed) in &fleet.feeds {
            feed.add(5);
        }
        wait_until(PATIENCE, || (fleet.stored() > round * 20).then_some(())).expect("items come");
        let before = fleet.stored();
        let file = fleet.app.directory().join(format!("copy-{round}.db"));
        let path = file.to_str().expect("UTF-8");
        assert_eq!(fleet.app.run(&["backup", path]).code(), 0);
        let copy = Connection::open(&file).expect("the copy");
        assert_eq!(copy.query_row("PRAGMA quick_check", [], |row| row.get::<_, String>(0)).expect("checks"), "ok");
        assert!(count(&copy, "SELECT count(*) FROM items") >= before, "{before} items were stored");
        let mode = std::fs::metadata(&file).expect("the copy").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds the keys of private digests");
        let again = fleet.app.run(&["backup", path]);
        assert!(again.code() != 0 && again.stderr.contains("exists already"), "{again:?}");
    }
    let left = fleet
        .app
        .directory()
        .read_dir()
        .expect("reads")
        .filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().contains(".partial"));
    assert_eq!(left.count(), 0, "a copy leaves nothing beside it");
}

#[test]
fn a_backup_that_is_told_to_stop_leaves_nothing() {
    let app = App::new(FETCH, ALL);
    app.poll(&[]);
    app.change("CREATE TABLE filler AS SELECT value, zeroblob(1000000) AS bytes FROM json_each('[1,2,3,4,5,6,7,8,9]')");
    app.change("INSERT INTO filler SELECT 0, a.bytes FROM filler a, filler b");
    let copies = app.directory().join("copies");
    let file = copies.join("copy.db");
    std::fs::create_dir(&copies).expect("a directory");
    let left = || copies.read_dir().expect("reads").count();
    let mut told_in_time = 0;
    for signal in ["INT", "TERM"] {
        let mut backup = app.command(&["backup", file.to_str().expect("UTF-8")]);
        let mut backup = backup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        wait_until(PATIENCE, || (left() > 0).then_some(())).expect("it has begun");
        let kill = Command::new("kill").arg(format!("-{signal}")).arg(backup.id().to_string()).status();
        assert!(kill.expect("kill runs").success());
        let code = backup.wait().expect("has ended").code();
        told_in_time += usize::from(code == Some(2));
        assert!(
            left() == 0 && code == Some(2) || file.exists() && code == Some(0),
            "{signal}: {code:?}, {} files",
            left()
        );
        let _ = std::fs::remove_file(&file);
    }
    println!("{told_in_time} of 2 were told before they had ended");
}

#[test]
fn of_backups_to_one_file_at_once_one_is_made_and_the_others_are_told() {
    let fleet = Fleet::new(1);
    fleet.feeds[0].1.add(50);
    fleet.app.poll(&[]);
    let copies = fleet.app.directory().join("copies");
    std::fs::create_dir(&copies).expect("a directory");
    for round in 0..4 {
        let file = copies.join(format!("{round}.db"));
        let backup = || fleet.app.run(&["backup", file.to_str().expect("UTF-8")]);
        let ended: Vec<Finished> = std::thread::scope(|scope| {
            let begun: Vec<_> = (0..6).map(|_| scope.spawn(backup)).collect();
            begun.into_iter().map(|one| one.join().expect("runs")).collect()
        });
        let (made, refused): (Vec<_>, Vec<_>) = ended.iter().partition(|ended| ended.code() == 0);
        assert_eq!(made.len(), 1, "{ended:?}");
        assert!(refused.iter().all(|ended| ended.stderr.contains("exists already")), "{refused:?}");
        let copy = Connection::open(&file).expect("the copy");
        assert_eq!(count(&copy, "SELECT count(*) FROM items"), 50);
        drop(copy);
        assert_eq!(copies.read_dir().expect("reads").count(), round + 1, "and nothing beside it");
    }
}

#[test]
fn a_backup_of_a_damaged_database_is_refused_and_leaves_no_copy() {
    let app = App::new(FETCH, ALL);
    database_of_schema(&app, migration_files().len(), 500);
    let backup = |name: &str| {
        let file = app.directory().join(name);
        (app.run(&["backup", file.to_str().expect("UTF-8")]), file.exists())
    };
    assert!(backup("sound.db").1);
    let path = app.data_dir().join("veille.db");
    let mut bytes = std::fs::read(&path).expect("reads");
    let half = bytes.len() / 2 / 4096 * 4096;
    bytes[half..half + 4096].fill(0xa5);
    std::fs::write(&path, bytes).expect("writes");
    let (refused, is_there) = backup("damaged.db");
    assert!(refused.code() == 2 && refused.stderr.contains("veille.db: the database is damaged"), "{refused:?}");
    assert!(!is_there);
    let names = app.directory().read_dir().expect("reads").map(|entry| entry.expect("an entry").file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains("damaged")).count(), 0);
}

/// Full, the daemon goes on serving and loses nothing; given room, it catches up by itself. On a fast clock, since
/// what cannot be stored is tried again after a minute.
#[test]
fn d06_a_full_disk_stops_nothing_but_storing() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(disk) = Disk::mount(directory.path(), "4m") else { return };
    let Some(faketime) = faketime_library() else { return };
    let mut fleet = Fleet::new(4);
    fleet.app = fleet.app.with_data_at(directory.path());
    fleet.app.write("veille.toml", &fleet.config().replace("200ms", "5s").replace("400ms", "5s"));
    let mut daemon = Daemon::start(fleet.app.hastened(faketime));
    publish_long(&fleet);
    wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(())).expect("there is room for these");
    fill(&directory.path().join("ballast"));
    let full = wait_until(PATIENCE, || {
        publish_long(&fleet);
        let caught_up = || (fleet.stored() == fleet.published()).then_some(false);
        let is_full = || daemon.log().iter().any(|line| line.contains("disk is full")).then_some(true);
        wait_until(PATIENCE, || is_full().or_else(caught_up)).filter(|full| *full)
    });
    assert!(full.is_some(), "{:#?}", daemon.log());
    for path in ["/", "/digests/all.atom", "/healthz", "/readyz"] {
        assert_eq!(daemon.get(path).status, 200, "{path}");
    }
    let stored = fleet.stored();
    assert!(stored < fleet.published(), "something waits for room");
    disk.resize("256m");
    let whole = wait_until(PATIENCE, || (fleet.stored() == fleet.published()).then_some(()));
    assert!(whole.is_some(), "{} stored of {}: {:#?}", fleet.stored(), fleet.published(), daemon.log());
    assert!(!daemon.has_ended());
    let log = daemon.kill();
    let errors = log.iter().filter(|line| line.contains("ERROR") && line.contains("disk is full")).count();
    assert!(errors <= 12, "{errors} lines on one matter: {log:#?}");
    assert_eq!(fleet.look(), Faults::default());
}

/// Nobody may be there to start it again: what is started, or told of another config, while the disk is full goes on once
/// there is room.
#[test]
fn d06_a_start_and_a_reload_on_a_full_disk_wait_for_room() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(disk) = Disk::mount(directory.path(), "4m") else { return };
    let Some(faketime) = faketime_library() else { return };
    let mut fleet = Fleet::new(2);
    fleet.app = fleet.app.with_data_at(disk.path);
    fleet.app.poll(&[]);
    let ballast = disk.path.join("ballast");
    fill(&ballast);
    let looked = fleet.app.run(&["status"]);
    assert!(looked.code() == 2 && looked.stderr.contains("make room"), "{looked:?}");
    let mut daemon = Daemon::spawn(fleet.app.hastened(faketime));
    daemon.wait_for_line("tried again in a minute");
    std::fs::remove_file(&ballast).expect("a file");
    daemon.wait_for_line("veille is watching");
    assert!(!daemon.has_ended());
    fill(&ballast);
    let (another, watch) = (fleet.origin.url("/another.xml"), fleet.app.directory().join("watch.toml"));
    fleet.origin.feed("/another.xml").add(1);
    let before = std::fs::read_to_string(watch).expect("a file");
    fleet.app.write("watch.toml", &(before + &feed_tables(&[&another])));
    daemon.wait_for_line("config not reloaded, the one before stays in force");
    std::fs::remove_file(&ballast).expect("a file");
    daemon.wait_for_line("config reloaded");
    let log = fleet.origin.wait_for("/another.xml", 1);
    assert!(!log.is_empty() && daemon.stop().0.success());
}

#[test]
fn d06_an_edit_of_the_config_on_a_full_disk_leaves_it_as_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let Some(disk) = Disk::mount(directory.path(), "1m") else { return };
    let at = |name: &str| disk.path.join(name).display().to_string();
    std::fs::write(at("veille.toml"), "include = [\"feeds.toml\"]\n[service]\ndata_dir = \"data\"\n").expect("writes");
    std::fs::write(at("feeds.toml"), "# Mine.\n").expect("writes");
    let outline = |n: usize| format!("<outline text='{}' xmlUrl='http://a.test/{n}'/>", "long ".repeat(20));
    let list: String = (0..200).map(outline).collect();
    std::fs::write(at("list.opml"), format!("<opml><body>{list}</body></opml>")).expect("writes");
    fill(&disk.path.join("ballast"));
    let before = names(disk.path);
    let imported = finish(&mut veille(&["feeds", "import", &at("list.opml"), "--config", &at("veille.toml")]));
    assert!(imported.code() == 2 && imported.stderr.contains("feeds.toml"), "{imported:?}");
    assert_eq!(std::fs::read_to_string(at("feeds.toml")).expect("a file"), "# Mine.\n");
    assert_eq!(names(disk.path), before, "nothing is left beside it");
}

fn names(directory: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        directory.read_dir().expect("reads").map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    names
}

/// Items with long titles, no two feeds' alike.
fn publish_long(fleet: &Fleet) {
    for ((_, feed), name) in fleet.feeds.iter().zip(NAMES) {
        let last = feed.add(5);
        (last - 4..=last).for_each(|number| feed.retitle(number, &format!("{name} {number} {}", name.repeat(300))));
    }
}

/// Takes what room is left.
fn fill(path: &Path) {
    let mut ballast = std::fs::File::create(path).expect("a file");
    while ballast.write_all(&[0; 4096]).is_ok() {}
}

impl Fleet {
    fn config(&self) -> String {
        std::fs::read_to_string(self.app.config()).expect("written by us")
    }
}

/// A small file system of its own; unmounted when dropped.
struct Disk<'p> {
    path: &'p Path,
}

impl<'p> Disk<'p> {
    /// `None` where we may not mount, which is said.
    fn mount(path: &'p Path, size: &str) -> Option<Self> {
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(path).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { path }),
            refused => {
                println!("skipped: no small file system can be mounted here: {refused:?}");
                None
            }
        }
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let resized = Command::new("mount").args(["-o", &options]).arg(self.path).status();
        assert!(resized.expect("mount runs").success(), "remount");
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        // Lazily, since the daemon may still be dying.
        let _ = Command::new("umount").arg("-l").arg(self.path).status();
    }
}
