//! Rules against items on one core: `cargo bench --bench matching [RULES…]`. Items and rules are made here, like those of
//! a feed: about 600 characters of Zipf-distributed words; a rule is three to eight words or pairs of words, some with an
//! AND or a NOT. *Sparse* rules ask for rare words, as careful writers do; *dense* ones for any but the commonest.
//!
//! Beside it, in the same rounds, daachorse's charwise automaton over text in lower case: it finds the same terms, checks
//! word bounds, and counts the rules that hold, no more. Our matching alone is what remains of tagging without evidence
//! when folding and cutting into words, as for a rule that never holds, are taken off. Times are of the CPU, the best of
//! the rounds, so that ratios bear a busy machine.
//!
//! `VEILLE_MATCH_DIR=DIR` takes `items.txt` (an item a line) and `rules-[s]N.json` (`[{"any": [], "all": [], "not": []}]`) of
//! a folder instead, to stand beside other engines on the very same texts and rules.
#![allow(clippy::pedantic, reason = "a bench makes its material up, and rounds as it likes")]

use daachorse::CharwiseDoubleArrayAhoCorasick;
use peak_alloc::PeakAlloc;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use veille::classifier::{Classifier, ItemText};
use veille::model::Timestamp;
use veille::query::{self, RuleSet, TagRule};

/// Counts bytes: what the compiled rules hold is what is left when the rest is freed.
#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const ITEMS: usize = 1_000;
const ROUNDS: usize = 5;
/// Over the items in a round: the clock of a thread advances in steps of some milliseconds.
const PASSES: usize = 10;

