//! Issues are cut so that each story is in exactly one, once: random arrivals, edits, departures, returns,
//! back-fills, failed transactions, restarts, cuts and jumps of the clock, against a real store.

use super::serving;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use veille::digest::story_entry_id;
use veille::model::{
    ConfiguredDigest, ConfiguredFeed, ContentHash, DigestKind, DigestName, EntryId, GroupBy, ItemContent, ItemKey,
    ItemKeys, NewItem, Schedule, StoryId,
};
use veille::refresh::Watch;
use veille::scheduler::cut_due_issues;
use veille::store::{Store, StoreError, WriteTx};

const DIGEST: &str = "weekly";
const FEED: &str = "https://news.example.org/feed.xml";

/// What may happen between two looks at the digest.
#[derive(Debug, Clone)]
enum Event {
    Arrive {
        stories: usize,
        backfilled: bool,
    },
    /// A process that dies in the middle of a transaction, which then runs again.
    ArriveAfterCrash,
    Edit(Index),
    /// A retag or an edit takes it out of the digest.
    Leave(Index),
    Return(Index),
    Cut,
    Restart,
    /// Forwards, or backwards as a wrong clock is set right.
    Jump {
        minutes: i64,
    },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (1..4_usize, prop::bool::weighted(0.15)).prop_map(|(stories, backfilled)| Event::Arrive { stories, backfilled }),
        1 => Just(Event::ArriveAfterCrash),
        2 => any::<Index>().prop_map(Event::Edit),
        2 => any::<Index>().prop_map(Event::Leave),
        2 => any::<Index>().prop_map(Event::Return),
        4 => Just(Event::Cut),
        1 => Just(Event::Restart),
        5 => prop_oneof![4 => 1..3_000_i64, 1 => -3_000..0_i64, 1 => 10_000..15_000_i64]
            .prop_map(|minutes| Event::Jump { minutes }),
    ]
}

/// Days that are cut in an hour that Paris skips in March and repeats in October; weeks; twice an hour.
fn schedules() -> Vec<Schedule> {
    vec![
        Schedule::Day { at: jiff::civil::time(2, 30, 0, 0) },
        Schedule::Week { on: jiff::civil::Weekday::Monday, at: jiff::civil::time(8, 0, 0, 0) },
        Schedule::Cron("0 */30 * * * *".into()),
    ]
}

/// A watch for each schedule; compiled once, since no case changes it.
fn watches() -> &'static [Watch] {
    static WATCHES: OnceLock<Vec<Watch>> = OnceLock::new();
    WATCHES.get_or_init(|| schedules().into_iter().map(watch).collect())
}

fn watch(schedule: Schedule) -> Watch {
    let mut settings = serving::settings(Path::new("unused"));
    settings.digests.retain(|digest| digest.spec.name.0 == DIGEST);
    settings.digests[0].spec.kind = DigestKind::Periodic { schedule, group_by: GroupBy::None, empty_issues: false };
    Watch::compile(settings).unwrap()
}

/// The store, the clock, and what must be true of them.
struct Run<'a> {
    directory: &'a Path,
    watch: &'static Watch,
    store: Option<Arc<Store>>,
    now: Timestamp,
    /// The latest that the clock ever said, rightly or not.
    latest: Timestamp,
    /// Every story that came, by the order of its arrival, and whether it was to be announced.
    stories: Vec<(StoryId, EntryId, bool)>,
    /// The issue that each story was first seen in.
    issue_of: BTreeMap<EntryId, String>,
    entry_id_of_issue: BTreeMap<String, EntryId>,
}

fn name() -> DigestName {
    DigestName(DIGEST.into())
}

