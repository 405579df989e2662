//! The syntax tree of a query. Spans say where a node stands in the text; equality looks at meaning alone.

use super::Comparison;
use crate::model::Field;
use std::collections::HashSet;
use std::ops::Range;

/// A parsed query. Two queries are equal when they mean the same, however they were written.
#[derive(Debug, Clone)]
pub struct Query {
    pub root: Expr,
    pub(super) text: String,
}

impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

/// A node with the bytes of the query it was read from.
#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Range<usize>,
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// Two or more operands, never an `And` itself.
    And(Vec<Expr>),
    /// Two or more operands, never an `Or` itself.
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Proximity {
        left: Box<Expr>,
        operator: Proximity,
        right: Box<Expr>,
    },
    Scope(Scope, Box<Expr>),
    Term(Term),
    /// `@name`
    List(String),
    /// `tag:name`
    Tag(String),
    Compare(Comparison),
}

/// What is looked for in a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Term {
    /// A word or a phrase, with or without `*`.
    Text {
        text: String,
        exact: bool,
    },
    Stem(String),
    Regex(String),
}

/// `NEAR/8`, `NOT BEFORE/3`, `SENTENCE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proximity {
    pub kind: ProximityKind,
    /// In words; `None` only for `SENTENCE` without a number.
    pub distance: Option<u16>,
    /// An occurrence of the left side that has none of the right side so placed.
    pub negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProximityKind {
    Near,
    Before,
    Sentence,
}

impl ProximityKind {
    pub(super) const ALL: [Self; 3] = [Self::Near, Self::Before, Self::Sentence];

    /// The operator as it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Near => "NEAR",
            Self::Before => "BEFORE",
            Self::Sentence => "SENTENCE",
        }
    }
}

/// Where a scoped query looks: `title:`, `text:`; `tag:` becomes [`ExprKind::Tag`] when parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Title, summary, content and categories: also what is looked at without a scope.
    Text,
    Field(Field),
}

impl Scope {
    const ALL: [Scope; 12] = [
        Scope::Field(Field::Title),
        Scope::Field(Field::Summary),
        Scope::Field(Field::Content),
        Scope::Text,
        Scope::Field(Field::Author),
        Scope::Field(Field::Category),
        Scope::Field(Field::Url),
        Scope::Field(Field::Host),
        Scope::Field(Field::Feed),
        Scope::Field(Field::Group),
        Scope::Field(Field::Lang),
        Scope::Field(Field::Tag),
    ];

    /// The word before the colon.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scope::Text => "text",
            Scope::Field(field) => field.name(),
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Scope> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().map(Scope::name)
    }
}

/// A name in a query that stands for something else of the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub kind: ReferenceKind,
    pub name: String,
    /// Bytes of the query's text.
    pub span: Range<usize>,
    /// Whether it is one of the [alternatives](Expr::alternatives) of the query.
    pub is_alternative: bool,
    /// Whether it is an alternative beside a NEAR, BEFORE or SENTENCE, so that what it stands for has to have a place in a
    /// text.
    pub needs_place: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReferenceKind {
    List,
    Tag,
}

impl Query {
    /// A query that reads but makes no sense, for tests of what must cope with it.
    #[cfg(test)]
    pub(crate) fn unchecked(text: &str) -> Query {
        let (root, _) = super::parser::parse_query(text);
        Query { root: root.expect("the text reads"), text: text.to_string() }
    }

