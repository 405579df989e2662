//! feed-rs at work: a draft's structured fields, written as the plain RSS that it reads right, and read by it.
//!
//! The one place that names `feed_rs`, and the one that works round its defects (docs/upstream.md): the texts
//! never pass through it, nothing that makes it panic is written, and a panic would be an error, not the end.

use super::FeedError;
use super::draft::{Draft, DraftItem};
use feed_rs::model::Entry;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// Reads what has structure in the draft's items: an entry, or none, for each item in its order.
pub(super) fn read(draft: &Draft<'_>) -> Result<Vec<Option<Entry>>, FeedError> {
    let written = draft.items.iter().filter(|item| has_structure(item)).count();
    if written == 0 {
        return Ok(vec![None; draft.items.len()]);
    }
    let document = write(draft);
    let feed = quietly(|| {
        // A parser that met an error inside an item panics on its next document, so each has its own.
        let parser =
            feed_rs::parser::Builder::new().sanitize_content(false).id_generator(|_, _, _| String::new()).build();
        parser.parse(document.as_bytes())
    })
    .ok_or_else(|| FeedError::Reader("feed-rs panicked".to_owned()))?
    .map_err(|error| FeedError::Reader(error.to_string()))?;
    if feed.entries.len() != written {
        return Err(FeedError::Reader(format!("feed-rs read {} of {written} items", feed.entries.len())));
    }
    let mut entries = feed.entries.into_iter();
    Ok(draft.items.iter().map(|item| if has_structure(item) { entries.next() } else { None }).collect())
}

/// Whether an item has enclosures, or an address among its authors. Names and categories are words, which feed-rs would
/// give back as they are, for a quarter of what reading a document takes.
fn has_structure(item: &DraftItem<'_>) -> bool {
    !item.enclosures.is_empty() || item.authors.iter().any(|author| author.contains('@'))
}

fn write(draft: &Draft<'_>) -> String {
    let mut out = String::with_capacity(256 + draft.items.len() * 256);
    out.push_str("<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel>");
    for item in draft.items.iter().filter(|item| has_structure(item)) {
        write_item(&mut out, item);
    }
    out.push_str("</channel></rss>");
    out
}

fn write_item(out: &mut String, item: &DraftItem<'_>) {
    out.push_str("<item>");
    for author in &item.authors {
        let name = person_name(author);
        if !name.is_empty() {
            out.push_str("<dc:creator>");
            escape(out, &name);
            out.push_str("</dc:creator>");
        }
    }
    for enclosure in &item.enclosures {
        out.push_str("<enclosure");
        attribute(out, "url", &enclosure.url);
        attribute(out, "type", enclosure.media_type.as_deref().unwrap_or_default());
        attribute(out, "length", enclosure.length.as_deref().unwrap_or_default());
        out.push_str("/>");
    }
    out.push_str("</item>");
}

fn attribute(out: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        out.extend([" ", name, "=\""]);
        escape(out, value);
        out.push('"');
    }
}

fn escape(out: &mut String, text: &str) {
    for piece in text.split_inclusive(['&', '<', '>', '"']) {
        let (plain, special) = piece.split_at(piece.len() - usize::from(piece.ends_with(['&', '<', '>', '"'])));
        out.push_str(plain);
        out.push_str(match special {
            "&" => "&amp;",
            "<" => "&lt;",
            ">" => "&gt;",
            "\"" => "&quot;",
            _ => "",
        });
    }
}

/// The name in `name@example.org (Name)`, `Name <name@example.org>` or `Name (name@example.org)`; the address
/// where there is no name.
///
/// feed-rs splits such a text at byte positions beside the address and panics where a character of several
/// bytes stands there, so it gets either a name or an address, never both.
fn person_name(author: &str) -> String {
    if !author.contains('@') {
        return author.trim().to_owned();
    }
    let mut name = String::new();
    let mut address = None;
    for word in
        author.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '<' | '>' | '（' | '）' | '：' | '[' | ']'))
    {
        let word = word.trim_start_matches("mailto:");
        let ascii = &word[..word.find(|c: char| !c.is_ascii()).unwrap_or(word.len())];
        let is_address = ascii.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
        if is_address {
            address = address.or(Some(ascii));
        } else if word.contains('@') && !word.is_ascii() {
            name.extend([" ", &word.replace('@', " ")]);
        } else if !word.is_empty() && word != "mailto" {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(word);
        }
    }
    let name = name.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | ';' | ':' | '-' | '\''));
    if name.is_empty() { address.unwrap_or_default().to_owned() } else { name.to_owned() }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic; a panic gives `None` and prints nothing.
pub(super) fn quietly<T>(run: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let outer = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                outer(panic);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(run)).ok();
    QUIET.set(false);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_beside_addresses() {
        for (author, expected) in [
            ("jane@example.org (Jane Doe)", "Jane Doe"),
            ("Jane Doe <jane@example.org>", "Jane Doe"),
            ("Anthony (noreply@example.com)", "Anthony"),
            ("jane@example.org", "jane@example.org"),
            ("作者：foo@example.com", "作者"),
            ("foo@example.com（张三）", "张三"),
            ("mailto:x@example.org (Игорь)", "Игорь"),
            ("@handle", "@handle"),
            ("a@example.org\u{fffd})\"", "a@example.org"),
            ("é@example.org Ä", "é example.org Ä"),
            ("@é.a@b.org", "é.a b.org"),
        ] {
            assert_eq!(person_name(author), expected, "{author}");
        }
    }

    #[test]
    fn a_panic_is_caught_and_silent() {
        assert_eq!(quietly(|| 1), Some(1));
        assert_eq!(quietly(|| panic!("as feed-rs does")), None::<()>);
    }
}
