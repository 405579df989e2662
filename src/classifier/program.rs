//! Queries compiled for evaluation: lists resolved, terms numbered in an index shared by all.

use super::index::{IndexBuilder, PatternId, Sought};
use super::pattern::Pattern;
use crate::model::Field;
use crate::query::{Comparison, Expr, ExprKind, Proximity, Query, Scope, Term};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Why rules or a query cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    #[error("there is no list `@{name}`, used by {used_by}; define it under [lists]")]
    UnknownList { name: String, used_by: String },
    #[error("the list `@{name}` holds itself: {}; break the circle", path.join(" -> "))]
    ListCycle { name: String, path: Vec<String> },
    #[error("there is no tag `{name}`, used by {used_by}; define it under [tags]")]
    UnknownTag { name: String, used_by: String },
    #[error("the tag `{name}` depends on itself: {}; break the circle", path.join(" -> "))]
    TagCycle { name: String, path: Vec<String> },
    #[error(
        "the list `@{name}` holds tags, languages or groups, which have no place in a text; NEAR cannot take it, used by {used_by}"
    )]
    ListWithoutPlace { name: String, used_by: String },
}

/// A set of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Fields(u16);

impl Fields {
    pub const TEXT: Fields = Fields(
        1 << Field::Title as u16
            | 1 << Field::Summary as u16
            | 1 << Field::Content as u16
            | 1 << Field::Category as u16,
    );

    pub const ANY: Fields = Fields(u16::MAX);

    pub fn of(scope: Scope) -> Fields {
        match scope {
            Scope::Text => Self::TEXT,
            Scope::Field(field) => Fields(1 << field as u16),
        }
    }

    pub fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u16) != 0
    }

    pub fn add(&mut self, other: Fields) {
        self.0 |= other.0;
    }

    pub fn common(self, other: Fields) -> Fields {
        Fields(self.0 & other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number of the field, where it is one; what queries look at else is [`Self::TEXT`].
    pub fn single(self) -> Option<usize> {
        self.0.is_power_of_two().then(|| self.0.trailing_zeros() as usize)
    }

    /// Whether what is there has no place in a text: the language of an item, and the groups of its feed.
    pub fn are_facts(self) -> bool {
        const FACTS: Fields = Fields(1 << Field::Group as u16 | 1 << Field::Lang as u16);
        !self.is_empty() && self.common(FACTS) == self
    }

    /// Whether a term's standing there says all. A group, a language and a host are matched as a whole.
    pub fn are_plain(self) -> bool {
        self.common(Fields(1 << Field::Group as u16 | 1 << Field::Lang as u16 | 1 << Field::Host as u16)).is_empty()
    }

    /// The fields of the set that hold text to scan, in the order of evidence.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        use Field::{Author, Category, Content, Feed, Group, Host, Lang, Summary, Title, Url};
        [Title, Summary, Content, Author, Category, Url, Host, Feed, Group, Lang]
            .into_iter()
            .filter(move |&field| self.contains(field))
    }
}

/// A compiled query.
#[derive(Debug, Clone)]
pub(super) enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    Terms(Terms),
    Proximity {
        left: Box<Node>,
        operator: Proximity,
        right: Box<Node>,
    },
    /// Number of the tag's name in [`Compiler::tag_names`].
    Tag(u32),
    Compare(Comparison),
}

/// Any of some terms in any of some fields.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    set: Arc<[Word]>,
    pub fields: Fields,
    /// Whether some are regular expressions, which may have to be looked for yet.
    pub has_regex: bool,
}

/// A word of a set of terms: its place among all words, and a bit for each term in it. Held against what was found, a
/// long list costs no more than a few words.
type Word = (u32, u64);

impl Terms {
    fn new(mut patterns: Vec<PatternId>, fields: Fields, has_regex: bool) -> Self {
        patterns.sort_unstable();
        let words = patterns.chunk_by(|a, b| a / 64 == b / 64);
        let set = words.map(|word| (word[0] / 64, word.iter().fold(0, |bits, pattern| bits | 1 << (pattern % 64))));
        Self { set: set.collect(), fields, has_regex }
    }

    /// The terms in the order of their numbers.
    pub fn patterns(&self) -> impl Iterator<Item = PatternId> {
        self.common_with(|_| u64::MAX)
    }

    /// Whether one of the terms is in a set, of which `word_at` gives the word at a place.
    pub fn meet(&self, word_at: impl Fn(u32) -> u64) -> bool {
        self.set.iter().any(|&(place, bits)| bits & word_at(place) != 0)
    }

    /// The terms that are in a set, in the order of their numbers.
    pub fn common_with(&self, word_at: impl Fn(u32) -> u64) -> impl Iterator<Item = PatternId> {
        self.set.iter().flat_map(move |&(place, bits)| {
            let mut left = bits & word_at(place);
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(place * 64 + bit)
            })
        })
    }
}

