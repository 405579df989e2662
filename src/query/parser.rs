//! Tokens to a syntax tree, by recursive descent with recovery: one run reports all that is wrong.
//!
//! From loose to tight: OR; AND and mere juxtaposition; NOT; NEAR, BEFORE, SENTENCE and their NOT forms (from the left);
//! `-`, a scope, a term, parentheses.

use super::lexer::{self, Spanned, Token};
use super::tree::{Expr, ExprKind, Proximity, Scope, Term};
use super::{MAX_DEPTH, MAX_QUERY_BYTES, QueryDiagnostic};
use crate::model::Field;
use std::ops::Range;

type Parsed = (Option<Expr>, Vec<QueryDiagnostic>);

/// The tree of a whole query; `None` when nothing of it could be read.
pub(super) fn parse_query(text: &str) -> Parsed {
    if text.len() > MAX_QUERY_BYTES {
        let problem = QueryDiagnostic::error(0..0, format!("the query is longer than {MAX_QUERY_BYTES} bytes"));
        return (None, vec![problem.with_help("move its terms to a named list")]);
    }
    let (tokens, diagnostics) = lexer::lex(text);
    let mut parser = Parser { text, tokens, at: 0, depth: 0, is_too_deep: false, diagnostics };
    let root = parser.whole();
    (root, parser.diagnostics)
}

/// The tree of a term of a list: what is not marked is a text, blanks and all.
pub(super) fn parse_list_term(text: &str) -> Parsed {
    let start = text.len() - text.trim_start().len();
    let term = text.trim();
    let span = start..start + term.len();
    let spaced = term.contains(char::is_whitespace);
    let is_query = term.starts_with(['@', '"', '“', '~', '(', '-'])
        || (term.starts_with('/') && term.len() > 1 && term.ends_with('/'))
        || term.starts_with("=\"")
        || term.starts_with("=“")
        || term.split_once(':').is_some_and(|(name, _)| Scope::from_name(name).is_some());
    if term.is_empty() || is_query {
        let (root, mut diagnostics) = parse_query(text);
        let not_a_term = |root: &Expr| !is_list_term(root);
        if root.as_ref().is_some_and(not_a_term) && diagnostics.is_empty() {
            let problem = QueryDiagnostic::error(span, "this is a query, where a list holds terms");
            diagnostics.push(
                problem.with_help(
                    "write one word, phrase, `=exact`, `~stem`, `/regex/` or `@list` an entry, or use `match`",
                ),
            );
        }
        return (root, diagnostics);
    }
    let mut diagnostics = Vec::new();
    if let Some(word) = term.split_whitespace().find(|word| is_operator(word)).filter(|_| spaced) {
        let message = format!("an entry of a list is a phrase: `{word}` is taken as a word of it");
        let problem = if word.contains('/') {
            QueryDiagnostic::error(span.clone(), message)
        } else {
            QueryDiagnostic::warning(span.clone(), message)
        };
        diagnostics.push(problem.with_help("put a query in `match`"));
    }
    let (text, exact) = term.strip_prefix('=').map_or((term, false), |rest| (rest.trim_start(), true));
    let kind = ExprKind::Term(Term::Text { text: text.to_string(), exact });
    (Some(Expr { kind, span }), diagnostics)
}

fn is_list_term(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Term(_) | ExprKind::List(_) | ExprKind::Tag(_) => true,
        ExprKind::Scope(_, inner) => is_list_term(inner),
        _ => false,
    }
}

fn is_operator(word: &str) -> bool {
    matches!(word, "AND" | "OR" | "NOT") || lexer::proximity_name(word).is_some()
}

/// Whether `text`, written without quotes, is that text and nothing else.
pub(super) fn reads_as_bare_word(text: &str) -> bool {
    // Nearly all are phrases, or words without anything that could be a sign.
    if text.contains(' ') {
        return false;
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return lower_case_operator(text).is_none();
    }
    let (tokens, diagnostics) = lexer::lex(text);
    let is_itself =
        |token: &Token| matches!(token, Token::Text { text: word, exact: false, quoted: false } if word == text);
    diagnostics.is_empty() && tokens.len() == 1 && is_itself(&tokens[0].token) && lower_case_operator(text).is_none()
}

