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

/// Score of a tag given by hand where no rule gives it.
const BY_HAND_SCORE: f64 = 1.0;

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

/// What a curator decided for an item: a tag, and whether the item has it.
pub type Correction = (TagName, bool);

/// What the rules found, corrected by what a curator decided: by name.
#[must_use]
pub fn corrected(found: Vec<TagMatch>, corrections: &[Correction]) -> Vec<TagMatch> {
    let withheld = |tag: &TagName| corrections.iter().any(|(name, present)| name == tag && !present);
    let mut kept: Vec<TagMatch> = found.into_iter().filter(|tag| !withheld(&tag.tag)).collect();
    for (tag, _) in corrections.iter().filter(|(_, present)| *present) {
        match kept.iter_mut().find(|found| &found.tag == tag) {
            Some(found) => found.origin = TagOrigin::Hand,
            None => kept.push(by_hand(tag.clone())),
        }
    }
    kept.sort_by(|a, b| a.tag.cmp(&b.tag));
    kept
}

fn by_hand(tag: TagName) -> TagMatch {
    TagMatch { tag, score: BY_HAND_SCORE, rule_hash: String::new(), origin: TagOrigin::Hand, evidence: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_rule(name: &str) -> TagMatch {
        TagMatch { rule_hash: "ab".into(), origin: TagOrigin::Rule, ..by_hand(TagName(name.into())) }
    }

    #[test]
    fn what_a_curator_decided_wins_over_the_rules() {
        let corrections = [(TagName("b".into()), false), (TagName("a".into()), true), (TagName("c".into()), true)];
        let tags = corrected(vec![by_rule("c"), by_rule("b"), by_rule("d")], &corrections);
        let told: Vec<_> = tags.iter().map(|tag| (tag.tag.0.as_str(), tag.origin, tag.rule_hash.as_str())).collect();
        assert_eq!(told, [("a", TagOrigin::Hand, ""), ("c", TagOrigin::Hand, "ab"), ("d", TagOrigin::Rule, "ab")]);
    }
}
