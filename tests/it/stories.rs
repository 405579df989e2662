//! Grouping measured on real titles: precision and recall beside two plain measures of likeness.
//!
//! The titles are in `../shared` and belong to their publishers; the labels are ours: a hash of the title and
//! the name of its story (`tests/fixtures/stories/same_news.tsv`), and the clusters of a news aggregator's feed.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use veille::model::{FeedId, ItemId, StoryId, Timestamp};
use veille::store::{Store, StoredSignature};
use veille::stories::{Arrival, RecentItems, Signature, Teller, WINDOW, join};

/// An item with the story that it truly tells; unlabelled items tell one of their own.
struct Labelled {
    title: String,
    text: String,
    feed: String,
    at: Timestamp,
    story: String,
}

fn shared() -> Option<PathBuf> {
    let beside = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared"));
    let shared = std::env::var_os("VEILLE_SHARED").map_or(beside, PathBuf::from);
    shared.join("feeds/expected.jsonl").exists().then_some(shared)
}

fn lines(path: PathBuf) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{text}T12:00:00Z").parse()).ok()
}

fn stories_by_title_hash() -> HashMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/stories/same_news.tsv");
    let labels = std::fs::read_to_string(path).unwrap();
    let pair = |line: &str| line.split_once('\t').map(|(hash, story)| (hash.to_owned(), story.to_owned()));
    labels.lines().filter(|line| !line.starts_with('#')).filter_map(pair).collect()
}

fn title_hash(title: &str) -> String {
    Sha256::digest(title).iter().take(6).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The items of the shared documents and of the labelled set.
fn items(shared: &std::path::Path) -> Vec<Labelled> {
    let labels = stories_by_title_hash();
    let mut items = Vec::new();
    let mut add = |title: String, text: String, feed: String, date: &str| {
        let Some(at) = instant(date).filter(|_| !title.is_empty()) else { return };
        let story = labels.get(&title_hash(&title)).cloned().unwrap_or_else(|| format!("alone-{}", items.len()));
        items.push(Labelled { title, text, feed, at, story });
    };
    for document in lines(shared.join("feeds/expected.jsonl")) {
        let file = text(&document, "file");
        // Some documents are one feed in several formats: the same items, so nothing to find.
        let feed = file.rsplit('/').next().unwrap_or_default().rsplit_once('.').map_or("", |(name, _)| name).to_owned();
        if file.starts_with("rss1/") || file.starts_with("jsonfeed/") || feed.contains("google-news") {
            continue;
        }
        for entry in document["entries"].as_array().into_iter().flatten() {
            let body = [text(entry, "content_text"), text(entry, "summary_text")];
            let body = body.into_iter().find(|body| !body.is_empty()).unwrap_or_default();
            add(text(entry, "title"), body, feed.clone(), &text(entry, "date"));
        }
    }
    for item in lines(shared.join("labelled/dev.jsonl")) {
        add(text(&item, "title"), text(&item, "summary"), text(&item, "source"), &text(&item, "published"));
    }
    items
}

/// A news aggregator's clusters: each item's description lists how several papers title the news.
fn clusters(shared: &std::path::Path) -> Vec<Labelled> {
    let document = std::fs::read(shared.join("feeds/rss2/google.com-top-stories-google-news.xml")).unwrap();
    let feed = feed_rs::parser::parse(document.as_slice()).unwrap();
    let mut items = Vec::new();
    for (index, entry) in feed.entries.into_iter().enumerate() {
        let html = entry.summary.map(|summary| summary.content).unwrap_or_default();
        for listed in html.split("<li>").skip(1) {
            let title = listed.split_once('>').and_then(|(_, rest)| rest.split_once("</a>")).map(|(title, _)| title);
            let paper = listed.split_once("<font").and_then(|(_, rest)| rest.split_once('>'));
            let paper = paper.and_then(|(_, rest)| rest.split_once("</font>")).map(|(paper, _)| paper);
            let (Some(title), Some(paper)) = (title, paper) else { continue };
            items.push(Labelled {
                title: htmlize::unescape(title).into_owned(),
                text: String::new(),
                feed: paper.to_owned(),
                at: "2022-07-28T00:00:00Z".parse().unwrap(),
                story: format!("cluster-{index}"),
            });
        }
    }
    items
}

/// Groups the items as the daemon does: in order of time, each against those that it finds alike.
fn grouped(items: &[Labelled]) -> Vec<i64> {
    let mut feeds: BTreeMap<&str, i64> = BTreeMap::new();
    let mut recent = RecentItems::default();
    let mut stories = Vec::new();
    for (own, item) in (0..).zip(items) {
        let next = i64::try_from(feeds.len()).unwrap();
        let feed_id = FeedId(*feeds.entry(&item.feed).or_insert(next));
        let signature = Signature::of(&item.title, &item.text);
        let arrival = Arrival { feed_id, ordered_at: item.at, signature: &signature };
        let bands = signature.bands();
        let story_id = join(&arrival, &recent.alike(item.at, None, &bands)).unwrap_or(StoryId(own));
        recent.add(
            Teller { story_id, feed_id, ordered_at: item.at, link: None, signature: &signature },
            &bands,
            item.at,
        );
        stories.push(story_id.0);
    }
    stories
}

#[derive(Default, Clone, Copy)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn add(&mut self, is_same: bool, is_found: bool) {
        match (is_same, is_found) {
            (true, true) => self.right += 1,
            (false, true) => self.wrong += 1,
            (true, false) => self.missed += 1,
            (false, false) => {}
        }
    }

    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }
}

