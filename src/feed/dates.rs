//! Dates as feeds write them: RFC 822 with every oddity, RFC 3339, bare dates, local month names, epoch seconds.
//!
//! A date without a zone is taken as UTC. What cannot be a date gives `None`, never a guess at random.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};

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

/// What the words of a date say.
#[derive(Debug, Default)]
struct Words {
    numbers: Vec<Number>,
    month: Option<i8>,
    /// How many numbers stood before the month's name.
    numbers_before_month: usize,
    time: Option<(i8, i8, i8)>,
    /// Twelve-hour clock.
    is_pm: Option<bool>,
    offset_minutes: Option<i32>,
    /// Numbers joined by `-`, `.` or `/`, or by 年 and 月.
    separator: Option<char>,
}

#[derive(Debug, Clone, Copy)]
struct Number {
    value: i32,
    width: usize,
}

impl Words {
    fn read(text: &str) -> Option<Words> {
        let mut words = Words::default();
        let normal = text.replace(['\u{a0}', '\u{3000}', '\u{202f}'], " ");
        let mut rest = normal.as_str();
        let mut previous = ' ';
        while let Some(c) = rest.chars().next() {
            let length = if c.is_ascii_digit() {
                words.number(rest, previous)?
            } else if matches!(c, '+' | '-' | '−' | '–') && words.time.is_some() && words.offset(rest, c.len_utf8())
            {
                offset_len(rest, c.len_utf8())
            } else if c.is_alphabetic() || c == '&' {
                words.word(rest)
            } else {
                c.len_utf8()
            };
            previous = rest[..length].chars().next_back().unwrap_or(' ');
            rest = &rest[length..];
        }
        Some(words)
    }

    /// Reads a number, or a time of day that begins with one. Gives its length.
    fn number(&mut self, rest: &str, previous: char) -> Option<usize> {
        let width = rest.bytes().take_while(u8::is_ascii_digit).count();
        let after = &rest[width..];
        if self.time.is_none()
            && width <= 2
            && let Some(length) = self.clock(rest, width)
        {
            return Some(length);
        }
        if width > 8 || self.numbers.len() >= 4 {
            return None;
        }
        let value: i32 = rest[..width].parse().ok()?;
        if let Some(separator @ ('-' | '.' | '/' | '年' | '년')) = after.chars().next()
            && self.separator.is_none()
            && after[separator.len_utf8()..].trim_start().starts_with(|c: char| c.is_ascii_digit())
        {
            self.separator = Some(separator);
        }
        // A compact date, `20261124`, perhaps with a `T` and a compact time.
        if width == 8 {
            self.numbers.extend(
                [(value / 10_000, 4), (value / 100 % 100, 2), (value % 100, 2)]
                    .map(|(value, width)| Number { value, width }),
            );
            self.separator = Some('-');
            return Some(width);
        }
        if width == 6 && previous.eq_ignore_ascii_case(&'t') && self.time.is_none() {
            self.time = Some((
                i8::try_from(value / 10_000).ok()?,
                i8::try_from(value / 100 % 100).ok()?,
                i8::try_from(value % 100).ok()?,
            ));
            return Some(width);
        }
        self.numbers.push(Number { value, width });
        Some(width)
    }

