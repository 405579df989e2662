//! How long an answer asks us to wait: Cache-Control, Age, Expires, Date and Retry-After (RFC 9111, 9110).
//!
//! Pure, and about time only: it gives durations from the moment the answer was received, never an
//! instant of the origin's clock, so a clock that is a day off changes nothing.

use crate::model::{Timestamp, WAIT_CEILING};
use jiff::{SignedDuration, fmt::rfc2822};
use reqwest::header::{AGE, CACHE_CONTROL, DATE, EXPIRES, HeaderMap, HeaderName, RETRY_AFTER};

/// What one answer says about when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freshness {
    /// From `max-age`, else Expires − Date. `None` when the answer says nothing: a 304 then leaves
    /// the lifetime of the stored answer as it was (RFC 9111 section 4.3.4).
    pub lifetime: Option<SignedDuration>,
    /// How old the answer already was when it reached us.
    pub age: SignedDuration,
    /// From Retry-After in either form.
    pub retry_after: Option<SignedDuration>,
    /// Something was longer than [`WAIT_CEILING`] and was cut to it.
    pub cut: bool,
}

impl Freshness {
    /// Reads the headers of an answer received at `received_at`. Values that make no sense are not there.
    pub fn of(headers: &HeaderMap, received_at: Timestamp) -> Self {
        let date = http_date(headers, &DATE).unwrap_or(received_at);
        let mut cut = false;
        let mut capped = |wait: SignedDuration| {
            cut |= wait > WAIT_CEILING;
            wait.clamp(SignedDuration::ZERO, WAIT_CEILING)
        };
        let lifetime = max_age(headers).or_else(|| expires(headers, date)).map(&mut capped);
        let retry_after = retry_after(headers, date).map(&mut capped);
        let age = first(headers, &AGE).and_then(delta_seconds).unwrap_or_default();
        Self { lifetime, age: age.min(WAIT_CEILING), retry_after, cut }
    }

    /// How long the answer stays fresh from now on, if it said so.
    pub fn fresh_for(&self) -> Option<SignedDuration> {
        self.lifetime.map(|lifetime| lifetime.saturating_sub(self.age).max(SignedDuration::ZERO))
    }

    /// The same answer, taking over the stored lifetime when it named none of its own.
    #[must_use]
    pub fn or_lifetime(mut self, stored: Option<SignedDuration>) -> Self {
        self.lifetime = self.lifetime.or(stored);
        self
    }
}

/// The largest `max-age` of all Cache-Control headers: of two values we keep to the more patient one.
///
/// `s-maxage` is a word to shared caches, `no-cache` and `no-store` to those that would serve the
/// answer again; neither is about how often to ask.
fn max_age(headers: &HeaderMap) -> Option<SignedDuration> {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(directives)
        .filter_map(|directive| {
            let (name, value) = directive.split_once('=')?;
            name.trim().eq_ignore_ascii_case("max-age").then(|| delta_seconds(value.trim().trim_matches('"')))?
        })
        .max()
}

