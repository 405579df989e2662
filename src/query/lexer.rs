//! A query's text to tokens with byte spans. Never gives up: what it cannot read is a diagnostic and a placeholder.

use super::compare::{CompareOp, Comparison};
use super::tree::{Proximity, ProximityKind, Scope};
use super::{DEFAULT_DISTANCE_WORDS, MAX_DISTANCE_WORDS, QueryDiagnostic};
use crate::model::Field;
use std::ops::Range;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `-` right before a term.
    Minus,
    Proximity(Proximity),
    Scope(Scope),
    Text {
        text: String,
        exact: bool,
        quoted: bool,
    },
    Stem(String),
    Regex(String),
    List(String),
    Compare(Comparison),
    /// Stands for a term that could not be read, so that the parser does not complain of its absence.
    Unreadable,
}

#[derive(Debug, Clone)]
pub(super) struct Spanned {
    pub token: Token,
    pub span: Range<usize>,
}

/// The tokens of `text` and what is wrong in it.
pub(super) fn lex(text: &str) -> (Vec<Spanned>, Vec<QueryDiagnostic>) {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), diagnostics: Vec::new() };
    while lexer.skip_blanks() {
        lexer.token();
    }
    (lexer.tokens, lexer.diagnostics)
}

/// A pattern as it stands between slashes.
pub(super) fn escape_regex(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
            }
            '/' => out.push_str("\\/"),
            _ => out.push(c),
        }
    }
    out
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Spanned>,
    diagnostics: Vec<QueryDiagnostic>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// False at the end of the text.
    fn skip_blanks(&mut self) -> bool {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.at < self.text.len()
    }

    fn push(&mut self, token: Token, start: usize) {
        self.tokens.push(Spanned { token, span: start..self.at });
    }

    fn fail(&mut self, diagnostic: QueryDiagnostic, start: usize) {
        self.diagnostics.push(diagnostic);
        self.push(Token::Unreadable, start);
    }

    fn token(&mut self) {
        let start = self.at;
        let rest = self.rest();
        let first = rest.chars().next().expect("blanks were skipped and the text goes on");
        match first {
            '(' | '（' => self.single(first, Token::Open),
            ')' | '）' => self.single(first, Token::Close),
            '-' if rest[1..].starts_with(|c: char| !c.is_whitespace() && !is_close(c)) => {
                self.single(first, Token::Minus);
            }
            '@' => self.list(),
            '/' => self.regex(),
            '~' | '=' => self.marked(first),
            _ if is_open_quote(first) => {
                if let Some(text) = self.quoted() {
                    self.push(Token::Text { text, exact: false, quoted: true }, start);
                }
            }
            _ => self.word(),
        }
    }

    fn single(&mut self, c: char, token: Token) {
        let start = self.at;
        self.at += c.len_utf8();
        self.push(token, start);
    }

    fn take_word(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || is_paren(c) || is_open_quote(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn list(&mut self) {
        let start = self.at;
        self.at += 1;
        let name = self.take_word();
        if name.is_empty() {
            let problem = QueryDiagnostic::error(start..self.at, "`@` without the name of a list");
            self.fail(problem.with_help("write `@name`, with the name as in [lists]"), start);
        } else {
            self.push(Token::List(name.to_string()), start);
        }
    }

    /// `=word`, `="a phrase"`, `~word`.
    fn marked(&mut self, mark: char) {
        let start = self.at;
        self.at += 1;
        let text = if self.rest().starts_with(is_open_quote) {
            match self.quoted() {
                Some(text) => text,
                None => return,
            }
        } else {
            self.take_word().to_string()
        };
        if text.is_empty() {
            let problem = QueryDiagnostic::error(start..self.at, format!("`{mark}` without a word"));
            self.fail(problem.with_help(format!("write `{mark}word` without a blank")), start);
        } else if mark == '=' {
            self.push(Token::Text { text, exact: true, quoted: true }, start);
        } else {
            self.push(Token::Stem(text), start);
        }
    }

    /// The text between quotes; `\"` and `\\` are a quote and a backslash. `None` when it is not closed.
    fn quoted(&mut self) -> Option<String> {
        let start = self.at;
        let open = self.rest().chars().next().expect("called at a quote");
        let closes: &[char] = match open {
            '"' => &['"'],
            '“' => &['”'],
            '«' => &['»'],
            // „German“ and „Polish”.
            _ => &['“', '”'],
        };
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            if closes.contains(&c) {
                self.at += offset + c.len_utf8();
                return Some(text);
            }
            let escaped = || self.rest()[offset + 1..].chars().next().filter(|&next| next == '"' || next == '\\');
            match (c == '\\').then(escaped).flatten() {
                Some(next) => {
                    chars.next();
                    text.push(next);
                }
                None => text.push(c),
            }
        }
        self.at = self.text.len();
        let problem = QueryDiagnostic::error(start..start + open.len_utf8(), "this quote is never closed");
        self.fail(problem.with_help(format!("add `{}` where the phrase ends", closes[0])), start);
        None
    }

    fn regex(&mut self) {
        let start = self.at;
        let mut pattern = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            match c {
                '/' => {
                    self.at += offset + 1;
                    return self.regex_end(pattern, start);
                }
                '\\' => match chars.next() {
                    Some((_, '/')) => pattern.push('/'),
                    Some((_, next)) => pattern.extend(['\\', next]),
                    None => pattern.push('\\'),
                },
                _ => pattern.push(c),
            }
        }
        self.at = self.text.len();
        let problem = QueryDiagnostic::error(start..start + 1, "this regular expression is never closed");
        self.fail(problem.with_help("add `/` where it ends, or quote the text if the slash is part of it"), start);
    }

    fn regex_end(&mut self, pattern: String, start: usize) {
        if self.rest().starts_with(|c: char| !c.is_whitespace() && !is_paren(c)) {
            self.take_word();
            let problem = QueryDiagnostic::error(start..self.at, "a regular expression ends at its second `/`");
            self.fail(
                problem.with_help("write `\\/` for a slash within it; flags go inside, like `/(?-i)ARM/`"),
                start,
            );
        } else if pattern.is_empty() {
            self.fail(QueryDiagnostic::error(start..self.at, "an empty regular expression matches everywhere"), start);
        } else {
            self.push(Token::Regex(pattern), start);
        }
    }

    /// What begins like a word: an operator, a field's prefix, a comparison, or a word.
    fn word(&mut self) {
        let start = self.at;
        if self.scope_prefix() {
            return;
        }
        if let Some(phrase) = self.in_single_quotes() {
            self.at += 2 * '\''.len_utf8() + phrase.len();
            let problem =
                QueryDiagnostic::error(start..self.at, "an apostrophe belongs to a word and quotes no phrase");
            return self.fail(problem.with_help(format!("write `\"{phrase}\"`")), start);
        }
        let word = self.take_word();
        if self.comparison(word, start) {
            return;
        }
        if let Some(negated) = word.strip_prefix('!').filter(|rest| rest.starts_with(char::is_alphanumeric)) {
            let problem = QueryDiagnostic::error(start..self.at, "`!` is no operator");
            return self
                .fail(problem.with_help(format!("write `NOT {negated}`, or `\"{word}\"` if that is meant")), start);
        }
        match word {
            "AND" => self.push(Token::And, start),
            "OR" => self.push(Token::Or, start),
            "NOT" => self.push(Token::Not, start),
            _ => match proximity_name(word) {
                Some((kind, number)) => self.proximity(kind, number, start),
                None => self.push(Token::Text { text: word.to_string(), exact: false, quoted: false }, start),
            },
        }
    }

    /// *'le chat'*, as a shell would have it; the apostrophe that begins *'90s* has no end.
    fn in_single_quotes(&self) -> Option<&'a str> {
        let (phrase, rest) = self.rest().strip_prefix('\'')?.split_once('\'')?;
        let closes = phrase.ends_with(|c: char| !c.is_whitespace())
            && !rest.starts_with(|c: char| !c.is_whitespace() && !is_paren(c));
        (closes && phrase.contains(char::is_whitespace)).then_some(phrase)
    }

    fn proximity(&mut self, kind: ProximityKind, number: Option<&str>, start: usize) {
        let span = start..self.at;
        let default = (kind != ProximityKind::Sentence).then_some(DEFAULT_DISTANCE_WORDS);
        let distance = match number.map(str::parse::<u32>) {
            None => default,
            Some(Ok(words)) if (1..=u32::from(MAX_DISTANCE_WORDS)).contains(&words) => u16::try_from(words).ok(),
            Some(wrong) => {
                let message = format!("a distance is a number of words from 1 to {MAX_DISTANCE_WORDS}");
                let help = match wrong {
                    Ok(0) => "words next to each other are at distance 1, a phrase in order is `\"a b\"`",
                    Ok(_) => "use `SENTENCE` for the same sentence, or `AND` for the same item",
                    Err(_) => "write it like `NEAR/8`",
                };
                self.diagnostics.push(QueryDiagnostic::error(span, message).with_help(help));
                default
            }
        };
        self.push(Token::Proximity(Proximity { kind, distance, negated: false }), start);
    }

    /// `title:`; false when the text here is not a field's prefix. An unknown one is reported.
    fn scope_prefix(&mut self) -> bool {
        let start = self.at;
        let rest = self.rest();
        let Some(colon) = rest.find(':').filter(|&at| at > 0) else { return false };
        let name = &rest[..colon];
        let in_address = matches!(
            self.tokens.last(),
            Some(Spanned { token: Token::Scope(Scope::Field(Field::Url | Field::Feed | Field::Host)), span }) if span.end == start
        );
        if in_address || !name.chars().all(|c| c.is_ascii_alphabetic() || c == '_') {
            return false;
        }
        if let Some(scope) = Scope::from_name(name) {
            self.at += colon + 1;
            self.push(Token::Scope(scope), start);
            return true;
        }
        let help = match nearest(&name.to_ascii_lowercase(), Scope::names()) {
            Some(field) => format!("`{field}:` was probably meant"),
            None => format!(
                "fields are {}; quote the text if the colon is part of it",
                Scope::names().collect::<Vec<_>>().join(", ")
            ),
        };
        let problem = QueryDiagnostic::error(start..start + colon + 1, format!("there is no field `{name}`"));
        self.take_word();
        if self.rest().starts_with(is_open_quote) && rest[colon + 1..].starts_with(is_open_quote) {
            let _the_scoped_phrase = self.quoted();
        }
        self.fail(problem.with_help(help), start);
        true
    }

    /// `words>300`, with blanks around `<` and `>` if one likes; false when `word` begins none.
    fn comparison(&mut self, word: &'a str, start: usize) -> bool {
        let letters = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
        let (subject, tail) = word.split_at(letters);
        let known = Comparison::SUBJECTS.contains(&subject);
        let spaced = known && tail.is_empty() && self.rest().trim_start().starts_with(['<', '>', '≤', '≥', '≠']);
        if spaced {
            self.skip_blanks();
        }
        let tail = if spaced { self.take_word() } else { tail };
        if let Some((sign, not, meant)) = CompareOp::foreign_at_start(tail).filter(|_| known) {
            let value = self.compared_with(&tail[sign.len()..]);
            let problem = QueryDiagnostic::error(start..self.at, format!("`{sign}` compares nothing here"));
            self.fail(problem.with_help(format!("write `{not}{subject}{}{value}`", meant.as_str())), start);
            return true;
        }
        let Some(op) = CompareOp::at_start(tail).filter(|_| !subject.is_empty()) else { return false };
        let value = self.compared_with(&tail[op.as_str().len()..]);
        let span = start..self.at;
        if !known {
            let problem = QueryDiagnostic::error(span, format!("`{subject}` cannot be compared"));
            let help = nearest(subject, Comparison::SUBJECTS.into_iter()).map_or_else(
                || "comparisons are published, age and words; quote the text if it is one".to_string(),
                |subject| format!("`{subject}{}…` was probably meant", op.as_str()),
            );
            self.fail(problem.with_help(help), start);
            return true;
        }
        match Comparison::read(subject, op, value) {
            Ok(comparison) => self.push(Token::Compare(comparison), start),
            Err(message) => self.fail(QueryDiagnostic::error(span, message), start),
        }
        true
    }

    /// What stands behind the sign of a comparison, perhaps after blanks.
    fn compared_with(&mut self, adjacent: &'a str) -> &'a str {
        if adjacent.is_empty() {
            self.skip_blanks();
            return self.take_word();
        }
        adjacent
    }
}

/// `NEAR/8` as its kind and the text after the slash.
pub(super) fn proximity_name(word: &str) -> Option<(ProximityKind, Option<&str>)> {
    let (name, number) = word.split_once('/').map_or((word, None), |(name, number)| (name, Some(number)));
    ProximityKind::ALL.into_iter().find(|kind| kind.name() == name).map(|kind| (kind, number))
}

/// The name that `typed` was probably meant to be.
fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len() / 2 + 1)
        .min()
        .map(|(_, name)| name)
}

fn is_paren(c: char) -> bool {
    matches!(c, '(' | ')' | '（' | '）')
}

fn is_close(c: char) -> bool {
    matches!(c, ')' | '）')
}

fn is_open_quote(c: char) -> bool {
    matches!(c, '"' | '“' | '„' | '«')
}