fn main() {
    let asked: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if asked.is_empty() { vec![10, 100, 1_000, 10_000] } else { asked };
    let directory = std::env::var_os("VEILLE_MATCH_DIR").map(PathBuf::from);
    let corpus = directory.map_or_else(Corpus::new, Corpus::read);
    println!(
        "thousands of items a second   | with evidence | tags | folding | matching | daachorse | ratio | tags an item | memory"
    );
    for kind in [Kind::Sparse, Kind::Dense] {
        for &count in &counts {
            corpus.compare(kind, count);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sparse,
    Dense,
}

#[derive(Default)]
struct Corpus {
    /// The commonest first.
    words: Vec<String>,
    items: Vec<String>,
    /// Where rules are read from; they are made where this is `None`.
    directory: Option<PathBuf>,
}

/// What a rule asks for: any of the first, and one that must, or must not, be there.
struct MadeRule {
    any: Vec<String>,
    other: Option<(bool, String)>,
}

/// A rule as in `rules-N.json`.
#[derive(serde::Deserialize)]
struct ReadRule {
    any: Vec<String>,
    all: Vec<String>,
    not: Vec<String>,
}

impl From<ReadRule> for MadeRule {
    fn from(rule: ReadRule) -> MadeRule {
        assert!(rule.all.len() + rule.not.len() <= 1, "rules have one AND or one NOT at most");
        let must = rule.all.into_iter().map(|word| (true, word));
        let must_not = rule.not.into_iter().map(|word| (false, word));
        MadeRule { any: rule.any, other: must.chain(must_not).next() }
    }
}

impl Corpus {
    fn new() -> Corpus {
        let mut random = fastrand::Rng::with_seed(1);
        let syllables =
            ["ka", "lo", "mi", "ter", "an", "dro", "vel", "su", "pra", "ni", "tech", "on", "ri", "qua", "bel", "ex"];
        let mut words: Vec<String> = (0..24_000)
            .map(|_| (0..random.usize(1..5)).map(|_| syllables[random.usize(..syllables.len())]).collect())
            .collect();
        words.sort();
        words.dedup();
        random.shuffle(&mut words);
        let items = (0..ITEMS).map(|_| Corpus::item(&words, &mut random)).collect();
        Corpus { words, items, directory: None }
    }

    fn read(directory: PathBuf) -> Corpus {
        let text = std::fs::read_to_string(directory.join("items.txt")).expect("the folder has items.txt");
        let items = text.lines().take(ITEMS).map(str::to_lowercase).collect();
        Corpus { items, directory: Some(directory), ..Corpus::default() }
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

    fn rules(&self, kind: Kind, count: usize) -> Vec<MadeRule> {
        if let Some(directory) = &self.directory {
            let prefix = match kind {
                Kind::Sparse => "s",
                Kind::Dense => "",
            };
            let json =
                std::fs::read(directory.join(format!("rules-{prefix}{count}.json"))).expect("the folder has rules");
            let rules: Vec<ReadRule> = serde_json::from_slice(&json).expect("rules as match/gen.py writes them");
            return rules.into_iter().map(MadeRule::from).collect();
        }
        let mut random = fastrand::Rng::with_seed(2);
        (0..count)
            .map(|_| {
                let any = (0..random.usize(3..9)).map(|_| self.term(kind, &mut random)).collect();
                let chance = random.f64();
                let word = self.words[random.usize(60..1_500)].clone();
                MadeRule { any, other: (chance < 0.3).then_some((chance < 0.15, word)) }
            })
            .collect()
    }

    fn term(&self, kind: Kind, random: &mut fastrand::Rng) -> String {
        let chance = random.f64();
        let mut word = |from: usize| self.words[random.usize(from..self.words.len())].clone();
        match kind {
            Kind::Sparse if chance < 0.4 => self.pair(random),
            Kind::Sparse => word(6_000),
            Kind::Dense if chance < 0.25 => format!("{} {}", word(100), word(100)),
            Kind::Dense => word(260),
        }
    }

    /// Two words that stand in a row in some item.
    fn pair(&self, random: &mut fastrand::Rng) -> String {
        loop {
            let words: Vec<&str> = self.items[random.usize(..ITEMS)].split(' ').collect();
            let at = random.usize(..words.len() - 1);
            let pair = [words[at], words[at + 1].trim_end_matches('.')];
            if !words[at].ends_with('.')
                && pair.iter().all(|word| word.len() > 3 && !self.words[..300].iter().any(|common| common == word))
            {
                return pair.join(" ");
            }
        }
    }

    fn compare(&self, kind: Kind, count: usize) {
        let rules = self.rules(kind, count);
        let before = HEAP.current_usage();
        let classifier = Classifier::compile(&rule_set(&rules)).expect("made rules compile");
        let held = HEAP.current_usage() - before;
        let never = [MadeRule { any: vec!["zzz".to_string()], other: None }];
        let folding = Classifier::compile(&rule_set(&never)).expect("one rule compiles");
        let mut yardstick = Yardstick::new(&rules);

        let mut best = [Duration::MAX; 4];
        let mut given = [0; 4];
        for _ in 0..ROUNDS {
            let work: [&mut dyn FnMut() -> usize; 4] = [
                &mut || self.tags_with_evidence(&classifier),
                &mut || self.tags(&classifier),
                &mut || self.tags(&folding),
                &mut || self.items.iter().map(|text| yardstick.tags(text)).sum(),
            ];
            for (number, work) in work.into_iter().enumerate() {
                let start = cpu_time();
                (0..PASSES).for_each(|_| given[number] = black_box(work()));
                best[number] = best[number].min(cpu_time().saturating_sub(start));
            }
        }
        assert_eq!(given[0], given[1], "evidence must not change the tags");
        // Texts that are read hold accents, hyphens and phrases across commas, of which the yardstick knows nothing.
        let most = if self.directory.is_some() { given[3] / 100 } else { 0 };
        assert!(given[0].abs_diff(given[3]) <= most, "the yardstick must give the same tags: {given:?}");
        let [with_evidence, tags, folding, daachorse] = best;
        let matching = tags.saturating_sub(folding);
        let rate = |time: Duration| (ITEMS * PASSES) as f64 / time.as_secs_f64() / 1e3;
        println!(
            "{:22} {count:>6} | {:13.0} | {:4.0} | {:7.0} | {:8.0} | {:9.0} | {:5.2} | {:12.2} | {:.1} MB",
            format!("{kind:?} rules:"),
            rate(with_evidence),
            rate(tags),
            rate(folding),
            rate(matching),
            rate(daachorse),
            daachorse.as_secs_f64() / matching.as_secs_f64(),
            given[0] as f64 / ITEMS as f64,
            held as f64 / 1e6,
        );
    }

    fn tags(&self, classifier: &Classifier) -> usize {
        let tags = |text: &String| classifier.tags(&ItemText::from_title(text), Timestamp::UNIX_EPOCH).len();
        self.items.iter().map(tags).sum()
    }

    fn tags_with_evidence(&self, classifier: &Classifier) -> usize {
        let tags = |text: &String| classifier.classify(&ItemText::from_title(text), Timestamp::UNIX_EPOCH).len();
        self.items.iter().map(tags).sum()
    }
}

fn rule_set(rules: &[MadeRule]) -> RuleSet {
    let rule = |(number, rule): (usize, &MadeRule)| {
        let any = rule.any.iter().map(|term| format!("\"{term}\"")).collect::<Vec<_>>().join(" OR ");
        let text = match &rule.other {
            Some((true, word)) => format!("({any}) AND \"{word}\""),
            Some((false, word)) => format!("({any}) NOT \"{word}\""),
            None => any,
        };
        let (matches, _) = query::parse(&text).expect("made queries parse");
        TagRule { matches: Some(matches), ..TagRule::new(format!("r{number}")) }
    };
    RuleSet { lists: BTreeMap::new(), tags: rules.iter().enumerate().map(rule).collect() }
}

/// The terms of all rules in one automaton; what was found is stamped with the number of the item.
struct Yardstick {
    automaton: CharwiseDoubleArrayAhoCorasick<u32>,
    /// By term: the rules that it may hold.
    holds: Vec<Vec<u32>>,
    /// By rule: the term that must, or must not, be there.
    others: Vec<Option<(bool, usize)>>,
    terms_seen: Vec<u32>,
    rules_seen: Vec<u32>,
    item: u32,
}

impl Yardstick {
    fn new(rules: &[MadeRule]) -> Yardstick {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut holds: Vec<Vec<u32>> = Vec::new();
        let mut number = |term| {
            *numbers.entry(term).or_insert_with(|| {
                holds.push(Vec::new());
                holds.len() - 1
            })
        };
        let any: Vec<Vec<usize>> =
            rules.iter().map(|rule| rule.any.iter().map(|term| number(term.as_str())).collect()).collect();
        let others = rules.iter().map(|rule| rule.other.as_ref().map(|(must, word)| (*must, number(word)))).collect();
        (0..).zip(&any).for_each(|(rule, terms)| terms.iter().for_each(|&term| holds[term].push(rule)));
        let patterns = numbers.iter().map(|(term, number)| (term, u32::try_from(*number).expect("few terms")));
        let automaton = CharwiseDoubleArrayAhoCorasick::with_values(patterns).expect("terms are distinct");
        let (terms_seen, rules_seen) = (vec![0; holds.len()], vec![0; rules.len()]);
        Yardstick { automaton, holds, others, terms_seen, rules_seen, item: 0 }
    }

    fn tags(&mut self, text: &str) -> usize {
        self.item += 1;
        let bytes = text.as_bytes();
        let bound = |at: usize| bytes.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let mut candidates = Vec::new();
        for found in self.automaton.find_overlapping_iter(text) {
            if (found.start() > 0 && !bound(found.start() - 1)) || !bound(found.end()) {
                continue;
            }
            let term = found.value() as usize;
            if std::mem::replace(&mut self.terms_seen[term], self.item) != self.item {
                for &rule in &self.holds[term] {
                    if std::mem::replace(&mut self.rules_seen[rule as usize], self.item) != self.item {
                        candidates.push(rule);
                    }
                }
            }
        }
        let holds = |rule: &&u32| {
            self.others[**rule as usize].is_none_or(|(must, term)| (self.terms_seen[term] == self.item) == must)
        };
        candidates.iter().filter(holds).count()
    }
}

/// Time that this thread has spent on a CPU; on other systems than Linux the time of day has to do.
fn cpu_time() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = spent.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