    /// `10:00`, `10:00:00`, `10:00:00.000`, `10h30`, `10.30 Uhr`, `10时30分`, `10 PM`.
    fn clock(&mut self, rest: &str, width: usize) -> Option<usize> {
        let hour: i8 = rest[..width].parse().ok()?;
        let after = &rest[width..];
        let separator = after.chars().next()?;
        let is_clock = matches!(separator, ':' | '：' | '时' | '時' | '点' | '點' | '시')
            || (matches!(separator, 'h' | 'H') && after[1..].bytes().take_while(u8::is_ascii_digit).count() != 1);
        if !is_clock {
            let lower = after.trim_start().to_ascii_lowercase();
            let is_meridiem = lower.starts_with("am") || lower.starts_with("pm");
            if is_meridiem && !lower[2..].starts_with(|c: char| c.is_alphabetic()) {
                self.time = Some((hour, 0, 0));
                return Some(width);
            }
            return None;
        }
        let mut length = width + separator.len_utf8();
        let mut parts = [0_i8; 2];
        for (index, part) in parts.iter_mut().enumerate() {
            let blanks = rest[length..].len() - rest[length..].trim_start().len();
            let digits = rest[length + blanks..].bytes().take_while(u8::is_ascii_digit).count();
            if !matches!(digits, 1..=2) || (blanks > 0 && separator != ':') {
                if index == 0 && matches!(separator, ':' | '：') {
                    return None;
                }
                break;
            }
            *part = rest[length + blanks..length + blanks + digits].parse().ok()?;
            length += blanks + digits;
            let next = rest[length..].chars().next();
            match next {
                Some(c @ (':' | '：' | '分' | '秒' | '분' | '초')) => length += c.len_utf8(),
                Some('.' | ',') if index == 1 => {
                    length += 1;
                    length += rest[length..].bytes().take_while(u8::is_ascii_digit).count();
                    break;
                }
                _ => break,
            }
        }
        self.time = Some((hour, parts[0], parts[1]));
        Some(length)
    }

    /// `+0200`, `+02:00`, `+2`, `-7`; false when it is none.
    fn offset(&mut self, rest: &str, sign_len: usize) -> bool {
        let body: String = rest[sign_len..].chars().take_while(|c| c.is_ascii_digit() || *c == ':').collect();
        let (hours, minutes) = match body.split_once(':') {
            Some((hours, minutes)) => (hours.parse::<i32>(), minutes.parse::<i32>()),
            None if body.len() == 4 => (body[..2].parse(), body[2..].parse()),
            None if body.len() == 3 => (body[..1].parse(), body[1..].parse()),
            None if matches!(body.len(), 1..=2) => (body.parse(), Ok(0)),
            None => return false,
        };
        let (Ok(hours), Ok(minutes)) = (hours, minutes) else { return false };
        if hours > 15 || minutes > 59 {
            return false;
        }
        let minutes = hours * 60 + minutes;
        // `GMT+2` and `+0200` say the same; a name before the number has already given its own offset.
        self.offset_minutes = Some(if rest.starts_with('+') { minutes } else { -minutes });
        true
    }

    /// A month, a zone, a part of the day; anything else (the weekday, `de`, `um`) says nothing. Gives its length.
    fn word(&mut self, rest: &str) -> usize {
        let length = rest.find(|c: char| !c.is_alphanumeric() || c.is_ascii_digit()).unwrap_or(rest.len()).max(1);
        let length =
            rest.char_indices().map(|(at, c)| at + c.len_utf8()).find(|end| *end >= length).unwrap_or(rest.len());
        let word = rest[..length].to_lowercase();
        if let Some(length) = self.han_word(rest) {
            return length;
        }
        // French `mar.` is a Tuesday when a month follows it, and March when none does.
        let may_be_weekday = self.month.is_none() || self.numbers_before_month == 0;
        if may_be_weekday && let Some(month) = month(&word) {
            self.month = Some(month);
            self.numbers_before_month = self.numbers.len();
        } else if matches!(word.as_str(), "am" | "a") && self.time.is_some() {
            self.is_pm = Some(false);
        } else if matches!(word.as_str(), "pm" | "p") && self.time.is_some() {
            self.is_pm = Some(true);
        } else if self.time.is_some()
            && self.offset_minutes.is_none()
            && let Some(minutes) = zone(&word)
        {
            self.offset_minutes = Some(minutes);
        }
        length
    }

