//! Lists and tags that refer to one another: what the config takes, the classifier compiles, and nothing else.

use super::config::load_files;
use proptest::prelude::*;
use std::fmt::Write as _;
use veille::classifier::Classifier;
use veille::query::{self, Query, RuleSet, TagRule};

/// What names one of three lists and three tags.
fn name() -> impl Strategy<Value = String> {
    (0..3u8, prop::bool::ANY).prop_map(|(number, list)| format!("{}{number}", if list { "@l" } else { "tag:t" }))
}

/// The terms of a list, which seldom name something, so that some configs go well.
fn terms() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop_oneof![6 => Just("a".to_owned()), 2 => name(), 1 => Just("lang:fr".to_owned())], 1..3)
}

fn query() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("a".to_owned()),
        1 => (0..3u8).prop_map(|number| format!("@l{number} NEAR b")),
        1 => (0..3u8).prop_map(|number| format!("b BEFORE/2 (c OR title:@l{number})")),
        1 => name().prop_map(|name| format!("{name} AND c")),
        1 => name().prop_map(|name| format!("b OR {name}")),
        1 => name().prop_map(|name| format!("d NOT {name}")),
    ]
}

fn parsed(terms: &[String]) -> Vec<Query> {
    terms.iter().map(|term| query::parse_term(term).unwrap().0).collect()
}

proptest! {
    #[test]
    fn a_config_is_taken_where_its_rules_compile(
        lists in prop::collection::vec(terms(), 2..4),
        tags in prop::collection::vec((terms(), query()), 2..4),
    ) {
        let (mut text, mut rules) = ("[lists]\n".to_owned(), RuleSet::default());
        for (number, terms) in lists.iter().enumerate() {
            writeln!(text, "l{number} = {terms:?}").unwrap();
            rules.lists.insert(format!("l{number}"), parsed(terms));
        }
        for (number, (any, matches)) in tags.iter().enumerate() {
            writeln!(text, "[tags.t{number}]\nany = {any:?}\nmatch = {matches:?}").unwrap();
            let matches = Some(query::parse(matches).unwrap().0);
            rules.tags.push(TagRule { any: parsed(any), matches, ..TagRule::new(format!("t{number}")) });
        }
        let (_directory, loaded) = load_files(&[("veille.toml", &text)]);
        match (loaded, Classifier::compile(&rules)) {
            (Ok(loaded), Ok(_)) => prop_assert_eq!(loaded.settings.rules, rules),
            (Err(_), Err(_)) => {}
            // A list that no rule uses is not compiled.
            (Err(errors), Ok(_)) => prop_assert!(!uses_all_lists(&rules), "{}\n{}", text, errors),
            (Ok(_), Err(errors)) => prop_assert!(false, "{}\n{:?}", text, errors),
        }
    }
}

fn uses_all_lists(rules: &RuleSet) -> bool {
    let of_tags = rules.tags.iter().flat_map(|rule| rule.any.iter().chain(&rule.matches));
    let mut pending: Vec<String> = of_tags.flat_map(|query| query.references()).map(|found| found.name).collect();
    let mut used = std::collections::BTreeSet::new();
    while let Some(name) = pending.pop() {
        if let Some(terms) = rules.lists.get(&name).filter(|_| used.insert(name.clone())) {
            pending.extend(terms.iter().flat_map(|query| query.references()).map(|found| found.name));
        }
    }
    used.len() == rules.lists.len()
}
