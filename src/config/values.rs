//! Values with a syntax of their own: durations, sizes, addresses, cron expressions, names.
//!
//! Each reader takes a [`Text`] or a [`Value`], reports what is wrong with it at the right column
//! and gives `None`.

use super::diagnostics::quoted;
use super::reader::{Text, Value};
use super::secrets::shows_secret;
use crate::model::WithoutQuery;
use croner::parser::{CronParser, Seconds};
use jiff::SignedDuration;
use std::fmt::Write as _;
use url::Url;

const DURATION_FORM: &str = "a duration such as \"2s\", \"30m\", \"1h30m\" or \"400d\"";

/// A duration above zero.
pub(super) fn duration(value: Value<'_>) -> Option<SignedDuration> {
    let text = value.text(DURATION_FORM)?;
    let parsed = parse_duration(text.text);
    match parsed {
        None => {
            let message = format!("{} is not a duration", quoted(text.text));
            text.report().add(text.error(message).help(format!("write {DURATION_FORM}")));
        }
        Some(duration) if duration.is_zero() => {
            text.report().add(text.error(format!("{} must be longer than nothing", quoted(value.name))));
        }
        Some(_) => {}
    }
    parsed.filter(|duration| !duration.is_zero())
}

/// Numbers with units, largest first: `1h30m`. At most a hundred years.
fn parse_duration(text: &str) -> Option<SignedDuration> {
    const UNITS: [(&str, u64); 6] =
        [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    const LONGEST_MILLISECONDS: u64 = 36_525 * 86_400_000;
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let unit_len = rest.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (unit, after) = rest.split_at(unit_len);
        let (_, milliseconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.checked_mul(*milliseconds)?)?;
        rest = after.trim_start();
    }
    let is_empty = text.trim().is_empty();
    (!is_empty && total <= LONGEST_MILLISECONDS)
        .then(|| i64::try_from(total).map(SignedDuration::from_millis).expect("a hundred years fit in an i64"))
}

/// A duration as an operator would write it, for messages.
pub(super) fn written(duration: SignedDuration) -> String {
    const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let mut seconds = duration.as_secs();
    let mut out = String::new();
    for (unit, length) in UNITS {
        if seconds >= length {
            let _ = write!(out, "{}{unit}", seconds / length);
            seconds %= length;
        }
    }
    if out.is_empty() { format!("{}ms", duration.as_millis()) } else { out }
}

const SIZE_FORM: &str = "a size such as \"512KiB\" or \"10MiB\"";

/// A size above zero, in bytes.
pub(super) fn size_bytes(value: Value<'_>) -> Option<u64> {
    let text = value.text(SIZE_FORM)?;
    let size = parse_size(text.text);
    if size.is_none() {
        let message = format!("{} is not a size", quoted(text.text));
        text.report().add(text.error(message).help(format!("write {SIZE_FORM}")));
    }
    size
}

fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_start() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit).filter(|bytes| *bytes > 0)
}

/// An http or https address without credentials; its fragment is removed.
pub(super) fn web_address(text: Text<'_>) -> Option<Url> {
    let fault = match parse_web_address(text.text) {
        Ok(url) if url.username().is_empty() && url.password().is_none() => return Some(url),
        Ok(_) => {
            let message = format!("{} holds credentials, which never stand in the config", quoted_host(text.text));
            let help = "write `basic_auth = { username = \"…\", password_file = \"…\" }`";
            text.error(message).help(help).hiding_source()
        }
        Err(reason) if shows_secret(text.text) => {
            text.error(format!("{} is not a web address: {reason}", quoted_host(text.text))).hiding_source()
        }
        Err(reason) => {
            let whole = format!("https://{}", text.text);
            let told = WithoutQuery(text.text).to_string();
            let help = Url::parse(text.text).is_err().then(|| format!("did you mean \"https://{told}\"?"));
            let help = help.filter(|_| text.text.contains('.') && Url::parse(&whole).is_ok());
            let fault = text.error(format!("{} is not a web address: {reason}", quoted(&told))).help_if(help);
            // A query may be a key, and in the line of a log nobody tells it from any other text without a scheme.
            if text.text.contains('?') { fault.hiding_source() } else { fault }
        }
    };
    text.report().add(fault);
    None
}

/// What stands behind the `@` of an address with credentials, so that a message does not spread them.
fn quoted_host(address: &str) -> String {
    quoted(&format!("…@{}", address.rsplit_once('@').map_or("", |(_, host)| host)))
}

/// Parses an http or https address and removes its fragment.
///
/// # Errors
/// Why it is none, in plain words.
pub fn parse_web_address(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text.trim()).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => "it has no scheme".to_owned(),
        other => other.to_string(),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("the scheme is {}, and only http and https are polled", quoted(url.scheme())));
    }
    url.set_fragment(None);
    Ok(url)
}

/// A cron expression of six fields that fires at some time.
pub(super) fn cron(text: Text<'_>) -> Option<String> {
    let help = "six fields, seconds first: second minute hour day month weekday, like \"0 30 8 * * Mon-Fri\"";
    let fields = text.text.split_whitespace().count();
    let fault = if fields == 6 {
        match CronParser::builder().seconds(Seconds::Required).build().parse(text.text) {
            Ok(cron) if fires(&cron) => return Some(text.text.trim().to_owned()),
            Ok(_) => text.error(format!("cron {} never fires", quoted(text.text))),
            Err(error) => text
                .error(format!("bad cron expression: {}", error.to_string().to_lowercase().trim_end_matches('.')))
                .help(help),
        }
    } else {
        let plural = if fields == 1 { "" } else { "s" };
        text.error(format!("a cron expression has six fields, this has {fields} field{plural}")).help(help)
    };
    text.report().add(fault);
    None
}

