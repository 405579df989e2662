//! Redirects: where one leads, and when a permanent one is believed.
//!
//! Pure. Following them is the client's; keeping [`RedirectMemory`] is the store's.

use super::error::RedirectFault;
use crate::model::RedirectMemory;
use jiff::{SignedDuration, Timestamp};
use url::Url;

/// Redirects followed on one visit.
pub(super) const HOPS_MAX: usize = 5;

/// Good answers that a permanent target must have given before it is believed.
const ADOPT_AFTER_ANSWERS: u32 = 5;
/// And the time that must lie between the first and the last of them: a captive portal or a botched
/// migration seldom lasts a week.
const ADOPT_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The address that a Location header names (RFC 9110 section 10.2.2), without its fragment.
pub(super) fn target(base: &Url, location: Option<&[u8]>) -> Result<Url, RedirectFault> {
    let location = location.map(<[u8]>::trim_ascii).filter(|bytes| !bytes.is_empty());
    let location = location.ok_or(RedirectFault::NoLocation)?;
    // Servers send raw UTF-8; `url` percent-encodes it as a browser would.
    let location = std::str::from_utf8(location).map_err(|_| RedirectFault::BadLocation)?;
    let mut url = base.join(location).map_err(|_| RedirectFault::BadLocation)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectFault::Credentials);
    }
    url.set_fragment(None);
    Ok(url)
}

/// What to do after a good visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adoption {
    /// Store this (`None`: forget what was stored) and go on asking the old address.
    Remember(Option<RedirectMemory>),
    /// Ask this address from now on; keep the old one as the feed's identity.
    Adopt(Url),
}

/// Decides on a permanent redirect after a visit that gave a parseable feed or a 304.
///
/// `from` is the address that was asked, `observed` the end of the unbroken leading run of 301 and
/// 308. A failed visit must not be put in: it neither counts nor resets. The same target needs 5 good answers over 7 days;
/// a mere step from http to https on the same host and path is believed at once.
pub fn adoption(from: &Url, memory: Option<&RedirectMemory>, observed: Option<&Url>, now: Timestamp) -> Adoption {
    let Some(target) = observed.filter(|target| *target != from) else { return Adoption::Remember(None) };
    if only_becomes_secure(from, target) {
        return Adoption::Adopt(target.clone());
    }
    let seen = match memory.filter(|memory| memory.target == *target) {
        // A clock that was set back must not make the wait longer than it is.
        Some(memory) => RedirectMemory {
            first_seen_at: memory.first_seen_at.min(now),
            answers: memory.answers.saturating_add(1),
            ..memory.clone()
        },
        None => RedirectMemory { target: target.clone(), first_seen_at: now, answers: 1 },
    };
    if seen.answers >= ADOPT_AFTER_ANSWERS && now.duration_since(seen.first_seen_at) >= ADOPT_AFTER {
        Adoption::Adopt(seen.target)
    } else {
        Adoption::Remember(Some(seen))
    }
}

fn only_becomes_secure(from: &Url, to: &Url) -> bool {
    let default_ports = from.port().is_none() && to.port().is_none();
    (from.scheme(), to.scheme()) == ("http", "https")
        && default_ports
        && from.host() == to.host()
        && from.path() == to.path()
        && from.query() == to.query()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn locations_are_resolved_as_a_browser_would() {
        let base = url("https://news.example/a/feed?x=1");
        let check = |location: &str, expected: &str| {
            assert_eq!(target(&base, Some(location.as_bytes())), Ok(url(expected)), "{location}");
        };
        check("/b", "https://news.example/b");
        check("c.xml", "https://news.example/a/c.xml");
        check("//other.example/d", "https://other.example/d");
        check("/ü", "https://news.example/%C3%BC");
        check(" /b#top ", "https://news.example/b");
        check("http://other.example:8080//e;f%2Fg", "http://other.example:8080//e;f%2Fg");
    }

    #[test]
    fn h05_bad_locations_are_failures() {
        let base = url("https://news.example/feed");
        let check = |location: Option<&[u8]>, fault| assert_eq!(target(&base, location), Err(fault), "{location:?}");
        check(None, RedirectFault::NoLocation);
        check(Some(b""), RedirectFault::NoLocation);
        check(Some(b"  "), RedirectFault::NoLocation);
        check(Some(b"http://"), RedirectFault::BadLocation);
        check(Some(b"http://[::1"), RedirectFault::BadLocation);
        check(Some(b"\xff\xfe"), RedirectFault::BadLocation);
        check(Some(b"https://user:password@news.example/"), RedirectFault::Credentials);
        check(Some(b"https://user@news.example/"), RedirectFault::Credentials);
    }

    #[test]
    fn p27_a_permanent_target_is_adopted_after_five_answers_over_seven_days() {
        let (from, to) = (url("https://old.example/feed"), url("https://new.example/feed"));
        let start: Timestamp = "2026-11-24T07:00:00Z".parse().unwrap();
        let at = |hours| start + SignedDuration::from_hours(hours);
        let mut memory = None;
        for (hours, adopted) in
            [(0, false), (24, false), (48, false), (72, false), (96, false), (167, false), (168, true)]
        {
            match adoption(&from, memory.as_ref(), Some(&to), at(hours)) {
                Adoption::Remember(next) => {
                    assert!(!adopted, "{hours}");
                    memory = next;
                }
                Adoption::Adopt(target) => assert!(adopted && target == to, "{hours}"),
            }
        }
        let rare = RedirectMemory { target: to.clone(), first_seen_at: start, answers: 3 };
        let next = adoption(&from, Some(&rare), Some(&to), at(2000));
        assert!(matches!(next, Adoption::Remember(Some(memory)) if memory.answers == 4));
    }

    #[test]
    fn p27_another_target_begins_anew_and_a_redirect_taken_back_is_forgotten() {
        let from = url("https://old.example/feed");
        let start: Timestamp = "2026-11-24T07:00:00Z".parse().unwrap();
        let memory = RedirectMemory { target: url("https://new.example/feed"), first_seen_at: start, answers: 4 };
        let later = start + SignedDuration::from_hours(200);
        let other = url("https://other.example/feed");
        let expected = RedirectMemory { target: other.clone(), first_seen_at: later, answers: 1 };
        assert_eq!(adoption(&from, Some(&memory), Some(&other), later), Adoption::Remember(Some(expected)));
        assert_eq!(adoption(&from, Some(&memory), None, later), Adoption::Remember(None));
    }

    #[test]
    fn p27_http_to_https_of_the_same_address_is_adopted_at_once() {
        let now: Timestamp = "2026-11-24T07:00:00Z".parse().unwrap();
        let check = |from: &str, to: &str, adopted| {
            let decision = adoption(&url(from), None, Some(&url(to)), now);
            assert_eq!(matches!(decision, Adoption::Adopt(_)), adopted, "{from} {to}");
        };
        check("http://news.example/feed?a=1", "https://news.example/feed?a=1", true);
        check("http://news.example/feed", "https://news.example/feed/", false);
        check("http://news.example/feed", "https://www.news.example/feed", false);
        check("http://news.example:8080/feed", "https://news.example/feed", false);
        check("https://news.example/feed", "http://news.example/feed", false);
    }
}
