//! The politeness report: what a publisher would hold against the client that wrote a request log.
//!
//! Tests assert it to be empty. The log is that of one origin, which is one host; the report trusts the
//! log alone and shares no code with the client, so that both cannot be wrong together.

use super::origin::{Answered, Request};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// What counts as good behaviour at this origin.
#[derive(Debug, Clone)]
pub struct Manners {
    pub in_flight_max: usize,
    /// Between two starts; zero where a test polls loopback as fast as it can.
    pub start_gap: Duration,
    /// Between two requests for one feed, whatever the origin said.
    pub min_interval: Duration,
    /// Targets that may be asked with an Authorization header.
    pub authorized: Vec<String>,
    /// How much a virtual second is of a real one, for a log written under a fast clock.
    pub clock_rate: f64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            in_flight_max: 2,
            start_gap: Duration::ZERO,
            min_interval: Duration::ZERO,
            authorized: Vec::new(),
            clock_rate: 1.0,
        }
    }
}

/// One thing done wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rudeness {
    pub target: String,
    pub kind: Kind,
    /// When, since the origin's start.
    pub at: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// No validator although the last complete 200 had one.
    Unconditional,
    /// The other validator was sent, this one not.
    EtagMissing,
    DateMissing,
    /// Issued once, but not the newest.
    EtagStale,
    DateStale,
    /// Never issued by this origin for this address.
    EtagBogus,
    DateBogus,
    /// Before max-age or Expires had passed.
    BeforeFresh,
    /// Before Retry-After had passed, on this feed or (429, 503) on any feed of the host.
    BeforeRetryAfter,
    BeforeRetryAfterOfHost,
    BeforeMinInterval,
    AfterGone,
    TooManyInFlight,
    StartsTooClose,
    /// Something that nobody may ask for.
    Canary,
    NotGet,
    Cookie,
    Referer,
    Range,
    Credentials,
    UserAgentChanges,
    NoContact,
}

/// All faults of a log, in the order of the requests.
pub fn report(log: &[Request], manners: &Manners) -> Vec<Rudeness> {
    let mut report = Report { manners, faults: Vec::new() };
    let mut feeds: BTreeMap<&str, Vec<&Request>> = BTreeMap::new();
    for request in log {
        report.request(request);
        feeds.entry(&request.target).or_default().push(request);
    }
    for requests in feeds.values() {
        report.validators(requests);
        report.pace(requests);
        report.after_gone(requests);
    }
    report.host(log);
    report.user_agent(log);
    report.faults.sort_by_key(|fault| fault.at);
    report.faults
}

/// The report as a test wants it: nothing, or a panic that lists every fault.
pub fn assert_polite(log: &[Request], manners: &Manners) {
    let faults = report(log, manners);
    assert!(faults.is_empty(), "{} faults in {} requests: {faults:#?}", faults.len(), log.len());
}

struct Report<'r> {
    manners: &'r Manners,
    faults: Vec<Rudeness>,
}