/// What compiling gathers besides nodes.
#[derive(Debug)]
pub(super) struct Compiler<'a> {
    lists: &'a BTreeMap<String, Vec<Query>>,
    pub index: IndexBuilder,
    /// The tags that queries name, by number.
    pub tag_names: Vec<String>,
    tag_numbers: HashMap<String, u32>,
    /// The fields that any query looks at.
    pub fields: Fields,
    pub errors: Vec<CompileError>,
    used_by: String,
    /// Lists being resolved, outermost first.
    open_lists: Vec<String>,
    /// Lists that have been, in some fields: rules name a long list again and again.
    known_lists: HashMap<(&'a str, Fields), Node>,
}

impl<'a> Compiler<'a> {
    pub fn new(lists: &'a BTreeMap<String, Vec<Query>>) -> Self {
        Compiler {
            lists,
            index: IndexBuilder::default(),
            tag_names: Vec::new(),
            tag_numbers: HashMap::new(),
            fields: Fields::default(),
            errors: Vec::new(),
            used_by: String::new(),
            open_lists: Vec::new(),
            known_lists: HashMap::new(),
        }
    }

    /// Compiles a query; `used_by` names the place of it in errors.
    pub fn query(&mut self, query: &Query, used_by: &str) -> Node {
        self.used_by(used_by);
        self.expr(&query.root, Fields::TEXT)
    }

    /// Names the place of the parts compiled next, for errors.
    pub fn used_by(&mut self, used_by: &str) {
        used_by.clone_into(&mut self.used_by);
    }

    /// The number of a tag that some query names.
    pub fn tag_number(&self, name: &str) -> Option<u32> {
        self.tag_numbers.get(name).copied()
    }

    fn number_of(&mut self, name: &str) -> u32 {
        if let Some(number) = self.tag_number(name) {
            return number;
        }
        let number = super::fold::to_u32(self.tag_names.len());
        self.tag_names.push(name.to_string());
        self.tag_numbers.insert(name.to_string(), number);
        number
    }

    /// Compiles a part of a query that is looked for in `fields`.
    pub fn expr(&mut self, expr: &Expr, fields: Fields) -> Node {
        match &expr.kind {
            ExprKind::And(parts) => {
                let mut parts: Vec<Node> = parts.iter().map(|part| self.expr(part, fields)).collect();
                parts.sort_by_key(Node::asks_for_language);
                Node::All(parts.into())
            }
            ExprKind::Or(parts) => any_of(parts.iter().map(|part| self.expr(part, fields)).collect()),
            ExprKind::Not(inner) => Node::Not(Box::new(self.expr(inner, fields))),
            ExprKind::Scope(scope, inner) => self.expr(inner, Fields::of(*scope)),
            ExprKind::Proximity { left, operator, right } => Node::Proximity {
                left: Box::new(self.operand(left, fields)),
                operator: *operator,
                right: Box::new(self.operand(right, fields)),
            },
            ExprKind::Term(term) => self.term(term, fields),
            ExprKind::List(name) => self.list(name, fields),
            ExprKind::Tag(name) => Node::Tag(self.number_of(name)),
            ExprKind::Compare(comparison) => {
                self.fields.add(Fields::TEXT);
                Node::Compare(comparison.clone())
            }
        }
    }

    fn operand(&mut self, expr: &Expr, fields: Fields) -> Node {
        for part in expr.unscoped_alternatives() {
            if let ExprKind::List(name) = &part.kind
                && offers_what_has_no_place(&self.list(name, fields))
            {
                self.errors.push(CompileError::ListWithoutPlace { name: name.clone(), used_by: self.used_by.clone() });
            }
        }
        self.expr(expr, fields)
    }

    fn term(&mut self, term: &Term, fields: Fields) -> Node {
        self.fields.add(fields);
        let sought = match term {
            Term::Text { text, exact } => Pattern::new(text, *exact).map(Sought::Words),
            Term::Stem(word) => Some(Sought::Stem(word.clone())),
            Term::Regex(pattern) => Some(Sought::Regex(pattern.clone())),
        };
        let is_regex = matches!(term, Term::Regex(_));
        // A text without a word never matches; the parser has said so.
        let patterns = sought.map(|sought| self.index.add(sought, fields)).into_iter().collect();
        Node::Terms(Terms::new(patterns, fields, is_regex))
    }

