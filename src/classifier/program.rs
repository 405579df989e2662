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
    #[error("the list `@{name}` holds tags, which have no place in a text; NEAR cannot take it, used by {used_by}")]
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
    /// Sorted.
    pub patterns: Arc<[PatternId]>,
    /// Of many: a bit for each number from the first to the last, where that takes no more room than they do.
    bits: Option<Arc<[u64]>>,
    pub fields: Fields,
}

/// So many terms are few: they are searched.
const FEW_TERMS: usize = 16;

impl Terms {
    fn new(patterns: Arc<[PatternId]>, fields: Fields) -> Self {
        let mut bits = None;
        if let (Some(&first), Some(&last)) = (patterns.first(), patterns.last()) {
            let words = (last - first) as usize / 64 + 1;
            if patterns.len() > FEW_TERMS && words * 2 <= patterns.len() {
                let mut set = vec![0_u64; words];
                patterns.iter().map(|pattern| pattern - first).for_each(|at| set[at as usize / 64] |= 1 << (at % 64));
                bits = Some(set.into());
            }
        }
        Self { patterns, bits, fields }
    }

    /// Whether this is one of the terms.
    pub fn has(&self, pattern: PatternId) -> bool {
        let Some(bits) = &self.bits else { return self.patterns.binary_search(&pattern).is_ok() };
        let Some(at) = pattern.checked_sub(self.patterns[0]) else { return false };
        bits.get(at as usize / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
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
            ExprKind::And(parts) => Node::All(parts.iter().map(|part| self.expr(part, fields)).collect()),
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
        let node = self.expr(expr, fields);
        if let (ExprKind::List(name), true) = (&expr.kind, holds_tag(&node)) {
            self.errors.push(CompileError::ListWithoutPlace { name: name.clone(), used_by: self.used_by.clone() });
        }
        node
    }

    fn term(&mut self, term: &Term, fields: Fields) -> Node {
        self.fields.add(fields);
        let sought = match term {
            Term::Text { text, exact } => Pattern::new(text, *exact).map(Sought::Words),
            Term::Stem(word) => Some(Sought::Stem(word.clone())),
            Term::Regex(pattern) => Some(Sought::Regex(pattern.clone())),
        };
        // A text without a word never matches; the parser has said so.
        let patterns = sought.map(|sought| self.index.add(sought, fields)).into_iter().collect();
        Node::Terms(Terms::new(patterns, fields))
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
    let mut terms: BTreeMap<Fields, Vec<PatternId>> = BTreeMap::new();
    let mut others = Vec::new();
    let mut pending = parts;
    while let Some(part) = pending.pop() {
        match part {
            Node::Terms(part) => terms.entry(part.fields).or_default().extend(part.patterns.iter()),
            Node::Any(inner) => pending.extend(inner),
            other => others.push(other),
        }
    }
    let merged = terms.into_iter().map(|(fields, mut patterns)| {
        patterns.sort_unstable();
        patterns.dedup();
        Node::Terms(Terms::new(patterns.into(), fields))
    });
    let mut nodes: Vec<Node> = merged.chain(others.into_iter().rev()).collect();
    if nodes.len() == 1 { nodes.pop().expect("there is one") } else { Node::Any(nodes.into()) }
}

fn holds_tag(node: &Node) -> bool {
    match node {
        Node::Tag(_) => true,
        Node::Any(parts) => parts.iter().any(holds_tag),
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
    fn a_term_is_in_its_list_however_the_list_is_held() {
        let sets: [(Vec<PatternId>, bool); 6] = [
            (vec![], false),
            (vec![7], false),
            ((100..110).collect(), false),
            ((100..300).collect(), true),
            ((5..205).step_by(3).collect(), true),
            ((0..200_000).step_by(999).collect(), false),
        ];
        for (set, has_bits) in sets {
            let terms = Terms::new(set.clone().into(), Fields::TEXT);
            assert_eq!(terms.bits.is_some(), has_bits, "{set:?}");
            for number in (0..400).chain([199_800, PatternId::MAX]) {
                assert_eq!(terms.has(number), set.contains(&number), "{number} in {set:?}");
            }
        }
    }
}
