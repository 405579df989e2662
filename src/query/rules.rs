//! Tagging rules as parsed from the config, before they are compiled for matching.

use crate::model::TagName;
use crate::query::Query;
use std::collections::BTreeMap;

/// All lists and tags of a config.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleSet {
    pub lists: BTreeMap<String, Vec<Query>>,
    pub tags: Vec<TagRule>,
}

/// One tag's rule: it holds when `any` or `match` holds or the weights reach the threshold, and `except` does not.
#[derive(Debug, Clone, PartialEq)]
pub struct TagRule {
    pub name: TagName,
    pub title: String,
    pub any: Vec<Query>,
    pub matches: Option<Query>,
    pub except: Option<Query>,
    pub score: Vec<ScoreClause>,
    pub threshold: f64,
    /// Whether the tag is a stream digest of its own name.
    pub publish: bool,
}

impl TagRule {
    /// What the weights have to reach, unless the rule says otherwise.
    pub const DEFAULT_THRESHOLD: f64 = 1.0;

    /// A rule without clauses, of a tag that is a digest.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            title: name.clone(),
            name: TagName(name),
            any: Vec::new(),
            matches: None,
            except: None,
            score: Vec::new(),
            threshold: Self::DEFAULT_THRESHOLD,
            publish: true,
        }
    }
}

/// A weighted clause.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreClause {
    pub query: Query,
    pub weight: f64,
}

/// What weights add up to, as the decimals that they are written as: 0.7 and 0.1 reach 0.8, which binary fractions miss.
#[must_use]
pub fn sum_of_weights(weights: impl Iterator<Item = f64>) -> f64 {
    const GRID: f64 = 1e9;
    // From `+0.0` on, since a sum of none is -0 otherwise; sums of millions have no decimals worth mending.
    let sum = weights.fold(0.0, |sum, weight| sum + weight);
    if sum.abs() < 1e6 { (sum * GRID).round() / GRID + 0.0 } else { sum }
}