/// The operator that a word typed in lower case was probably meant to be.
fn lower_case_operator(word: &str) -> Option<String> {
    let upper = word.to_ascii_uppercase();
    if upper == word {
        return None;
    }
    let plain = matches!(upper.as_str(), "AND" | "OR" | "NOT" | "NEAR");
    let numbered = lexer::proximity_name(&upper).is_some_and(|(_, number)| number.is_some());
    (plain || numbered).then_some(upper)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Spanned>,
    at: usize,
    depth: usize,
    /// What is missing from then on is what was skipped.
    is_too_deep: bool,
    diagnostics: Vec<QueryDiagnostic>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|spanned| &spanned.token)
    }

    fn peek_second(&self) -> Option<&Token> {
        self.tokens.get(self.at + 1).map(|spanned| &spanned.token)
    }

    /// Span of the token at hand, or the end of the text.
    fn span(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |spanned| spanned.span.clone())
    }

    fn advance(&mut self) -> Range<usize> {
        let span = self.span();
        self.at += 1;
        span
    }

    fn report(&mut self, diagnostic: QueryDiagnostic) {
        if !self.is_too_deep {
            self.diagnostics.push(diagnostic);
        }
    }

    fn whole(&mut self) -> Option<Expr> {
        if self.tokens.is_empty() {
            let problem = QueryDiagnostic::error(0..self.text.len(), "there is nothing to look for");
            self.report(problem.with_help("write a word, a \"phrase\" or another term"));
            return None;
        }
        let mut parts = Vec::new();
        while self.at < self.tokens.len() {
            if self.peek() == Some(&Token::Close) {
                let span = self.advance();
                let problem = QueryDiagnostic::error(span, "this parenthesis was never opened");
                self.report(problem.with_help("remove it, or add `(` where the group begins"));
            } else {
                parts.extend(self.or());
            }
        }
        join(parts, ExprKind::And)
    }

    fn or(&mut self) -> Option<Expr> {
        let mut parts = Vec::new();
        parts.extend(self.and());
        while self.peek() == Some(&Token::Or) {
            self.operand_missing_before("OR", parts.is_empty());
            self.advance();
            let part = self.and();
            self.operand_missing_after("OR", part.is_none());
            parts.extend(part);
        }
        join(parts, ExprKind::Or)
    }

    fn and(&mut self) -> Option<Expr> {
        let mut parts: Vec<Expr> = Vec::new();
        loop {
            match self.peek() {
                None | Some(Token::Close | Token::Or) => break,
                Some(Token::And) => {
                    self.operand_missing_before("AND", parts.is_empty());
                    self.advance();
                    let part = self.not();
                    self.operand_missing_after("AND", part.is_none());
                    parts.extend(part);
                }
                Some(_) => parts.extend(self.not()),
            }
        }
        join(parts, ExprKind::And)
    }

    fn operand_missing_before(&mut self, operator: &str, missing: bool) {
        let already_reported = self.diagnostics.iter().any(|d| d.span.end + 1 >= self.span().start);
        if missing && !already_reported {
            let span = self.span();
            self.report(
                QueryDiagnostic::error(span, format!("`{operator}` has nothing on its left")).with_help(QUOTE_OPERATOR),
            );
        }
    }

    fn operand_missing_after(&mut self, operator: &str, missing: bool) {
        if missing {
            let before = self.tokens[..self.at].iter().rev().find(|spanned| spanned.token != Token::Close);
            let span = before.map_or(0..0, |spanned| spanned.span.clone());
            self.report(
                QueryDiagnostic::error(span, format!("`{operator}` has nothing on its right"))
                    .with_help(QUOTE_OPERATOR),
            );
        }
    }

    fn not(&mut self) -> Option<Expr> {
        if self.peek() != Some(&Token::Not) || matches!(self.peek_second(), Some(Token::Proximity(_))) {
            return self.proximity();
        }
        let start = self.advance();
        let inner = self.deeper(Self::not);
        if inner.is_none() {
            self.report(
                QueryDiagnostic::error(start.clone(), "`NOT` has nothing on its right").with_help(QUOTE_OPERATOR),
            );
        }
        inner.map(|inner| negate(inner, start))
    }

    fn proximity(&mut self) -> Option<Expr> {
        let mut left = self.primary();
        let mut chained = 0;
        while let Some((operator, span)) = self.proximity_operator() {
            chained += 1;
            if left.is_none() {
                self.report(
                    QueryDiagnostic::error(span.clone(), format!("`{operator}` has nothing on its left"))
                        .with_help(QUOTE_OPERATOR),
                );
            }
            let negation = self.peek() == Some(&Token::Not);
            let right = if negation { self.not() } else { self.primary() };
            if right.is_none() {
                self.report(
                    QueryDiagnostic::error(span, format!("`{operator}` has nothing on its right"))
                        .with_help(QUOTE_OPERATOR),
                );
            }
            if chained + self.depth > MAX_DEPTH {
                self.too_deep();
                return left;
            }
            left = match (left, right) {
                (Some(left), Some(right)) => Some(self.near(left, operator, right)),
                (left, right) => left.or(right),
            };
        }
        left
    }

    fn proximity_operator(&mut self) -> Option<(Proximity, Range<usize>)> {
        let negated = self.peek() == Some(&Token::Not);
        let token = if negated { self.peek_second() } else { self.peek() };
        let Some(&Token::Proximity(operator)) = token else { return None };
        let start = self.advance();
        let end = if negated { self.advance().end } else { start.end };
        Some((Proximity { negated, ..operator }, start.start..end))
    }

    fn near(&mut self, left: Expr, operator: Proximity, right: Expr) -> Expr {
        for (side, other) in [(&left, &right), (&right, &left)] {
            if let Some(diagnostic) = operand_problem(side, other, operator) {
                self.diagnostics.push(diagnostic);
            }
        }
        let span = left.span.start..right.span.end;
        let (left, right) = (Box::new(left), Box::new(right));
        Expr { kind: ExprKind::Proximity { left, operator, right }, span }
    }

    fn primary(&mut self) -> Option<Expr> {
        let start = self.span();
        let kind = match self.peek()?.clone() {
            Token::Open => return self.group(),
            Token::Minus => {
                self.advance();
                let inner = self.deeper(Self::primary);
                if inner.is_none() {
                    let problem = QueryDiagnostic::error(start.clone(), "`-` has nothing on its right");
                    self.report(problem.with_help("write it right before a term, as in `-word` or `-(…)`"));
                }
                return inner.map(|inner| negate(inner, start));
            }
            Token::Scope(scope) => return self.scoped(scope),
            Token::And | Token::Or | Token::Close | Token::Not | Token::Proximity(_) => return None,
            Token::Text { text, exact, quoted } => {
                if !quoted {
                    self.check_bare_word(&text);
                }
                ExprKind::Term(Term::Text { text, exact })
            }
            Token::Stem(word) => ExprKind::Term(Term::Stem(word)),
            Token::Regex(pattern) => ExprKind::Term(Term::Regex(pattern)),
            Token::List(name) => ExprKind::List(name),
            Token::Compare(comparison) => ExprKind::Compare(comparison),
            // Already reported; a term that is like no other keeps the rest of the query readable.
            Token::Unreadable => ExprKind::Term(Term::Text { text: "unreadable".to_string(), exact: true }),
        };
        let span = self.advance();
        Some(Expr { kind, span })
    }

    fn group(&mut self) -> Option<Expr> {
        let open = self.advance();
        let inner = self.deeper(Self::or);
        if self.peek() == Some(&Token::Close) {
            let close = self.advance();
            if inner.is_none() {
                self.report(QueryDiagnostic::error(
                    open.start..close.end,
                    "there is nothing between these parentheses",
                ));
            }
            return inner.map(|inner| Expr { span: open.start..close.end, ..inner });
        }
        if self.at >= self.tokens.len() {
            let problem = QueryDiagnostic::error(open, "this parenthesis is never closed");
            self.report(problem.with_help("add `)` where the group ends"));
        }
        inner
    }

    fn scoped(&mut self, scope: Scope) -> Option<Expr> {
        let prefix = self.advance();
        let Some(inner) = self.deeper(Self::primary) else {
            let problem = QueryDiagnostic::error(prefix, format!("`{}:` has nothing to look for", scope.name()));
            self.report(problem.with_help(format!("write `{0}:word`, `{0}:\"a phrase\"` or `{0}:(…)`", scope.name())));
            return None;
        };
        let span = prefix.start..inner.span.end;
        if scope == Scope::Field(Field::Tag) {
            let kind = self.as_tags(inner).kind;
            return Some(Expr { kind, span });
        }
        self.check_scoped(&inner);
        Some(Expr { kind: ExprKind::Scope(scope, Box::new(inner)), span })
    }

    /// What stands under `tag:`, with its words as names of tags.
    fn as_tags(&mut self, expr: Expr) -> Expr {
        let kind = match expr.kind {
            ExprKind::Term(Term::Text { text, exact: false }) => ExprKind::Tag(text),
            ExprKind::And(parts) => ExprKind::And(parts.into_iter().map(|part| self.as_tags(part)).collect()),
            ExprKind::Or(parts) => ExprKind::Or(parts.into_iter().map(|part| self.as_tags(part)).collect()),
            ExprKind::Not(inner) => ExprKind::Not(Box::new(self.as_tags(*inner))),
            ExprKind::Tag(name) => ExprKind::Tag(name),
            other => {
                let problem = QueryDiagnostic::error(expr.span.clone(), "`tag:` takes the name of a tag");
                self.report(problem.with_help("write `tag:name` or `tag:(one OR other)`"));
                other
            }
        };
        Expr { kind, span: expr.span }
    }

    fn check_scoped(&mut self, inner: &Expr) {
        let mut problems = Vec::new();
        inner.walk(&mut |expr| {
            if matches!(expr.kind, ExprKind::Compare(_)) {
                let problem =
                    QueryDiagnostic::error(expr.span.clone(), "a comparison is of the whole item, not of a field");
                problems.push(problem.with_help("move it out of the field's parentheses"));
            }
        });
        self.diagnostics.extend(problems);
    }

    /// A bare word that looks like an operator typed in lower case, between terms or before one.
    fn check_bare_word(&mut self, word: &str) {
        let Some(operator) = lower_case_operator(word) else { return };
        let begins_term = |token: Option<&Token>| {
            !matches!(token, None | Some(Token::Close | Token::And | Token::Or | Token::Proximity(_)))
        };
        let previous = self.at.checked_sub(1).map(|at| &self.tokens[at].token);
        let ends_term = !matches!(
            previous,
            None | Some(
                Token::Open
                    | Token::And
                    | Token::Or
                    | Token::Not
                    | Token::Minus
                    | Token::Proximity(_)
                    | Token::Scope(_)
            )
        );
        if begins_term(self.peek_second()) && (ends_term || operator == "NOT") {
            let problem = QueryDiagnostic::error(
                self.span(),
                format!("`{word}` in lower case is a word to look for, not an operator"),
            );
            self.report(problem.with_help(format!("write `{operator}`, or `\"{word}\"` if the word is meant")));
        }
    }

    fn deeper(&mut self, parse: fn(&mut Self) -> Option<Expr>) -> Option<Expr> {
        if self.depth >= MAX_DEPTH {
            self.too_deep();
            return None;
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// Reports once, and skips the rest: what stands so deep cannot be read in its place.
    fn too_deep(&mut self) {
        let problem =
            QueryDiagnostic::error(self.span(), format!("the query is nested more than {MAX_DEPTH} levels deep"));
        self.report(problem.with_help("split it into lists, tags or several clauses"));
        self.at = self.tokens.len();
        self.is_too_deep = true;
    }
}

const QUOTE_OPERATOR: &str = "add the term, or quote the operator if the word is meant";

fn negate(inner: Expr, start: Range<usize>) -> Expr {
    let span = start.start..inner.span.end;
    Expr { kind: ExprKind::Not(Box::new(inner)), span }
}

/// One part is itself; parts of the same kind are taken in, so that a chain is as deep as one operator.
fn join(parts: Vec<Expr>, kind: fn(Vec<Expr>) -> ExprKind) -> Option<Expr> {
    let span = parts.first()?.span.start..parts.last()?.span.end;
    if parts.len() == 1 {
        return parts.into_iter().next();
    }
    let is_and = matches!(kind(Vec::new()), ExprKind::And(_));
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        match part.kind {
            ExprKind::And(inner) if is_and => flat.extend(inner),
            ExprKind::Or(inner) if !is_and => flat.extend(inner),
            kind => flat.push(Expr { kind, span: part.span }),
        }
    }
    Some(Expr { kind: kind(flat), span })
}

