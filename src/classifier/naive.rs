//! A second matcher, slow and plain, written from the definition of the language alone; random rules and texts over
//! Latin, Han, kana and mixed scripts must get the same answer from both. `VEILLE_CASES` sets how many: a case is a set of
//! three rules put to an item.

use super::words::tests::has;
use super::{Classifier, CompiledQuery, ItemText, index_words};
use crate::model::{Field, Timestamp};
use crate::query::{self, Expr, ExprKind, ProximityKind, Query, RuleSet, Scope, ScoreClause, TagRule, Term};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A word, or a character of a script without spaces.
#[derive(Debug, Clone, PartialEq)]
struct Unit {
    folded: String,
    exact: String,
    unspaced: bool,
    sentence: usize,
    /// Its bytes in the text.
    at: Range<usize>,
    /// What stands before it: 0 nothing, 1 a space or the like, 2 what breaks a phrase.
    gap: u8,
}

/// First and last unit of a place in a field, and whether it is the stretch of a NEAR.
type Place = (Field, usize, usize, bool);

fn folded(c: char) -> char {
    match c {
        'é' | 'É' => 'e',
        '國' => '国',
        _ => c.to_ascii_lowercase(),
    }
}

fn is_unspaced(c: char) -> bool {
    "法国國公司アガ".contains(c)
}

/// The words of a text, in which a line break separates as much as `line_break`.
fn units(text: &str, line_break: u8) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let (mut sentence, mut gap, mut open) = (0, 2, false);
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if c.is_alphanumeric() || c == '*' {
            let simplified = if c == '國' { '国' } else { c };
            let continues = open && !is_unspaced(c);
            if continues {
                let last = units.last_mut().unwrap();
                last.folded.push(folded(c));
                last.exact.push(simplified);
                last.at.end = end;
            } else {
                units.push(Unit {
                    folded: folded(c).to_string(),
                    exact: simplified.to_string(),
                    unspaced: is_unspaced(c),
                    sentence,
                    at: at..end,
                    gap,
                });
            }
            open = !is_unspaced(c);
            gap = 0;
            continue;
        }
        open = false;
        let (own, ends) = match c {
            '.' | ';' | '。' | '｜' | '!' => (2, true),
            '\n' => (line_break, true),
            ',' | '、' => (2, false),
            _ => (1, false),
        };
        if ends && units.last().is_some_and(|unit| unit.sentence == sentence) {
            sentence += 1;
        }
        gap = gap.max(own);
    }
    units
}

fn word_matches(pattern: &str, word: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == word,
        Some((head, tail)) => (head.len()..=word.len())
            .any(|at| word.starts_with(head) && word.is_char_boundary(at) && word_matches(tail, &word[at..])),
    }
}

struct Naive<'a> {
    texts: BTreeMap<Field, &'a str>,
    fields: BTreeMap<Field, Vec<Unit>>,
    lists: &'a BTreeMap<String, Vec<Query>>,
    tags: BTreeSet<String>,
}