impl Run<'_> {
    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().expect("it is open between two events")
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&WriteTx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        self.store().write(job).await.unwrap()
    }

    async fn begin(&self) {
        let now = self.now;
        self.write(move |tx| {
            let feed = ConfiguredFeed {
                url: FEED.into(),
                title: None,
                groups: Vec::new(),
                language: None,
                enabled: true,
                first_check_at: now,
            };
            let digest = ConfiguredDigest {
                name: name(),
                title: "Weekly".into(),
                query: "tag:french-ai".into(),
                rule_hash: "1".into(),
                periodic: true,
                limit: 100,
            };
            tx.sync_feeds(&[feed])?;
            tx.sync_digests(&[digest], now).map(drop)
        })
        .await;
    }

    async fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrive { stories, backfilled } => {
                for _ in 0..*stories {
                    self.arrive(*backfilled).await;
                }
            }
            Event::ArriveAfterCrash => {
                let (number, now) = (self.stories.len(), self.now);
                let died = self.store().write(move |tx| {
                    arrive(tx, number, false, now)?;
                    Err::<(), _>(StoreError::Full)
                });
                died.await.unwrap_err();
                self.arrive(false).await;
            }
            Event::Edit(index) => self.on_story(index, |tx, story, now| tx.story_changed(story, now)).await,
            Event::Leave(index) => {
                self.on_story(index, |tx, story, now| tx.leave_digest(&name(), story, now).map(drop)).await;
            }
            Event::Return(index) => {
                let enter = |tx: &WriteTx<'_>, story, now| tx.enter_digest(&name(), story, now, false, now).map(drop);
                self.on_story(index, enter).await;
            }
            Event::Cut => self.cut().await,
            Event::Restart => {
                self.store = None;
                self.store = Some(Arc::new(Store::open(self.directory).unwrap()));
            }
            Event::Jump { minutes } => {
                self.now += SignedDuration::from_mins(*minutes);
                self.latest = self.latest.max(self.now);
            }
        }
    }

    async fn arrive(&mut self, backfilled: bool) {
        let (number, now) = (self.stories.len(), self.now);
        let (story, entry_id) = self.write(move |tx| arrive(tx, number, backfilled, now)).await;
        self.stories.push((story, entry_id, !backfilled));
    }

    async fn on_story(
        &self,
        index: &Index,
        change: impl FnOnce(&WriteTx<'_>, StoryId, Timestamp) -> Result<(), StoreError> + Send + 'static,
    ) {
        if self.stories.is_empty() {
            return;
        }
        let (story, now) = (self.stories[index.index(self.stories.len())].0, self.now);
        self.write(move |tx| change(tx, story, now)).await;
    }

    async fn cut(&mut self) {
        cut_due_issues(self.store(), self.watch, self.now).await.unwrap();
        assert_eq!(cut_due_issues(self.store(), self.watch, self.now).await.unwrap(), 0, "a second cut makes nothing");
        self.look().await;
    }

    /// Nothing that a subscriber has seen is told again, moved, or renamed.
    async fn look(&mut self) {
        let issues = self
            .store()
            .read(|tx| {
                let issues = tx.issues(&name(), None, usize::MAX >> 1)?;
                issues.into_iter().map(|issue| Ok((tx.issue_stories(issue.id)?, issue))).collect::<Result<Vec<_>, _>>()
            })
            .await
            .unwrap();
        let mut told = BTreeSet::new();
        for (stories, issue) in issues {
            assert!(issue.starts_at < issue.ends_at);
            let known = self.entry_id_of_issue.entry(issue.period.clone()).or_insert_with(|| issue.entry_id.clone());
            assert_eq!(*known, issue.entry_id, "the id of {} changed", issue.period);
            for (membership, _) in stories {
                assert!(told.insert(membership.entry_id.clone()), "a story is told twice");
                let first = self.issue_of.entry(membership.entry_id.clone()).or_insert_with(|| issue.period.clone());
                assert_eq!(*first, issue.period, "a story moved to another issue");
                let (_, entry_id, _) = self.stories.iter().find(|story| story.0 == membership.story_id).unwrap();
                assert_eq!(*entry_id, membership.entry_id, "the id of a story changed");
            }
        }
    }

    /// When all clocks are right and time has passed, whatever is in the digest has had its issue.
    async fn end(&mut self) {
        self.now = self.latest + SignedDuration::from_hours(24 * 15);
        self.cut().await;
        let members = self.store().read(|tx| tx.digest_page(&name(), None, usize::MAX >> 1)).await.unwrap().0;
        for (membership, _) in &members {
            let (_, _, is_announced) = self.stories.iter().find(|story| story.0 == membership.story_id).unwrap();
            let was_told = self.issue_of.contains_key(&membership.entry_id);
            assert_eq!(was_told, *is_announced, "a story that entered is in an issue, one that was filled in is not");
        }
        let left: BTreeSet<&EntryId> = self.issue_of.keys().collect();
        let came: BTreeSet<&EntryId> = self.stories.iter().map(|(_, entry_id, _)| entry_id).collect();
        assert!(left.is_subset(&came));
    }
}

