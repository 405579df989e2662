//! What subscribers receive: whole documents from stories, compared with goldens and read back by readers
//! that are not ours (feed-rs, and feedparser where `VEILLE_PYTHON` names a Python that has it).

use jiff::tz::TimeZone;
use std::path::PathBuf;
use veille::digest::{self, Publisher};
use veille::export::{Format, OutlinedFeed, opml, render};
use veille::model::{
    DigestKind, DigestName, DigestSpec, Enclosure, Evidence, FeedAddresses, FeedId, Field, GroupBy, Issue, IssueId,
    Item, ItemContent, ItemId, ItemKey, Membership, PublishedFeed, Schedule, Story, StoryId, TagMatch, TagName,
    TagOrigin, Timestamp,
};

fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant")
}

fn publisher() -> Publisher {
    let titles = [("french-ai", "French AI"), ("relocation", "Relocation"), ("funding", "Funding")];
    Publisher {
        public_url: "https://watch.example.org".into(),
        time_zone: TimeZone::get("Europe/Paris").expect("a zone of the bundled database"),
        hubs: vec!["https://hub.example.org/".into()],
        ttl_s: 900,
        tag_titles: titles.map(|(name, title)| (TagName(name.into()), title.into())).into(),
    }
}

fn evidence(rule: &str, field: Field, text: &str) -> Evidence {
    Evidence { rule: rule.into(), clause: "any".into(), field, start: 0, end: text.chars().count(), text: text.into() }
}

fn tag(name: &str, score: f64, evidence: Vec<Evidence>) -> TagMatch {
    TagMatch { tag: TagName(name.into()), score, rule_hash: "00".into(), origin: TagOrigin::Rule, evidence }
}

struct FeedFacts {
    id: i64,
    title: &'static str,
    url: &'static str,
}

const JOURNAL: FeedFacts = FeedFacts { id: 1, title: "Journal de l’IA", url: "https://journal.example/feed.xml" };
const WIRE: FeedFacts = FeedFacts { id: 2, title: "The <Wire> & Co", url: "https://wire.example/rss?a=1&b=2" };
const PAPER: FeedFacts = FeedFacts { id: 3, title: "人工智能日报", url: "https://paper.example/atom" };

fn item(feed: &FeedFacts, key: &str, seen_at: &str, content: ItemContent, tags: Vec<TagMatch>) -> Item {
    Item {
        id: ItemId(feed.id * 100),
        feed_id: FeedId(feed.id),
        key: ItemKey(key.into()),
        content,
        first_seen_at: at(seen_at),
        changed_at: at(seen_at),
        story_id: StoryId(1),
        feed_title: feed.title.into(),
        feed_url: feed.url.into(),
        site_url: Some(feed.url[..=feed.url.rfind('/').expect("a URL has a slash")].into()),
        groups: vec!["ai".into()],
        tags,
    }
}

fn told(sequence: i64, entered_at: &str, updated_at: &str, items: Vec<Item>) -> (Membership, Story) {
    let entry_id = digest::story_entry_id(&items[0].feed_url, &items[0].key);
    let membership = Membership {
        story_id: StoryId(sequence),
        entry_id: entry_id.clone(),
        sequence,
        entered_at: at(entered_at),
        updated_at: at(updated_at),
    };
    (membership, Story { id: StoryId(sequence), entry_id, items })
}

