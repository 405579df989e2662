//! What must be true of any query on any text, whoever wrote them. Shared by the fuzz target and by the mutation test of
//! `tests/it`, which needs no nightly compiler.

use std::collections::BTreeMap;
use veille::classifier::{Classifier, CompiledQuery, ItemText};
use veille::model::{Evidence, Field, Timestamp};
use veille::query::{self, Query, QueryDiagnostic, RuleSet, TagRule};

/// Takes the first line of `input` for a query, the rest for the title and, after an empty line, the summary of an item.
pub fn exercise(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (query, item) = text.split_once('\n').unwrap_or((&text, ""));
    let (title, summary) = item.split_once("\n\n").unwrap_or((item, ""));
    let item = ItemText { title, summary, tags: &["known"], ..ItemText::default() };
    for parsed in [query::parse(query), query::parse_term(query)] {
        match parsed {
            Ok((parsed, lints)) => {
                check_places(query, &lints);
                check_print(&parsed);
                check_matching(&parsed, &item);
            }
            Err(errors) => {
                assert!(!errors.is_empty(), "a query is refused without a word");
                check_places(query, &errors);
            }
        }
    }
}

fn check_places(query: &str, diagnostics: &[QueryDiagnostic]) {
    for diagnostic in diagnostics {
        assert!(query.get(diagnostic.span.clone()).is_some(), "{diagnostic:?} points beside the query");
        assert!(!diagnostic.message.is_empty());
    }
}

fn check_print(query: &Query) {
    let printed = query.to_string();
    if printed.len() <= query::MAX_QUERY_BYTES {
        match query::parse(&printed) {
            Ok((again, _)) => assert_eq!(&again, query, "printed as `{printed}`"),
            // Operators side by side, as in `title:-title:-a`, are printed with parentheses between them, which are levels too.
            Err(errors) if errors.iter().any(|error| error.message.contains("levels deep")) => {}
            Err(errors) => panic!("printed as `{printed}`: {errors:?}"),
        }
    }
}

/// Query, rule and explanation agree, and evidence quotes the text.
fn check_matching(query: &Query, item: &ItemText<'_>) {
    let lists = BTreeMap::from([("ai".to_string(), vec![term("=AI"), term("LLM*"), term("人工智能")])]);
    let now = Timestamp::UNIX_EPOCH;
    let Ok(compiled) = CompiledQuery::compile(query, &lists) else { return };
    let holds = compiled.matches(item, now);
    let evidence = compiled.evidence(item, now);
    assert_eq!(evidence.is_some(), holds);
    check_evidence(item, &evidence.unwrap_or_default());

    let rule = TagRule { matches: Some(query.clone()), ..TagRule::new("own") };
    let rules = RuleSet { lists, tags: vec![rule] };
    // A query may name a tag that no rule gives.
    let Ok(classifier) = Classifier::compile(&rules) else { return };
    let given = classifier.classify(item, now);
    assert_eq!(!given.is_empty(), holds);
    given.iter().for_each(|given| check_evidence(item, &given.evidence));
    let explanation = classifier.explain(&rules, item, "own", now).expect("the rule is there");
    assert_eq!(explanation.holds, holds);
    assert_eq!(explanation.clauses[0].holds, holds);
}

fn check_evidence(item: &ItemText<'_>, evidence: &[Evidence]) {
    assert!(evidence.len() <= 24, "{} spans", evidence.len());
    for (at, span) in evidence.iter().enumerate() {
        assert!(span.clause.chars().count() <= 120, "{}", span.clause);
        assert!(!evidence[..at].contains(span), "{span:?} twice");
        if span.field != Field::Tag {
            let length = span.end - span.start;
            let published: String = item.field_text(span.field).chars().skip(span.start).take(length).collect();
            assert_eq!(published, span.text);
        }
    }
}

fn term(text: &str) -> Query {
    query::parse_term(text).expect("the term reads").0
}
