//! The examples that a rule carries, put to it.

use super::{Classifier, ItemText};
use crate::model::{TagMatch, TagName, Timestamp};

impl Classifier {
    /// Why the rules do not bear out an example of the rule of `tag`, which is an item with that title: in a line. `None`
    /// when they do: it gets the tag and must, or does not and must not.
    #[must_use]
    pub fn example_fault(&self, tag: &TagName, text: &str, must_match: bool, now: Timestamp) -> Option<String> {
        let item = ItemText::from_title(text);
        match (self.tags(&item, now).contains(&tag), must_match) {
            (false, true) => Some("no clause of the rule holds, or `except` does".to_owned()),
            (true, false) => self.classify(&item, now).iter().find(|matched| matched.tag == *tag).map(reason),
            (true, true) | (false, false) => None,
        }
    }
}

/// What made a rule hold.
fn reason(matched: &TagMatch) -> String {
    const SHOWN: usize = 3;
    let spans: Vec<_> =
        matched.evidence.iter().take(SHOWN).map(|span| format!("`{}` by {}", span.text, span.clause)).collect();
    format!("the rule holds: {}", spans.join(", "))
}
