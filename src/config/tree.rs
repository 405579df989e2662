//! A TOML document as a tree that owns its texts, each part with its byte range.
//!
//! The parser's own tree borrows from the text; this one outlives it, so that files can be read
//! one after another while `include` still names more of them.

use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) type Branch = BTreeMap<Spanned<String>, Spanned<Node>>;

/// A value.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    /// `None`: beyond 64 bits.
    Integer(Option<i64>),
    Float(f64),
    Boolean(bool),
    Datetime,
    Array(Vec<Spanned<Node>>),
    Table(Branch),
}

impl Node {
    /// What it is, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Node::Text(_) => "a string",
            Node::Integer(_) => "a whole number",
            Node::Float(_) => "a number",
            Node::Boolean(_) => "true or false",
            Node::Datetime => "a date or time",
            Node::Array(_) => "an array",
            Node::Table(_) => "a table",
        }
    }
}

/// The tree of a text as far as it can be read, and its syntax errors.
pub(super) fn parse(text: &str) -> (Branch, Vec<toml::de::Error>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    (branch(table.into_inner()), errors)
}

fn branch(table: DeTable<'_>) -> Branch {
    let owned = |key: Spanned<toml::de::DeString<'_>>| Spanned::new(key.span(), key.into_inner().into_owned());
    table.into_iter().map(|(key, value)| (owned(key), node(value))).collect()
}

fn node(value: Spanned<DeValue<'_>>) -> Spanned<Node> {
    let span = value.span();
    let node = match value.into_inner() {
        DeValue::String(text) => Node::Text(text.into_owned()),
        DeValue::Integer(integer) => Node::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok()),
        DeValue::Float(float) => Node::Float(float.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(boolean) => Node::Boolean(boolean),
        DeValue::Datetime(_) => Node::Datetime,
        DeValue::Array(array) => Node::Array(array.into_iter().map(self::node).collect()),
        DeValue::Table(table) => Node::Table(branch(table)),
    };
    Spanned::new(span, node)
}
