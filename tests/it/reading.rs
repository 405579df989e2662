//! Reading what real feeds send: the shared corpus against its manifest and a reference reader, and documents
//! cut or damaged at any byte. `VEILLE_LONG=1` damages every document at many more places.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use veille::feed::{FeedError, ParsedFeed, ReadContext, canonical_url, read};

/// The shared corpus, when it is there.
fn corpus() -> Option<PathBuf> {
    let shared = std::env::var_os("VEILLE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let feeds = shared.join("feeds");
    if feeds.join("MANIFEST.tsv").is_file() {
        return Some(feeds);
    }
    println!("skipped: no shared feeds here");
    None
}

/// File, and the number of items that the manifest counts in it.
fn manifest(feeds: &std::path::Path) -> Vec<(String, usize)> {
    let text = std::fs::read_to_string(feeds.join("MANIFEST.tsv")).expect("the manifest is readable");
    let rows = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| (row[0].to_owned(), row[5].parse().expect("a count"))).collect()
}

fn document(feeds: &std::path::Path, file: &str) -> Vec<u8> {
    std::fs::read(feeds.join(file)).expect("the document is readable")
}

fn parse(body: &[u8]) -> Result<ParsedFeed, FeedError> {
    read(body, &ReadContext::default())
}

/// Where we read more than the manifest counts: this JSON Feed breaks off, and the items before the break are whole.
const MENDED: &[(&str, usize)] = &[("odd/allthis-partial-json.json", 2)];

