//! A tolerant tokenizer for XML as feeds really send it: any `&str` becomes a list of tokens, in linear time.
//!
//! It reports no errors: a `<` that opens nothing is text, a tag without its `>` ends where the next one begins,
//! an unclosed comment or CDATA section ends where a reader would say it does. It does not match tags and
//! resolves neither names nor references.

use memchr::{memchr, memchr_iter, memchr2, memmem};

/// One piece of the document. All slices borrow from the source as it stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Start(Tag<'a>),
    /// The qualified name of an end tag.
    End(&'a str),
    /// Text with its references not yet resolved.
    Text(&'a str),
    /// The inside of a CDATA section.
    CData(&'a str),
    /// Comments, processing instructions, the document type.
    Other(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// The qualified name, prefix included.
    pub name: &'a str,
    attributes: &'a str,
    /// Written as `<name/>`.
    pub empty: bool,
}

impl<'a> Tag<'a> {
    /// The attributes in order, values with their references not yet resolved.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.attributes }
    }

    /// The raw value of the attribute of that qualified name, ASCII case ignored.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        self.attributes().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Everything between the name and the end of the tag, as it stands there.
    pub fn raw_attributes(&self) -> &'a str {
        self.attributes
    }
}

/// Iterates over `name="value"` pairs; also takes `name='value'`, `name=value` and a bare `name`.
#[derive(Debug, Clone)]
pub(super) struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let start =
            self.rest.bytes().position(|byte| !is_space(byte) && !matches!(byte, b'/' | b'"' | b'\'' | b'='))?;
        let rest = &self.rest[start..];
        let (name, after) = rest.split_at(
            rest.bytes().position(|byte| is_space(byte) || matches!(byte, b'=' | b'/')).unwrap_or(rest.len()),
        );
        let Some(value) = trim_start(after).strip_prefix('=') else {
            self.rest = after;
            return Some((name, ""));
        };
        let value = trim_start(value);
        let (value, rest) = match value.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => {
                let inside = &value[1..];
                match memchr(*quote, inside.as_bytes()) {
                    Some(end) => (&inside[..end], &inside[end + 1..]),
                    None => (inside, ""),
                }
            }
            _ => value.split_at(value.bytes().position(is_space).unwrap_or(value.len())),
        };
        self.rest = rest;
        Some((name, value))
    }
}

/// [`str::trim_start`], sooner done where there is nothing to trim.
fn trim_start(text: &str) -> &str {
    if text.as_bytes().first().is_some_and(u8::is_ascii_graphic) { text } else { text.trim_start() }
}

/// White space of HTML and XML.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

#[derive(Debug, Clone)]
pub(super) struct Lexer<'a> {
    source: &'a str,
    position: usize,
    /// Searches that reached the end in vain are not repeated: `"`, `'`, `-->`, `]]>`, `?>`, `>`, `]`.
    exhausted: [bool; 7],
}

const DOUBLE_QUOTE: usize = 0;
const SINGLE_QUOTE: usize = 1;
const COMMENT_END: usize = 2;
const CDATA_END: usize = 3;
const INSTRUCTION_END: usize = 4;
const TAG_END: usize = 5;
const SUBSET_END: usize = 6;
const CLOSERS: [&str; 6] = ["\"", "'", "-->", "]]>", "?>", ">"];

impl<'a> Lexer<'a> {
    pub fn new(source: &'a str) -> Self {
        Lexer { source, position: 0, exhausted: [false; 7] }
    }

    /// Byte offset of the next token.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Goes back to a token's start, to read it again.
    pub fn rewind(&mut self, position: usize) {
        self.position = position;
    }

