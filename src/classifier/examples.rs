//! The examples that a rule carries, put to it.

use super::{Classifier, ItemText};
use crate::model::{TagName, Timestamp};
use crate::query::RuleSet;

/// An example that the rules do not bear out.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleFailure {
    pub tag: TagName,
    /// Whether the text is one of `examples.match`, which must get the tag, or of `examples.no_match`, which must not.
    pub must_match: bool,
    /// Its place in that list.
    pub index: usize,
    pub text: String,
    /// Which clause misled, or what each clause missed: lines for a reader.
    pub reasons: Vec<String>,
}

impl Classifier {
    /// Puts every example of `rules`, which this classifier was compiled from, to its rule, as an item with that title.
    #[must_use]
    pub fn check_examples(&self, rules: &RuleSet, now: Timestamp) -> Vec<ExampleFailure> {
        let mut failures = Vec::new();
        for rule in &rules.tags {
            for (must_match, examples) in [(true, &rule.examples_match), (false, &rule.examples_no_match)] {
                for (index, text) in examples.iter().enumerate() {
                    let item = ItemText::from_title(text);
                    let has_tag = self.tags(&item, now).contains(&&rule.name);
                    if has_tag != must_match {
                        let reasons = self.reasons(rules, &item, &rule.name, now);
                        failures.push(ExampleFailure {
                            tag: rule.name.clone(),
                            must_match,
                            index,
                            text: text.clone(),
                            reasons,
                        });
                    }
                }
            }
        }
        failures
    }

    fn reasons(&self, rules: &RuleSet, item: &ItemText<'_>, tag: &TagName, now: Timestamp) -> Vec<String> {
        let Some(explanation) = self.explain(rules, item, &tag.0, now) else { return Vec::new() };
        if !explanation.holds {
            return explanation.lines();
        }
        let misled = explanation.clauses.iter().filter(|clause| clause.holds);
        let found = |clause: &super::ClauseExplanation| {
            clause.evidence.iter().map(|span| format!("*{}*", span.text)).collect::<Vec<_>>().join(", ")
        };
        misled.map(|clause| format!("{} holds by {}", clause.clause, found(clause))).collect()
    }
}