/// Three stories: one told by two feeds and edited, one with everything that breaks writers, one with nothing but a link.
fn stories() -> Vec<(Membership, Story)> {
    let french = ItemContent {
        guid: Some("j-1".into()),
        link: Some("https://journal.example/mistral-ouvre-a-palo-alto?a=1&b=2".into()),
        title: "Mistral AI ouvre un bureau à Palo Alto".into(),
        authors: vec!["Anne O’Hara".into(), "B. <Éditeur>".into()],
        published_at: Some(at("2026-11-23T08:30:00Z")),
        categories: vec!["IA".into()],
        summary: "La jeune pousse s’installe aux États-Unis.".into(),
        content_html: "<p>La jeune pousse s’installe <b>aux États-Unis</b> &amp; recrute.</p>".into(),
        content_text: "La jeune pousse s’installe aux États-Unis & recrute.".into(),
        language: Some("fr".into()),
        ..ItemContent::default()
    };
    let english = ItemContent {
        link: Some("https://wire.example/mistral".into()),
        title: "Mistral AI opens an office in Palo Alto".into(),
        published_at: Some(at("2026-11-23T09:00:00Z")),
        language: Some("en".into()),
        ..ItemContent::default()
    };
    let first_tags = vec![
        tag("french-ai", 1.0, vec![evidence("french-ai", Field::Title, "Mistral AI")]),
        tag(
            "relocation",
            2.0,
            vec![
                evidence("relocation", Field::Title, "ouvre"),
                evidence("relocation", Field::Title, "bureau"),
                evidence("relocation", Field::Content, "s’installe"),
            ],
        ),
    ];
    let hostile = ItemContent {
        link: Some("https://wire.example/?q=<script>&x=]]>".into()),
        title: "]]> &amp;lt; <script>alert(1)</script> {{7*7}} \u{8}\u{0}C++ & R&D \u{fffe}\u{1F1EB}\u{1F1F7}".into(),
        published_at: Some(at("2026-11-24T05:00:00.123Z")),
        summary: "a < b & c ]]>\nsecond block".into(),
        content_html: "<pre>if (a &lt; b &amp;&amp; c[d[0]]&gt;e) &amp;amp; ]]&gt;</pre>".into(),
        enclosures: vec![Enclosure {
            url: "https://wire.example/episode.mp3?a=1&b=2".into(),
            media_type: Some("audio/mpeg".into()),
            length: Some(12_345),
        }],
        language: Some("en-GB".into()),
        ..ItemContent::default()
    };
    let bare = ItemContent { link: Some("https://paper.example/%E6%B3%95".into()), ..ItemContent::default() };
    let by_hand = TagMatch { origin: TagOrigin::Hand, ..tag("french-ai", 1.0, Vec::new()) };
    vec![
        told(
            1,
            "2026-11-23T08:45:00Z",
            "2026-11-23T09:10:00Z",
            vec![
                item(&JOURNAL, "guid:j-1", "2026-11-23T08:45:00Z", french, first_tags),
                item(&WIRE, "link:mistral", "2026-11-23T09:10:00Z", english, vec![tag("funding", 1.0, Vec::new())]),
            ],
        ),
        told(
            2,
            "2026-11-24T05:01:00Z",
            "2026-11-24T05:01:00Z",
            vec![item(&WIRE, "guid:w-2", "2026-11-24T05:01:00Z", hostile, vec![tag("french-ai", 1.0, Vec::new())])],
        ),
        told(
            3,
            "2026-11-24T06:00:00Z",
            "2026-11-24T06:00:00Z",
            vec![item(&PAPER, "content:abc", "2026-11-24T06:00:00Z", bare, vec![by_hand])],
        ),
    ]
}

fn spec(name: &str, title: &str, kind: DigestKind) -> DigestSpec {
    DigestSpec {
        name: DigestName(name.into()),
        title: title.into(),
        description: None,
        kind,
        private: false,
        limit: 100,
    }
}

fn addresses(name: &str) -> FeedAddresses {
    let stem = format!("https://watch.example.org/digests/{name}");
    FeedAddresses {
        page_url: stem.clone(),
        older_stem: Some(format!("{stem}/before/1")),
        stem,
        ..FeedAddresses::default()
    }
}

fn stream() -> PublishedFeed {
    let spec = spec("french-ai-west", "French AI <going> west & back", DigestKind::Stream);
    let entries = stories().iter().map(|(member, story)| digest::story_entry(story, member, &publisher())).collect();
    digest::document(&spec, &publisher(), addresses("french-ai-west"), entries, at("2026-11-24T06:00:00Z"))
}