impl Naive<'_> {
    fn phrase(&self, text: &str, exact: bool, fields: &[Field]) -> Vec<Place> {
        let pattern: Vec<Unit> = units(text, 1).into_iter().filter(|unit| unit.folded != "*").collect();
        let mut places = Vec::new();
        for &field in fields {
            let words = &self.fields[&field];
            for start in 0..words.len() {
                let fits = start + pattern.len() <= words.len()
                    && pattern.iter().enumerate().all(|(at, sought)| {
                        let word = &words[start + at];
                        let run = at > 0 && sought.gap == 0 && sought.unspaced && pattern[at - 1].unspaced;
                        let near_enough = at == 0 || if run { word.gap == 0 } else { word.gap <= sought.gap.max(1) };
                        near_enough
                            && word_matches(&sought.folded, &word.folded)
                            && (!exact || word_matches(&sought.exact, &word.exact))
                    });
                if fits && !pattern.is_empty() {
                    places.push((field, start, start + pattern.len() - 1, false));
                }
            }
        }
        places
    }

    /// The words that each match touches; the expressions of the random queries touch some.
    fn expression(&self, source: &str, fields: &[Field]) -> Vec<Place> {
        let regex = query::compile_regex(source).unwrap();
        let mut places = Vec::new();
        for &field in fields {
            for found in regex.find_iter(self.texts[&field]) {
                let touched = |unit: &Unit| unit.at.start < found.end() && found.start() < unit.at.end;
                let words = &self.fields[&field];
                let (first, last) = (words.iter().position(touched), words.iter().rposition(touched));
                places.push((field, first.unwrap(), last.unwrap(), false));
            }
        }
        places
    }

    fn places(&self, expr: &Expr, fields: &[Field]) -> Vec<Place> {
        match &expr.kind {
            ExprKind::Term(Term::Text { text, exact }) => self.phrase(text, *exact, fields),
            ExprKind::Term(Term::Regex(source)) => self.expression(source, fields),
            ExprKind::Or(parts) => parts.iter().flat_map(|part| self.places(part, fields)).collect(),
            ExprKind::List(name) => self.lists[name].iter().flat_map(|term| self.places(&term.root, fields)).collect(),
            ExprKind::Scope(scope, inner) => self.places(inner, &scope_fields(*scope)),
            ExprKind::Proximity { left, operator, right } => {
                let (left, right) = (self.places(left, fields), self.places(right, fields));
                let near = |a: &Place, b: &Place| self.near(*a, *b, operator.kind, operator.distance, operator.negated);
                if operator.negated {
                    return left.into_iter().filter(|a| !right.iter().any(|b| near(a, b))).collect();
                }
                let pairs = left.iter().flat_map(|a| right.iter().filter(move |b| near(a, b)).map(move |b| (*a, *b)));
                pairs.map(|(a, b)| (a.0, a.1.min(b.1), a.2.max(b.2), true)).collect()
            }
            other => panic!("{other:?} has no place"),
        }
    }

    fn near(&self, a: Place, b: Place, kind: ProximityKind, distance: Option<u16>, negated: bool) -> bool {
        if a.0 != b.0 {
            return false;
        }
        let words = &self.fields[&a.0];
        let overlap = a.1 <= b.2 && b.1 <= a.2;
        if overlap && !negated && !a.3 && !b.3 {
            return false;
        }
        if kind == ProximityKind::Before && b.1 <= a.2 {
            return false;
        }
        let between = if overlap { &words[0..0] } else { &words[a.2.min(b.2) + 1..a.1.max(b.1)] };
        let halves: usize = between.iter().map(|word| if word.unspaced { 1 } else { 2 }).sum();
        let words_apart = if overlap { 0 } else { halves.div_ceil(2) + 1 };
        let same_sentence = words[a.1.min(b.1)..=a.2.max(b.2)].iter().all(|word| word.sentence == words[a.1].sentence);
        distance.is_none_or(|most| words_apart <= usize::from(most))
            && (kind != ProximityKind::Sentence || same_sentence)
    }

    fn holds(&self, expr: &Expr, fields: &[Field]) -> bool {
        match &expr.kind {
            ExprKind::And(parts) => parts.iter().all(|part| self.holds(part, fields)),
            ExprKind::Or(parts) => parts.iter().any(|part| self.holds(part, fields)),
            ExprKind::Not(inner) => !self.holds(inner, fields),
            ExprKind::Scope(scope, inner) => self.holds(inner, &scope_fields(*scope)),
            ExprKind::Tag(name) => self.tags.contains(name),
            _ => !self.places(expr, fields).is_empty(),
        }
    }

    fn query(&self, query: &Query) -> bool {
        self.holds(&query.root, &scope_fields(Scope::Text))
    }

    fn rule(&self, rule: &TagRule) -> bool {
        let weight: f64 =
            rule.score.iter().filter(|clause| self.query(&clause.query)).map(|clause| clause.weight).sum();
        let reached = !rule.score.is_empty() && weight >= rule.threshold;
        let plainly = rule.any.iter().chain(&rule.matches).any(|query| self.query(query));
        (plainly || reached) && !rule.except.as_ref().is_some_and(|query| self.query(query))
    }
}