/// Whether it fires within the calendar's 28-year cycle (croner looks further than that).
fn fires(cron: &croner::Cron) -> bool {
    let start = chrono::DateTime::from_timestamp(1_767_225_600, 0).expect("2026-01-01 is in range");
    cron.find_next_occurrence(&start, false).is_ok()
}

/// A BCP 47 tag in form (`fr`, `zh-Hant`), language in lower case.
pub(super) fn language(text: Text<'_>) -> Option<String> {
    let tag = language_tag(text.text);
    if tag.is_none() {
        let message = format!("{} is not a language", quoted(text.text));
        text.report().add(text.error(message).help("write a tag such as \"fr\", \"en\" or \"zh-Hant\""));
    }
    tag
}

/// A language tag in BCP 47 form, or none where the text cannot be one.
pub(super) fn language_tag(text: &str) -> Option<String> {
    let (primary, rest) = text.split_at(text.find('-').unwrap_or(text.len()));
    let is_tag = (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && rest
            .split('-')
            .skip(1)
            .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    is_tag.then(|| primary.to_ascii_lowercase() + rest)
}

/// Why a name cannot be a tag's or a digest's: it becomes part of addresses and of file names, on
/// file systems that ignore case and on those that reserve device names.
pub(super) fn name_fault(name: &str) -> Option<&'static str> {
    const LONGEST_BYTES: usize = 64;
    const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];
    const FORMATS: [&str; 5] = [".atom", ".rss", ".json", ".opml", ".html"];
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let stem = name.split('.').next().unwrap_or_default();
    let is_port = |prefix| stem.strip_prefix(prefix).is_some_and(|n: &str| n.len() == 1 && n != "0");
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > LONGEST_BYTES {
        Some("it is longer than 64 characters")
    } else if !name.bytes().all(is_allowed) {
        Some("only lower-case letters a-z, digits, `-`, `_` and `.` may be in it")
    } else if !name.as_bytes()[0].is_ascii_alphanumeric() {
        Some("it must begin with a letter or a digit")
    } else if name.contains("..") || name.ends_with('.') {
        Some("a `.` may stand only between other characters")
    } else if FORMATS.iter().any(|format| name.ends_with(format)) {
        Some("it ends like a file format, which its own address would then hide")
    } else if RESERVED.contains(&stem) || is_port("com") || is_port("lpt") {
        Some("some file systems reserve it")
    } else {
        None
    }
}

/// The name of a tag or digest that is most like what was written, if that can be one.
pub(super) fn name_like(written: &str) -> Option<String> {
    let plain = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let words: String = written.chars().map(plain).collect();
    let name = words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    name_fault(&name).is_none().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units_largest_first() {
        let check = |text, seconds: Option<i64>| {
            assert_eq!(parse_duration(text), seconds.map(SignedDuration::from_secs), "{text}");
        };
        check("2s", Some(2));
        check("30m", Some(1_800));
        check("1h30m", Some(5_400));
        check("1h 30m", Some(5_400));
        check("400d", Some(34_560_000));
        check("2w", Some(1_209_600));
        check("0s", Some(0));
        for bad in ["", "30", "m", "30x", "30m1h", "1m1m", "-5s", "1.5h", "99999999999999999999s", "9999999w"] {
            check(bad, None);
        }
        assert_eq!(parse_duration("250ms"), Some(SignedDuration::from_millis(250)));
    }

    #[test]
    fn a_written_duration_reads_back() {
        for text in ["2s", "15m", "1h30m", "400d", "250ms", "1d2h3m4s"] {
            assert_eq!(written(parse_duration(text).expect("a duration")), text);
        }
    }

    #[test]
    fn sizes_are_counted_in_bytes() {
        for (text, bytes) in [
            ("10MiB", Some(10 << 20)),
            ("512 KiB", Some(512 << 10)),
            ("1GB", Some(1_000_000_000)),
            ("77", Some(77)),
            ("0MiB", None),
            ("MiB", None),
            ("10mib", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(parse_size(text), bytes, "{text}");
        }
    }

    #[test]
    fn a_name_that_is_none_is_like_one_of_its_words() {
        let check = |written, name: Option<&str>| assert_eq!(name_like(written).as_deref(), name, "{written}");
        check("French AI", Some("french-ai"));
        check("..a/b:", Some("a-b"));
        check("X.atom", Some("x-atom"));
        for hopeless in ["", "法国", "aux", "É"] {
            check(hopeless, None);
        }
    }

    #[test]
    fn h33_names_that_could_leave_their_directory_or_collide_are_refused() {
        for good in ["french-ai", "a", "2026", "ai_v2.1", "c", "index", "company", "com", "com10"] {
            assert_eq!(name_fault(good), None, "{good}");
        }
        let long = "a".repeat(65);
        for bad in [
            "", ".", "..", "a..b", ".a", "-a", "a.", "A", "é", "a/b", "a\\b", "a\0", "a b", "x.atom", "nul", "com1",
            "aux.x", &long,
        ] {
            assert!(name_fault(bad).is_some(), "{bad:?}");
        }
    }
}