/// Why `side` cannot stand beside a NEAR: it has no place in a text.
fn operand_problem(side: &Expr, other: &Expr, operator: Proximity) -> Option<QueryDiagnostic> {
    let name = operator.kind.name();
    let (what, help) = match &side.kind {
        ExprKind::Term(_) | ExprKind::List(_) | ExprKind::Proximity { .. } => return None,
        ExprKind::Or(parts) => return parts.iter().find_map(|part| operand_problem(part, other, operator)),
        ExprKind::Scope(Scope::Field(field @ (Field::Lang | Field::Group)), _) => {
            ("a field without words", format!("write `{}:… AND …`", field.name()))
        }
        ExprKind::Scope(_, inner) => return operand_problem(inner, other, operator),
        ExprKind::And(parts) => {
            let spread: Vec<String> = parts.iter().map(|part| format!("({part} {operator} {other})")).collect();
            ("AND", format!("`{}` was probably meant", spread.join(" AND ")))
        }
        ExprKind::Not(inner) => {
            let negated = Proximity { negated: true, ..operator };
            ("NOT", format!("`{other} {negated} {inner}` was probably meant"))
        }
        ExprKind::Tag(_) => ("a tag, which has no place in the text", format!("write `{side} AND {other}`")),
        ExprKind::Compare(_) => ("a comparison", format!("write `{side} AND {other}`")),
    };
    Some(QueryDiagnostic::error(side.span.clone(), format!("{name} cannot take {what}")).with_help(help))
}