fn scope_fields(scope: Scope) -> Vec<Field> {
    match scope {
        Scope::Text => vec![Field::Title, Field::Summary],
        Scope::Field(field) => vec![field],
    }
}

/// Words of two letters at least: a single one before a full stop is an initial.
const WORDS: &[&str] = &[
    "ab",
    "AB",
    "ba",
    "aab",
    "éa",
    "ea",
    "Éab",
    "b4",
    "法国",
    "法國",
    "公司",
    "国",
    "アガ",
    "ガ",
    "ア",
    "法国ab",
    "ab公司ba",
];
const GAPS: &[&str] = &[" ", " ", " ", "-", "", "/", "’", "\n", ", ", ". ", "; ", "。", "｜", "、", "! "];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec((prop::sample::select(WORDS), prop::sample::select(GAPS)), 0..14)
        .prop_map(|parts| parts.into_iter().map(|(word, gap)| format!("{word}{gap}")).collect())
}

fn term() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(str::to_string),
        1 => prop::sample::select(&["a*", "*b", "*a*", "a*b", "é*"][..]).prop_map(str::to_string),
        1 => Just("法国*".to_string()),
    ];
    let phrase =
        prop::collection::vec((one, prop::sample::select(&[" ", " ", "-", ", "][..])), 1..4).prop_map(|words| {
            let joined: String = words.iter().map(|(word, gap)| format!("{word}{gap}")).collect();
            joined.trim_end_matches([' ', '-', ',']).to_string()
        });
    let words = (phrase, prop::bool::weighted(0.2))
        .prop_map(|(phrase, exact)| format!("{}\"{phrase}\"", if exact { "=" } else { "" }));
    // The first is run where its literal was found, the others once a query asks for them.
    let expressions = &["/aab/", "/a[ab]/", "/b4|ガ/", "/(?-i)A[B]/", r"/b\W+a/"][..];
    prop_oneof![9 => words, 1 => prop::sample::select(expressions).prop_map(str::to_string)]
}

fn placed() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![8 => term(), 1 => Just("@one".to_string()), 1 => Just("@two".to_string())];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let operator = prop::sample::select(&["NEAR/1", "NEAR/2", "NEAR/4", "BEFORE/1", "BEFORE/3", "SENTENCE", "SENTENCE/3", "NOT NEAR/2", "NOT BEFORE/2", "NOT SENTENCE"][..]);
        prop_oneof![
            3 => (inner.clone(), operator, inner.clone()).prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            1 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
            1 => inner.prop_map(|inner| format!("title:{inner}")),
        ]
    })
}

fn query(tags: &'static [&'static str]) -> impl Strategy<Value = String> {
    let leaf = if tags.is_empty() {
        placed().boxed()
    } else {
        prop_oneof![9 => placed(), 1 => prop::sample::select(tags).prop_map(|tag| format!("tag:{tag}"))].boxed()
    };
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.prop_map(|inner| format!("NOT {inner}")),
        ]
    })
}

fn read(text: &str) -> Query {
    // Sides that look at different fields are an error of sense; the evaluator must cope all the same.
    let Ok((query, diagnostics)) = query::parse(text) else { return Query::unchecked(text) };
    drop(diagnostics);
    query
}

