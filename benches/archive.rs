//! What the archive costs: a search that finds nothing, and a retag of every item, over a store of its own.
//!
//! `cargo bench --bench archive -- ITEMS RULES` (100,000 items of 600 characters and 500 rules if not given); prints a line
//! a figure. `retag` behind them leaves index and searches out; with `visits` something else is written ten times a second during the retag, and how long that
//! waits is told too. Texts are made of 20,000 words with the frequencies of a language, one item in ten of Chinese characters.
#![allow(clippy::pedantic, reason = "a bench makes its material up, and rounds as it likes")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use veille::config::{self, Environment};
use veille::digest::story_entry_id;
use veille::model::{ConfiguredFeed, ContentHash, EntryId, FeedId, ItemContent, ItemKey, ItemKeys, NewItem, Timestamp};
use veille::refresh::{Desk, Surroundings, Watch, archive};
use veille::search;
use veille::store::{DATABASE_NAME, Store};

const FEED: &str = "https://wire.example/feed.xml";
const WORDS: u64 = 20_000;
/// Items in one transaction of the filling.
const BATCH: u64 = 1_000;

fn main() {
    let mut sizes = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let (items, rules) = (sizes.next().unwrap_or(100_000), sizes.next().unwrap_or(500));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(directory.path(), items, rules));
}

/// Whether a word stands among the arguments.
fn is_asked(word: &str) -> bool {
    std::env::args().any(|argument| argument == word)
}

async fn measure(directory: &Path, items: u64, rules: u64) {
    let watch = Arc::new(watch(directory, rules));
    let store = Arc::new(Store::open(directory).expect("the store opens"));
    let around = Surroundings { store: Arc::clone(&store), watch, desk: Desk::default(), clock: Timestamp::now };
    veille::app::sync_store(&store, &around.watch, Timestamp::now()).await.expect("feeds and digests are stored");
    figure("filling", items, fill(&store, items)).await;
    let size = database_bytes(directory);
    println!("{:<28} {:>8} MiB", "database", size >> 20);
    if !is_asked("retag") {
        index_and_search(&around, directory, items, size).await;
    }
    let retag = async || archive::retag(&around, |_| true).await.expect("the archive is retagged");
    let visitor = is_asked("visits").then(|| tokio::spawn(visit(Arc::clone(&store))));
    figure("retag, everything new", items, retag()).await;
    if let Some(visitor) = visitor {
        visitor.abort();
        // The task has ended as it was told to.
        let _ = visitor.await;
    }
    let tags = store.read(|tx| tx.tag_counts()).await.expect("the store is read");
    println!("{:<28} {:>8}", "tags given", tags.iter().map(|(_, items, _)| items).sum::<u64>());
    figure("retag, nothing new", items, retag()).await;
}

/// `size`: of the database before it has an index.
async fn index_and_search(around: &Surroundings, directory: &Path, items: u64, size: u64) {
    figure("indexing", items, async {
        search::index_items(&around.store, |_| true).await.expect("the items are indexed")
    })
    .await;
    around.store.checkpoint().await.expect("the log is written back");
    let with_index = database_bytes(directory);
    println!("{:<28} {:>8} MiB", "index of words", (with_index - size) >> 20);
    for query in ["zeppelin", "zeppelin NEAR/5 w7", "w19 AND w23 AND w19999", "zep*", "飞艇", "/zep+elin/"] {
        figure(&format!("search {query}"), items, find(around, query)).await;
    }
}

fn database_bytes(directory: &Path) -> u64 {
    std::fs::metadata(directory.join(DATABASE_NAME)).map_or(0, |file| file.len())
}

async fn figure<T>(what: &str, items: u64, work: impl Future<Output = T>) {
    let (started, cpu) = (Instant::now(), cpu_seconds());
    work.await;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    #[expect(clippy::cast_precision_loss, reason = "no bench has 2^53 items")]
    let rate = items as f64 / seconds;
    println!("{what:<28} {seconds:>8.2} s  {cpu:>8.2} s of CPU  {rate:>10.0} items/s");
}

/// What this process has taken so far, where the system tells: machines that measure are shared.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / 100.0
}

