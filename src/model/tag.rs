//! Tags: what we say of an item, and the evidence for it.

use serde::{Deserialize, Serialize};

/// A tag's name as configured, like `french-ai`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagName(pub String);

/// A part of an item that a query can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    Title,
    Summary,
    Content,
    Author,
    Category,
    Url,
    Host,
    Feed,
    Group,
    Lang,
    Tag,
}

impl Field {
    /// The word for it in queries, JSON and the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Field::Title => "title",
            Field::Summary => "summary",
            Field::Content => "content",
            Field::Author => "author",
            Field::Category => "category",
            Field::Url => "url",
            Field::Host => "host",
            Field::Feed => "feed",
            Field::Group => "group",
            Field::Lang => "lang",
            Field::Tag => "tag",
        }
    }
}

/// A span of text that made a clause of a rule hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The tag whose rule it is.
    pub rule: String,
    /// `any`, `match` or `score[0]` and the smallest part of it that held: the one operand of an OR, on one line.
    pub clause: String,
    pub field: Field,
    /// First character of the span, counted in Unicode scalar values from the start of the field's published text.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
    /// The text between them, as published.
    pub text: String,
}

/// Who gave or withheld a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagOrigin {
    Rule,
    /// A curator, by hand: wins over every later run.
    Hand,
}

/// A tag on an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TagMatch {
    pub tag: TagName,
    /// Sum of the weights that held; 1 for a rule without weights.
    pub score: f64,
    /// Hash of the rule as it was when it matched, in hexadecimal.
    pub rule_hash: String,
    pub origin: TagOrigin,
    pub evidence: Vec<Evidence>,
}