    /// The query as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every `@list` and `tag:` of the query, in the order written.
    #[must_use]
    pub fn references(&self) -> Vec<Reference> {
        // Nodes of this tree by their addresses: what they say may stand in it again.
        let nodes = |expr: &Expr| -> Vec<*const Expr> {
            expr.unscoped_alternatives().into_iter().map(std::ptr::from_ref).collect()
        };
        let (mut found, mut placed) = (Vec::new(), HashSet::new());
        let alternatives: HashSet<_> = nodes(&self.root).into_iter().collect();
        self.root.walk(&mut |expr| {
            let (kind, name) = match &expr.kind {
                ExprKind::List(name) => (ReferenceKind::List, name),
                ExprKind::Tag(name) => (ReferenceKind::Tag, name),
                ExprKind::Proximity { left, right, .. } => {
                    placed.extend([nodes(left), nodes(right)].concat());
                    return;
                }
                _ => return,
            };
            let this = std::ptr::from_ref(expr);
            found.push(Reference {
                kind,
                name: name.clone(),
                span: expr.span.clone(),
                is_alternative: alternatives.contains(&this),
                needs_place: placed.contains(&this),
            });
        });
        found
    }

    /// Whether a language or a group, which have no place in a text, is one of the alternatives.
    #[must_use]
    pub fn offers_a_fact(&self) -> bool {
        let is_fact = |part: &Expr| matches!(part.kind, ExprKind::Scope(Scope::Field(Field::Lang | Field::Group), _));
        self.root.alternatives().iter().any(is_fact)
    }

    /// Every name of a group that the query asks for, with its span, in the order written.
    #[must_use]
    pub fn groups(&self) -> Vec<(&str, Range<usize>)> {
        let mut found = Vec::new();
        self.root.groups(false, &mut found);
        found
    }

    /// Every term of the query with its span, in the order written; negated ones included, lists not looked into.
    #[must_use]
    pub fn terms(&self) -> Vec<(&Term, Range<usize>)> {
        let mut found = Vec::new();
        self.root.walk(&mut |expr| {
            if let ExprKind::Term(term) = &expr.kind {
                found.push((term, expr.span.clone()));
            }
        });
        found
    }
}

impl Expr {
    /// The parts of which one suffices: the operands of an OR at the top, of an OR that is one of them, and of an OR in a
    /// scope there, each with that scope. Else the whole.
    #[must_use]
    pub fn alternatives(&self) -> Vec<Expr> {
        match &self.kind {
            ExprKind::Or(parts) => parts.iter().flat_map(Expr::alternatives).collect(),
            ExprKind::Scope(scope, inner) => {
                let scoped = |part| Expr { kind: ExprKind::Scope(*scope, Box::new(part)), span: self.span.clone() };
                inner.alternatives().into_iter().map(scoped).collect()
            }
            _ => vec![self.clone()],
        }
    }

    /// The [alternatives](Self::alternatives), without the scopes that they stand in.
    #[must_use]
    pub fn unscoped_alternatives(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Or(parts) => parts.iter().flat_map(Expr::unscoped_alternatives).collect(),
            ExprKind::Scope(_, inner) => inner.unscoped_alternatives(),
            _ => vec![self],
        }
    }

    fn groups<'a>(&'a self, is_group: bool, found: &mut Vec<(&'a str, Range<usize>)>) {
        match &self.kind {
            ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().for_each(|part| part.groups(is_group, found)),
            ExprKind::Not(inner) => inner.groups(is_group, found),
            ExprKind::Scope(scope, inner) => inner.groups(*scope == Scope::Field(Field::Group), found),
            ExprKind::Proximity { left, right, .. } => {
                left.groups(is_group, found);
                right.groups(is_group, found);
            }
            ExprKind::Term(Term::Text { text, .. }) if is_group => found.push((text, self.span.clone())),
            ExprKind::Term(_) | ExprKind::List(_) | ExprKind::Tag(_) | ExprKind::Compare(_) => {}
        }
    }

    /// Calls `visit` on this node and all below it, parents first, left to right.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        match &self.kind {
            ExprKind::And(parts) | ExprKind::Or(parts) => parts.iter().for_each(|part| part.walk(visit)),
            ExprKind::Not(inner) | ExprKind::Scope(_, inner) => inner.walk(visit),
            ExprKind::Proximity { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            ExprKind::Term(_) | ExprKind::List(_) | ExprKind::Tag(_) | ExprKind::Compare(_) => {}
        }
    }
}
