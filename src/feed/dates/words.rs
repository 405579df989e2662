//! Dates in words, in any order and with any oddity: what each word and number says, and what they say together.

use super::names::{month, zone};
use super::{YEARS, at_offset};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};

/// What the words of a date say.
#[derive(Debug, Default)]
pub(super) struct Words {
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
    pub fn read(text: &str) -> Option<Words> {
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

    pub fn timestamp(&self) -> Option<Timestamp> {
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