impl Report<'_> {
    fn fault(&mut self, request: &Request, kind: Kind) {
        self.faults.push(Rudeness { target: request.target.clone(), kind, at: request.at });
    }

    /// What can be seen on one request alone.
    fn request(&mut self, request: &Request) {
        if !request.scripted {
            self.fault(request, Kind::Canary);
        }
        if request.method != "GET" {
            self.fault(request, Kind::NotGet);
        }
        for (name, kind) in [("cookie", Kind::Cookie), ("referer", Kind::Referer), ("range", Kind::Range)] {
            if request.header(name).is_some() {
                self.fault(request, kind);
            }
        }
        if request.header("authorization").is_some() && !self.manners.authorized.contains(&request.target) {
            self.fault(request, Kind::Credentials);
        }
        let agent = request.header("user-agent").unwrap_or_default();
        if !agent.contains("://") && !agent.contains('@') {
            self.fault(request, Kind::NoContact);
        }
    }

    fn validators(&mut self, requests: &[&Request]) {
        let mut etag = Validator::default();
        let mut date = Validator::default();
        for request in requests {
            let asked = (request.header("if-none-match"), request.header("if-modified-since"));
            if asked == (None, None) && (etag.current.is_some() || date.current.is_some()) {
                self.fault(request, Kind::Unconditional);
            } else {
                let etag_kinds = [Kind::EtagMissing, Kind::EtagStale, Kind::EtagBogus];
                let date_kinds = [Kind::DateMissing, Kind::DateStale, Kind::DateBogus];
                for kind in [etag.judge(asked.0, etag_kinds), date.judge(asked.1, date_kinds)].into_iter().flatten() {
                    self.fault(request, kind);
                }
            }
            let Some(answered) = request.answered.as_ref().filter(|answered| answered.complete) else { continue };
            match answered.status {
                200 => {
                    etag.replace(answered.header("etag"));
                    date.replace(answered.header("last-modified"));
                }
                304 => {
                    etag.renew(answered.header("etag"));
                    date.renew(answered.header("last-modified"));
                }
                _ => {}
            }
        }
    }

    fn pace(&mut self, requests: &[&Request]) {
        let (mut fresh_until, mut retry_at, mut last) = (Duration::ZERO, Duration::ZERO, None);
        for request in requests {
            let now = self.virtual_time(request.at);
            if now < retry_at {
                self.fault(request, Kind::BeforeRetryAfter);
            } else if now < fresh_until {
                self.fault(request, Kind::BeforeFresh);
            } else if last.is_some_and(|last| now < last + self.manners.min_interval) {
                self.fault(request, Kind::BeforeMinInterval);
            }
            last = Some(now);
            let Some(answered) = &request.answered else { continue };
            let at = self.virtual_time(answered.at);
            if let Some(wait) = retry_after(answered) {
                retry_at = at + wait;
            }
            if answered.complete && matches!(answered.status, 200 | 304) {
                fresh_until = lifetime(answered).map_or(Duration::ZERO, |lifetime| at + lifetime);
            }
        }
    }

    /// One confirming request a day later is allowed, no more.
    fn after_gone(&mut self, requests: &[&Request]) {
        let Some(gone) = requests.iter().position(|request| status(request) == Some(410)) else { return };
        let gone_at = self.virtual_time(requests[gone].at);
        for (nth, request) in requests[gone + 1..].iter().enumerate() {
            let a_day_later = self.virtual_time(request.at) >= gone_at + Duration::from_hours(24);
            if nth > 0 || !a_day_later {
                self.fault(request, Kind::AfterGone);
            }
        }
    }

    fn host(&mut self, log: &[Request]) {
        let mut held_until = Duration::ZERO;
        let mut edges: Vec<(Duration, Edge)> = Vec::new();
        for (index, request) in log.iter().enumerate() {
            edges.push((request.at, Edge::Start(index)));
            edges.push((request.answered.as_ref().map_or(Duration::MAX, |answered| answered.at), Edge::End(index)));
        }
        edges.sort();
        let (mut in_flight, mut last_start) = (0_usize, None::<Duration>);
        for (at, edge) in edges {
            match edge {
                Edge::Start(index) => {
                    let request = &log[index];
                    in_flight += 1;
                    if in_flight > self.manners.in_flight_max {
                        self.fault(request, Kind::TooManyInFlight);
                    }
                    if last_start.is_some_and(|last| at < last + self.manners.start_gap) {
                        self.fault(request, Kind::StartsTooClose);
                    }
                    last_start = Some(at);
                    if self.virtual_time(at) < held_until {
                        self.fault(request, Kind::BeforeRetryAfterOfHost);
                    }
                }
                Edge::End(index) => {
                    in_flight -= 1;
                    let answered = log[index].answered.as_ref().filter(|answer| matches!(answer.status, 429 | 503));
                    if let Some(wait) = answered.and_then(retry_after) {
                        held_until = held_until.max(self.virtual_time(at) + wait);
                    }
                }
            }
        }
    }

    fn user_agent(&mut self, log: &[Request]) {
        for pair in log.windows(2) {
            if pair[0].header("user-agent") != pair[1].header("user-agent") {
                self.fault(&pair[1], Kind::UserAgentChanges);
            }
        }
    }

    fn virtual_time(&self, at: Duration) -> Duration {
        at.mul_f64(self.manners.clock_rate)
    }
}

/// At one instant an answer ends before a request starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    End(usize),
    Start(usize),
}

