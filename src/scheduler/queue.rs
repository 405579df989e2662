//! Who is next: feeds that are due, host by host, within the limits that make us a good neighbour.
//!
//! Pure: time comes in as an argument. One host's thousand feeds never keep another's waiting, since
//! a feed takes a place only when its host may be asked.

use crate::model::FeedId;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// How much may happen at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Refreshes in flight.
    pub concurrency: usize,
    /// Refreshes in flight at one host and port.
    pub per_host: usize,
    /// Least time between two starts at one host; `None`: a second, but none at loopback addresses.
    pub per_host_gap: Option<Duration>,
}

/// A visit that took longer is slow. Feeds whose last one was wait in a row of their own and may hold half of the places,
/// so that those that answer at once never wait for all of them.
const SLOW: Duration = Duration::from_secs(1);

/// Feeds waiting and in flight. A feed is in it at most once.
#[derive(Debug)]
pub struct DueQueue {
    limits: Limits,
    hosts: BTreeMap<String, Host>,
    /// Every feed in the queue.
    feeds: HashMap<FeedId, Place>,
    in_flight: ByRow<usize>,
    /// The host served last: the next turn begins behind it.
    last_served: ByRow<String>,
    /// Feeds whose last visit was slow.
    slow: HashSet<FeedId>,
}

#[derive(Debug)]
struct Place {
    host: String,
    row: Row,
    /// `None` while it waits.
    started_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Host {
    waiting: ByRow<VecDeque<FeedId>>,
    in_flight: ByRow<usize>,
    not_before: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Quick,
    Slow,
}

/// One of each for either row.
#[derive(Debug, Default)]
struct ByRow<T> {
    quick: T,
    slow: T,
}

impl<T> ByRow<T> {
    fn of(&self, row: Row) -> &T {
        match row {
            Row::Quick => &self.quick,
            Row::Slow => &self.slow,
        }
    }

    fn of_mut(&mut self, row: Row) -> &mut T {
        match row {
            Row::Quick => &mut self.quick,
            Row::Slow => &mut self.slow,
        }
    }
}

impl ByRow<usize> {
    /// Whether one more of this row may be among so many places.
    fn has_room(&self, row: Row, places: usize) -> bool {
        self.quick + self.slow < places && (row == Row::Quick || self.slow < (places / 2).max(1))
    }
}

/// What the queue has to say now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Start this one.
    Start(FeedId),
    /// Nothing may start before then.
    WaitUntil(Instant),
    /// Nothing may start before something has finished or is offered.
    Wait,
}