/// Splits at commas outside quotes, so that `private="a, max-age=9"` holds no max-age.
fn directives(value: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    value.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

/// Expires − Date, by the origin's own clock (RFC 9111 section 4.2.1). A date that cannot be read, like the
/// usual `0` or `-1`, is in the past (section 5.3).
fn expires(headers: &HeaderMap, date: Timestamp) -> Option<SignedDuration> {
    let value = first(headers, &EXPIRES)?;
    Some(parse_http_date(value).map_or(SignedDuration::ZERO, |expires| expires.duration_since(date)))
}

/// Seconds, or a date that is counted from the origin's Date.
fn retry_after(headers: &HeaderMap, date: Timestamp) -> Option<SignedDuration> {
    let value = first(headers, &RETRY_AFTER)?;
    delta_seconds(value)
        .or_else(|| parse_http_date(value).map(|at| at.duration_since(date)))
        .filter(SignedDuration::is_positive)
}

/// Digits only; more than fits is the largest (RFC 9111 section 1.2.2).
fn delta_seconds(value: &str) -> Option<SignedDuration> {
    let digits = value.trim();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // An overflow is not a mistake to ignore but a very long wait; years fit an i64 of nanoseconds less well.
    Some(SignedDuration::from_secs(digits.parse::<i64>().unwrap_or(i64::MAX).min(i64::from(i32::MAX))))
}

fn first<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn http_date(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    parse_http_date(first(headers, name)?)
}

/// The three forms of RFC 9110 section 5.6.7; the day's name is not checked.
pub fn parse_http_date(value: &str) -> Option<Timestamp> {
    const RFC_2822: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    if let Ok(at) = RFC_2822.parse_timestamp(value) {
        return Some(at);
    }
    let (_, rest) = value.split_once([',', ' '])?;
    let rest = rest.trim();
    ["%d-%b-%y %H:%M:%S GMT", "%b %e %H:%M:%S %Y"]
        .iter()
        .find_map(|form| jiff::fmt::strtime::parse(form, rest).ok()?.to_datetime().ok())
        .and_then(|civil| jiff::tz::TimeZone::UTC.to_timestamp(civil).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    const NOW: &str = "2026-11-24T07:00:00Z";

    fn read(lines: &[(&str, &str)]) -> Freshness {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        Freshness::of(&headers, NOW.parse().unwrap())
    }

    fn check(lines: &[(&str, &str)], fresh_for_s: Option<i64>) {
        assert_eq!(read(lines).fresh_for().map(|wait| wait.as_secs()), fresh_for_s, "{lines:?}");
    }

    #[test]
    fn p13_p15_max_age_in_every_spelling() {
        check(&[("cache-control", "max-age=43200")], Some(43200));
        check(&[("cache-control", "public, MAX-AGE=9, must-revalidate")], Some(9));
        check(&[("cache-control", "max-age=\"9\"")], Some(9));
        check(&[("cache-control", "max-age = 9")], Some(9));
        check(&[("cache-control", "no-store, max-age=9")], Some(9));
        check(&[("cache-control", "max-age=9"), ("cache-control", "max-age=90")], Some(90));
        check(&[("cache-control", "max-age=90, max-age=9")], Some(90));
        check(&[("cache-control", "max-age=ten")], None);
        check(&[("cache-control", "max-age=-9")], None);
        check(&[("cache-control", "max-age=")], None);
        check(&[("cache-control", "max-age")], None);
        check(&[("cache-control", "s-maxage=9")], None);
        check(&[("cache-control", "private=\"x, max-age=9\"")], None);
        check(&[("cache-control", "no-cache")], None);
        check(&[], None);
    }

    #[test]
    fn p15_p17_a_monstrous_wait_is_cut_at_the_ceiling() {
        for seconds in ["315360000", "99999999999999999999999999"] {
            let read = read(&[("cache-control", &format!("max-age={seconds}")), ("retry-after", seconds)]);
            assert_eq!((read.lifetime, read.retry_after, read.cut), (Some(WAIT_CEILING), Some(WAIT_CEILING), true));
        }
        assert!(!read(&[("cache-control", "max-age=604800")]).cut);
    }

    #[test]
    fn p16_age_and_expires() {
        check(&[("cache-control", "max-age=3600"), ("age", "3000")], Some(600));
        check(&[("cache-control", "max-age=3600"), ("age", "9000")], Some(0));
        check(&[("cache-control", "max-age=3600"), ("age", "-5")], Some(3600));
        // The origin's clock is a day slow: what counts is the difference of its own two dates.
        let slow = ("date", "Mon, 23 Nov 2026 07:00:00 GMT");
        check(&[slow, ("expires", "Mon, 23 Nov 2026 08:00:00 GMT")], Some(3600));
        check(&[slow, ("expires", "Mon, 23 Nov 2026 08:00:00 GMT"), ("cache-control", "max-age=60")], Some(60));
        check(&[("expires", "Tue, 24 Nov 2026 08:00:00 GMT")], Some(3600));
        check(&[("expires", "0")], Some(0));
        check(&[("expires", "-1")], Some(0));
        check(&[("expires", "Thu, 01 Jan 1970 00:00:00 GMT")], Some(0));
    }

    #[test]
    fn p21_retry_after_in_both_forms() {
        let wait = |lines: &[(&str, &str)]| read(lines).retry_after.map(|wait| wait.as_secs());
        assert_eq!(wait(&[("retry-after", "7200")]), Some(7200));
        assert_eq!(wait(&[("retry-after", "Tue, 24 Nov 2026 09:00:00 GMT")]), Some(7200));
        let slow = ("date", "Mon, 23 Nov 2026 07:00:00 GMT");
        assert_eq!(wait(&[slow, ("retry-after", "Mon, 23 Nov 2026 09:00:00 GMT")]), Some(7200));
        for junk in ["-7200", "soon", "", "0", "1.5", "Mon, 23 Nov 2020 09:00:00 GMT"] {
            assert_eq!(wait(&[("retry-after", junk)]), None, "{junk}");
        }
    }

    #[test]
    fn http_dates_come_in_three_forms() {
        let expected: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for form in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse_http_date(form), Some(expected), "{form}");
        }
        assert_eq!(parse_http_date("yesterday"), None);
    }

    #[test]
    fn p14_a_304_without_a_lifetime_keeps_the_stored_one() {
        let stored = Some(SignedDuration::from_secs(43200));
        assert_eq!(read(&[]).or_lifetime(stored).fresh_for(), stored);
        let renewed = read(&[("cache-control", "max-age=600")]).or_lifetime(Some(SignedDuration::from_secs(1)));
        assert_eq!(renewed.fresh_for(), Some(SignedDuration::from_secs(600)));
    }
}