    pub fn source(&self) -> &'a str {
        self.source
    }

    /// Goes on after the end tag of that name; to the end of the source when there is none.
    pub fn skip_element(&mut self, name: &str) {
        let mut from = self.position;
        while let Some(at) = memmem::find(&self.source.as_bytes()[from..], b"</") {
            let start = from + at + 2;
            let end_name = &self.source[start..start + name_len(&self.source[start..])];
            if end_name.eq_ignore_ascii_case(name) {
                self.position = start - 2;
                self.end_tag();
                return;
            }
            from = start;
        }
        self.position = self.source.len();
    }

    /// The offset of a closer at or after `from`, remembering when there is none left.
    fn find(&mut self, closer: usize, from: usize) -> Option<usize> {
        if self.exhausted[closer] {
            return None;
        }
        let rest = self.source.as_bytes().get(from..)?;
        let found = match CLOSERS[closer].as_bytes() {
            [byte] => memchr(*byte, rest),
            bytes => memchr_iter(bytes[0], rest).find(|at| rest[*at..].starts_with(bytes)),
        };
        let found = found.map(|at| from + at);
        self.exhausted[closer] = found.is_none();
        found
    }

    fn text(&mut self) -> Token<'a> {
        let start = self.position;
        let mut from = start;
        let end = loop {
            match memchr(b'<', &self.source.as_bytes()[from..]) {
                None => break self.source.len(),
                Some(at) if opens_markup(&self.source.as_bytes()[from + at..]) && from + at > start => break from + at,
                Some(at) => from += at + 1,
            }
        };
        self.position = end;
        Token::Text(&self.source[start..end])
    }

    fn declaration(&mut self) -> Token<'a> {
        let start = self.position;
        let rest = &self.source[start..];
        if rest.starts_with("<!--") {
            let end = self.find(COMMENT_END, start + 4).map_or(start + 4, |at| at + 3);
            return self.other(end);
        }
        if rest.starts_with("<![CDATA[") {
            let inside = start + 9;
            let (end, after) = match self.find(CDATA_END, inside) {
                Some(at) => (at, at + 3),
                None => self.unclosed_cdata(inside),
            };
            self.position = after;
            return Token::CData(&self.source[inside..end]);
        }
        let end = self.document_type_end(start + 2);
        self.other(end)
    }

    fn other(&mut self, end: usize) -> Token<'a> {
        let start = self.position;
        self.position = end;
        Token::Other(&self.source[start..end])
    }

    /// A CDATA section that nobody closed ends with the element that a feed would wrap in one.
    fn unclosed_cdata(&self, inside: usize) -> (usize, usize) {
        const WRAPPERS: [&str; 6] = ["description", "content:encoded", "title", "summary", "content", "item"];
        let rest = &self.source[inside..];
        let is_wrapper = |at: &usize| WRAPPERS.contains(&&rest[at + 2..][..name_len(&rest[at + 2..])]);
        let end = rest.match_indices("</").map(|(at, _)| at).find(is_wrapper).unwrap_or(rest.len());
        (inside + end, inside + end)
    }

    /// The end of `<!DOCTYPE … [ … ]>`: the first `>` outside the internal subset.
    fn document_type_end(&mut self, from: usize) -> usize {
        let bytes = self.source.as_bytes();
        let mut in_subset = false;
        for (offset, byte) in bytes[from..].iter().enumerate() {
            match byte {
                b'[' if !self.exhausted[SUBSET_END] => in_subset = true,
                b']' => in_subset = false,
                b'>' if !in_subset => return from + offset + 1,
                _ => {}
            }
        }
        self.exhausted[SUBSET_END] = in_subset;
        self.find(TAG_END, from).map_or(bytes.len(), |at| at + 1)
    }

    fn instruction(&mut self) -> Token<'a> {
        let start = self.position;
        let tag_end = self.find(TAG_END, start).map_or(self.source.len(), |at| at + 1);
        let end = self.find(INSTRUCTION_END, start).map_or(tag_end, |at| at + 2);
        self.other(end)
    }

    fn end_tag(&mut self) -> Token<'a> {
        let start = self.position + 2;
        let rest = &self.source[start..];
        let name = &rest[..name_len(rest)];
        if rest.as_bytes().get(name.len()) == Some(&b'>') {
            self.position = start + name.len() + 1;
            return Token::End(name);
        }
        let stop = memchr2(b'>', b'<', rest.as_bytes()).unwrap_or(rest.len());
        let closed = rest.as_bytes().get(stop) == Some(&b'>');
        self.position = start + stop + usize::from(closed);
        Token::End(name)
    }

    fn start_tag(&mut self) -> Token<'a> {
        let start = self.position + 1;
        let name = &self.source[start..start + name_len(&self.source[start..])];
        let mut at = start + name.len();
        let bytes = self.source.as_bytes();
        if bytes.get(at) == Some(&b'>') {
            self.position = at + 1;
            return Token::Start(Tag { name, attributes: "", empty: false });
        }
        let mut after_equals = false;
        let (end, closed) = loop {
            match bytes.get(at) {
                None | Some(b'<') => break (at, false),
                Some(b'>') => break (at, true),
                Some(quote @ (b'"' | b'\'')) if after_equals => {
                    at = self.quoted_end(*quote, at);
                    after_equals = false;
                    continue;
                }
                Some(b'=') => after_equals = true,
                Some(byte) if byte.is_ascii_whitespace() => {}
                Some(_) => after_equals = false,
            }
            at += 1;
        };
        let inside = &self.source[start + name.len()..end];
        self.position = end + usize::from(closed);
        let empty = closed && inside.ends_with('/');
        let attributes = inside.strip_suffix('/').unwrap_or(inside).trim();
        Token::Start(Tag { name, attributes, empty })
    }

    /// The offset after the value's closing quote. A "value" that holds whole tags lost its quote:
    /// then the opening quote alone is stepped over and the tag will end at the next `>`.
    fn quoted_end(&mut self, quote: u8, at: usize) -> usize {
        let closer = if quote == b'"' { DOUBLE_QUOTE } else { SINGLE_QUOTE };
        match self.find(closer, at + 1) {
            Some(end) => {
                let value = &self.source[at + 1..end];
                let swallowed_tags = memchr(b'>', value.as_bytes())
                    .is_some_and(|close| memmem::find(&value.as_bytes()[close..], b"</").is_some());
                if swallowed_tags { at + 1 } else { end + 1 }
            }
            None => at + 1,
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = &self.source.as_bytes()[self.position..];
        if rest.is_empty() {
            return None;
        }
        if !opens_markup(rest) {
            return Some(self.text());
        }
        // Each arm says `Some`: said once of the match, it has each token copied, which waits for what was just written.
        match rest[1] {
            b'!' => Some(self.declaration()),
            b'?' => Some(self.instruction()),
            b'/' => Some(self.end_tag()),
            _ => Some(self.start_tag()),
        }
    }
}