impl DueQueue {
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hosts: BTreeMap::new(),
            feeds: HashMap::new(),
            in_flight: ByRow::default(),
            last_served: ByRow::default(),
            slow: HashSet::new(),
        }
    }

    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.feeds.is_empty()
    }

    /// Queues a due feed of `host` (with port) unless it waits or is in flight already.
    pub fn offer(&mut self, feed: FeedId, host: &str) {
        if let std::collections::hash_map::Entry::Vacant(e) = self.feeds.entry(feed) {
            let row = if self.slow.contains(&feed) { Row::Slow } else { Row::Quick };
            e.insert(Place { host: host.to_owned(), row, started_at: None });
            self.hosts.entry(host.to_owned()).or_default().waiting.of_mut(row).push_back(feed);
        }
    }

    /// A feed whose turn it was is asked only now: the pause of its host counts from here.
    pub fn begun(&mut self, feed: FeedId, now: Instant) {
        let Some(place) = self.feeds.get_mut(&feed) else { return };
        place.started_at = Some(now);
        if let Some(host) = self.hosts.get_mut(&place.host) {
            host.not_before = Some(now + self.limits.gap(&place.host));
        }
    }

    /// The next feed to start, hosts taking turns. The slow come first, since there is always room left beside them.
    pub fn next(&mut self, now: Instant) -> Turn {
        let mut earliest = None::<Instant>;
        for row in [Row::Slow, Row::Quick] {
            match self.turn_of(row, now) {
                Turn::Start(feed) => return Turn::Start(feed),
                Turn::WaitUntil(at) => earliest = Some(earliest.map_or(at, |known| known.min(at))),
                Turn::Wait => {}
            }
        }
        earliest.map_or(Turn::Wait, Turn::WaitUntil)
    }

    fn turn_of(&mut self, row: Row, now: Instant) -> Turn {
        if !self.in_flight.has_room(row, self.limits.concurrency) || (row == Row::Slow && self.slow.is_empty()) {
            return Turn::Wait;
        }
        let (per_host, mut earliest) = (self.limits.per_host, None::<Instant>);
        let last = self.last_served.of(row);
        let after = self.hosts.range::<String, _>((std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded));
        let turns = after.chain(self.hosts.range::<String, _>(..=last));
        let mut found = None;
        let may = |host: &Host| !host.waiting.of(row).is_empty() && host.in_flight.has_room(row, per_host);
        for (name, host) in turns.filter(|(_, host)| may(host)) {
            match host.not_before {
                Some(at) if at > now => earliest = Some(earliest.map_or(at, |known| known.min(at))),
                _ => {
                    found = Some(name.clone());
                    break;
                }
            }
        }
        match found {
            Some(name) => Turn::Start(self.start(name, row, now)),
            None => earliest.map_or(Turn::Wait, Turn::WaitUntil),
        }
    }

    /// Takes out the feeds of `host` that wait; those in flight stay.
    pub fn withdraw(&mut self, host: &str) -> Vec<FeedId> {
        let ByRow { quick, slow } =
            self.hosts.get_mut(host).map(|host| std::mem::take(&mut host.waiting)).unwrap_or_default();
        let waiting: Vec<FeedId> = quick.into_iter().chain(slow).collect();
        for feed in &waiting {
            self.feeds.remove(feed);
        }
        waiting
    }

    /// A refresh has ended, however it did.
    pub fn finished(&mut self, feed: FeedId, now: Instant) {
        let Some(Place { host: name, row, started_at }) = self.feeds.remove(&feed) else { return };
        *self.in_flight.of_mut(row) -= 1;
        if let Some(host) = self.hosts.get_mut(&name) {
            *host.in_flight.of_mut(row) -= 1;
        }
        if started_at.is_some_and(|at| now.duration_since(at) >= SLOW) {
            self.slow.insert(feed);
        } else {
            self.slow.remove(&feed);
        }
        if self.feeds.is_empty() {
            // A host is remembered for its pause alone, which is over soon.
            self.hosts.retain(|_, host| host.not_before.is_some_and(|at| at > now));
        }
    }

    fn start(&mut self, name: String, row: Row, now: Instant) -> FeedId {
        let gap = self.limits.gap(&name);
        let host = self.hosts.get_mut(&name).expect("the turn was given to a host of the queue");
        let feed = host.waiting.of_mut(row).pop_front().expect("the turn was given to a host with a feed waiting");
        *host.in_flight.of_mut(row) += 1;
        host.not_before = Some(now + gap);
        *self.in_flight.of_mut(row) += 1;
        let place = self.feeds.get_mut(&feed).expect("what waits has a place");
        place.started_at = Some(now);
        *self.last_served.of_mut(row) = name;
        feed
    }
}

impl Limits {
    fn gap(&self, host_and_port: &str) -> Duration {
        self.per_host_gap.unwrap_or_else(|| default_gap(host_and_port))
    }
}

