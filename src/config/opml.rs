//! OPML, the format in which readers exchange subscription lists, read leniently.
//!
//! Reading is bounded whatever the document holds, expands no entity of its own, fetches nothing, and
//! reports what it leaves out by place. `export` writes OPML; what it writes reads back as the same feeds.

use super::diagnostics::quoted;
use super::values::{language_tag, parse_web_address};
use crate::model::WithoutQuery;
use encoding_rs::Encoding;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use url::Url;

/// Folders deeper than this no longer give groups; real lists nest three deep.
const DEEPEST_GROUP: usize = 16;
/// As many as are imported into a config within 256 MiB of memory.
const MOST_FEEDS: usize = 50_000;
const MOST_PROBLEMS: usize = 1_000;
const LONGEST_NAME_CHARACTERS: usize = 200;

/// A subscription list as read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Opml {
    /// One for each URL, in the order of the document.
    pub feeds: Vec<OpmlFeed>,
    pub problems: Vec<OpmlProblem>,
}

/// A feed of a list, with the groups of all its outlines.
#[derive(Debug, Clone, PartialEq)]
pub struct OpmlFeed {
    pub url: Url,
    pub title: Option<String>,
    /// The names of the folders around it, outermost first.
    pub groups: Vec<String>,
    pub language: Option<String>,
    /// Whether it is polled: `veille feeds export` marks those that are not.
    pub enabled: bool,
    /// Byte range of its first outline in the text.
    pub span: Range<usize>,
}

/// What could not be taken from a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpmlProblem {
    /// Byte range in the text.
    pub span: Range<usize>,
    pub message: String,
    /// Whether the list as a whole could not be read.
    pub is_fatal: bool,
    /// Whether the place holds credentials, and must not be shown.
    pub is_secret: bool,
}

/// The text of an OPML file: by BOM, else UTF-8 if valid, else as its XML declaration says.
pub fn decode(bytes: Vec<u8>) -> String {
    if let Some((encoding, bom_len)) = Encoding::for_bom(&bytes) {
        return encoding.decode_without_bom_handling(&bytes[bom_len..]).0.into_owned();
    }
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let bytes = error.as_bytes();
        let encoding = declared_encoding(bytes).unwrap_or(encoding_rs::UTF_8);
        encoding.decode_without_bom_handling(bytes).0.into_owned()
    })
}

fn declared_encoding(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    let (declaration, _) = start.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let label = value.trim_start_matches(['=', ' ', '"', '\'']);
    Encoding::for_label(label.split(['"', '\'']).next()?.as_bytes())
}

/// Reads a list; whatever is wrong in it becomes a problem, never an end.
pub fn read(text: &str) -> Opml {
    let mut reading = Reading::default();
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    loop {
        let start = position(reader.buffer_position());
        let event = reader.read_event();
        let span = start..position(reader.buffer_position());
        match event {
            Ok(Event::Start(element)) => reading.open(&element, span, true),
            Ok(Event::Empty(element)) => reading.open(&element, span, false),
            Ok(Event::End(element)) => reading.close(element.local_name().as_ref()),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                let at = position(reader.error_position());
                reading.problem(at..at, format!("the XML ends in disorder: {error}"), false);
                break;
            }
        }
    }
    reading.finish()
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[derive(Default)]
struct Reading {
    opml: Opml,
    /// The open outlines, each with its name if it is a folder; deeper ones are only counted.
    folders: Vec<Option<String>>,
    deeper: usize,
    index: HashMap<Url, usize>,
    has_root: bool,
    left_out: usize,
}

impl Reading {
    fn open(&mut self, element: &BytesStart<'_>, span: Range<usize>, has_content: bool) {
        match element.local_name().as_ref() {
            "outline" => {}
            "opml" => return self.has_root = true,
            _ => return,
        }
        let outline = Outline::of(element);
        let folder = match outline.address {
            Some(ref address) => {
                self.feed(&outline, address, span);
                None
            }
            None => outline.name(),
        };
        if !has_content {
            return;
        }
        if self.folders.len() < DEEPEST_GROUP {
            self.folders.push(folder);
        } else {
            self.deeper += 1;
        }
    }

    fn close(&mut self, name: &str) {
        if name != "outline" {
            return;
        }
        if self.deeper > 0 {
            self.deeper -= 1;
        } else {
            self.folders.pop();
        }
    }

