//! Rules as a whole: clauses, weights, vetoes, tags of tags, evidence, explanations, examples.

use super::tests::now;
use super::{Classifier, CompileError, ItemText, index_words};
use crate::model::{Field, TagName};
use crate::query::{self, Query, RuleSet, ScoreClause, TagRule};

fn query(text: &str) -> Query {
    query::parse(text).unwrap_or_else(|errors| panic!("`{text}`: {errors:?}")).0
}

fn term(text: &str) -> Query {
    query::parse_term(text).unwrap().0
}

fn rules(tags: Vec<TagRule>, lists: &[(&str, &[&str])]) -> RuleSet {
    let lists = lists
        .iter()
        .map(|(name, terms)| ((*name).to_string(), terms.iter().map(|text| term(text)).collect()))
        .collect();
    RuleSet { lists, tags }
}

fn tags(classifier: &Classifier, title: &str) -> Vec<String> {
    classifier.classify(&ItemText::from_title(title), now()).into_iter().map(|given| given.tag.0).collect()
}

fn french_ai() -> RuleSet {
    let any = TagRule {
        any: vec![term("@companies"), term("Kyutai")],
        except: Some(query("\"mistral wind\"")),
        ..TagRule::new("french-ai")
    };
    let clause = |text: &str, weight| ScoreClause { query: query(text), weight };
    let score = vec![clause("relocat* OR 搬迁", 2.0), clause("office* NEAR/6 open*", 1.5), clause("memory", -2.0)];
    let west = TagRule { matches: Some(query("tag:french-ai AND tag:relocation")), ..TagRule::new("west") };
    rules(
        vec![west, any, TagRule { score, threshold: 2.0, ..TagRule::new("relocation") }],
        &[("companies", &["Mistral AI", "LightOn"])],
    )
}

#[test]
fn a_tag_comes_by_any_or_match_or_weight_unless_vetoed() {
    let classifier = Classifier::compile(&french_ai()).unwrap();
    assert_eq!(tags(&classifier, "Kyutai"), ["french-ai"]);
    assert_eq!(tags(&classifier, "Mistral AI"), ["french-ai"]);
    assert_eq!(tags(&classifier, "Mistral AI and the mistral wind"), [""; 0]);
    assert_eq!(tags(&classifier, "It relocates"), ["relocation"]);
    assert_eq!(tags(&classifier, "It opens an office"), [""; 0]);
    assert_eq!(tags(&classifier, "It relocates memory"), [""; 0]);
    assert_eq!(tags(&classifier, "LightOn relocates"), ["west", "french-ai", "relocation"]);
}

#[test]
fn a_language_counts_wherever_a_rule_asks_for_it_declared_or_told() {
    let matching = |name: &str, text: &str| TagRule { matches: Some(query(text)), ..TagRule::new(name) };
    let clause = |text: &str, weight| ScoreClause { query: query(text), weight };
    let scored = |name: &str, threshold| TagRule {
        score: vec![clause("lang:fr", 1.0), clause("storm", 1.0)],
        threshold,
        ..TagRule::new(name)
    };
    // Alone and with others; `fr` is a word of a title, too, and one term with the language.
    let all = Classifier::compile(&rules(
        vec![
            matching("alone", "lang:fr"),
            matching("word", "title:fr"),
            matching("either", "title:fr OR lang:fr"),
            matching("both", "lang:fr AND storm"),
            matching("not", "storm NOT lang:fr"),
            matching("regex", "storm lang:/^fr/"),
            TagRule { except: Some(query("lang:fr")), ..matching("vetoed", "storm") },
            scored("one", 1.0),
            scored("two", 2.0),
        ],
        &[],
    ));
    let all = all.unwrap();
    let told = "Le gouvernement a annoncé hier que les entreprises de la région pourront recruter davantage, et que les aides \
                seront versées avant la fin de l'année à toutes celles qui en auront fait la demande auprès des services.";
    let check = |title: &str, language: Option<&str>, summary: &str, expected: &[&str]| {
        let item = ItemText { summary, language, ..ItemText::from_title(title) };
        let found: Vec<String> = all.classify(&item, now()).into_iter().map(|given| given.tag.0).collect();
        assert_eq!(found, expected, "{title} in {language:?}");
        let names: Vec<&str> = all.tags(&item, now()).iter().map(|tag| tag.0.as_str()).collect();
        assert_eq!(names, expected, "{title} in {language:?}, without evidence");
    };
    let in_french = ["alone", "either", "both", "regex", "one", "two"];
    check("A storm", Some("fr-CA"), "", &in_french);
    check("A storm", None, told, &in_french);
    check("A storm", Some("en"), told, &["not", "vetoed", "one"]);
    check("A storm", None, "", &["not", "vetoed", "one"]);
    check("The word fr", Some("en"), "", &["word", "either"]);
    check("The word fr", Some("fr"), "", &["alone", "word", "either", "one"]);
    check("Nothing", None, "", &[]);
    let evidence = all.classify(&ItemText { language: Some("fr-CA"), ..ItemText::from_title("Nothing") }, now());
    assert_eq!(evidence[0].evidence[0].text, "fr");
    assert_eq!(evidence[0].evidence[0].field, Field::Lang);
}

