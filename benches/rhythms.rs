//! The interval policy over real publishing rhythms, beside fixed intervals: `cargo bench --bench rhythms`.
//!
//! The rhythms are the dates of the items in the documents of the shared corpus. The policy knows the older half of a
//! document's items and is watched over the newer half, which it has not seen; the document lists half as many items as
//! it really does. Each feed is watched several times, begun at as many points of its first interval: publishers like
//! full hours, and where in the hour a fixed pace happens to begin would otherwise decide its delay. Documents whose
//! dates are mere days are left out, for a day is no instant to be late after. Beside the two usual fixed paces stands
//! one that makes as many requests as ours. For overflows the rhythms repeat, and a document lists all of its items.
//! Prints the tables of docs/polling.md. Where the corpus is not, there is nothing to show.
#![allow(clippy::pedantic, reason = "a bench makes its material up, and rounds as it likes")]

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use veille::config::Interval;
use veille::feed::{ReadContext, read};
use veille::pace::{Asked, Ended, Harvest, PolicyInput, next_check};

const DAY_S: i64 = 86_400;
/// How often each feed is watched.
const BEGINNINGS: u32 = 12;
/// As many instants as a refresh looks at.
const RHYTHM_ITEMS: usize = 60;

fn main() {
    let feeds = rhythms();
    if feeds.is_empty() {
        return println!("no corpus beside the repository (../shared/feeds or $VEILLE_SHARED): nothing to show");
    }
    println!("| items a day | feeds | pace | median delay | 90th percentile | requests a day | items missed |");
    println!("|---|---|---|---|---|---|---|");
    for (name, least, most) in
        [("24 and more", 24.0, f64::MAX), ("3 to 24", 3.0, 24.0), ("0.5 to 3", 0.5, 3.0), ("fewer", 0.0, 0.5)]
    {
        let class: Vec<&Rhythm> = feeds.iter().filter(|feed| (least..most).contains(&feed.items_a_day())).collect();
        let watched = |interval: &Interval| -> Vec<Seen> {
            let beginnings = (0..BEGINNINGS).map(|nth| (f64::from(nth) + 0.5) / f64::from(BEGINNINGS));
            beginnings.flat_map(|part| class.iter().map(move |feed| feed.watched(interval, part))).collect()
        };
        let ours = watched(&Interval::Adaptive);
        let as_often = (24.0 * 60.0 / requests_a_day(&ours)).round() as i64;
        row(name, class.len(), "adaptive", &ours);
        for (minutes, remark) in [(as_often, ", as many requests"), (15, ""), (60, "")] {
            let fixed = Interval::Fixed(SignedDuration::from_mins(minutes));
            row(name, class.len(), &format!("every {minutes} min{remark}"), &watched(&fixed));
        }
    }
    println!(
        "\n| feeds that overflow when asked once a day | polls until less than half of the window, median | most |"
    );
    println!("|---|---|---|");
    let mut polls: Vec<usize> = feeds.iter().filter_map(Rhythm::polls_to_catch_up).collect();
    polls.sort_unstable();
    if let (Some(median), Some(most)) = (polls.get(polls.len() / 2), polls.last()) {
        println!("| {} | {median} | {most} |", polls.len());
    }
}

/// When a feed publishes, over and over.
struct Rhythm {
    /// Seconds since the first item, ascending; one turn.
    items: Vec<i64>,
    period_s: i64,
    /// When the first item came.
    first_s: i64,
}

/// What a poller saw of a feed.
struct Seen {
    delays_s: Vec<i64>,
    missed: usize,
    visits: usize,
    days: f64,
}

impl Rhythm {
    fn of(mut times: Vec<i64>) -> Option<Self> {
        times.sort_unstable();
        let (first, last) = (*times.first()?, *times.last()?);
        let at_one_time_of_day = times.iter().filter(|time| (**time - first) % DAY_S == 0).count();
        if at_one_time_of_day * 2 > times.len() {
            return None;
        }
        if times.len() < 10 || last - first < 3600 {
            return None;
        }
        let span_s = (last - first) + (last - first) / (times.len() as i64 - 1);
        // Hours of the day stay what they are.
        let period_s = if span_s > DAY_S { (span_s + DAY_S - 1) / DAY_S * DAY_S } else { span_s };
        Some(Self { items: times.into_iter().map(|time| time - first).collect(), period_s, first_s: first })
    }

    fn items_a_day(&self) -> f64 {
        self.items.len() as f64 * DAY_S as f64 / self.period_s as f64
    }

    /// When the item with this number appeared.
    fn at(&self, number: usize) -> i64 {
        let (turns, place) = (number / self.items.len(), number % self.items.len());
        turns as i64 * self.period_s + self.items[place]
    }

    /// Items that appeared until then.
    fn published(&self, at_s: i64) -> usize {
        let turns = at_s.div_euclid(self.period_s);
        turns as usize * self.items.len() + self.items.partition_point(|item| *item <= at_s - turns * self.period_s)
    }

