//! From a template to the bytes of a feed document.
//!
//! A template may hold `{{hours:5}}` and `{{minutes:5}}`, the date so long before the demo's start
//! (below zero: after it), and `{{after_minutes:3}}…{{end}}`, what is published only then.

use crate::model::Timestamp;
use encoding_rs::Encoding;
use jiff::SignedDuration;

/// How a format writes its dates.
#[derive(Debug, Clone, Copy)]
pub(super) enum DateFormat {
    /// RSS 0.9x and 2.0.
    Rfc2822,
    /// Atom, JSON Feed, and Dublin Core's W3CDTF in RSS 1.0.
    Rfc3339,
}

/// A feed document in the making.
#[derive(Debug)]
pub(super) struct Document {
    pub template: &'static str,
    pub dates: DateFormat,
    /// What the document declares, and is sent in.
    pub encoding: &'static Encoding,
}

impl Document {
    /// The document as it stands `elapsed` after the demo's start.
    pub(super) fn bytes(&self, started_at: Timestamp, elapsed: SignedDuration) -> Vec<u8> {
        let text = dated(&published(self.template, elapsed), |before_start| self.dates.write(started_at, before_start));
        self.encoding.encode(&text).0.into_owned()
    }
}

impl DateFormat {
    fn write(self, started_at: Timestamp, before_start: SignedDuration) -> String {
        let pattern = match self {
            Self::Rfc2822 => "%a, %d %b %Y %H:%M:%S +0000",
            Self::Rfc3339 => "%Y-%m-%dT%H:%M:%SZ",
        };
        let at =
            started_at.checked_sub(before_start).expect("invariant: a template's dates are within days of the start");
        at.strftime(pattern).to_string()
    }
}

/// The template without what is published later.
fn published(template: &str, elapsed: SignedDuration) -> String {
    const END: &str = "{{end}}";
    let mut parts = template.split("{{after_minutes:");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (minutes, block) = part.split_once("}}").expect("invariant: a template closes its braces");
        let (block, rest) = block.split_once(END).expect("invariant: a template ends what it publishes later");
        if elapsed >= SignedDuration::from_mins(number(minutes)) {
            text.push_str(block);
        }
        text.push_str(rest);
    }
    text
}

/// The template with its dates filled in.
fn dated(template: &str, date: impl Fn(SignedDuration) -> String) -> String {
    let mut parts = template.split("{{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (placeholder, rest) = part.split_once("}}").expect("invariant: a template closes its braces");
        let before_start = match placeholder.split_once(':') {
            Some(("hours", hours)) => SignedDuration::from_hours(number(hours)),
            Some(("minutes", minutes)) => SignedDuration::from_mins(number(minutes)),
            _ => unreachable!("invariant: a template holds no other placeholder than hours and minutes"),
        };
        text.push_str(&date(before_start));
        text.push_str(rest);
    }
    text
}

fn number(digits: &str) -> i64 {
    digits.parse().expect("invariant: a template's numbers are numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::OUTLETS;

    fn start() -> Timestamp {
        "2026-11-24T12:00:00Z".parse().expect("a timestamp")
    }

    #[test]
    fn dates_are_written_as_the_format_wants_them() {
        fn check(dates: DateFormat, template: &'static str, expected: &str) {
            let document = Document { template, dates, encoding: encoding_rs::UTF_8 };
            let bytes = document.bytes(start(), SignedDuration::ZERO);
            assert_eq!(String::from_utf8_lossy(&bytes), expected);
        }
        check(DateFormat::Rfc2822, "<d>{{hours:5}}</d>", "<d>Tue, 24 Nov 2026 07:00:00 +0000</d>");
        check(DateFormat::Rfc3339, "{{hours:26}} {{minutes:-3}}", "2026-11-23T10:00:00Z 2026-11-24T12:03:00Z");
    }

    #[test]
    fn what_is_published_later_appears_in_its_minute() {
        let template = "a{{after_minutes:1}} b{{end}}{{after_minutes:3}} c{{end}} d";
        let at = |seconds| published(template, SignedDuration::from_secs(seconds));
        assert_eq!([at(0), at(59), at(60), at(180)], ["a d", "a d", "a b d", "a b c d"]);
    }

    #[test]
    fn every_document_is_complete_and_fits_its_encoding() {
        for outlet in &OUTLETS {
            for elapsed in [SignedDuration::ZERO, SignedDuration::from_hours(1)] {
                let document = &outlet.document;
                let bytes = document.bytes(start(), elapsed);
                let (text, malformed) = document.encoding.decode_without_bom_handling(&bytes);
                assert!(!malformed, "{}: not in its encoding", outlet.title);
                assert!(!text.contains("{{"), "{}: a placeholder is left", outlet.title);
                let lost = document.encoding.encode(document.template).2;
                assert!(!lost, "{}: a character that {} does not have", outlet.title, document.encoding.name());
            }
        }
    }
}
