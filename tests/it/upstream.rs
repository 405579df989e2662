//! The defects of feed-rs in `docs/upstream.md`, shown against the crate itself: when one of these tests
//! fails after an upgrade, the work-round and its line in the document may go.

use std::panic::catch_unwind;

/// How feed-rs alone takes a document: the number of its items, or why there are none.
fn feed_rs(document: &'static [u8]) -> Result<usize, &'static str> {
    let read = catch_unwind(|| feed_rs::parser::parse(document).map(|feed| feed.entries.len()));
    match read {
        Ok(Ok(items)) => Ok(items),
        Ok(Err(_)) => Err("error"),
        Err(_) => Err("panic"),
    }
}

/// And how we take it.
fn ours(document: &[u8]) -> usize {
    veille::feed::read(document, &veille::feed::ReadContext::default()).expect("it is read").items.len()
}

fn check(document: &'static [u8], alone: Result<usize, &str>, with_us: usize) {
    assert_eq!(feed_rs(document), alone, "{}", String::from_utf8_lossy(document));
    assert_eq!(ours(document), with_us, "{}", String::from_utf8_lossy(document));
}

#[test]
fn a_character_of_several_bytes_beside_an_address_panics() {
    let document = "<rss version='2.0'><channel><title>t</title><item><title>a</title>\
        <author>作者：foo@example.com</author></item></channel></rss>";
    check(document.as_bytes(), Err("panic"), 1);
}

#[test]
fn a_mismatched_end_tag_loses_every_item() {
    check(
        b"<rss version='2.0'><channel><title>x</titel><item><title>a</title></item></channel></rss>",
        Err("error"),
        1,
    );
}

#[test]
fn atom_0_3_and_misspelt_namespaces_have_no_items() {
    check(
        b"<feed version='0.3' xmlns='http://purl.org/atom/ns#'><title>t</title><entry><title>a</title><id>i</id></entry></feed>",
        Ok(0),
        1,
    );
    check(
        b"<feed xmlns='https://www.w3.org/2005/Atom'><title>t</title><entry><title>a</title><id>i</id></entry></feed>",
        Ok(0),
        1,
    );
}

#[test]
fn a_bare_ampersand_and_a_missing_end_fail_the_whole_document() {
    check(b"<rss version='2.0'><channel><item><title>a & b</title></item></channel></rss>", Err("error"), 1);
    check(b"<rss version='2.0'><channel><item><title>a</title></item><item><title>b", Err("error"), 2);
}

#[test]
fn an_unknown_version_is_refused() {
    check(b"<rss version='2.01'><channel><item><title>a</title></item></channel></rss>", Err("error"), 1);
}
