//! Rules against items, one core: `cargo bench --bench matching`. Items and rules are made here, like those of a feed: about
//! 600 characters of Zipf-distributed words; a rule is three to eight words or pairs of words, some with an AND or a NOT.
//! `daachorse` does no more than find the same terms in text that is folded already, check word bounds and count the rules.

use daachorse::CharwiseDoubleArrayAhoCorasick;
use divan::Bencher;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use veille::classifier::{Classifier, ItemText};
use veille::model::{TagName, Timestamp};
use veille::query::{self, RuleSet, TagRule};

const ITEMS: usize = 1_000;
const RULES: [usize; 4] = [10, 100, 1_000, 10_000];

fn main() {
    for rules in RULES {
        let classifier = Classifier::compile(&Corpus::rule_set(rules)).expect("made rules compile");
        let tags = |text: &String| classifier.classify(&ItemText::from_title(text), Timestamp::UNIX_EPOCH).len();
        let given: usize = CORPUS.items.iter().map(tags).sum();
        let per_item = given as f64 / ITEMS as f64;
        println!(
            "{rules} rules: {:.1} MB of tables, {per_item:.1} tags an item",
            classifier.memory_bytes() as f64 / 1e6
        );
    }
    divan::main();
}

struct Corpus {
    words: Vec<String>,
    items: Vec<String>,
}

static CORPUS: LazyLock<Corpus> = LazyLock::new(Corpus::new);

impl Corpus {
    fn new() -> Corpus {
        let mut random = fastrand::Rng::with_seed(1);
        let syllables =
            ["ka", "lo", "mi", "ter", "an", "dro", "vel", "su", "pra", "ni", "tech", "on", "ri", "qua", "bel", "ex"];
        let mut words: Vec<String> = (0..12_000)
            .map(|_| (0..random.usize(1..5)).map(|_| syllables[random.usize(..syllables.len())]).collect())
            .collect();
        words.sort();
        words.dedup();
        random.shuffle(&mut words);
        let items = (0..ITEMS).map(|_| Corpus::item(&words, &mut random)).collect();
        Corpus { words, items }
    }

    fn item(words: &[String], random: &mut fastrand::Rng) -> String {
        let mut text = String::new();
        while text.len() < 600 {
            let rank = (words.len() as f64).powf(random.f64()) as usize;
            text.push_str(&words[rank.min(words.len() - 1)]);
            text.push_str(if random.f64() < 0.08 { ". " } else { " " });
        }
        text
    }

    /// The terms of each rule: any of the first, and the one that must (or must not) be there.
    fn rules(count: usize) -> Vec<(Vec<String>, Option<(bool, String)>)> {
        let mut random = fastrand::Rng::with_seed(2);
        let words = &CORPUS.words;
        let mut word = |from: usize| words[random.usize(from..words.len())].clone();
        let mut choice = fastrand::Rng::with_seed(3);
        let mut term = || if choice.f64() < 0.25 { format!("{} {}", word(100), word(100)) } else { word(260) };
        let mut sizes = fastrand::Rng::with_seed(4);
        (0..count)
            .map(|_| {
                let any = (0..sizes.usize(3..9)).map(|_| term()).collect();
                let kind = sizes.f64();
                let other = words[sizes.usize(60..1_000)].clone();
                (any, (kind < 0.3).then_some((kind < 0.15, other)))
            })
            .collect()
    }

    fn rule_set(count: usize) -> RuleSet {
        let rule = |(number, (any, other)): (usize, (Vec<String>, Option<(bool, String)>))| {
            let any = any.iter().map(|term| format!("\"{term}\"")).collect::<Vec<_>>().join(" OR ");
            let text = match other {
                Some((true, word)) => format!("({any}) AND \"{word}\""),
                Some((false, word)) => format!("({any}) NOT \"{word}\""),
                None => any,
            };
            let (matches, _) = query::parse(&text).expect("made queries parse");
            TagRule {
                name: TagName(format!("r{number}")),
                title: String::new(),
                any: Vec::new(),
                matches: Some(matches),
                except: None,
                score: Vec::new(),
                threshold: 0.0,
                examples_match: Vec::new(),
                examples_no_match: Vec::new(),
                publish: true,
            }
        };
        RuleSet { lists: BTreeMap::new(), tags: Corpus::rules(count).into_iter().enumerate().map(rule).collect() }
    }
}

/// Folding, finding, evaluating, evidence: all that an item costs.
#[divan::bench(args = RULES)]
fn classify_with_folding_and_evidence(bencher: Bencher, rules: usize) {
    let classifier = Classifier::compile(&Corpus::rule_set(rules)).expect("made rules compile");
    bencher.counter(divan::counter::ItemsCount::new(ITEMS)).bench(|| {
        let tags = |text: &String| classifier.classify(&ItemText::from_title(text), Timestamp::UNIX_EPOCH).len();
        CORPUS.items.iter().map(tags).sum::<usize>()
    });
}

/// As above with no rule at all: what folding and cutting into words cost alone.
#[divan::bench]
fn fold_alone(bencher: Bencher) {
    let never = TagRule { name: TagName("never".into()), ..Corpus::rule_set(1).tags.remove(0) };
    let classifier =
        Classifier::compile(&RuleSet { lists: BTreeMap::new(), tags: vec![never] }).expect("one rule compiles");
    bencher.counter(divan::counter::ItemsCount::new(ITEMS)).bench(|| {
        let tags = |text: &String| classifier.classify(&ItemText::from_title(text), Timestamp::UNIX_EPOCH).len();
        CORPUS.items.iter().map(tags).sum::<usize>()
    });
}

/// The yardstick: an automaton over text in lower case.
#[divan::bench(args = RULES)]
fn daachorse_alone(bencher: Bencher, rules: usize) {
    let mut numbers: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (number, (any, _)) in (0..).zip(Corpus::rules(rules)) {
        any.into_iter().for_each(|term| numbers.entry(term).or_default().push(number));
    }
    let terms: Vec<Vec<u32>> = numbers.values().cloned().collect();
    let automaton =
        CharwiseDoubleArrayAhoCorasick::<u32>::with_values(numbers.keys().zip(0..)).expect("terms are distinct");
    let mut seen = vec![0u32; rules];
    let mut round = 0;
    bencher.counter(divan::counter::ItemsCount::new(ITEMS)).bench_local(|| {
        let mut held = 0;
        for text in &CORPUS.items {
            round += 1;
            let bytes = text.as_bytes();
            for found in automaton.find_overlapping_iter(text) {
                let bound = |at: usize| bytes.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
                if (found.start() == 0 || bound(found.start() - 1)) && bound(found.end()) {
                    for &rule in &terms[found.value() as usize] {
                        held += usize::from(std::mem::replace(&mut seen[rule as usize], round) != round);
                    }
                }
            }
        }
        held
    });
}