/// The history of one kind of validator at one address.
#[derive(Default)]
struct Validator {
    current: Option<String>,
    issued: HashSet<String>,
}

impl Validator {
    fn judge(&self, asked: Option<&str>, [missing, stale, bogus]: [Kind; 3]) -> Option<Kind> {
        match (asked, &self.current) {
            (None, None) => None,
            (None, Some(_)) => Some(missing),
            (Some(asked), Some(current)) if asked == current => None,
            (Some(asked), _) => Some(if self.issued.contains(asked) { stale } else { bogus }),
        }
    }

    fn replace(&mut self, received: Option<&str>) {
        self.current = None;
        self.renew(received);
    }

    fn renew(&mut self, received: Option<&str>) {
        if let Some(received) = received {
            self.issued.insert(received.to_owned());
            self.current = Some(received.to_owned());
        }
    }
}

fn status(request: &Request) -> Option<u16> {
    request.answered.as_ref().map(|answered| answered.status)
}

fn lifetime(answered: &Answered) -> Option<Duration> {
    let control = answered.header("cache-control").unwrap_or_default().to_ascii_lowercase();
    let max_age = control.split("max-age=").nth(1).and_then(|rest| {
        rest.trim_matches('"').split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse::<u64>().ok())
    });
    let age = answered.header("age").and_then(|age| age.parse().ok()).unwrap_or(0);
    let seconds = max_age.or_else(|| {
        let expires = seconds_of_date(answered.header("expires")?)?;
        u64::try_from(expires - seconds_of_date(answered.header("date")?)?).ok()
    })?;
    // The longest wait that a client has to obey.
    Some(Duration::from_secs(seconds.saturating_sub(age).min(7 * 24 * 3600)))
}

fn retry_after(answered: &Answered) -> Option<Duration> {
    let value = answered.header("retry-after")?;
    let seconds = value
        .parse::<u64>()
        .ok()
        .or_else(|| u64::try_from(seconds_of_date(value)? - seconds_of_date(answered.header("date")?)?).ok())?;
    Some(Duration::from_secs(seconds.min(7 * 24 * 3600)))
}

fn seconds_of_date(value: &str) -> Option<i64> {
    let civil = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", value).ok()?.to_datetime().ok()?;
    Some(jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?.as_second())
}

/// The proof that the report sees what it is for: a clumsy client, whose log is written by hand.
mod tests {
    use super::*;
    use std::time::SystemTime;

    const AGENT: &str = "veille/0.1 (+https://example.org/contact)";