/// Whether these bytes begin a tag, a declaration or an instruction rather than a stray `<`.
fn opens_markup(bytes: &[u8]) -> bool {
    let starts_name = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_' || *byte >= 0x80;
    bytes.first() == Some(&b'<')
        && match bytes.get(1) {
            Some(b'!') => bytes.get(2).is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'[')),
            Some(b'?') => true,
            Some(b'/') => bytes.get(2).is_some_and(starts_name),
            Some(byte) => starts_name(byte),
            None => false,
        }
}

fn name_len(text: &str) -> usize {
    const ENDS: [bool; 256] = {
        let mut ends = [false; 256];
        let mut at = 0;
        while at < b" \t\n\x0c\r/><=\"'".len() {
            ends[b" \t\n\x0c\r/><=\"'"[at] as usize] = true;
            at += 1;
        }
        ends
    };
    text.bytes().position(|byte| ENDS[usize::from(byte)]).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expected: &[Token<'_>]) {
        assert_eq!(Lexer::new(source).collect::<Vec<_>>(), expected, "{source}");
    }

    fn tag<'a>(name: &'a str, attributes: &'a str, empty: bool) -> Token<'a> {
        Token::Start(Tag { name, attributes, empty })
    }

    #[test]
    fn every_kind_of_token_is_found() {
        check(
            "<a x='1'>t<!-- c --></a>",
            &[tag("a", "x='1'", false), Token::Text("t"), Token::Other("<!-- c -->"), Token::End("a")],
        );
        check("<b/><![CDATA[<i>]]>", &[tag("b", "", true), Token::CData("<i>")]);
        check(
            "<!DOCTYPE r [<!ENTITY a 'b'>]><r>",
            &[Token::Other("<!DOCTYPE r [<!ENTITY a 'b'>]>"), tag("r", "", false)],
        );
    }

    #[test]
    fn broken_markup_becomes_text_or_ends_early() {
        check("1 < 2 <3", &[Token::Text("1 < 2 <3")]);
        check("<a <b>", &[tag("a", "", false), tag("b", "", false)]);
        check("</rss", &[Token::End("rss")]);
        check("<![CDATA[cut", &[Token::CData("cut")]);
        check("<![CDATA[cut</title>", &[Token::CData("cut"), Token::End("title")]);
        check("<a href=\"x>y</a>", &[tag("a", "href=\"x", false), Token::Text("y"), Token::End("a")]);
    }

    #[test]
    fn attributes_are_read_in_any_quoting() {
        let Some(Token::Start(tag)) = Lexer::new("<a b=\"1\" c='2>' d = 3 e>").next() else { panic!("no tag") };
        assert_eq!(tag.attributes().collect::<Vec<_>>(), [("b", "1"), ("c", "2>"), ("d", "3"), ("e", "")]);
        assert_eq!(tag.attribute("C"), Some("2>"));
    }
}