    /// Chinese, Japanese and Korean run words and numbers together: 上午 and 下午 stand before the time.
    fn han_word(&mut self, rest: &str) -> Option<usize> {
        for (word, is_pm) in [
            ("上午", false),
            ("下午", true),
            ("午前", false),
            ("午後", true),
            ("晚上", true),
            ("오전", false),
            ("오후", true),
        ] {
            if rest.starts_with(word) {
                self.is_pm = Some(is_pm);
                return Some(word.len());
            }
        }
        let first = rest.chars().next()?;
        (u32::from(first) >= 0x2e80).then(|| first.len_utf8())
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let (year, month, day) = self.date()?;
        let year = i16::try_from(year).ok().filter(|year| YEARS.contains(year))?;
        let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let (mut hour, minute, second) = self.time.unwrap_or((0, 0, 0));
        match self.is_pm {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let (date, hour) = if hour == 24 { (date.tomorrow().ok()?, 0) } else { (date, hour) };
        // A leap second is the last one of its minute.
        let time = Time::new(hour, minute, second.min(59), 0).ok()?;
        at_offset(DateTime::from_parts(date, time), self.offset_minutes.unwrap_or(0))
    }

    fn date(&self) -> Option<(i32, i32, i32)> {
        let numbers = &self.numbers;
        if let Some(month) = self.month {
            let [first, second] = *numbers.get(..2)? else { return None };
            // `24 Nov 2026`, `Nov 24, 2026`, `2026 Nov 24`, `24-Nov-26`.
            let (day, year) = if first.width >= 3 || first.value > 31 { (second, first) } else { (first, second) };
            return Some((full_year(year), i32::from(month), day.value));
        }
        let [first, second, third] = *numbers.get(..3).or_else(|| numbers.get(..2))? else {
            // `2026-11`, a month alone.
            let [year, month] = *numbers.get(..2)? else { return None };
            return (year.width == 4).then_some((year.value, month.value, 1));
        };
        if first.width == 4 {
            return Some((first.value, second.value, third.value));
        }
        let year = full_year(third);
        match self.separator {
            // 24.11.2026 is German, Russian, Finnish, and always day first.
            Some('.') => Some((year, second.value, first.value)),
            Some('-') if third.width == 2 && first.width == 2 && first.value > 31 => {
                Some((full_year(first), second.value, third.value))
            }
            // 11/24/2026 is American unless it cannot be.
            _ if first.value > 12 => Some((year, second.value, first.value)),
            _ => Some((year, first.value, second.value)),
        }
    }
}

fn offset_len(rest: &str, sign_len: usize) -> usize {
    sign_len + rest[sign_len..].bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b':').count()
}

/// RFC 2822 section 4.3: two digits below 50 are of this century, three digits count from 1900.
fn full_year(number: Number) -> i32 {
    match (number.width, number.value) {
        (1..=2, value @ 0..=49) => 2000 + value,
        (1..=3, value) => 1900 + value,
        (_, value) => value,
    }
}