fn rule(name: &'static str, tags: &'static [&'static str]) -> impl Strategy<Value = TagRule> {
    let some = move || prop::option::weighted(0.5, query(tags));
    let score = prop::collection::vec((query(tags), prop::sample::select(&[1.0, 2.0, -1.0][..])), 0..3);
    (
        prop::collection::vec(term(), 0..3),
        some(),
        prop::option::weighted(0.3, query(tags)),
        score,
        prop::sample::select(&[0.0, 1.0, 2.0][..]),
    )
        .prop_map(move |(any, matches, except, score, threshold)| TagRule {
            any: any.iter().map(|text| read(text)).collect(),
            matches: matches.map(|text| read(&text)),
            except: except.map(|text| read(&text)),
            score: score.into_iter().map(|(text, weight)| ScoreClause { query: read(&text), weight }).collect(),
            threshold,
            ..TagRule::new(name)
        })
}

/// Items for each set of rules: making and compiling the rules costs most of the time.
const ITEMS_PER_SET: u32 = 5;

fn sets() -> u32 {
    let cases: u32 =
        std::env::var("VEILLE_CASES").map_or(10_000, |cases| cases.parse().expect("VEILLE_CASES: a number"));
    cases.div_ceil(ITEMS_PER_SET)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sets(), failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_classifier_agrees_with_a_naive_matcher(
        rules in (rule("r1", &["r2", "r3"]), rule("r2", &["r3"]), rule("r3", &[])),
        one in prop::collection::vec(term(), 1..3),
        two in prop::collection::vec(term(), 1..3),
        texts in prop::collection::vec((text(), text()), ITEMS_PER_SET as usize),
    ) {
        let list = |terms: Vec<String>| terms.iter().map(|text| read(text)).collect::<Vec<_>>();
        let two = list(two).into_iter().chain([read("@one")]).collect();
        let lists = BTreeMap::from([("one".to_string(), list(one)), ("two".to_string(), two)]);
        let rules = RuleSet { lists, tags: vec![rules.0, rules.1, rules.2] };
        let classifier = Classifier::compile(&rules).unwrap();
        let asked: Vec<(&Query, CompiledQuery)> = rules
            .tags
            .iter()
            .filter_map(|rule| rule.matches.as_ref())
            .map(|query| (query, CompiledQuery::compile(query, &rules.lists).unwrap()))
            .collect();
        let now = Timestamp::UNIX_EPOCH;
        for (title, summary) in &texts {
            let item = ItemText { title, summary, ..ItemText::default() };
            let fields = BTreeMap::from([(Field::Title, units(title, 1)), (Field::Summary, units(summary, 2))]);
            let texts = BTreeMap::from([(Field::Title, title.as_str()), (Field::Summary, summary.as_str())]);
            let mut naive = Naive { texts, fields, lists: &rules.lists, tags: BTreeSet::new() };
            for rule in rules.tags.iter().rev() {
                if naive.rule(rule) {
                    naive.tags.insert(rule.name.0.clone());
                }
            }
            let found = classifier.classify(&item, now);
            let tags: BTreeSet<String> = found.iter().map(|found| found.tag.0.clone()).collect();
            prop_assert_eq!(&tags, &naive.tags, "{:?} / {:?}\n{:#?}", title, summary, queries(&rules));
            for evidence in found.iter().flat_map(|found| &found.evidence) {
                let published: String = item.field_text(evidence.field).chars().skip(evidence.start).take(evidence.end - evidence.start).collect();
                prop_assert!(evidence.field == Field::Tag || published == evidence.text, "{evidence:?}");
            }
            for (query, compiled) in &asked {
                let brought: Vec<&str> = naive.tags.iter().map(String::as_str).collect();
                let holds = compiled.matches(&ItemText { tags: &brought, ..item }, now);
                prop_assert_eq!(holds, naive.query(query), "{} on {:?} / {:?}", query, title, summary);
                let words = index_words(&item);
                prop_assert!(!holds || has(compiled.needed(), &words, &brought), "{query} on {title:?} / {summary:?} needs {:?} of {words}", compiled.needed());
            }
        }
    }
}

fn queries(rules: &RuleSet) -> Vec<String> {
    let lists = rules.lists.iter().map(|(name, terms)| {
        format!("@{name} = {}", terms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    });
    let tags = rules.tags.iter().map(|rule| {
        let score: Vec<String> =
            rule.score.iter().map(|clause| format!("{} * {}", clause.weight, clause.query)).collect();
        let any: Vec<String> = rule.any.iter().map(ToString::to_string).collect();
        format!(
            "{}: any {any:?} match {:?} except {:?} score {score:?} >= {}",
            rule.name.0,
            rule.matches.as_ref().map(ToString::to_string),
            rule.except.as_ref().map(ToString::to_string),
            rule.threshold
        )
    });
    lists.chain(tags).collect()
}