#[test]
fn every_document_yields_the_items_of_the_manifest() {
    let Some(feeds) = corpus() else { return };
    let wrong: Vec<String> = manifest(&feeds)
        .into_iter()
        .filter_map(|(file, expected)| {
            let found = parse(&document(&feeds, &file)).map_or(0, |feed| feed.items.len());
            let mended = MENDED.iter().find(|(known, _)| *known == file);
            let expected = mended.map_or(expected, |(_, items)| *items);
            (found != expected).then(|| format!("{file}: {found} items, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Fields of an item that agree with the reference reader, of how many.
#[derive(Default)]
struct Agreement {
    equal: BTreeMap<&'static str, usize>,
    items: usize,
}

impl Agreement {
    fn count(&mut self, field: &'static str, is_equal: bool) {
        *self.equal.entry(field).or_default() += usize::from(is_equal);
    }
}

#[test]
fn fields_agree_with_the_reference_reader() {
    let Some(feeds) = corpus() else { return };
    let expected = std::fs::read_to_string(feeds.join("expected.jsonl")).expect("the reference is readable");
    let mut agreement = Agreement::default();
    for line in expected.lines() {
        let reference: Value = serde_json::from_str(line).expect("a line of JSON");
        let file = reference["file"].as_str().expect("a file");
        let Ok(feed) = parse(&document(&feeds, file)) else { continue };
        let entries = reference["entries"].as_array().expect("entries");
        if entries.len() == feed.items.len() {
            for (entry, item) in entries.iter().zip(&feed.items) {
                compare(entry, &item.content, &mut agreement);
            }
        }
    }
    for (field, equal) in &agreement.equal {
        println!("{field}: {equal} of {}", agreement.items);
        // A text counts as equal or not at all here, which is stricter than 97 % of likeness over all texts.
        let least = if matches!(*field, "summary" | "content_text") { 98 } else { 99 };
        assert!(equal * 100 >= agreement.items * least, "{field}: {equal} of {}", agreement.items);
    }
    assert!(agreement.items > 3_000);
}

fn compare(entry: &Value, content: &veille::model::ItemContent, agreement: &mut Agreement) {
    let said = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    let either =
        |name: &str, ours: Option<&str>| said(name) == ours || (ours.is_some() && entry["alt"][name].as_str() == ours);
    let time = |at: Option<veille::model::Timestamp>| at.map(|at| at.to_string());
    agreement.items += 1;
    agreement.count("guid", said("id") == content.guid.as_deref());
    agreement.count(
        "link",
        either("link", content.link.as_deref()) || is_made_absolute(said("link"), content.link.as_deref()),
    );
    agreement.count("title", squashed(said("title")) == squashed(Some(&content.title)));
    agreement.count("published_at", either("published", time(content.published_at).as_deref()));
    agreement.count("updated_at", either("updated", time(content.updated_at).as_deref()));
    let names = content.authors.join(", ");
    let is_author = said("author")
        .map_or(names.is_empty(), |author| author == names || content.authors.iter().any(|name| name == author));
    agreement.count("authors", is_author);
    let is_same = |labels: &Value| same_labels(labels, &content.categories);
    agreement.count(
        "categories",
        is_same(&entry["categories"]) || is_same(&entry["categories_ext"]) || is_same(&entry["alt"]["categories"]),
    );
    agreement.count("summary", is_similar(said("summary_text"), &content.summary));
    agreement.count("content_text", is_similar(said("content_text"), &content.content_text));
}

/// The reference leaves relative links as they are; ours are absolute where anything says against what.
fn is_made_absolute(said: Option<&str>, ours: Option<&str>) -> bool {
    matches!((said, ours), (Some(said), Some(ours)) if said.starts_with('/') && canonical_url(ours).ends_with(said.trim_end_matches('/')))
}

fn same_labels(said: &Value, ours: &[String]) -> bool {
    let Some(said) = said.as_array() else { return false };
    let mut said: Vec<String> = said.iter().filter_map(Value::as_str).map(veille::feed::one_line).collect();
    let mut ours = ours.to_vec();
    for labels in [&mut said, &mut ours] {
        labels.sort();
        labels.dedup();
    }
    said == ours
}

fn squashed(text: Option<&str>) -> String {
    text.unwrap_or_default().split_whitespace().collect()
}

/// At least 97 % of the characters in common at both ends. The reference cuts its texts, so ours is cut as well.
fn is_similar(said: Option<&str>, ours: &str) -> bool {
    let said: Vec<char> = squashed(said).chars().collect();
    let mut ours: Vec<char> = squashed(Some(ours)).chars().collect();
    if !said.is_empty() {
        ours.truncate(said.len());
    }
    let same_start = said.iter().zip(&ours).take_while(|(a, b)| a == b).count();
    let same_end = said.iter().rev().zip(ours.iter().rev()).take_while(|(a, b)| a == b).count();
    let longer = said.len().max(ours.len());
    (same_start + same_end).min(longer) * 100 >= longer * 97
}

/// A small generator of numbers (splitmix64): damage is the same in every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).expect("the bound is a usize")
    }
}

/// Reads a damaged document: it must neither panic, nor take long, nor pass for a feed that has no items
/// when the whole one had some and was merely cut.
fn check_damaged(name: &str, body: &[u8]) {
    let timed = || {
        let started = Instant::now();
        (parse(body), started.elapsed())
    };
    let (result, mut took) = timed();
    // A busy machine only adds to it.
    for _ in 0..2 {
        took = if took < Duration::from_secs(2) { took } else { took.min(timed().1) };
    }
    assert!(took < Duration::from_secs(2), "{name}: {took:?}");
    assert!(!matches!(result, Err(FeedError::Reader(_))), "{name}: {result:?}");
}

fn damage(name: &str, body: &[u8], rounds: usize) {
    let mut seeded = Seeded(body.len() as u64);
    for _ in 0..rounds {
        let at = seeded.below(body.len());
        check_damaged(&format!("{name} cut at {at}"), &body[..at]);
        let mut flipped = body.to_vec();
        flipped[at] ^= 1 << seeded.below(8);
        check_damaged(&format!("{name} flipped at {at}"), &flipped);
        flipped[at] = [b'<', b'>', b'&', b'"', 0, 0xff][seeded.below(6)];
        check_damaged(&format!("{name} overwritten at {at}"), &flipped);
    }
}

/// A document of each dialect.
pub const SMALL: &[(&str, &str)] = &[
    (
        "rss",
        "<?xml version='1.0' encoding='utf-8'?><rss version='2.0' xmlns:dc='http://purl.org/dc/elements/1.1/'><channel><title>T</title>\
         <link>https://example.org/</link><ttl>60</ttl><item><title>Q&amp;A é</title><guid isPermaLink='false'>1</guid><author>a@example.org (Ä)</author>\
         <description><![CDATA[<p>one<br/>two</p>]]></description><pubDate>Tue, 24 Nov 2026 10:00:00 GMT</pubDate></item>\
         <item><title>b</title><dc:date>2026-11-24</dc:date><enclosure url='https://example.org/a.mp3' length='1' type='audio/mpeg'/></item></channel></rss>",
    ),
    (
        "atom",
        "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='https://example.org/' xml:lang='fr'><title type='html'>&lt;b>T&lt;/b></title>\
         <entry><id>urn:1</id><title>a</title><link href='/1'/><updated>2026-11-24T10:00:00Z</updated>\
         <content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p title='x'>y</p></div></content></entry></feed>",
    ),
    (
        "json",
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1","url":"https://example.org/1","content_html":"<p>a</p>","tags":["x"]}]}"#,
    ),
];

#[test]
fn a_document_cut_or_flipped_at_every_byte_never_panics() {
    for (name, document) in SMALL {
        let body = document.as_bytes();
        for at in 0..body.len() {
            check_damaged(&format!("{name} cut at {at}"), &body[..at]);
            for bit in 0..8 {
                let mut flipped = body.to_vec();
                flipped[at] ^= 1 << bit;
                check_damaged(&format!("{name} flipped at {at}"), &flipped);
            }
        }
    }
}

#[test]
fn a_cut_document_keeps_the_items_before_the_cut() {
    for (name, document) in &SMALL[..2] {
        let end = document.find("</item>").or_else(|| document.find("</entry>")).expect("an item");
        let feed = parse(&document.as_bytes()[..end]).expect("what came before the cut");
        assert_eq!(feed.items.len(), 1, "{name}");
    }
}

#[test]
fn a_broken_json_feed_keeps_the_items_before_the_break() {
    let start =
        r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1","content_text":"\"]}"},"#;
    for rest in [r#"{"id":"2"},{"id":"3","tags":["x"#, r#"{"id":"2"} {"id":"3"}]}"#, "{\"id\":\"2\"},\n{\"id\":é}]}"] {
        let feed = parse(format!("{start}{rest}").as_bytes()).expect("what came before the break");
        assert_eq!(feed.items.len(), 2, "{rest}");
        assert!(feed.warnings.iter().any(|warning| warning.contains("broken")), "{:?}", feed.warnings);
    }
    let whole = format!("{start}{{\"id\":\"2\"}}]}} <!-- cached -->");
    assert_eq!(parse(whole.as_bytes()).expect("junk after the end is no harm").items.len(), 2);
    assert!(parse(&start.as_bytes()[..start.len() - 5]).is_err());
}

#[test]
fn real_documents_survive_damage() {
    let Some(feeds) = corpus() else { return };
    let rounds = if std::env::var_os("VEILLE_LONG").is_some() { 300 } else { 2 };
    for (file, _) in manifest(&feeds) {
        damage(&file, &document(&feeds, &file), rounds);
    }
}

#[test]
fn reading_twice_gives_the_same_keys() {
    let Some(feeds) = corpus() else { return };
    for (file, _) in manifest(&feeds) {
        let body = document(&feeds, &file);
        assert_eq!(parse(&body), parse(&body), "{file}");
    }
}

#[test]
fn h15_broken_markup_is_never_a_feed_without_items() {
    let broken =
        "<rss version='2.0'><channel><title>T</titel><item><title>a</titel><link>https://example.org/1</link></item>";
    let feed = parse(broken.as_bytes()).expect("what is sound");
    assert_eq!(feed.items[0].content.title, "a");
    assert_eq!(feed.items[0].content.link.as_deref(), Some("https://example.org/1"));
    assert_eq!(parse(b"<rss version='2.0'><channel><title>T</title><it"), Err(FeedError::Broken));
    assert_eq!(parse(b"<!DOCTYPE html><html><p>Sign in"), Err(FeedError::WebPage));
    assert_eq!(parse(b" \n"), Err(FeedError::Empty));
    assert!(parse(b"<rss version='2.0'><channel><title>T</title></channel></rss>").is_ok());
}

#[test]
fn h18_of_too_many_items_the_newest_are_kept() {
    let items: String = (0..30_000)
        .map(|n| format!("<item><guid>{n}</guid><title>{n}</title><pubDate>{}</pubDate></item>", 1_700_000_000 + n))
        .collect();
    let feed = parse(format!("<rss version='2.0'><channel>{items}</channel></rss>").as_bytes()).expect("a feed");
    assert_eq!((feed.items.len(), feed.overflow), (5_000, 25_000));
    assert!(feed.items.iter().any(|item| item.content.title == "29999"));
    assert!(feed.items.iter().all(|item| item.content.title != "24999"));
}

#[test]
fn h14_and_h17_deep_and_busy_markup_ends_in_time_and_spares_its_neighbours() {
    for piece in ["<div>", "<ul><li>", "<b x>", "<font><i><b></font>", "<a href=x>", "<table><tr><td>", "<svg><p>"] {
        let flood = piece.repeat(30_000);
        let started = Instant::now();
        let body = format!(
            "<rss version='2.0'><channel><item><title>a</title><description><![CDATA[{flood}]]></description></item><item><title>b</title></item></channel></rss>"
        );
        let feed = parse(body.as_bytes()).expect("a feed");
        assert_eq!(feed.items.len(), 2, "{piece}");
        assert!(started.elapsed() < Duration::from_secs(2), "{piece}: {:?}", started.elapsed());
    }
    let deep = format!("<rss><channel>{}<item><title>a</title></item>", "<x xml:base='b/'>".repeat(100_000));
    assert_eq!(parse(deep.as_bytes()).expect("a feed").items.len(), 1);
}