    /// The newer half of the items, by a poller that knows the older. `part` of the first interval has passed when the
    /// watch begins.
    fn watched(&self, interval: &Interval, part: f64) -> Seen {
        let window = self.items.len() / 2;
        let start_s = self.items[window - 1];
        let mut poller = Poller::new(self, interval);
        let mut seen = Seen { delays_s: Vec::new(), missed: 0, visits: 0, days: 0.0 };
        let mut known = window;
        let mut at_s = start_s + (poller.wait_s(self, start_s, None) as f64 * part) as i64;
        let mut last_s = start_s;
        while known < self.items.len() {
            let published = self.items.partition_point(|item| *item <= at_s);
            let first_new = known.max(published.saturating_sub(window));
            seen.missed += first_new - known;
            seen.delays_s.extend((first_new..published).map(|item| at_s - self.items[item]));
            seen.visits += 1;
            let new = published - first_new;
            let harvest = Harvest {
                since_last: SignedDuration::from_secs(at_s - last_s),
                new,
                listed: if new == 0 { 0 } else { window },
            };
            (known, last_s) = (published, at_s);
            at_s += poller.wait_s(self, at_s, Some(harvest));
        }
        seen.days = (last_s - start_s).max(3600) as f64 / DAY_S as f64;
        seen
    }

    /// Of a feed whose window slides by within a day: visits from a sleepy start until the wait is less than half of it.
    fn polls_to_catch_up(&self) -> Option<usize> {
        let window_s = self.period_s;
        if window_s >= DAY_S || window_s / 2 < 15 * 60 {
            return None;
        }
        let mut poller = Poller::new(self, &Interval::Adaptive);
        let (mut at_s, mut wait_s) = (3 * window_s, DAY_S);
        for visits in 1..20 {
            at_s += wait_s;
            let new = (self.published(at_s) - self.published(at_s - wait_s)).min(self.items.len());
            let harvest = Harvest { since_last: SignedDuration::from_secs(wait_s), new, listed: self.items.len() };
            wait_s = poller.wait_s(self, at_s, Some(harvest));
            if wait_s * 2 < window_s {
                return Some(visits);
            }
        }
        Some(usize::MAX)
    }
}

/// The policy with what it remembers of one feed.
struct Poller<'p> {
    interval: &'p Interval,
    last_overflow_at: Option<Timestamp>,
    chance: fastrand::Rng,
}

impl<'p> Poller<'p> {
    fn new(feed: &Rhythm, interval: &'p Interval) -> Self {
        Self { interval, last_overflow_at: None, chance: fastrand::Rng::with_seed(feed.period_s.unsigned_abs()) }
    }

    fn wait_s(&mut self, feed: &Rhythm, now_s: i64, harvest: Option<Harvest>) -> i64 {
        let at = |s: i64| Timestamp::from_second(feed.first_s + s).expect("within a few years of 1970");
        let published = feed.published(now_s);
        let rhythm: Vec<Timestamp> =
            (published.saturating_sub(RHYTHM_ITEMS)..published).rev().map(|item| at(feed.at(item))).collect();
        if harvest.is_some_and(|harvest| harvest.listed > 0 && harvest.new == harvest.listed) {
            self.last_overflow_at = Some(at(now_s));
        }
        let input = PolicyInput {
            now: at(now_s),
            interval: self.interval,
            min_interval: SignedDuration::from_mins(15),
            max_interval: SignedDuration::from_hours(24),
            time_zone: &TimeZone::UTC,
            ended: Ended::Good,
            is_conditional: true,
            asked: Asked::default(),
            rhythm: &rhythm,
            harvest,
            last_overflow_at: self.last_overflow_at,
            chance: self.chance.f64(),
        };
        next_check(&input).at.expect("a feed that is well is checked again").duration_since(input.now).as_secs().max(1)
    }
}

fn requests_a_day(seen: &[Seen]) -> f64 {
    seen.iter().map(|seen| seen.visits as f64 / seen.days).sum::<f64>() / seen.len().max(1) as f64
}

fn row(class: &str, feeds: usize, pace: &str, seen: &[Seen]) {
    let mut delays_s: Vec<i64> = seen.iter().flat_map(|seen| seen.delays_s.iter().copied()).collect();
    delays_s.sort_unstable();
    let part = |share: f64| delays_s.get((delays_s.len() as f64 * share) as usize).map_or(0, |s| s / 60);
    let requests = requests_a_day(seen);
    let missed: usize = seen.iter().map(|seen| seen.missed).sum();
    let share = 100.0 * missed as f64 / (missed + delays_s.len()).max(1) as f64;
    println!("| {class} | {} | {pace} | {} min | {} min | {requests:.1} | {share:.2} % |", feeds, part(0.5), part(0.9));
}

fn rhythms() -> Vec<Rhythm> {
    let shared = std::env::var_os("VEILLE_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let manifest = std::fs::read_to_string(shared.join("feeds/MANIFEST.tsv")).unwrap_or_default();
    let files = manifest.lines().skip(1).filter_map(|line| line.split('\t').next());
    files
        .filter_map(|file| std::fs::read(shared.join("feeds").join(file)).ok())
        .filter_map(|body| read(&body, &ReadContext::default()).ok())
        .filter_map(|feed| {
            let instants = feed.items.iter().filter_map(|item| item.content.published_at.or(item.content.updated_at));
            Rhythm::of(instants.map(|at| at.as_second()).collect())
        })
        .collect()
}
