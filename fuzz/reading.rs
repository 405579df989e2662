//! What must be true of any document, whoever wrote it. Shared by the fuzz target and by the mutation test of `tests/it`.

use veille::feed::{FeedError, MAX_ITEMS, ParsedFeed, ReadContext, read};
use veille::model::ItemContent;

/// Longest title, in bytes, as the reader promises.
const MAX_TITLE_BYTES: usize = 4 * 1024;

/// Takes the first line of `input` for the charset that the server names, the rest for the document.
pub fn exercise(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let charset = std::str::from_utf8(&input[..end]).ok().filter(|charset| !charset.is_empty());
    let context = ReadContext { base_url: "https://example.org/feed", http_charset: charset, ..ReadContext::default() };
    let body = &input[end..];
    match read(body, &context) {
        Ok(feed) => {
            check_feed(&feed);
            assert_eq!(read(body, &context).as_ref(), Ok(&feed), "a document reads the same twice");
        }
        Err(error) => assert!(!matches!(error, FeedError::Reader(_)), "{error}"),
    }
}

fn check_feed(feed: &ParsedFeed) {
    assert!(feed.items.len() <= MAX_ITEMS);
    for item in &feed.items {
        check_item(&item.content);
    }
}

fn check_item(content: &ItemContent) {
    assert!(content.title.len() <= MAX_TITLE_BYTES, "a title of {} bytes", content.title.len());
    let lines = std::iter::once(&content.title).chain(&content.authors).chain(&content.categories);
    for line in lines {
        assert!(!line.contains('\n'), "{line:?} is not one line");
    }
    let html = content.content_html.to_ascii_lowercase();
    for never in ["<script", "<iframe", "<object", "<style", "<form", "href=\"javascript:", "src=\"javascript:"] {
        assert!(!html.contains(never), "{never} in {html}");
    }
    let handlers = html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    for tag in handlers {
        let quoted_out: String = tag.split('"').step_by(2).collect();
        assert!(!quoted_out.contains(" on"), "a handler in <{tag}>");
    }
}