fn watch(directory: &Path, rules: u64) -> Watch {
    let mut text = format!("[[feeds]]\nurl = \"{FEED}\"\n");
    let mut random = Random(1);
    for rule in 0..rules {
        let terms: Vec<String> = (0..3).map(|_| format!("\"{}\"", word(1_000 + random.below(WORDS - 1_000)))).collect();
        let near = format!("{} NEAR/8 {}", word(random.below(1_000)), word(random.below(1_000)));
        writeln!(text, "[tags.rule-{rule}]\nany = [{}]\nmatch = '{near}'", terms.join(", ")).expect("to a string");
    }
    let path = directory.join("veille.toml");
    std::fs::write(&path, text).expect("the config is written");
    let environment = Environment::new(std::env::vars_os()).with_data_dir(Some(directory.to_owned()));
    Watch::compile(config::load(&path, &environment).expect("the config is right").settings).expect("the rules compile")
}

async fn fill(store: &Store, items: u64) {
    let now = Timestamp::now();
    let feed = ConfiguredFeed {
        url: FEED.to_owned(),
        title: None,
        groups: Vec::new(),
        language: None,
        enabled: true,
        first_check_at: now,
    };
    store.write(move |tx| tx.sync_feeds(&[feed])).await.expect("the feed is stored");
    for first in (0..items).step_by(usize::try_from(BATCH).expect("small")) {
        let texts: Vec<NewItem> = (first..items.min(first + BATCH)).map(item).collect();
        let stored = store.write(move |tx| {
            for item in &texts {
                let story = tx.begin_story(&story_entry_id(FEED, &item.keys.content), now)?;
                tx.insert_item(FeedId(1), &item.keys.content, item, story, None, now)?;
            }
            Ok(())
        });
        stored.await.expect("the items are stored");
    }
    store.checkpoint().await.expect("the log is written back");
}

fn item(number: u64) -> NewItem {
    let mut random = Random(number + 2);
    let mut text = String::new();
    let mut title = String::new();
    while text.len() < 600 {
        if number.is_multiple_of(10) {
            let character = u32::try_from(0x4e00 + random.skewed(3_000)).expect("small");
            text.push(char::from_u32(character).expect("a Han character"));
            continue;
        }
        let word = word(random.skewed(WORDS));
        write!(if title.len() < 60 { &mut title } else { &mut text }, "{word} ").expect("to a string");
    }
    NewItem {
        keys: ItemKeys { guid: None, link: None, content: ItemKey(format!("c-{number}")) },
        content_hash: ContentHash(u128::from(number).to_le_bytes()),
        content: ItemContent {
            link: Some(format!("https://wire.example/{number}")),
            title,
            content_html: format!("<p>{text}</p>"),
            content_text: text,
            language: Some("en".to_owned()),
            ..ItemContent::default()
        },
    }
}

fn word(number: u64) -> String {
    format!("w{number}")
}

/// A generator of the same numbers at each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Small numbers more often, about as words of a language: each octave as likely as the next.
    fn skewed(&mut self, bound: u64) -> u64 {
        let octaves = u64::from(bound.ilog2());
        let octave = self.below(octaves + 1);
        ((1 << octave) - 1 + self.below(1 << octave)).min(bound - 1)
    }
}

/// Writes ten times a second, and tells when one has waited longer than any before.
async fn visit(store: Arc<Store>) {
    let mut longest = Duration::ZERO;
    for number in 0_u64.. {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = Instant::now();
        let entry = EntryId(format!("urn:visit:{number}"));
        store.write(move |tx| tx.begin_story(&entry, Timestamp::now())).await.expect("it is stored");
        if started.elapsed() > longest {
            longest = started.elapsed();
            println!("{:<28} {:>8.0} ms", format!("write {number} waited"), longest.as_secs_f64() * 1e3);
        }
    }
}

async fn find(around: &Surroundings, query: &str) {
    let query = search::compile(query, &around.watch.settings.rules, usize::MAX).expect("a query");
    let now = Timestamp::now();
    let found = around.store.read(move |tx| search::search(tx, &query, None, 50, now, || true)).await;
    found.expect("the store is read");
}
