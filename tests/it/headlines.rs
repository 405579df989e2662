//! The shipped rules on headlines that were written for the project: news in the ways in which it is told, and beside it
//! what only looks like it.

use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use veille::classifier::{Classifier, ItemText};
use veille::config::{Environment, load};

const HEADLINES: &str = include_str!("../fixtures/headlines.txt");

#[derive(Default)]
struct Tally<'a> {
    lines: usize,
    wrong: Vec<&'a str>,
}

#[test]
fn the_shipped_rules_tell_news_from_what_looks_like_it() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/veille.toml");
    let loaded = load(&path, &Environment::default().with_data_dir(Some("data".into())))
        .unwrap_or_else(|errors| panic!("{errors}"));
    let classifier = Classifier::compile(&loaded.settings.rules).unwrap();
    let mut by_tag: BTreeMap<&str, Tally<'_>> = BTreeMap::new();
    for line in HEADLINES.lines().filter(|line| !line.starts_with('#')) {
        let (due, text) = line.split_once('|').unwrap();
        let (is_due, tag) = (due.starts_with('+'), &due[1..]);
        let (title, summary) = text.split_once('|').unwrap_or((text, ""));
        let given = classifier.tags(&ItemText { title, summary, ..ItemText::default() }, Timestamp::UNIX_EPOCH);
        let is_given = given.iter().any(|given| tag.is_empty() || given.0 == tag);
        let tally = by_tag.entry(tag).or_default();
        tally.lines += 1;
        if is_given != is_due {
            tally.wrong.push(line);
        }
    }
    assert_eq!(by_tag.len(), loaded.settings.rules.tags.len() + 1, "every shipped tag has headlines");
    for (tag, Tally { lines, wrong }) in by_tag {
        assert!(lines >= 30, "{tag}: {lines} headlines");
        assert!(wrong.len() * 20 <= lines, "{tag}: {} of {lines} wrong\n{}", wrong.len(), wrong.join("\n"));
    }
}