#[test]
fn a_rule_of_regular_expressions_alone_needs_no_other_word() {
    let clause = |text: &str, weight| ScoreClause { query: query(text), weight };
    let tags_of = vec![
        TagRule { any: vec![term(r"/[0-9]+\s?bn/")], ..TagRule::new("sum") },
        TagRule { matches: Some(query(r"raises /[0-9]+\s?bn/ NOT /\bno\b/")), ..TagRule::new("round") },
        TagRule {
            score: vec![clause(r"/\$[0-9]/", 1.0), clause(r"title:/(?-i)\b[A-Z]{2}\b/", 1.0)],
            threshold: 2.0,
            ..TagRule::new("both")
        },
        TagRule { matches: Some(query("Acme")), except: Some(query(r"/x{3}/")), ..TagRule::new("clean") },
    ];
    let classifier = Classifier::compile(&rules(tags_of, &[])).unwrap();
    assert_eq!(tags(&classifier, "It is worth 3bn"), ["sum"]);
    assert_eq!(tags(&classifier, "Acme raises 3 bn"), ["sum", "round", "clean"]);
    assert_eq!(tags(&classifier, "Acme raises no 3bn"), ["sum", "clean"]);
    assert_eq!(tags(&classifier, "EU: $4 for XY"), ["both"]);
    assert_eq!(tags(&classifier, "Acme is xxx"), [""; 0]);
    let item = ItemText { title: "Acme", summary: "It raises 3bn; EU, $4", ..ItemText::default() };
    let given: Vec<&str> = classifier.tags(&item, now()).into_iter().map(|tag| tag.0.as_str()).collect();
    assert_eq!(given, ["sum", "round", "clean"], "capitals count in the title alone");
}

