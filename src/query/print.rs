//! The syntax tree back to text, such that parsing it again gives the same tree.

use super::tree::{Expr, ExprKind, Proximity, Query, Term};
use super::{lexer, parser};
use std::fmt;

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Or(parts) => write_joined(f, parts, " OR ", Level::Or),
            ExprKind::And(parts) => write_joined(f, parts, " AND ", Level::And),
            ExprKind::Not(inner) => {
                f.write_str("NOT ")?;
                // One in another needs no parentheses, each of which would count as a level when it is read again.
                write_within(f, inner, Level::And)
            }
            ExprKind::Proximity { left, operator, right } => {
                // Chains read from the left, so only a right operand needs parentheses.
                write_within(f, left, Level::Not)?;
                write!(f, " {operator} ")?;
                write_within(f, right, Level::Proximity)
            }
            ExprKind::Scope(scope, inner) => {
                write!(f, "{}:", scope.name())?;
                write_within(f, inner, Level::Proximity)
            }
            ExprKind::Term(term) => term.fmt(f),
            ExprKind::List(name) => write!(f, "@{name}"),
            ExprKind::Tag(name) => write!(f, "tag:{}", Quoted(name)),
            ExprKind::Compare(comparison) => comparison.fmt(f),
        }
    }
}

impl fmt::Display for Proximity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("NOT ")?;
        }
        f.write_str(self.kind.name())?;
        self.distance.map_or(Ok(()), |words| write!(f, "/{words}"))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Text { text, exact } => write!(f, "{}{}", if *exact { "=" } else { "" }, Quoted(text)),
            Term::Stem(word) => write!(f, "~{}", Quoted(word)),
            Term::Regex(pattern) => write!(f, "/{}/", lexer::escape_regex(pattern)),
        }
    }
}

/// A text as a bare word where that reads back as the same, else in quotes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if parser::reads_as_bare_word(self.0) {
            f.write_str(self.0)
        } else {
            write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
        }
    }
}

/// How tightly a node binds; a node inside another of the same or a tighter level stands in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Proximity,
    Primary,
}

fn level(expr: &Expr) -> Level {
    match expr.kind {
        ExprKind::Or(_) => Level::Or,
        ExprKind::And(_) => Level::And,
        ExprKind::Not(_) => Level::Not,
        ExprKind::Proximity { .. } => Level::Proximity,
        _ => Level::Primary,
    }
}

fn write_within(f: &mut fmt::Formatter<'_>, expr: &Expr, outer: Level) -> fmt::Result {
    if level(expr) <= outer { write!(f, "({expr})") } else { write!(f, "{expr}") }
}

fn write_joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], separator: &str, outer: Level) -> fmt::Result {
    let own = |part: &Expr| level(part) <= outer;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        if own(part) {
            write!(f, "({part})")?;
        } else {
            write!(f, "{part}")?;
        }
    }
    Ok(())
}
