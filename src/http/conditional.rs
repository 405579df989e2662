//! Conditional requests: whether the client already has what it asks for (RFC 9110 section 13).

use crate::model::Timestamp;
use axum::http::{HeaderMap, header};
use jiff::fmt::rfc2822;
use std::time::{Duration, SystemTime};

/// Whether to answer 304: by `If-None-Match` when there is one, else by `If-Modified-Since`.
///
/// `etag` is the quoted strong tag of what would be sent; `last_modified` is taken to the second, as
/// the header says it. A date in the future says nothing (section 13.1.3): it was made up, or given by a clock that has since
/// been set back.
pub(super) fn is_not_modified(
    headers: &HeaderMap,
    etag: &str,
    last_modified: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    if headers.contains_key(header::IF_NONE_MATCH) {
        return headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|list| list_holds(list, etag));
    }
    let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok()).and_then(parse_http_date);
    match (last_modified, since) {
        (Some(modified), Some(since)) => (modified.as_second()..=now.as_second()).contains(&since),
        _ => false,
    }
}

/// An instant as `Last-Modified` wants it, like `Tue, 24 Nov 2026 08:00:00 GMT`.
pub(super) fn http_date(at: Timestamp) -> String {
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

/// Seconds since 1970 from any of the three forms that RFC 9110 section 5.6.7 knows.
fn parse_http_date(text: &str) -> Option<i64> {
    let at = httpdate::parse_http_date(text.trim()).ok()?;
    let since_epoch: Duration = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since_epoch.as_secs()).ok()
}

/// Weak comparison (RFC 9110 section 8.8.3.2): `W/` does not matter. A comma may stand within a tag.
fn list_holds(list: &str, etag: &str) -> bool {
    let mut rest = list.trim_start_matches([' ', '\t', ',']);
    if rest.trim_end() == "*" {
        return true;
    }
    while !rest.is_empty() {
        let tag_and_more = rest.strip_prefix("W/").unwrap_or(rest);
        let Some(opened) = tag_and_more.strip_prefix('"') else {
            // Not a tag at all, as from a client that drops the quotes: compared as it stands, up to the comma.
            let (bare, more) = rest.split_once(',').unwrap_or((rest, ""));
            if bare.trim() == etag.trim_matches('"') {
                return true;
            }
            rest = more.trim_start_matches([' ', '\t', ',']);
            continue;
        };
        let Some((tag, more)) = opened.split_once('"') else { return false };
        if tag == etag.trim_matches('"') {
            return true;
        }
        rest = more.trim_start_matches([' ', '\t', ',']);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    const ETAG: &str = "\"abc-gzip\"";

    #[expect(clippy::unnecessary_wraps, reason = "as the function under test takes it")]
    fn modified_at() -> Option<Timestamp> {
        Some("2026-11-24T08:00:00.750Z".parse().unwrap())
    }

    fn check(lines: &[(HeaderName, &str)], expected: bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        assert_eq!(is_not_modified(&headers, ETAG, modified_at(), now), expected, "{lines:?}");
    }

    #[test]
    fn w2_a_tag_that_is_listed_matches_weak_or_strong() {
        for value in
            [ETAG, "W/\"abc-gzip\"", "\"x\", \"abc-gzip\"", "\"a,b\",W/\"abc-gzip\"", "*", " * ", ", \"abc-gzip\""]
        {
            check(&[(header::IF_NONE_MATCH, value)], true);
        }
    }

    #[test]
    fn w2_another_tag_does_not_match() {
        for value in ["\"abc\"", "\"abc-br\"", "", "\"unclosed", "\"*\"", "W/"] {
            check(&[(header::IF_NONE_MATCH, value)], false);
        }
    }

    #[test]
    fn w2_a_tag_without_its_quotes_is_understood() {
        check(&[(header::IF_NONE_MATCH, "abc-gzip")], true);
        check(&[(header::IF_NONE_MATCH, "other, abc-gzip")], true);
    }

    #[test]
    fn w2_dates_count_to_the_second_in_every_form() {
        for value in [
            "Tue, 24 Nov 2026 08:00:00 GMT",
            "Tuesday, 24-Nov-26 08:00:00 GMT",
            "Tue Nov 24 08:00:00 2026",
            "Wed, 25 Nov 2026 00:00:00 GMT",
        ] {
            check(&[(header::IF_MODIFIED_SINCE, value)], true);
        }
        for value in ["Tue, 24 Nov 2026 07:59:59 GMT", "Wed, 25 Nov 2026 00:00:01 GMT", "yesterday"] {
            check(&[(header::IF_MODIFIED_SINCE, value)], false);
        }
        check(&[], false);
    }

    #[test]
    fn w2_the_tag_wins_over_the_date() {
        let same = (header::IF_MODIFIED_SINCE, "Tue, 24 Nov 2026 08:00:00 GMT");
        check(&[(header::IF_NONE_MATCH, "\"old\""), same], false);
        let past = (header::IF_MODIFIED_SINCE, "Sun, 01 Nov 2026 00:00:00 GMT");
        check(&[(header::IF_NONE_MATCH, ETAG), past], true);
    }

    #[test]
    fn dates_are_written_as_http_wants_them() {
        assert_eq!(http_date(modified_at().unwrap()), "Tue, 24 Nov 2026 08:00:00 GMT");
    }
}