    /// A request at a second, with headers `name: value`, and its answer 10 ms later.
    fn entry(at_s: u64, headers: &[&str], status: u16, answer_headers: &[&str]) -> Request {
        let split = |lines: &[&str]| {
            let pair = |line: &&str| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()));
            lines.iter().map(|line| pair(line).expect("name: value")).collect::<Vec<_>>()
        };
        let at = Duration::from_secs(at_s);
        let mut headers = split(headers);
        if header_is_missing(&headers, "User-Agent") {
            headers.push(("User-Agent".to_owned(), AGENT.as_bytes().to_vec()));
        }
        Request {
            at,
            wall: SystemTime::UNIX_EPOCH + at,
            connection: 1,
            method: "GET".to_owned(),
            target: "/feed".to_owned(),
            headers,
            body: Vec::new(),
            scripted: true,
            answered: Some(Answered {
                at: at + Duration::from_millis(10),
                status,
                headers: split(answer_headers),
                complete: true,
            }),
        }
    }

    fn header_is_missing(headers: &[(String, Vec<u8>)], name: &str) -> bool {
        headers.iter().all(|(known, _)| known != name)
    }

    fn check(log: &[Request], expected: &[Kind]) {
        let manners = Manners { start_gap: Duration::from_secs(1), ..Manners::default() };
        let kinds: Vec<Kind> = report(log, &manners).into_iter().map(|fault| fault.kind).collect();
        assert_eq!(kinds, expected);
    }

    #[test]
    fn a_polite_client_has_a_clean_report() {
        check(
            &[
                entry(0, &[], 200, &["ETag: \"a\"", "Last-Modified: yesterday", "Cache-Control: max-age=60"]),
                entry(61, &["If-None-Match: \"a\"", "If-Modified-Since: yesterday"], 304, &["ETag: \"b\""]),
                entry(62, &["If-None-Match: \"b\"", "If-Modified-Since: yesterday"], 429, &["Retry-After: 100"]),
                entry(163, &["If-None-Match: \"b\"", "If-Modified-Since: yesterday"], 200, &[]),
                entry(164, &[], 410, &[]),
            ],
            &[],
        );
    }

    #[test]
    fn a_clumsy_client_scores_every_fault_of_validators() {
        let good = entry(0, &[], 200, &["ETag: \"a\"", "Last-Modified: monday"]);
        let newer = entry(
            10,
            &["If-None-Match: \"a\"", "If-Modified-Since: monday"],
            200,
            &["ETag: \"b\"", "Last-Modified: tuesday"],
        );
        let then = |headers: &[&str]| [good.clone(), newer.clone(), entry(20, headers, 304, &[])];
        check(&then(&[]), &[Kind::Unconditional]);
        check(&then(&["If-Modified-Since: tuesday"]), &[Kind::EtagMissing]);
        check(&then(&["If-None-Match: \"b\""]), &[Kind::DateMissing]);
        check(&then(&["If-None-Match: \"a\"", "If-Modified-Since: monday"]), &[Kind::EtagStale, Kind::DateStale]);
        check(&then(&["If-None-Match: b", "If-Modified-Since: now"]), &[Kind::EtagBogus, Kind::DateBogus]);
    }

    #[test]
    fn a_clumsy_client_scores_every_fault_of_pace() {
        let conditional = &["If-None-Match: \"a\""];
        let fresh = entry(0, &[], 200, &["ETag: \"a\"", "Cache-Control: public, max-age=60"]);
        check(&[fresh, entry(59, conditional, 304, &[])], &[Kind::BeforeFresh]);
        let dated = ["Date: Tue, 24 Nov 2026 07:00:00 GMT", "Expires: Tue, 24 Nov 2026 08:00:00 GMT", "ETag: \"a\""];
        check(&[entry(0, &[], 200, &dated), entry(3599, conditional, 304, &[])], &[Kind::BeforeFresh]);
        let busy = entry(0, &[], 503, &["Retry-After: 60"]);
        check(&[busy, entry(30, &[], 200, &[])], &[Kind::BeforeRetryAfter, Kind::BeforeRetryAfterOfHost]);
        let gone = entry(0, &[], 410, &[]);
        let day = 24 * 3600;
        check(&[gone.clone(), entry(60, &[], 410, &[])], &[Kind::AfterGone]);
        check(&[gone.clone(), entry(day, &[], 410, &[])], &[]);
        check(&[gone, entry(day, &[], 410, &[]), entry(9 * day, &[], 410, &[])], &[Kind::AfterGone]);
    }

    #[test]
    fn a_clumsy_client_scores_every_fault_of_haste() {
        let mut slow: Vec<Request> = (0..3).map(|at| entry(at, &[], 200, &[])).collect();
        for request in &mut slow {
            request.answered = None;
        }
        check(&slow, &[Kind::TooManyInFlight]);
        let mut close = entry(0, &[], 200, &[]);
        close.at = Duration::from_millis(5);
        check(&[entry(0, &[], 200, &[]), close], &[Kind::StartsTooClose]);
    }

    #[test]
    fn a_clumsy_client_scores_every_fault_of_a_single_request() {
        for (line, kind) in [
            ("Cookie: a=b", Kind::Cookie),
            ("Referer: http://elsewhere/", Kind::Referer),
            ("Range: bytes=0-9", Kind::Range),
            ("Authorization: Basic eDp5", Kind::Credentials),
            ("User-Agent: feedfetcher", Kind::NoContact),
        ] {
            check(&[entry(0, &[line], 200, &[])], &[kind]);
        }
        check(&[Request { method: "HEAD".to_owned(), ..entry(0, &[], 200, &[]) }], &[Kind::NotGet]);
        check(&[Request { scripted: false, ..entry(0, &[], 404, &[]) }], &[Kind::Canary]);
        let other = entry(5, &["User-Agent: other/1 (+https://example.org)"], 200, &[]);
        check(&[entry(0, &[], 200, &[]), other], &[Kind::UserAgentChanges]);
    }
}