fn weekly() -> PublishedFeed {
    let schedule = Schedule::Week { on: jiff::civil::Weekday::Monday, at: jiff::civil::time(8, 0, 0, 0) };
    let kind = DigestKind::Periodic { schedule, group_by: GroupBy::Tag, empty_issues: false };
    let spec = spec("french-ai-weekly", "French AI, week by week", kind);
    let issue = Issue {
        id: IssueId(1),
        period: "2026-W47".into(),
        entry_id: digest::issue_entry_id(&spec.name, "2026-W47"),
        starts_at: at("2026-11-16T07:00:00Z"),
        ends_at: at("2026-11-23T07:00:00Z"),
        cut_at: at("2026-11-23T07:00:05Z"),
        updated_at: at("2026-11-23T07:00:05Z"),
        story_count: 3,
    };
    let entry = digest::issue_entry(
        &spec,
        &issue,
        &stories(),
        "https://watch.example.org/digests/french-ai-weekly",
        &publisher(),
    );
    digest::document(&spec, &publisher(), addresses("french-ai-weekly"), vec![entry], issue.cut_at)
}

/// Compares with a file of `tests/fixtures/publishing`; with `VEILLE_BLESS=1`, writes it.
#[track_caller]
fn check_golden(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/publishing").join(name);
    if std::env::var_os("VEILLE_BLESS").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    assert_eq!(std::str::from_utf8(bytes).unwrap(), golden, "{name}: see the change and bless it with VEILLE_BLESS=1");
}

#[test]
fn documents_are_the_same_bytes_as_ever() {
    for (name, feed) in [("stream", stream()), ("weekly", weekly())] {
        for format in Format::ALL {
            let bytes = render(&feed, format);
            assert_eq!(bytes, render(&feed.clone(), format));
            check_golden(&format!("{name}.{}", format.extension()), &bytes);
        }
    }
}

#[test]
fn a_list_of_digests_is_the_same_bytes_as_ever() {
    let feed = |name: &str, groups: &[&str]| OutlinedFeed {
        title: format!("Digest <{name}> & co"),
        description: Some("what it holds".into()),
        feed_url: format!("https://watch.example.org/digests/{name}.atom"),
        site_url: Some(format!("https://watch.example.org/digests/{name}")),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        language: None,
        enabled: true,
    };
    let list = opml("Digests", &[feed("a", &[]), feed("b", &["x", "A & B"])]);
    check_golden("digests.opml", &list);
}

#[test]
fn an_issue_as_plain_text_is_the_same_as_ever() {
    let list = digest::issue_list(&stories(), GroupBy::Feed, &publisher());
    let text = digest::issue_plain_text(&list, "https://watch.example.org/weekly/2026-W47", &publisher().time_zone);
    check_golden("weekly.txt", text.as_bytes());
}

/// An entry as a reader that is not ours saw it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    id: String,
    title: String,
    url: Option<String>,
    published_at_ms: Option<i64>,
    categories: Vec<String>,
}

fn seen_by_feed_rs(bytes: &[u8]) -> Vec<Seen> {
    let feed = feed_rs::parser::parse(bytes).unwrap();
    let seen = |entry: feed_rs::model::Entry| Seen {
        id: entry.id,
        title: entry.title.map(|title| title.content).unwrap_or_default(),
        url: entry
            .links
            .iter()
            .find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"))
            .map(|link| link.href.clone()),
        published_at_ms: entry.published.map(|at| at.timestamp() * 1000),
        categories: entry.categories.into_iter().map(|category| category.term).collect(),
    };
    feed.entries.into_iter().map(seen).collect()
}

#[test]
fn the_three_formats_say_the_same_to_another_reader() {
    for feed in [stream(), weekly()] {
        let [atom, rss, json] = Format::ALL.map(|format| seen_by_feed_rs(&render(&feed, format)));
        assert_eq!(atom.len(), feed.entries.len());
        assert_eq!(atom, rss);
        let ids = |seen: &[Seen]| seen.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&atom), ids(&json));
        assert_eq!(ids(&atom), feed.entries.iter().map(|entry| entry.id.0.clone()).collect::<Vec<_>>());
    }
}
