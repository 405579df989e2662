//! The article of a web page, without the page around it: found by Readability's rules (`dom_smoothie`), then
//! sanitised like the HTML of any item.
//!
//! Its parser's time grows with the square of depth and of attributes, so pages beyond bounds are refused unparsed.

use super::elements::Element;
use super::lexer::{Lexer, Token};
use super::text::Dialect;
use super::{ReadContext, decode, html, skeleton};
use dom_smoothie::{Config, Readability};
use url::Url;

/// Longest page that is looked at, in bytes of its text.
const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;
const MAX_TAGS: usize = 30_000;
const MAX_DEPTH: usize = 400;
const MAX_ATTRIBUTES: usize = 200;

/// What an article page says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// Sanitised, links absolute.
    pub html: String,
    pub text: String,
}

/// Finds the article of a page. `None` where the page has none, or is beyond bounds.
///
/// ```
/// use veille::feed::{article, ReadContext};
/// let words = "A sentence of the article, with a comma or two, and a full stop. ".repeat(20);
/// let page = format!("<nav><a href=/>Home</a></nav><article><h1>T</h1><p>{words}</p><p>{words}</p></article>");
/// let context = ReadContext { base_url: "https://example.org/1", ..ReadContext::default() };
/// let article = article(page.as_bytes(), &context).expect("an article");
/// assert!(article.text.starts_with("A sentence") || article.text.contains("\nA sentence"));
/// assert!(!article.text.contains("Home"));
/// ```
pub fn article(body: &[u8], context: &ReadContext<'_>) -> Option<Article> {
    let page = decode::decode_page(body, context.http_charset);
    if page.len() > MAX_PAGE_BYTES || !is_bounded(&page) {
        return None;
    }
    let base = Url::parse(context.base_url).ok();
    let config = Config { max_elements_to_parse: MAX_TAGS, disable_json_ld: true, ..Config::default() };
    let found = skeleton::quietly(|| {
        let mut reader = Readability::new(&*page, base.as_ref().map(Url::as_str), Some(config)).ok()?;
        reader.parse().ok().map(|article| article.content.to_string())
    });
    let found = found.flatten()?;
    let read = html::read(&found, Dialect::Html, &|| base.as_ref());
    (!read.text.is_empty()).then_some(Article { html: read.html, text: read.text })
}

/// Whether HTML's parser will be done with the page in good time.
fn is_bounded(page: &str) -> bool {
    let (mut tags, mut depth) = (0_usize, 0_usize);
    Lexer::new(page).all(|token| {
        match token {
            Token::Start(tag) => {
                tags += 1;
                // What may be left unclosed does not nest in itself.
                let nests = !tag.empty
                    && !Element::of(tag.name).is_void()
                    && !matches!(tag.name, "p" | "li" | "dt" | "dd" | "tr" | "td" | "th" | "option");
                depth += usize::from(nests);
                if tag.attributes().nth(MAX_ATTRIBUTES).is_some() {
                    return false;
                }
            }
            Token::End(_) => depth = depth.saturating_sub(1),
            Token::Text(_) | Token::CData(_) | Token::Other(_) => {}
        }
        tags <= MAX_TAGS && depth <= MAX_DEPTH
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENTENCE: &str =
        "The regulator said, in a statement, that the merger would be looked at again in the spring. ";

    fn read(page: &str) -> Option<Article> {
        article(page.as_bytes(), &ReadContext { base_url: "https://example.org/news/1", ..ReadContext::default() })
    }

    #[test]
    fn the_article_is_found_and_made_safe() {
        let page = format!(
            "<html><head><title>Merger</title></head><body><div class=menu><a href='/a'>About us</a></div>\
             <article><p onclick='x()'>{0}<a href='../more'>More</a></p><script>alert(1)</script><p>{0}{0}{0}{0}{0}{0}</p></article>\
             <footer>Cookie settings</footer></body></html>",
            SENTENCE.repeat(2)
        );
        let article = read(&page).expect("an article");
        assert!(article.text.contains("looked at again"), "{article:?}");
        assert!(article.html.contains("https://example.org/more"), "{article:?}");
        for gone in ["About us", "Cookie", "alert", "onclick"] {
            assert!(!article.html.contains(gone) && !article.text.contains(gone), "{gone}: {article:?}");
        }
    }

    #[test]
    fn the_encoding_of_a_page_is_found_where_it_is_said() {
        let long = "长江三角洲的城市在春天迎来了新的展览，参观者来自全国各地，展期为三个月。".repeat(10);
        let longer = "東京の美術館では、春の展覧会が始まり、全国から多くの人が訪れています。".repeat(10);
        for (label, words) in [("gb18030", &long), ("gb2312", &long), ("shift_jis", &longer), ("euc-jp", &longer)] {
            let encoding = encoding_rs::Encoding::for_label(label.as_bytes()).expect("a known label");
            let page = |meta: &str| {
                let text = format!(
                    "<html><head>{meta}<title>t</title></head><body><article><p>{words}</p><p>{words}</p></article>"
                );
                encoding.encode(&text).0.into_owned()
            };
            let read = |page: &[u8], http_charset| {
                let base_url = "https://example.org/1";
                article(page, &ReadContext { base_url, http_charset, ..ReadContext::default() })
                    .expect("an article")
                    .text
            };
            let said = page(&format!("<meta charset=\"{label}\">"));
            let pragma = page(&format!("<meta http-equiv=Content-Type content='text/html; charset={label}'>"));
            for text in [read(&said, None), read(&pragma, None), read(&page("<meta charset=koi8-r>"), Some(label))] {
                assert!(text.starts_with(&words[..30]), "{label}: {text}");
            }
        }
    }

    #[test]
    fn pages_beyond_bounds_are_refused_in_time() {
        for piece in ["<div>", "<b x>", "<font><i><b></font>"] {
            assert_eq!(read(&piece.repeat(100_000)), None, "{piece}");
        }
        let attributes: String = (0..5_000).map(|n| format!(" a{n}=1")).collect();
        assert_eq!(read(&format!("<p{attributes}>{}", SENTENCE.repeat(20))), None);
    }

    #[test]
    fn a_page_without_an_article_has_none() {
        assert_eq!(read(""), None);
        assert_eq!(read("\u{0}\u{1}"), None);
    }
}
