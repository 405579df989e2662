//! Dates as feeds write them: RFC 822 with every oddity, RFC 3339, bare dates, local month names, epoch seconds.
//!
//! A date without a zone is taken as UTC. What cannot be a date gives `None`, never a guess at random.

mod names;
mod words;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use names::month;
use words::Words;

/// The years a claim can have. Year 1 and year 12026 come from unset and broken clocks.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2999;

/// Longest text that is looked at; longer ones are prose.
const MAX_LEN: usize = 100;

/// Reads a date in any of the known forms.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_LEN {
        return None;
    }
    quick(text).or_else(|| epoch(text)).or_else(|| Words::read(text)?.timestamp())
}

/// Seconds (or milliseconds, whose fraction goes) since 1970.
fn epoch(text: &str) -> Option<Timestamp> {
    if !matches!(text.len(), 9..=10 | 13) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = text.parse().ok()?;
    Timestamp::from_second(if text.len() == 13 { number / 1000 } else { number }).ok()
}

/// The two forms nearly every date has, read without ado: `2026-11-24T10:00:00Z` and
/// `Tue, 24 Nov 2026 10:00:00 +0000`.
fn quick(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let (date, time, zone) = if bytes.len() >= 20 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T' {
        let date = Date::new(year4(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..10])?).ok()?;
        let zone = if bytes[19] == b'.' {
            19 + 1 + bytes[20..].iter().take_while(|byte| byte.is_ascii_digit()).count()
        } else {
            19
        };
        (date, &bytes[11..19], &bytes[zone..])
    } else if bytes.len() >= 29 && bytes[3] == b',' && bytes[7] == b' ' && bytes[11] == b' ' && bytes[16] == b' ' {
        let month = month(&text.get(8..11)?.to_ascii_lowercase())?;
        (Date::new(year4(&bytes[12..16])?, month, digits(&bytes[5..7])?).ok()?, &bytes[17..25], bytes.get(26..)?)
    } else {
        return None;
    };
    if time[2] != b':' || time[5] != b':' || !YEARS.contains(&date.year()) {
        return None;
    }
    let time = Time::new(digits(&time[..2])?, digits(&time[3..5])?, digits(&time[6..8])?, 0).ok()?;
    let offset = match zone {
        b"Z" | b"GMT" | b"UTC" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let minutes = i32::from(digits(&[*h1, *h2])?) * 60 + i32::from(digits(&[*m1, *m2])?);
            if minutes > 14 * 60 {
                return None;
            }
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    at_offset(DateTime::from_parts(date, time), offset)
}

fn digits(two: &[u8]) -> Option<i8> {
    match two {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok(),
        _ => None,
    }
}

fn year4(four: &[u8]) -> Option<i16> {
    Some(i16::from(digits(&four[..2])?) * 100 + i16::from(digits(&four[2..])?))
}