fn normalised(title: &str) -> String {
    let lower = title.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn jaccard<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> f64 {
    let shared = u32::try_from(a.intersection(b).count()).unwrap();
    let all = u32::try_from(a.union(b).count()).unwrap();
    f64::from(shared) / f64::from(all.max(1))
}

fn words(title: &str) -> BTreeSet<String> {
    normalised(title).split(' ').map(str::to_owned).collect()
}

fn trigrams(title: &str) -> BTreeSet<Vec<char>> {
    normalised(title).chars().collect::<Vec<_>>().windows(3).map(<[char]>::to_vec).collect()
}

#[test]
fn stories_are_told_apart_on_real_titles() {
    let Some(shared) = shared() else {
        println!("skipped: no shared data beside the repository");
        return;
    };
    let mut all = clusters(&shared);
    all.extend(items(&shared));
    all.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.title.cmp(&b.title)));
    let groups = grouped(&all);
    let sets: Vec<_> = all.iter().map(|item| (words(&item.title), trigrams(&item.title))).collect();
    let [mut ours, mut by_words, mut by_trigrams] = [Score::default(); 3];
    for (i, a) in all.iter().enumerate() {
        for (j, b) in all.iter().enumerate().skip(i + 1) {
            if b.at.duration_since(a.at) > WINDOW {
                break;
            }
            let is_same = a.story == b.story;
            ours.add(is_same, groups[i] == groups[j]);
            if a.feed != b.feed {
                by_words.add(is_same, jaccard(&sets[i].0, &sets[j].0) >= 0.75);
                by_trigrams.add(is_same, jaccard(&sets[i].1, &sets[j].1) >= 0.75);
            }
            if !is_same && groups[i] == groups[j] {
                println!("wrong: {} | {}", a.title, b.title);
            }
        }
    }
    for (name, score) in [("stories", ours), ("words", by_words), ("trigrams", by_trigrams)] {
        let Score { right, wrong, missed } = score;
        println!(
            "{name}: precision {:.3}, recall {:.3} ({right} right, {wrong} wrong, {missed} missed)",
            score.precision(),
            score.recall()
        );
    }
    assert!(ours.precision() >= 0.98, "two stories were put together too often");
    assert!(ours.recall() > by_words.recall().max(by_trigrams.recall()), "plain likeness finds more");
    assert!(ours.recall() >= 0.36, "fewer tellings find each other than did");
}

#[tokio::test]
async fn the_newest_signatures_of_three_days_are_read_oldest_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let at = |second| Timestamp::from_second(second).unwrap();
    let kept = move |item: i64| StoredSignature {
        story_id: StoryId(10 + item),
        feed_id: FeedId(1),
        ordered_at: at(0),
        first_seen_at: at(item * 100),
        link: None,
        signature: vec![1, 0],
    };
    let check = async |since: i64, limit: u32, expected: &[i64]| {
        let read = move |tx: &veille::store::WriteTx<'_>| {
            let mut stories = Vec::new();
            let visit = |stored: StoredSignature| stories.push(stored.story_id.0);
            tx.as_read().visit_recent_signatures(at(since), limit, visit)?;
            Ok(stories)
        };
        assert_eq!(store.write(read).await.unwrap(), expected);
    };
    check(0, 10, &[]).await;
    let save = move |tx: &veille::store::WriteTx<'_>| (1..6).try_for_each(|n| tx.save_signature(ItemId(n), &kept(n)));
    store.write(save).await.unwrap();
    check(0, 10, &[11, 12, 13, 14, 15]).await;
    check(200, 10, &[12, 13, 14, 15]).await;
    check(200, 2, &[14, 15]).await;
    check(501, 2, &[]).await;
}