    fn list(&mut self, name: &str, fields: Fields) -> Node {
        let nothing = Node::Any(Box::default());
        if self.open_lists.iter().any(|open| open == name) {
            let mut path = self.open_lists.clone();
            path.push(name.to_string());
            let error = CompileError::ListCycle { name: name.to_string(), path };
            if !self.errors.contains(&error) {
                self.errors.push(error);
            }
            return nothing;
        }
        let lists = self.lists;
        let Some((name, terms)) = lists.get_key_value(name) else {
            let used_by = self.open_lists.last().map_or_else(|| self.used_by.clone(), |list| format!("list `@{list}`"));
            let error = CompileError::UnknownList { name: name.to_string(), used_by };
            if !self.errors.contains(&error) {
                self.errors.push(error);
            }
            return nothing;
        };
        if let Some(known) = self.known_lists.get(&(name.as_str(), fields)) {
            return known.clone();
        }
        let faults = self.errors.len();
        self.open_lists.push(name.clone());
        let parts = terms.iter().map(|term| self.expr(&term.root, fields)).collect();
        self.open_lists.pop();
        let list = any_of(parts);
        // What is wrong with it is told of each place that names it.
        if self.errors.len() == faults {
            self.known_lists.insert((name, fields), list.clone());
        }
        list
    }
}

/// Any of `parts`, with terms that look at the same fields as one.
pub(super) fn any_of(parts: Vec<Node>) -> Node {
    let mut terms: BTreeMap<Fields, (Vec<PatternId>, bool)> = BTreeMap::new();
    let mut others = Vec::new();
    let mut pending = parts;
    while let Some(part) = pending.pop() {
        match part {
            Node::Terms(part) => {
                let (patterns, has_regex) = terms.entry(part.fields).or_default();
                patterns.extend(part.patterns());
                *has_regex |= part.has_regex;
            }
            Node::Any(inner) => pending.extend(inner),
            other => others.push(other),
        }
    }
    let merged =
        terms.into_iter().map(|(fields, (patterns, has_regex))| Node::Terms(Terms::new(patterns, fields, has_regex)));
    let mut nodes: Vec<Node> = merged.chain(others.into_iter().rev()).collect();
    if nodes.len() == 1 { nodes.pop().expect("there is one") } else { Node::Any(nodes.into()) }
}

/// Whether a tag, a language or a group is enough for it.
fn offers_what_has_no_place(node: &Node) -> bool {
    match node {
        Node::Tag(_) => true,
        Node::Terms(terms) => terms.fields.are_facts(),
        Node::Any(parts) => parts.iter().any(offers_what_has_no_place),
        _ => false,
    }
}

impl Node {
    /// Tags of which the item must have one for the query to hold; `None` when it may hold without any.
    pub fn needed_tags(&self) -> Option<Vec<u32>> {
        match self {
            Node::Tag(number) => Some(vec![*number]),
            Node::Any(parts) => union(parts.iter().map(Node::needed_tags)),
            Node::All(parts) => parts.iter().filter_map(Node::needed_tags).min_by_key(Vec::len),
            Node::Not(_) | Node::Terms(_) | Node::Proximity { .. } | Node::Compare(_) => None,
        }
    }

    /// Whether evaluating it may have to tell the item's language, which takes long where nobody declared it.
    fn asks_for_language(&self) -> bool {
        match self {
            Node::Terms(terms) => terms.fields.contains(Field::Lang),
            Node::All(parts) | Node::Any(parts) => parts.iter().any(Node::asks_for_language),
            Node::Not(inner) => inner.asks_for_language(),
            Node::Proximity { .. } | Node::Tag(_) | Node::Compare(_) => false,
        }
    }

    /// The tags that the query names.
    pub fn tags(&self, found: &mut Vec<u32>) {
        match self {
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| part.tags(found)),
            Node::Not(inner) => inner.tags(found),
            Node::Tag(number) => found.push(*number),
            Node::Proximity { .. } | Node::Terms(_) | Node::Compare(_) => {}
        }
    }
}

/// All of several sets; `None` when one of them is.
fn union(sets: impl Iterator<Item = Option<Vec<u32>>>) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for set in sets {
        all.extend(set?);
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_terms_holds_its_own_and_no_others() {
        let sets: [Vec<PatternId>; 5] = [
            vec![],
            vec![7],
            (100..300).rev().collect(),
            (5..205).step_by(3).chain([8, 8]).collect(),
            (0..200_000).step_by(999).collect(),
        ];
        for set in sets {
            let terms = Terms::new(set.clone(), Fields::TEXT, false);
            let mut sorted = set.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(terms.patterns().collect::<Vec<_>>(), sorted);
            let found: Vec<PatternId> = (0..400).step_by(7).collect();
            let word_at =
                |place| found.iter().filter(|term| **term / 64 == place).fold(0, |word, term| word | 1 << (term % 64));
            let common: Vec<PatternId> = found.iter().copied().filter(|term| set.contains(term)).collect();
            assert_eq!(terms.common_with(word_at).collect::<Vec<_>>(), common);
            assert_eq!(terms.meet(word_at), !common.is_empty());
        }
    }
}