/// A second between two starts at one host; a neighbour that is ourselves needs no pause.
fn default_gap(host_and_port: &str) -> Duration {
    let host = host_and_port.rsplit_once(':').map_or(host_and_port, |(host, _)| host);
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if loopback { Duration::ZERO } else { Duration::from_secs(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { concurrency: 3, per_host: 2, per_host_gap: Some(Duration::from_secs(1)) };

    fn queue(feeds: &[(i64, &str)]) -> DueQueue {
        let mut queue = DueQueue::new(LIMITS);
        for (feed, host) in feeds {
            queue.offer(FeedId(*feed), host);
        }
        queue
    }

    #[test]
    fn hosts_take_turns_and_starts_at_one_are_a_second_apart() {
        let now = Instant::now();
        let mut queue = queue(&[(1, "a:80"), (2, "a:80"), (3, "b:80")]);
        assert_eq!(queue.next(now), Turn::Start(FeedId(1)));
        assert_eq!(queue.next(now), Turn::Start(FeedId(3)));
        assert_eq!(queue.next(now), Turn::WaitUntil(now + Duration::from_secs(1)));
        assert_eq!(queue.next(now + Duration::from_secs(1)), Turn::Start(FeedId(2)));
    }

    #[test]
    fn limits_hold_for_each_host_and_for_all_together() {
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        let mut queue = queue(&[(1, "a:80"), (2, "a:80"), (3, "a:80"), (4, "b:80"), (5, "c:80")]);
        assert_eq!(queue.next(later(0)), Turn::Start(FeedId(1)));
        assert_eq!(queue.next(later(10)), Turn::Start(FeedId(4)));
        assert_eq!(queue.next(later(20)), Turn::Start(FeedId(5)));
        assert_eq!(queue.next(later(30)), Turn::Wait);
        queue.finished(FeedId(4), later(30));
        assert_eq!(queue.next(later(40)), Turn::Start(FeedId(2)));
        queue.finished(FeedId(5), later(40));
        assert_eq!(queue.next(later(50)), Turn::Wait, "two of host a are in flight");
        queue.finished(FeedId(1), later(50));
        assert_eq!(queue.next(later(60)), Turn::Start(FeedId(3)));
    }

    #[test]
    fn h10_feeds_that_were_slow_leave_half_of_the_places_to_others() {
        let limits = Limits { concurrency: 4, per_host: 4, per_host_gap: Some(Duration::ZERO) };
        let mut queue = DueQueue::new(limits);
        let (start, mut started) = (Instant::now(), Vec::new());
        let offer =
            |queue: &mut DueQueue| (1..=6).for_each(|feed| queue.offer(FeedId(feed), &format!("host-{feed}:80")));
        let start_all = |queue: &mut DueQueue, now: Instant| {
            std::iter::from_fn(|| match queue.next(now) {
                Turn::Start(feed) => Some(feed),
                _ => None,
            })
            .collect::<Vec<_>>()
        };
        offer(&mut queue);
        // Hosts 1 to 4 take thirty seconds and fill every place: nobody knew.
        let later = start + Duration::from_secs(30);
        started.extend(start_all(&mut queue, start));
        assert_eq!(started, [1, 2, 3, 4].map(FeedId));
        started.into_iter().for_each(|feed| queue.finished(feed, later));
        for feed in start_all(&mut queue, later) {
            queue.finished(feed, later);
        }
        offer(&mut queue);
        assert_eq!(start_all(&mut queue, later), [1, 2, 5, 6].map(FeedId), "two of the slow ones, and both others");
        queue.finished(FeedId(5), later);
        queue.offer(FeedId(5), "host-5:80");
        assert_eq!(start_all(&mut queue, later), [FeedId(5)]);
        queue.finished(FeedId(1), later);
        assert_eq!(
            start_all(&mut queue, later),
            [FeedId(3)],
            "one that has become quick makes room for the next slow one"
        );
        queue.finished(FeedId(2), later);
        assert_eq!(start_all(&mut queue, later), [FeedId(4)], "each has its turn");
    }

    #[test]
    fn a_feed_that_waits_or_is_in_flight_is_not_queued_again() {
        let now = Instant::now();
        let mut queue = queue(&[(1, "a:80"), (1, "a:80")]);
        assert_eq!(queue.next(now), Turn::Start(FeedId(1)));
        queue.offer(FeedId(1), "a:80");
        assert_eq!(queue.feeds.len(), 1);
        queue.finished(FeedId(1), now);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_host_that_is_withdrawn_keeps_what_is_in_flight() {
        let now = Instant::now();
        let mut queue = queue(&[(1, "a:80"), (2, "a:80"), (3, "b:80")]);
        assert_eq!(queue.next(now), Turn::Start(FeedId(1)));
        assert_eq!(queue.withdraw("a:80"), [FeedId(2)]);
        assert_eq!(queue.feeds.len(), 2);
        queue.finished(FeedId(1), now);
        assert_eq!(queue.next(now), Turn::Start(FeedId(3)));
        queue.offer(FeedId(2), "a:80");
        assert_eq!(queue.next(now + Duration::from_secs(1)), Turn::Start(FeedId(2)));
    }

    #[test]
    fn the_pause_outlives_the_last_feed_of_a_host() {
        let now = Instant::now();
        let mut queue = queue(&[(1, "a:80")]);
        assert_eq!(queue.next(now), Turn::Start(FeedId(1)));
        queue.finished(FeedId(1), now);
        queue.offer(FeedId(2), "a:80");
        assert_eq!(queue.next(now), Turn::WaitUntil(now + Duration::from_secs(1)));
    }

    #[test]
    fn loopback_needs_no_pause_by_default() {
        for (host, pause_s) in [("127.0.0.7:8080", 0), ("[::1]:80", 0), ("localhost:80", 0), ("example.org:443", 1)] {
            assert_eq!(default_gap(host), Duration::from_secs(pause_s), "{host}");
        }
    }
}