fn at_offset(local: DateTime, offset_minutes: i32) -> Option<Timestamp> {
    let offset = jiff::tz::Offset::from_seconds(offset_minutes * 60).ok()?;
    offset.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let read = parse(text).map(|at| at.to_string());
        assert_eq!(read.as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn internet_mail_dates_are_read_with_their_oddities() {
        for text in [
            "Tue, 24 Nov 2026 10:00:00 +0000",
            "Tue, 24 Nov 2026 10:00:00 GMT",
            "24 Nov 2026 10:00:00 UT",
            "Tue, 24 Nov 26 10:00:00 Z",
            "Tue, 24 November 2026 10:00 GMT",
            "Tuesday, 24-Nov-26 10:00:00 GMT",
            "Tue Nov 24 10:00:00 2026",
            "Tue,24 Nov 2026 10:00:00 GMT",
            "Tue, 24 Nov 2026 11:00:00 CET",
            "Tue, 24 Nov 2026 19:00:00 JST",
            "Tue, 24 Nov 2026 13:00:00 MSK",
            "Tue, 24 Nov 2026 15:30:00 IST",
            "Tue, 24 Nov 2026 05:00:00 EST",
            "Tue, 24 Nov 2026 02:00:00 PST",
            "Tue, 24 Nov 2026 12:00:00 GMT+2",
            "Tue, 24 Nov 2026 12:00:00 +02:00",
            "Mon, 24 Nov 2026 10:00:00",
            "Nov 24, 2026 10:00 AM",
            "Tue Nov 24 10:00:00 UTC 2026",
            "Tue, 24 Nov 2026 10:00:00 -0000",
            "November 24th, 2026 10:00:00",
            "Tue, 24 Nov 2026, 10:00:00 +0000",
            "Tue, 24 Nov 2026 10:00:00 +0000 (UTC)",
        ] {
            check(text, "2026-11-24T10:00:00Z");
        }
    }

    #[test]
    fn iso_dates_are_read_whole_or_in_part() {
        for text in [
            "2026-11-24T10:00:00Z",
            "2026-11-24T10:00:00.123456Z",
            "2026-11-24T11:00:00+01:00",
            "2026-11-24T11:00:00+0100",
            "2026-11-24 10:00:00",
            "2026-11-24T10:00Z",
            "2026-11-24t10:00:00z",
            "20261124T100000Z",
            "2026/11/24 10:00:00",
            "2026-11-24T10:00:00",
            "2026-11-24 10:00:00 UTC",
            "2026-11-24 10:00:00 +0000",
            "2026-11-24 18:00:00 +0800",
            "1795514400",
            "1795514400000",
        ] {
            check(text, "2026-11-24T10:00:00Z");
        }
        check("2026-11-24", "2026-11-24T00:00:00Z");
        check("2026-11", "2026-11-01T00:00:00Z");
        check("20261124", "2026-11-24T00:00:00Z");
    }

    #[test]
    fn local_month_names_are_read() {
        for text in [
            "mar., 24 nov. 2026 10:00:00 +0000",
            "mardi 24 novembre 2026 à 10:00",
            "24 novembre 2026 10h00",
            "Di, 24 Nov 2026 10:00:00 GMT",
            "Dienstag, 24. November 2026 10:00 Uhr",
            "24.11.2026 10:00",
            "martes, 24 de noviembre de 2026 10:00",
            "24 ноября 2026 10:00",
            "2026年11月24日 10:00",
            "2026年11月24日 上午10:00",
            "2026年11月24日10时00分00秒",
            "вт, 24 ноя 2026 13:00:00 +0300",
            "11/24/2026 10:00:00 AM",
            "24/11/2026 10:00",
            "2026. 11. 24. 10:00:00",
            "2026년 11월 24일 오전 10:00",
        ] {
            check(text, "2026-11-24T10:00:00Z");
        }
        check("Lun, 02 Fév 2026 10:00:00 +0100", "2026-02-02T09:00:00Z");
        check("Mo, 02 Mär 2026 10:00:00 +0100", "2026-03-02T09:00:00Z");
        check("2 août 2026", "2026-08-02T00:00:00Z");
        check("30 Dez 2025", "2025-12-30T00:00:00Z");
    }

    #[test]
    fn clock_oddities_are_read() {
        check("24 Nov 2026 12:30 PM", "2026-11-24T12:30:00Z");
        check("24 Nov 2026 12:30 AM", "2026-11-24T00:30:00Z");
        check("24 Nov 2026 24:00:00 GMT", "2026-11-25T00:00:00Z");
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z");
        check("Tue, 24 Nov 2026 9:05:00 GMT", "2026-11-24T09:05:00Z");
        check("24 Nov 2026 10:00:00 -1400", "2026-11-25T00:00:00Z");
        check("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "yesterday",
            "0000-00-00T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "12026-11-24T10:00:00Z",
            "2026-13-45",
            "99999999999999999999",
            "Invalid Date",
            "9999-12-31T23:59:59Z",
            "::",
            "+",
            "24 Nov",
            "作者：１２",
            "1 2 3 4 5 6",
            "Tue, 31 Feb 2026 10:00:00 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
