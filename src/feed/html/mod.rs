//! Safe HTML: what an item's content may show, with absolute links and without what watches its readers.
//!
//! One rewriting pass bounds the input, makes links absolute, takes the words along and drops all that is not on the list of elements
//! and attributes; where that leaves markup that HTML's parser would put in order, ammonia does so. Neither loads anything.

mod attributes;
mod escape;
mod tidy;

pub(super) use escape::escaped_paragraphs;

use super::elements::Element;
use super::lexer::{Lexer, Tag, Token};
use super::reference::{self, Piece};
use super::text::{self, Dialect, Plain, Walker, local, lower};
use escape::{push_escaped, push_escaped_value};
use std::collections::HashSet;
use std::sync::LazyLock;
use url::Url;

/// Longest HTML of one item, in bytes; what is beyond is cut.
pub const MAX_HTML_BYTES: usize = 256 * 1024;
/// Deeper or busier markup is shown as its text. html5ever's time grows with the square of both.
const MAX_DEPTH: usize = 256;
const MAX_TAGS: usize = 10_000;
const MAX_ATTRIBUTES: usize = 64;

const REL: &str = "noopener noreferrer nofollow ugc";

/// HTML as read: for the eye, and as words.
pub(super) struct Reading {
    /// Sanitised, links absolute.
    pub html: String,
    pub text: String,
    /// Whether the markup was beyond bounds and is shown as text.
    pub is_flood: bool,
}

/// Says what relative links are resolved against, if anything: asked only where there is one, which is seldom.
pub(super) type Base<'b> = &'b dyn Fn() -> Option<&'b Url>;

/// Reads HTML in one pass. Without a base address relative links go. The dialect is that of the text.
pub(super) fn read(html: &str, dialect: Dialect, base: Base<'_>) -> Reading {
    let html = cut_html(html);
    let mut rewriter = Rewriter {
        out: String::with_capacity(html.len() + 64),
        words: Walker::new(dialect, Plain::for_source(html)),
        open: Vec::new(),
        tags: 0,
        is_tidy: true,
        is_pre_start: false,
        base,
    };
    if rewriter.run(html).is_err() {
        let text = if dialect == Dialect::Loose { text::to_text_loose(html) } else { text::to_text(html) };
        return Reading { html: escaped_paragraphs(&text::to_text(html)), text, is_flood: true };
    }
    let text = rewriter.words.finish().text;
    let html = if rewriter.is_tidy { rewriter.out } else { AMMONIA.clean(&rewriter.out).to_string() };
    Reading { html, text, is_flood: false }
}

/// The longest beginning of at most that many bytes that ends between characters.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// HTML within the cap; a tag that the cut would go through goes as a whole.
pub(super) fn cut_html(html: &str) -> &str {
    if html.len() <= MAX_HTML_BYTES {
        return html;
    }
    let kept = cut(html, MAX_HTML_BYTES);
    match kept.rfind(['<', '>']) {
        Some(at) if kept[at..].starts_with('<') => &kept[..at],
        _ => kept,
    }
}

static AMMONIA: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut builder = ammonia::Builder::default();
    builder
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some(REL));
    builder
});

/// Markup beyond the bounds.
struct TooMuch;

struct Rewriter<'b> {
    out: String,
    words: Walker<Plain>,
    open: Vec<Element>,
    tags: usize,
    /// Whether the output is the form that ammonia itself would write: every element closed where HTML's
    /// parser would close it, none in a place from where the parser would move it.
    is_tidy: bool,
    /// Whether preformatted text begins here, whose first line break is none.
    is_pre_start: bool,
    base: Base<'b>,
}