/// Months by the first letters of their names in lower case: English, French, German, Spanish, Italian,
/// Portuguese, Dutch, Scandinavian, Polish, Czech, Russian, Ukrainian, Greek, Turkish.
/// Longer beginnings stand before the shorter ones that they share letters with.
fn month(word: &str) -> Option<i8> {
    #[rustfmt::skip]
    const MONTHS: &[(&str, i8)] = &[
        ("januar", 1), ("janvier", 1), ("janv", 1), ("jan", 1), ("jän", 1), ("gennaio", 1), ("gen", 1), ("ene", 1),
        ("stycz", 1), ("leden", 1), ("ledna", 1), ("янв", 1), ("січ", 1), ("ιαν", 1), ("oca", 1),
        ("feb", 2), ("fév", 2), ("fev", 2), ("luty", 2), ("lut", 2), ("únor", 2), ("фев", 2), ("лют", 2), ("φεβ", 2), ("şub", 2),
        ("marzec", 3), ("marca", 3), ("mars", 3), ("marz", 3), ("março", 3), ("mar", 3), ("mär", 3), ("maa", 3), ("mrt", 3),
        ("mrz", 3), ("březn", 3), ("мар", 3), ("бер", 3), ("μαρ", 3), ("μάρ", 3),
        ("apr", 4), ("avr", 4), ("abr", 4), ("kwi", 4), ("dubn", 4), ("duben", 4), ("апр", 4), ("кві", 4), ("απρ", 4), ("nis", 4),
        ("may", 5), ("mai", 5), ("mag", 5), ("maj", 5), ("mei", 5), ("květ", 5), ("май", 5), ("мая", 5), ("тра", 5), ("μαϊ", 5), ("μάι", 5),
        ("juni", 6), ("juin", 6), ("jun", 6), ("giu", 6), ("cze", 6), ("červn", 6), ("červen", 6), ("июн", 6), ("чер", 6), ("ιουν", 6), ("ιούν", 6), ("haz", 6),
        ("juli", 7), ("juil", 7), ("jul", 7), ("lug", 7), ("lip", 7), ("července", 7), ("июл", 7), ("лип", 7), ("ιουλ", 7), ("ιούλ", 7), ("tem", 7),
        ("aug", 8), ("aoû", 8), ("aou", 8), ("ago", 8), ("sie", 8), ("srp", 8), ("авг", 8), ("сер", 8), ("αυγ", 8), ("αύγ", 8), ("ağu", 8),
        ("sep", 9), ("set", 9), ("wrz", 9), ("září", 9), ("сен", 9), ("вер", 9), ("σεπ", 9), ("eyl", 9),
        ("oct", 10), ("okt", 10), ("ott", 10), ("out", 10), ("paź", 10), ("říj", 10), ("окт", 10), ("жов", 10), ("οκτ", 10), ("eki", 10),
        ("nov", 11), ("lis", 11), ("listop", 11), ("ноя", 11), ("нояб", 11), ("νοε", 11), ("kas", 11),
        ("dec", 12), ("déc", 12), ("dez", 12), ("dic", 12), ("des", 12), ("gru", 12), ("pros", 12), ("дек", 12), ("гру", 12), ("δεκ", 12), ("ara", 12),
    ];
    // `mardi` and `martes` are Tuesdays, `marec` and the like months; `sex`, `seg`, `ter` never reach here.
    if word.starts_with("mardi") || word.starts_with("mart") && word != "mart" || word.starts_with("dim") {
        return None;
    }
    MONTHS
        .iter()
        .filter(|(start, _)| word.starts_with(start))
        .max_by_key(|(start, _)| start.len())
        .map(|(_, month)| *month)
}

/// Offset from UTC in minutes of the zone names that feeds use. Ambiguous ones are what most feeds mean by them:
/// IST is India's, CST America's, BST Britain's.
fn zone(word: &str) -> Option<i32> {
    Some(match word {
        "z" | "ut" | "utc" | "gmt" | "wet" => 0,
        "bst" | "cet" | "mez" | "wat" | "west" => 60,
        "cest" | "mesz" | "eet" | "sast" | "cat" => 120,
        "eest" | "msk" | "trt" | "eat" => 180,
        "msd" | "gst" => 240,
        "pkt" => 300,
        "ist" => 330,
        "ict" | "wib" => 420,
        "hkt" | "sgt" | "awst" | "pht" | "myt" => 480,
        "jst" | "kst" => 540,
        "acst" => 570,
        "aest" => 600,
        "aedt" => 660,
        "nzst" => 720,
        "nzdt" => 780,
        "ndt" => -150,
        "nst" => -210,
        "brt" | "art" | "adt" => -180,
        "ast" | "edt" => -240,
        "est" | "cdt" | "et" => -300,
        "cst" | "mdt" | "ct" => -360,
        "mst" | "pdt" => -420,
        "pst" | "akdt" | "pt" => -480,
        "akst" => -540,
        "hst" => -600,
        _ => return None,
    })
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