#[test]
fn evidence_names_rule_clause_field_and_place() {
    let classifier = Classifier::compile(&french_ai()).unwrap();
    let item = ItemText { title: "«LightOn»", summary: "It relocates; opens offices", ..ItemText::default() };
    let given = classifier.classify(&item, now());
    let spans = |at: usize| {
        given[at]
            .evidence
            .iter()
            .map(|e| (e.clause.as_str(), e.field, e.start, e.end, e.text.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(spans(1), [("any: @companies", Field::Title, 1, 8, "LightOn")]);
    let score = [
        ("score[0]: relocat*", Field::Summary, 3, 12, "relocates"),
        ("score[1]: office* NEAR/6 open*", Field::Summary, 14, 19, "opens"),
        ("score[1]: office* NEAR/6 open*", Field::Summary, 20, 27, "offices"),
    ];
    assert_eq!(spans(2), score);
    assert!((given[2].score - 3.5).abs() < 1e-9);
    assert!((given[1].score - 1.0).abs() < 1e-9);
    let west = [
        ("match: tag:french-ai AND tag:relocation", Field::Tag, 0, 9, "french-ai"),
        ("match: tag:french-ai AND tag:relocation", Field::Tag, 0, 10, "relocation"),
    ];
    assert_eq!(spans(0), west);
    assert!(given[0].evidence.iter().all(|evidence| evidence.rule == "west"));
}

/// Clause, field and text of each span by which `rule` holds for a title.
#[track_caller]
fn check_evidence(rule: TagRule, title: &str, expected: &[(&str, &str)]) {
    let classifier = Classifier::compile(&rules(vec![rule], &[("ai", &["=AI", "LLM*"])])).unwrap();
    let given = classifier.classify(&ItemText::from_title(title), now());
    let found: Vec<_> = given[0].evidence.iter().map(|span| (span.clause.as_str(), span.text.as_str())).collect();
    assert_eq!(found, expected, "{title}");
}

fn matching(text: &str) -> TagRule {
    TagRule { matches: Some(query(text)), ..TagRule::new("t") }
}

#[test]
fn a_clause_is_the_smallest_part_that_held() {
    let any = TagRule { any: vec![term("Mistral AI"), term("@ai"), term("Dust")], ..TagRule::new("t") };
    check_evidence(any, "AI: Mistral-AI", &[("any: Mistral AI", "Mistral-AI"), ("any: @ai", "AI"), ("any: @ai", "AI")]);

    let of_two = matching("(office OR \"head office\") OR\n   @ai  NEAR/6\tlaw* OR absent OR AI AND absent");
    let spans = [("match: office", "office"), ("match: @ai NEAR/6 law*", "AI"), ("match: @ai NEAR/6 law*", "laws")];
    check_evidence(of_two, "office for AI laws", &spans);

    check_evidence(
        matching("title:(paris OR a b)"),
        "Paris, b, a",
        &[("match: title:paris", "Paris"), ("match: title:(a AND b)", "b"), ("match: title:(a AND b)", "a")],
    );
    check_evidence(
        matching("(paris OR lyon) office"),
        "an office in Paris",
        &[("match: (paris OR lyon) office", "office"), ("match: (paris OR lyon) office", "Paris")],
    );
    check_evidence(
        matching("paris\n  office"),
        "Paris office",
        &[("match: paris office", "Paris"), ("match: paris office", "office")],
    );
    let score = vec![ScoreClause { query: query("absent OR paris OR lyon"), weight: 1.0 }];
    check_evidence(TagRule { score, threshold: 1.0, ..TagRule::new("t") }, "Lyon", &[("score[0]: lyon", "Lyon")]);
}

#[test]
fn a_long_clause_is_cut() {
    let words = "élection ".repeat(40);
    let long = TagRule { matches: Some(query(&words)), ..TagRule::new("long") };
    let all = rules(vec![long], &[]);
    let classifier = Classifier::compile(&all).unwrap();
    let item = ItemText::from_title("élection");
    let clause = classifier.classify(&item, now())[0].evidence[0].clause.clone();
    assert!(clause.starts_with("match: élection élection") && clause.ends_with('…'), "{clause}");
    assert_eq!(clause.chars().count(), 120, "{clause}");
    let explanation = classifier.explain(&all, &item, "long", now()).unwrap();
    assert_eq!(explanation.clauses[0].clause, clause);
    assert!(explanation.clauses[0].part.query.chars().count() <= 120);
}

#[test]
fn evidence_is_bounded_and_shared_by_the_clauses() {
    let terms: Vec<Query> = ["aa", "bb", "cc", "dd", "ee"].map(term).into();
    let many = TagRule { any: terms, ..TagRule::new("many") };
    let classifier = Classifier::compile(&rules(vec![many], &[])).unwrap();
    let count = |title: &str, summary: &str, clause: &str| {
        let item = ItemText { title, summary, ..ItemText::default() };
        let evidence = classifier.classify(&item, now()).remove(0).evidence;
        (evidence.iter().filter(|span| span.clause == clause).count(), evidence.len())
    };
    assert_eq!(count(&"aa ".repeat(100), "", "any: aa"), (8, 8));
    assert_eq!(count(&"aa ".repeat(100), &"aa ".repeat(5), "any: aa"), (13, 13));
    assert_eq!(count(&"aa bb cc dd ee ".repeat(100), "aa", "any: ee"), (4, 21));
}

#[test]
fn the_same_span_is_no_evidence_twice() {
    let twice = TagRule {
        any: vec![term("paris"), term("paris")],
        matches: Some(query("paris OR PARIS")),
        ..TagRule::new("t")
    };
    let spans = [("any: paris", "Paris"), ("match: paris", "Paris"), ("match: PARIS", "Paris")];
    check_evidence(twice, "Paris", &spans);
}

#[test]
fn the_hash_of_a_rule_changes_with_what_it_means() {
    let hash = |rules: &RuleSet| Classifier::compile(rules).unwrap().rule_hash("french-ai").unwrap().to_string();
    let before = hash(&french_ai());
    assert_eq!(before.len(), 16);
    let mut other_layout = french_ai();
    other_layout.tags[1].except = Some(query("( \"mistral wind\" )"));
    other_layout.tags[1].title = "other".to_string();
    assert_eq!(hash(&other_layout), before);
    let mut other_list = french_ai();
    other_list.lists.get_mut("companies").unwrap().push(term("Dust"));
    assert_ne!(hash(&other_list), before);
}

#[test]
fn what_dangles_or_goes_in_circles_is_all_reported() {
    let circle =
        |name: &str, other: &str| TagRule { matches: Some(query(&format!("tag:{other}"))), ..TagRule::new(name) };
    let lost = TagRule { matches: Some(query("@nowhere tag:nothing @l1")), ..TagRule::new("lost") };
    let lists: &[(&str, &[&str])] = &[("l1", &["@l2"]), ("l2", &["x", "@l1", "@missing"])];
    let errors = Classifier::compile(&rules(vec![circle("a", "b"), circle("b", "a"), lost], lists)).unwrap_err();
    let path = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(
        errors.contains(&CompileError::TagCycle { name: "a".to_string(), path: path(&["a", "b", "a"]) }),
        "{errors:?}"
    );
    assert!(
        errors.contains(&CompileError::ListCycle { name: "l1".to_string(), path: path(&["l1", "l2", "l1"]) }),
        "{errors:?}"
    );
    assert!(
        errors.contains(&CompileError::UnknownTag { name: "nothing".to_string(), used_by: "tag `lost`".to_string() }),
        "{errors:?}"
    );
    assert!(
        errors.contains(&CompileError::UnknownList { name: "nowhere".to_string(), used_by: "tag `lost`".to_string() }),
        "{errors:?}"
    );
    assert!(
        errors.contains(&CompileError::UnknownList { name: "missing".to_string(), used_by: "list `@l2`".to_string() }),
        "{errors:?}"
    );
    assert_eq!(errors.len(), 5);
}

#[test]
fn a_rule_that_holds_by_absence_is_looked_at_without_a_hit() {
    let silent = TagRule { matches: Some(query("NOT noise")), ..TagRule::new("silent") };
    let classifier = Classifier::compile(&rules(vec![silent], &[])).unwrap();
    assert_eq!(tags(&classifier, "calm"), ["silent"]);
    assert_eq!(tags(&classifier, "noise"), [""; 0]);
}

#[test]
fn why_not_says_what_a_fact_is_that_another_was_asked_for() {
    let asked = "words>300 OR published>=2030 OR age<2d OR lang:fr OR host:elsewhere.test OR author:ada OR group:press";
    let all = rules(vec![TagRule { matches: Some(query(asked)), ..TagRule::new("facts") }], &[]);
    let classifier = Classifier::compile(&all).unwrap();
    let notes = |item: ItemText<'_>| {
        let explanation = classifier.explain(&all, &item, "facts", now()).unwrap();
        assert!(!explanation.holds);
        let parts = &explanation.clauses[0].part.parts;
        parts.iter().map(|part| part.note.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    let groups = ["ai".to_owned(), "blogs".to_owned()];
    let item = ItemText {
        language: Some("en"),
        url: "https://www.here.test/1",
        groups: &groups,
        published_at: Some(now() - jiff::SignedDuration::from_hours(24 * 9 + 1)),
        ..ItemText::from_title("three words here")
    };
    let date = format!("it is of {:.0}", item.published_at.unwrap());
    let expected = [
        "it has 3",
        &date,
        "it is 9d old",
        "it is *en*",
        "it is *www.here.test*",
        "there is none",
        "it is *ai, blogs*",
    ];
    assert_eq!(notes(item), expected);
    let bare = notes(ItemText { language: Some("en"), ..ItemText::from_title("a") });
    assert_eq!((bare[1].as_str(), bare[2].as_str()), ("it has no date", "it has no date"));
}

#[test]
fn why_not_says_how_near_it_came() {
    let near =
        TagRule { matches: Some(query("=AI NEAR/2 office")), except: Some(query("wind")), ..TagRule::new("near") };
    let all = rules(vec![near], &[]);
    let classifier = Classifier::compile(&all).unwrap();
    let note = |title: &str| {
        let explanation = classifier.explain(&all, &ItemText::from_title(title), "near", now()).unwrap();
        assert!(!explanation.holds);
        let part = &explanation.clauses[0].part;
        (part.note.clone().unwrap_or_default(), part.parts[0].note.clone().unwrap_or_default())
    };
    assert_eq!(note("AI firm opens an office").0, "nearest: *AI* … *office*, 4 words apart in title");
    assert_eq!(note("AI").0, "`office` is nowhere");
    assert_eq!(
        note("an ai office"),
        ("`=AI` is nowhere".to_string(), "not there; in other case or accents *ai*, in title".to_string())
    );
    assert_eq!(note("OPENAI office").1, "not there; only within *OPENAI*, in title");

    let vetoed = classifier.explain(&all, &ItemText::from_title("AI office, wind"), "near", now()).unwrap();
    assert!(!vetoed.holds && vetoed.clauses[0].holds && vetoed.clauses[1].holds);
    assert_eq!(vetoed.clauses[1].clause, "except: wind");
    assert!(classifier.explain(&all, &ItemText::from_title("x"), "other", now()).is_none());
}

#[test]
fn a_score_of_nothing_is_zero_and_not_minus_zero() {
    let score = vec![ScoreClause { query: query("Kyutai"), weight: 2.0 }];
    let scored = TagRule { score, threshold: 2.0, ..TagRule::new("scored") };
    let all = rules(vec![scored], &[]);
    let classifier = Classifier::compile(&all).unwrap();
    let explained = classifier.explain(&all, &ItemText::from_title("calm"), "scored", now()).unwrap();
    assert_eq!(explained.lines()[0], "scored does not hold, score 0 of 2");
}

#[test]
fn failing_examples_tell_which_clause_misled() {
    let classifier = Classifier::compile(&french_ai()).unwrap();
    let fault = |text: &str, must_match| {
        classifier.example_fault(&TagName("french-ai".to_string()), text, must_match, now()).unwrap_or_default()
    };
    assert_eq!(fault("Mistral AI", true), "");
    assert_eq!(fault("wind", false), "");
    assert_eq!(fault("Le Chat", true), "no clause of the rule holds, or `except` does");
    assert_eq!(fault("Kyutai", false), "the rule holds: `Kyutai` by any: Kyutai");
}

#[test]
fn a_rule_is_tried_on_the_fields_that_it_names_and_all_are_read_for_the_index() {
    let mut set = french_ai();
    set.tags.push(TagRule { matches: Some(query("title:Kyutai words>1")), ..TagRule::new("titled") });
    let classifier = Classifier::compile(&set).unwrap();
    let item = ItemText {
        title: "Kyutai moves",
        summary: "Kyutai moves to Montréal",
        content: "Kyutai moves to Montréal, says C++ 法国人工智能",
        authors: &["Ana Doe".to_owned()],
        categories: &["AT&T".to_owned()],
        ..ItemText::default()
    };
    let (given, words) = classifier.classify_with_words(&item, now());
    assert_eq!(given, classifier.classify(&item, now()));
    assert_eq!(given.len(), 2);
    assert_eq!(words, index_words(&item));
    for set in
        [rules(vec![], &[]), rules(vec![TagRule { matches: Some(query("author:Doe")), ..TagRule::new("one") }], &[])]
    {
        let (_, words) = Classifier::compile(&set).unwrap().classify_with_words(&item, now());
        assert_eq!(words, index_words(&item), "whatever the rules look at");
    }
}

/// In binary fractions 0.7 and 0.1 are less than 0.8, and 0.3 less 0.1 less 0.2 is not nothing.
#[test]
fn weights_are_added_as_the_decimals_they_are_written_as() {
    let score = [("seven", 0.7), ("one", 0.1), ("three", 0.3), ("less", -0.1), ("more", -0.2)];
    let score = score.map(|(text, weight)| ScoreClause { query: query(text), weight }).to_vec();
    let all = rules(vec![TagRule { score, threshold: 0.8, ..TagRule::new("t") }], &[]);
    let classifier = Classifier::compile(&all).unwrap();
    let given = classifier.classify(&ItemText::from_title("seven one"), now());
    assert_eq!(given.iter().map(|given| given.score).collect::<Vec<_>>(), [0.8]);
    assert_eq!(tags(&classifier, "seven"), [""; 0]);
    let nothing = classifier.explain(&all, &ItemText::from_title("three less more"), "t", now());
    assert_eq!(nothing.unwrap().score.to_string(), "0");
}