impl Rewriter<'_> {
    fn run(&mut self, html: &str) -> Result<(), TooMuch> {
        let mut lexer = Lexer::new(html);
        loop {
            let at = lexer.position();
            let Some(token) = lexer.next() else { break };
            match token {
                Token::Text(text) => self.text_with_references(text, at),
                Token::CData(text) => {
                    self.words.cdata(text, at);
                    self.text(text);
                }
                Token::Other(_) => {}
                Token::Start(tag) => {
                    let element = Element::of(local(tag.name));
                    self.words.tag(element, &html[at..lexer.position()], at);
                    if !element.is_silent() {
                        self.start(&tag, element)?;
                    } else if !tag.empty {
                        lexer.skip_element(tag.name);
                    }
                }
                Token::End(name) => {
                    let element = Element::of(local(name));
                    self.words.tag(element, &html[at..lexer.position()], at);
                    if element.is_safe() {
                        self.end(element);
                    }
                }
            }
        }
        if self.is_tidy {
            self.close_to(0);
        }
        Ok(())
    }

    fn text_with_references(&mut self, text: &str, at: usize) {
        for (place, piece) in reference::pieces(text) {
            let place = at + place.start..at + place.end;
            match piece {
                Piece::Text(text) => {
                    self.words.words(text, place.start);
                    self.text(text);
                }
                Piece::Reference(reference) => {
                    let mut buffer = [0; 4];
                    let resolved = reference.as_str(&mut buffer);
                    self.words.reference(resolved, place);
                    self.text(resolved);
                }
            }
        }
    }

    fn text(&mut self, mut text: &str) {
        if self.is_tidy && !text.is_empty() {
            if self.is_pre_start
                && let Some(rest) = text.strip_prefix('\n')
            {
                // Of two line breaks the parser would take the second from what is written without the first.
                self.is_tidy = !rest.is_empty() && !rest.starts_with('\n');
                text = if self.is_tidy { rest } else { text };
            }
            self.is_pre_start = false;
            self.is_tidy = self.is_tidy && tidy::text_fits(text, self.open.last().copied());
        }
        push_escaped(&mut self.out, text);
    }

    fn start(&mut self, tag: &Tag<'_>, element: Element) -> Result<(), TooMuch> {
        self.tags += 1;
        if self.tags > MAX_TAGS {
            return Err(TooMuch);
        }
        if !element.is_safe() || element.name == "img" && attributes::is_tracker(tag) {
            return Ok(());
        }
        if self.open.last().is_some_and(|open| tidy::ends(*open, element)) {
            self.close_to(self.open.len() - 1);
        }
        if element.name == "tr" && self.open.last().is_some_and(|open| open.name == "table") {
            self.out.push_str("<tbody>");
            self.open.push(Element::of("tbody"));
        }
        self.is_tidy = self.is_tidy && tidy::fits(element, &self.open);
        self.out.push('<');
        self.out.push_str(element.name);
        self.attributes(tag, element.name);
        self.out.push('>');
        self.is_pre_start = element.name == "pre";
        if !element.is_void() {
            if self.open.len() >= MAX_DEPTH {
                return Err(TooMuch);
            }
            self.open.push(element);
        }
        Ok(())
    }

    fn end(&mut self, element: Element) {
        let is_table_with_body = element.name == "table"
            && matches!(&self.open[..], [.., table, body] if table.name == "table" && body.name == "tbody");
        if is_table_with_body {
            self.close_to(self.open.len() - 1);
        }
        let Some(at) = self.open.iter().rposition(|open| open.name == element.name) else { return };
        if self.is_tidy && tidy::ends_inside(element.name, &self.open[at + 1..]) {
            self.close_to(at + 1);
        }
        self.is_tidy = self.is_tidy && at + 1 == self.open.len();
        self.open.remove(at);
        self.close(element);
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth
            && let Some(element) = self.open.pop()
        {
            self.close(element);
        }
    }

    fn close(&mut self, element: Element) {
        self.is_pre_start = false;
        self.out.push_str("</");
        self.out.push_str(element.name);
        self.out.push('>');
    }

    fn attributes(&mut self, tag: &Tag<'_>, element: &str) {
        let mut kept = [""; attributes::MAX_KEPT];
        for (name, value) in tag.attributes().take(MAX_ATTRIBUTES) {
            let Some(name) = attributes::allowed(element, &lower(name)).filter(|name| !kept.contains(name)) else {
                continue;
            };
            let value = reference::resolve(value);
            let value = if matches!(name, "href" | "src" | "cite") {
                let Some(address) = attributes::safe_address(&value, self.base, name == "href") else { continue };
                address
            } else {
                value
            };
            if let Some(free) = kept.iter_mut().find(|kept| kept.is_empty()) {
                *free = name;
            }
            self.push_attribute(name, &value);
        }
        if element == "a" {
            self.push_attribute("rel", REL);
        }
    }

    fn push_attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        push_escaped_value(&mut self.out, value);
        self.out.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sanitise(html: &str, base: Option<&Url>) -> (String, bool) {
        let read = read(html, Dialect::Html, &|| base);
        assert_eq!(read.text, text::to_text(cut_html(html)), "{}", cut(html, 200));
        (read.html, read.is_flood)
    }

    fn check(html: &str, expected: &str) {
        let base = Url::parse("https://example.org/blog/").expect("a valid address");
        let (safe, _) = sanitise(html, Some(&base));
        assert_eq!(safe, expected, "{html}");
    }

    #[test]
    fn plain_markup_stays() {
        check("<p>One <b>two</b> &amp; three</p>", "<p>One <b>two</b> &amp; three</p>");
        check("<ul><li>a</li><li>b</li></ul><hr>", "<ul><li>a</li><li>b</li></ul><hr>");
    }

    #[test]
    fn script_in_any_form_goes() {
        check("a<script>alert(1)</script>b", "ab");
        check("<p onclick=\"x()\" style=\"y\">c</p>", "<p>c</p>");
        check("<a href=\"javascript:alert(1)\">d</a>", "<a rel=\"noopener noreferrer nofollow ugc\">d</a>");
        check("<a href=\" JaVa\tScript:alert(1)\">d</a>", "<a rel=\"noopener noreferrer nofollow ugc\">d</a>");
        check("<img src=\"data:text/html,x\" alt=e>", "<img alt=\"e\">");
        check("<iframe src=\"https://example.org\">f</iframe><form><input>g</form>", "g");
        check("<svg><script>h</script></svg>i<base href=\"//evil/\"><meta http-equiv=refresh>", "i");
    }

    #[test]
    fn links_become_absolute() {
        check(
            "<a href=\"../x?a=1&b=2\">x</a>",
            "<a href=\"https://example.org/x?a=1&amp;b=2\" rel=\"noopener noreferrer nofollow ugc\">x</a>",
        );
        check("<img src=\"i.png\">", "<img src=\"https://example.org/blog/i.png\">");
    }

    #[test]
    fn trackers_go_and_pictures_stay() {
        check("<img src=\"https://t.example/p.gif\" width=\"1\" height=\"1\">a", "a");
        check("<img src=\"http://feeds.feedburner.com/~r/x/~4/y\" alt=\"\">b", "b");
        check("<img src=\"https://example.org/i.png\" width=1>", "<img src=\"https://example.org/i.png\" width=\"1\">");
    }

    #[test]
    fn misnested_markup_is_put_in_order() {
        check("<p>a<p>b", "<p>a</p><p>b</p>");
        check("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b><i>c</i>");
        check("<table><tr><td>x</td></tr></table>", "<table><tbody><tr><td>x</td></tr></tbody></table>");
        check(
            "<table><tbody>y<tr><td>x</td></tr></tbody></table>",
            "y<table><tbody><tr><td>x</td></tr></tbody></table>",
        );
        check("<pre>\na</pre>", "<pre>a</pre>");
        check("<pre>\n\na</pre>", "<pre>\na</pre>");
        check("<pre>\n<i></i>\na</pre><p>b<ul><li>c", "<pre><i></i>\na</pre><p>b</p><ul><li>c</li></ul>");
        check("<blockquote><p>a</blockquote></p>b", "<blockquote><p>a</p></blockquote>b");
    }

    #[test]
    fn markup_beyond_bounds_becomes_text_in_linear_time() {
        for piece in ["<b x>", "<ul><li>", "<div>", "<font><i><b></font>", "<b></x>"] {
            let html = piece.repeat(50_000) + "text";
            let started = std::time::Instant::now();
            let (safe, is_text) = sanitise(&html, None);
            assert!(is_text, "{piece}");
            assert!(safe.is_empty() || safe == "<p>text</p>", "{piece}");
            assert!(started.elapsed().as_secs() < 1, "{piece} took {:?}", started.elapsed());
        }
    }

    #[test]
    fn sanitising_twice_is_once_and_ammonia_agrees() {
        for html in [
            "<p>a &lt;b&gt; \"q\" &nbsp; é</p>",
            "<a href='https://x.example/?a=1&amp;b=\"2\"'>l</a>",
            "<div><p>x</p><ol start=3><li>y</ol></div>",
            "<h2>t</h2><blockquote cite=https://x.example>q</blockquote>",
            "a &amp;amp; b > c",
            "<i>unclosed",
            "</p>stray</div>",
            "<dl><dt>a<dd>b</dl>",
            "<table>\n<tbody><tr> <td>a<b>c</b></td>\n<th>b</th></tr>\n</tbody></table>",
            "<table><thead><tr><th><table><tbody><tr><td>a</td></tr></tbody></table></th></tr></thead></table>",
            "<table><tbody><tr><td><p>a<td>b</table>",
            "<p>a<table><tbody><tr><td>b</td></tr></tbody></table>",
            "<table><tbody><tr><td><a href='https://x.example'>a</td></tr></tbody></table>b",
            "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>c",
            "<table><tr><td>a</td></tr><thead><tr><td>b</td></tr></thead></table>",
            "<table><tr><td><table><tr><td>a</td></tr></table></td></tr></table>",
            "<pre>a\nb</pre><pre> \n</pre><pre><b>\na</b></pre><pre>\nb</pre>",
            "<table><caption>a <b>b</b></caption><colgroup> <col></colgroup><tbody><tr><td>c</td></tr></tbody></table>",
            "<div><p>a</div>b",
            "<div><b>a</div>b",
            "<blockquote><p>a<span>b</blockquote></p>c",
            "<ul><li><p>a<li>b</ul>c",
            "<div><ul><li>a</div>b",
            "<ul><li>a<ol><li>b</li></ol></ul>c",
            "<p>a<span>b</p>c</span>",
        ] {
            let (once, _) = sanitise(html, None);
            assert_eq!(sanitise(&once, None).0, once, "{html}");
            assert_eq!(AMMONIA.clean(&once).to_string(), once, "{html}");
        }
    }
}