    fn feed(&mut self, outline: &Outline, address: &str, span: Range<usize>) {
        let url = match parse_web_address(web_scheme(address).as_ref()) {
            Ok(url) => url,
            Err(reason) => {
                let told = quoted(&WithoutQuery(address).to_string());
                return self.problem(span, format!("{told} is left out: {reason}"), false);
            }
        };
        if !url.username().is_empty() || url.password().is_some() {
            let message = "an address with credentials is left out; list it in TOML with `basic_auth`";
            let message = message.to_owned();
            return self.note(OpmlProblem { span, message, is_fatal: false, is_secret: true });
        }
        let mut groups: Vec<String> = Vec::new();
        for group in self.folders.iter().flatten() {
            if !groups.contains(group) {
                groups.push(group.clone());
            }
        }
        if let Some(index) = self.index.get(&url) {
            let known = &mut self.opml.feeds[*index];
            known.title = known.title.take().or_else(|| outline.title(&url));
            groups.retain(|group| !known.groups.contains(group));
            known.groups.extend(groups);
            known.enabled &= outline.is_enabled();
        } else if self.opml.feeds.len() == MOST_FEEDS {
            self.left_out += 1;
        } else {
            self.index.insert(url.clone(), self.opml.feeds.len());
            let (title, language, enabled) = (outline.title(&url), outline.language.clone(), outline.is_enabled());
            self.opml.feeds.push(OpmlFeed { url, title, groups, language, enabled, span });
        }
    }

    fn problem(&mut self, span: Range<usize>, message: String, is_fatal: bool) {
        self.note(OpmlProblem { span, message, is_fatal, is_secret: false });
    }

    /// Bounded, because a list of a million bad outlines would say no more with all of them.
    fn note(&mut self, problem: OpmlProblem) {
        if self.opml.problems.len() < MOST_PROBLEMS {
            self.opml.problems.push(problem);
        }
    }

    fn finish(mut self) -> Opml {
        if !self.has_root {
            self.problem(0..0, "this is no OPML: it has no <opml> element".to_owned(), true);
        }
        if self.left_out > 0 {
            let message = format!("{} feeds are left out: a list may hold {MOST_FEEDS}", self.left_out);
            self.opml.problems.push(OpmlProblem { span: 0..0, message, is_fatal: false, is_secret: false });
        }
        self.opml
    }
}

/// What we take from an outline. Attribute names are matched without case: real lists write `xmlurl`.
#[derive(Default)]
struct Outline {
    address: Option<String>,
    title: Option<String>,
    text: Option<String>,
    language: Option<String>,
    enabled: Option<String>,
}

impl Outline {
    fn of(element: &BytesStart<'_>) -> Self {
        let mut outline = Self::default();
        for attribute in element.attributes().with_checks(false).flatten() {
            let slot = match attribute.key.as_ref().to_ascii_lowercase().as_str() {
                "xmlurl" => &mut outline.address,
                "title" => &mut outline.title,
                "text" => &mut outline.text,
                "language" => &mut outline.language,
                "veille:enabled" => &mut outline.enabled,
                _ => continue,
            };
            // Lenient: a bare `&` stays one, an HTML entity counts, an entity of the document's own does not.
            let value = htmlize::unescape_attribute(attribute.value.as_ref());
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            *slot = Some(value.chars().filter(|c| !c.is_control()).collect()).filter(|text: &String| !text.is_empty());
        }
        // Real lists write `unknown`, which would stand before what the feed itself says.
        outline.language = outline.language.and_then(|tag| language_tag(&tag.replace('_', "-")));
        outline
    }

    fn is_enabled(&self) -> bool {
        self.enabled.as_deref() != Some("false")
    }

    fn name(&self) -> Option<String> {
        let name = self.title.as_ref().or(self.text.as_ref())?;
        Some(name.chars().take(LONGEST_NAME_CHARACTERS).collect())
    }

    /// A title that only repeats the address is none.
    fn title(&self, url: &Url) -> Option<String> {
        self.name().filter(|name| Some(name) != self.address.as_ref() && name != url.as_str())
    }
}

/// `feed:` addresses (`feed://host/x`, `feed:https://host/x`) are web addresses in disguise.
fn web_scheme(address: &str) -> Cow<'_, str> {
    match address.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("feed:") => match address[5..].strip_prefix("//") {
            Some(rest) => Cow::Owned(format!("http://{rest}")),
            None => Cow::Borrowed(&address[5..]),
        },
        _ => Cow::Borrowed(address),
    }
}