fn arrive(tx: &WriteTx<'_>, number: usize, backfilled: bool, now: Timestamp) -> Result<(StoryId, EntryId), StoreError> {
    let feed = tx.as_read().of_configured_feeds(Result::ok)?.remove(0);
    let key = ItemKey(format!("guid:{number}"));
    let entry_id = story_entry_id(&feed.url, &key);
    let story = tx.begin_story(&entry_id, now)?;
    let item = NewItem {
        keys: ItemKeys { guid: Some(key.clone()), link: None, content: ItemKey(format!("content:{number}")) },
        content_hash: ContentHash([0; 16]),
        content: ItemContent { title: format!("Story {number}"), ..ItemContent::default() },
    };
    tx.insert_item(feed.id, &key, &item, story, None, now)?;
    tx.enter_digest(&name(), story, now, backfilled, now)?;
    Ok((story, entry_id))
}

fn run<'a>(directory: &'a Path, schedule: usize, start: &str) -> Run<'a> {
    Run {
        directory,
        watch: &watches()[schedule],
        store: Some(Arc::new(Store::open(directory).unwrap())),
        now: start.parse().unwrap(),
        latest: start.parse().unwrap(),
        stories: Vec::new(),
        issue_of: BTreeMap::new(),
        entry_id_of_issue: BTreeMap::new(),
    }
}

/// It was a matter of weeks for a clock that had been ahead by weeks: no issue was cut until the time that it had shown.
#[tokio::test]
async fn d11_after_a_clock_was_ahead_the_next_cut_has_its_issue() {
    const DAY: i64 = 24 * 60;
    for (schedule, rhythm) in [(0, DAY), (1, 7 * DAY), (2, 30)] {
        let directory = tempfile::tempdir().unwrap();
        let mut run = run(directory.path(), schedule, "2026-11-24T09:10:00Z");
        run.begin().await;
        let news = Event::Arrive { stories: 1, backfilled: false };
        for event in [news.clone(), Event::Jump { minutes: 45 * DAY }, news.clone(), Event::Cut] {
            run.happen(&event).await;
        }
        run.happen(&Event::Jump { minutes: 5 - 45 * DAY }).await;
        // The first cut may be one that the clock ahead has made: then the next one takes what waits.
        for event in [news, Event::Jump { minutes: rhythm }, Event::Cut, Event::Jump { minutes: rhythm }, Event::Cut] {
            run.happen(&event).await;
        }
        for (_, entry_id, _) in &run.stories {
            assert!(run.issue_of.contains_key(entry_id), "schedule {schedule}: {entry_id:?} waits");
        }
        run.end().await;
    }
}

/// `VEILLE_LONG=1` tries more.
fn cases() -> u32 {
    if std::env::var_os("VEILLE_LONG").is_some() { 400 } else { 16 }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn every_story_that_entered_is_in_exactly_one_issue(
        events in prop::collection::vec(event(), 1..50),
        schedule in 0..3_usize,
        start in prop::sample::select(vec!["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-11-24T09:00:00Z"]),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut run = run(directory.path(), schedule, start);
            run.begin().await;
            for event in &events {
                run.happen(event).await;
            }
            run.end().await;
        });
    }
}
