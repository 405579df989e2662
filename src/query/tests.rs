//! Reading, printing and complaining, as tables; and the round trip as a property.

use super::*;
use crate::model::Field;
use proptest::prelude::*;

#[track_caller]
fn read(text: &str) -> Query {
    parse(text).unwrap_or_else(|errors| panic!("`{text}`: {errors:#?}")).0
}

#[track_caller]
fn check_print(text: &str, printed: &str) {
    let query = read(text);
    assert_eq!(query.to_string(), printed, "printing `{text}`");
    assert_eq!(read(printed), query, "`{printed}` reads back as something else");
}

/// Each expected diagnostic: the text it points at, and a part of its message or help.
#[track_caller]
fn check_diagnostics(found: &[QueryDiagnostic], text: &str, severity: Severity, expected: &[(&str, &str)]) {
    let found: Vec<_> = found.iter().filter(|diagnostic| diagnostic.severity == severity).collect();
    assert_eq!(found.len(), expected.len(), "`{text}`: {found:#?}");
    for (diagnostic, (span, part)) in found.iter().zip(expected) {
        assert_eq!(&text[diagnostic.span.clone()], *span, "`{text}`: {diagnostic:?}");
        let said = format!("{} {}", diagnostic.message, diagnostic.help.as_deref().unwrap_or_default());
        assert!(said.contains(part), "`{text}` should say `{part}`: {said}");
    }
}

#[track_caller]
fn check_errors(text: &str, expected: &[(&str, &str)]) {
    let errors = parse(text).expect_err(text);
    check_diagnostics(&errors, text, Severity::Error, expected);
}

#[track_caller]
fn check_warnings(text: &str, expected: &[(&str, &str)]) {
    let (_, lints) = parse(text).unwrap_or_else(|errors| panic!("`{text}`: {errors:#?}"));
    check_diagnostics(&lints, text, Severity::Warning, expected);
}

#[test]
fn what_is_read_is_printed_in_one_way() {
    check_print("a b", "a AND b");
    check_print("a AND b OR c", "a AND b OR c");
    check_print("a (b OR c)", "a AND (b OR c)");
    check_print("((a) ((b) c))", "a AND b AND c");
    check_print("-a -(b c)", "NOT a AND NOT (b AND c)");
    check_print("NOT NOT a", "NOT NOT a");
    check_print("NOT a NEAR/3 b", "NOT a NEAR/3 b");
    check_print("a NEAR b", "a NEAR/10 b");
    check_print("a NOT NEAR/3 b", "a NOT NEAR/3 b");
    check_print("a SENTENCE b SENTENCE/5 c", "a SENTENCE b SENTENCE/5 c");
    check_print("a NEAR/2 (b BEFORE/3 c)", "a NEAR/2 (b BEFORE/3 c)");
    check_print("\"plain\" \"two words\"", "plain AND \"two words\"");
    check_print("“curly quotes”", "\"curly quotes\"");
    check_print("„curly quotes“ =„Le Chat”", "\"curly quotes\" AND =\"Le Chat\"");
    check_print("\"a \\\"quote\\\" and \\\\\"", "\"a \\\"quote\\\" and \\\\\"");
    check_print("=AI =\"Le Chat\" ~relocate", "=AI AND =\"Le Chat\" AND ~relocate");
    check_print("/a\\/b\\\\/", "/a\\/b\\\\/");
    check_print("@french-ai-companies", "@french-ai-companies");
    check_print(
        "title:a title:(b OR c) tag:french-ai tag:(x OR y)",
        "title:a AND title:(b OR c) AND tag:french-ai AND (tag:x OR tag:y)",
    );
    check_print("\"or\" \"a:b\" \"AND\" \"(x\"", "\"or\" AND \"a:b\" AND \"AND\" AND \"(x\"");
}

#[test]
fn comparisons_take_blanks() {
    check_print("published>=2025-01-28 age < 7d words>300", "published>=2025-01-28 AND age<7d AND words>300");
    check_print("published>=2025-01-28T09:00:00Z", "published>=2025-01-28T09:00:00Z");
}

#[test]
fn words_keep_their_symbols() {
    for word in
        ["C++", "C#", ".NET", "AT&T", "R&D", "3.5", "GPT-4", "l'IA", "LLM*", "*end", "a/b", "法国AI公司", "10:30"]
    {
        check_print(word, word);
    }
}

#[test]
fn references_have_their_places() {
    let query = read("@ai tag:(x OR \"y z\") NOT title:@fr");
    let found: Vec<_> =
        query.references().into_iter().map(|r| (r.kind, r.name, query.text()[r.span].to_string())).collect();
    let expected = [
        (ReferenceKind::List, "ai", "@ai"),
        (ReferenceKind::Tag, "x", "x"),
        (ReferenceKind::Tag, "y z", "\"y z\""),
        (ReferenceKind::List, "fr", "@fr"),
    ];
    assert_eq!(found, expected.map(|(kind, name, text)| (kind, name.to_string(), text.to_string())));
    assert_eq!(read("a NOT \"b c\"").terms().len(), 2);
}

#[test]
fn a_term_of_a_list_is_a_phrase() {
    let text = |text: &str, exact| ExprKind::Term(Term::Text { text: text.to_string(), exact });
    let cases = [
        ("Mistral AI", text("Mistral AI", false)),
        ("=Le Chat", text("Le Chat", true)),
        ("=\"Le Chat\"", text("Le Chat", true)),
        ("\"open weight*\"", text("open weight*", false)),
        ("  C++ ", text("C++", false)),
        ("and", text("and", false)),
        ("Yahoo! (Japan)", text("Yahoo! (Japan)", false)),
        ("~relocate", ExprKind::Term(Term::Stem("relocate".to_string()))),
        ("/gpt-?[45]/", ExprKind::Term(Term::Regex("gpt-?[45]".to_string()))),
        ("@other-list", ExprKind::List("other-list".to_string())),
        ("tag:x", ExprKind::Tag("x".to_string())),
    ];
    for (term, kind) in cases {
        let (query, _) = parse_term(term).unwrap_or_else(|errors| panic!("`{term}`: {errors:?}"));
        assert_eq!(query.root.kind, kind, "{term}");
        assert_eq!(&term[query.root.span.clone()], term.trim(), "{term}");
    }
    assert!(matches!(parse_term("title:Mistral").unwrap().0.root.kind, ExprKind::Scope(Scope::Field(Field::Title), _)));
    for (term, part) in [
        ("a NEAR/3 b", "phrase"),
        ("(a OR b)", "a list holds terms"),
        ("-a", "a list holds terms"),
        ("", "nothing to look for"),
        ("!!", "never match"),
    ] {
        check_diagnostics(&parse_term(term).expect_err(term), term, Severity::Error, &[(term, part)]);
    }
    let (_, lints) = parse_term("cats AND dogs").unwrap();
    check_diagnostics(&lints, "cats AND dogs", Severity::Warning, &[("cats AND dogs", "`AND` is taken as a word")]);
}

#[test]
fn operators_in_lower_case_are_errors() {
    check_errors("a or b", &[("or", "write `OR`")]);
    check_errors("a and b not c", &[("and", "`AND`"), ("not", "`NOT`")]);
    check_errors("a near b", &[("near", "`NEAR`")]);
    check_errors("a near/3 b", &[("near/3", "`NEAR/3`")]);
    check_errors("a Or b", &[("Or", "`OR`")]);
    check_print("or", "\"or\"");
    check_print("a before b", "a AND before AND b");
}

#[test]
fn near_takes_only_what_has_a_place() {
    check_errors("(a AND b) NEAR/5 c", &[("(a AND b)", "(a NEAR/5 c) AND (b NEAR/5 c)")]);
    check_errors("a NEAR/3 -b", &[("-b", "`a NOT NEAR/3 b` was probably meant")]);
    check_errors("a NEAR/3 NOT b", &[("NOT b", "`a NOT NEAR/3 b` was probably meant")]);
    check_errors("tag:x NEAR/3 a", &[("tag:x", "tag:x AND a")]);
    check_errors("a SENTENCE words>3", &[("words>3", "a comparison")]);
    check_errors("a BEFORE/2 (b OR (c d))", &[("(c d)", "AND")]);
    check_errors("lang:fr NEAR/2 a", &[("lang:fr", "without words")]);
    check_errors("title:a NEAR/2 content:b", &[("title:a NEAR/2 content:b", "different fields")]);
}

#[test]
fn distances_have_limits() {
    check_errors("a NEAR/0 b", &[("NEAR/0", "from 1 to 100")]);
    check_errors("a NEAR/101 b", &[("NEAR/101", "SENTENCE")]);
    check_errors("a BEFORE/x b", &[("BEFORE/x", "like `NEAR/8`")]);
    check_errors("a NEAR/ b", &[("NEAR/", "like `NEAR/8`")]);
}

#[test]
fn what_is_not_balanced_is_pointed_at() {
    check_errors("a (b OR c", &[("(", "never closed")]);
    check_errors("a b) c", &[(")", "never opened")]);
    check_errors("a \"b c", &[("\"", "never closed")]);
    check_errors("a /b c", &[("/", "never closed")]);
    check_errors("a () b", &[("()", "nothing between")]);
    check_errors("(((", &[("(", "never closed"), ("(", "never closed"), ("(", "never closed")]);
}

#[test]
fn operators_need_both_sides() {
    check_errors("AND a", &[("AND", "nothing on its left")]);
    check_errors("a OR", &[("OR", "nothing on its right")]);
    check_errors("a AND OR b", &[("AND", "nothing on its right")]);
    check_errors("NEAR/3 a", &[("NEAR/3", "nothing on its left")]);
    check_errors("a NEAR/3", &[("NEAR/3", "nothing on its right")]);
    check_errors("a NOT", &[("NOT", "nothing on its right")]);
    check_errors("NOT NEAR/2 b", &[("NOT NEAR/2", "nothing on its left")]);
    check_errors("title:", &[("title:", "nothing to look for")]);
    check_errors("a - b", &[("-", "never match")]);
    check_errors("", &[("", "nothing to look for")]);
}

#[test]
fn a_minus_before_an_operator_is_not_passed_over() {
    for text in ["a -NOT b", "a -AND b", "a -OR b", "a -NEAR/3 b"] {
        let errors = parse(text).expect_err(text);
        assert!(
            errors.iter().any(|error| error.span == (2..3) && error.message.contains("right")),
            "{text}: {errors:?}"
        );
    }
    check_print("a NOT -b", "a AND NOT NOT b");
}

#[test]
fn unknown_names_have_a_suggestion() {
    check_errors("titel:a", &[("titel:", "`title:` was probably meant")]);
    check_errors("Title:a", &[("Title:", "`title:` was probably meant")]);
    check_errors("https://example.org", &[("https:", "quote the text")]);
    check_errors("publishd>2025-01-01", &[("publishd>2025-01-01", "`published>")]);
    check_errors("size>3", &[("size>3", "cannot be compared")]);
    check_errors("tag:/x/", &[("/x/", "name of a tag")]);
    check_errors("title:(words>3)", &[("(words>3)", "whole item")]);
}

#[test]
fn values_of_comparisons_are_checked() {
    check_errors("published>=2025-13-01", &[("published>=2025-13-01", "not a date")]);
    check_errors("published>=28/01/2025", &[("published>=28/01/2025", "2025-01-28")]);
    check_errors("age<7", &[("age<7", "not a duration")]);
    check_errors("age=7d", &[("age=7d", "never exactly")]);
    check_errors("words>many", &[("words>many", "digits")]);
    check_errors("words>", &[("words>", "digits")]);
}

#[test]
fn h34_regular_expressions_are_bounded() {
    check_errors("/(a/", &[("/(a/", "unclosed group")]);
    check_errors("/(?:a{1000}){1000}/", &[("/(?:a{1000}){1000}/", "too large")]);
    check_errors("/a{0,1000}a{0,1000}a{0,1000}b/", &[("/a{0,1000}a{0,1000}a{0,1000}b/", "too large")]);
    check_errors("/x*/", &[("/x*/", "matches the empty text")]);
    check_errors("/a/i", &[("/a/i", "flags go inside")]);
    check_errors("//", &[("//", "empty")]);
}

#[test]
fn what_can_never_match_is_an_error_and_what_matches_everything_too() {
    check_errors("\"!?\"", &[("\"!?\"", "never match")]);
    check_errors("a %", &[("%", "never match")]);
    check_errors("*", &[("*", "nearly everything")]);
    check_errors("a*", &[("a*", "nearly everything")]);
    check_errors("\"open * weights\"", &[("\"open * weights\"", "BEFORE")]);
    check_errors("C++*", &[("C++*", r"write `C++`, or an expression such as `/C\+\+\w+/`")]);
    check_errors("\"the C#* class\"", &[("\"the C#* class\"", "beside no letter")]);
    check_errors("R&*", &[("R&*", "beside no letter")]);
    check_warnings("node.*", &[("node.*", r"write `node`, or an expression such as `/node\.\w+/`")]);
    check_warnings("*.js", &[("*.js", r"`/\w+\.js/`")]);
    check_warnings("3.* l'* GPT-*", &[("3.*", "write `3`"), ("l'*", "write `l`"), ("GPT-*", "write `GPT`")]);
    check_warnings("url:example.org/* .NET8* node.j* \"cafe\u{301}*\"", &[]);
    check_errors("~\"a b\"", &[("~\"a b\"", "one word")]);
    check_warnings("fra*", &[("fra*", "francisco")]);
    check_warnings("franc*", &[("franc*", "francisco")]);
    check_warnings("intern*", &[]);
    check_warnings("LLM* relocat* français*", &[]);
    check_warnings("法国*", &[("法国*", "does nothing")]);
    check_warnings("NOT a", &[("NOT a", "nearly everything")]);
    check_warnings("a NOT b", &[]);
    check_warnings("AI", &[("AI", "write `=AI`")]);
    check_warnings("=AI \"AI\" author:AI", &[]);
}

#[test]
fn what_stands_in_nearly_every_text_is_a_doubt() {
    check_warnings("the", &[("the", "nearly every text")]);
    check_warnings("mistral OR title:De", &[("De", "nearly every text")]);
    check_warnings("的", &[("的", "nearly every text")]);
    check_warnings("\"the\" =The \"the end\" author:de", &[]);
    check_warnings("the NEAR/2 (le OR end) (@x SENTENCE la)", &[]);
    check_warnings(r"/\w+/ BEFORE/2 office", &[]);
    assert!(parse_term("the").unwrap().1.is_empty(), "a list may stand beside a NEAR");
    check_diagnostics(&parse_lone_term("the").unwrap().1, "the", Severity::Warning, &[("the", "nearly every text")]);
    check_warnings("LA", &[("LA", "write `=LA`")]);
    check_warnings("/e/", &[("/e/", "nearly everything")]);
    check_warnings(r"a OR /\w+/", &[(r"/\w+/", "nearly everything")]);
    check_warnings(r"title:/\b/", &[(r"/\b/", "nearly everything")]);
    check_warnings(r"content:/./ lang:/./ /fr|en/ /\d/ /[a-z]{8}/", &[]);
    check_errors("words>=0", &[("words>=0", "holds for every item")]);
    check_errors("words<0", &[("words<0", "never holds")]);
    check_warnings("words>0 words<=0", &[]);
}

#[test]
fn what_asks_for_a_thing_and_its_absence_is_a_doubt() {
    check_warnings("mistral paris -mistral", &[("-mistral", "never holds")]);
    check_warnings("(a OR b) NOT (a OR b)", &[("NOT (a OR b)", "never holds")]);
    check_warnings("title:a NOT a", &[]);
}

#[test]
fn a_field_that_can_never_be_so_is_an_error() {
    check_errors("lang:french", &[("french", "`lang:fr`")]);
    check_errors("lang:(fr OR anglais)", &[("anglais", "`lang:fr`")]);
    check_errors("host:https://example.org/blog", &[("https://example.org/blog", "`host:example.org`")]);
    check_errors("host:example.org/", &[("example.org/", "`host:example.org`")]);
    check_warnings("lang:fr lang:fr* lang:zh-Hant lang:pt_BR lang:/^fr/ host:*.example.org", &[]);
}

#[test]
fn operators_of_other_languages_are_told() {
    check_errors("a && b || c", &[("&&", "write `AND`"), ("||", "write `OR`")]);
    check_errors("a | b & c", &[("|", "write `OR`"), ("&", "write `AND`")]);
    check_errors("a !b", &[("!b", "write `NOT b`")]);
    check_errors("!(a)", &[("!", "write `NOT`")]);
    check_warnings("\"!kung\" yahoo!", &[]);
    check_errors("words!=3", &[("words!=3", "write `NOT words=3`")]);
    check_errors(
        "words≥3 published ≤ 2025",
        &[("words≥3", "write `words>=3`"), ("published ≤ 2025", "write `published<=2025`")],
    );
    check_errors("'le chat' OR b", &[("'le chat'", "write `\"le chat\"`")]);
    check_warnings("'90s l'IA rock 'n' roll", &[]);
}

#[test]
fn a_phrase_may_stand_in_quotes_of_any_country() {
    for text in ["\"le chat\"", "“le chat”", "„le chat“", "„le chat”", "«le chat»", "« le chat »"] {
        assert_eq!(read(text).terms().len(), 1, "{text}");
    }
    check_print("=«Le Chat» title:«x y»", "=\"Le Chat\" AND title:\"x y\"");
    check_errors("«le chat", &[("«", "add `»`")]);
}

#[test]
fn depth_is_bounded_and_length_is_not() {
    let deep = format!("{}a{}", "(".repeat(300), ")".repeat(300));
    check_errors(&deep, &[("(", "64 levels")]);
    check_errors(&format!("title:({}a", "NOT (".repeat(100)), &[("(", "64 levels")]);
    assert!(parse(&"NOT ".repeat(100_000)).is_err());
    assert!(parse(&"-".repeat(100_000)).is_err());
    assert!(parse(&"title:".repeat(10_000)).is_err());
    assert!(parse(&format!("a{}", " NEAR/1 a".repeat(10_000))).is_err());
    for negation in ["NOT ", "-"] {
        let deepest = read(&format!("{}a b", negation.repeat(60)));
        assert_eq!(read(&deepest.to_string()), deepest, "printed no deeper than it was written");
    }
    let long = (0..5_000).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" OR ");
    assert_eq!(read(&long).terms().len(), 5_000);
}

#[test]
fn all_errors_are_reported_at_once() {
    check_errors(
        "titel:a (b or c \"",
        &[("titel:", "title"), ("(", "never closed"), ("or", "OR"), ("\"", "never closed")],
    );
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Zé法]{1,6}[*+#]?",
        "[a-z]{2,3}-[a-z0-9]{1,2}",
        Just("or".to_string()),
        Just("NEAR/3".to_string()),
        Just("a:b".to_string()),
        "[a-z \"\\\\()é*:<=>@/~-]{0,8}x",
    ]
}

fn leaf() -> impl Strategy<Value = ExprKind> {
    prop_oneof![
        (word(), any::<bool>()).prop_map(|(text, exact)| ExprKind::Term(Term::Text { text, exact })),
        "[a-zé]{1,8}".prop_map(|word| ExprKind::Term(Term::Stem(word))),
        Just("a+b/c\\d|\\\\".to_string()).prop_map(|pattern| ExprKind::Term(Term::Regex(pattern))),
        "[a-z-]{1,8}".prop_map(ExprKind::List),
    ]
}

fn boxed(kind: ExprKind) -> Box<Expr> {
    Box::new(Expr { kind, span: 0..0 })
}

/// What NEAR can take.
fn placed() -> impl Strategy<Value = ExprKind> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        let operator = (0..3u8, 1..=100u16, any::<bool>()).prop_map(|(kind, words, negated)| Proximity {
            kind: [ProximityKind::Near, ProximityKind::Before, ProximityKind::Sentence][usize::from(kind)],
            distance: (kind < 2 || words > 50).then_some(words),
            negated,
        });
        prop_oneof![
            (inner.clone(), operator, inner.clone()).prop_map(|(left, operator, right)| ExprKind::Proximity {
                left: boxed(left),
                operator,
                right: boxed(right)
            }),
            prop::collection::vec(inner.clone(), 2..4).prop_map(join_or),
            inner.prop_map(|inner| ExprKind::Scope(Scope::Field(Field::Title), boxed(inner))),
        ]
    })
}

fn flat(parts: Vec<ExprKind>, is_or: bool) -> Vec<Expr> {
    parts
        .into_iter()
        .flat_map(|kind| match kind {
            ExprKind::Or(inner) if is_or => inner,
            ExprKind::And(inner) if !is_or => inner,
            kind => vec![Expr { kind, span: 0..0 }],
        })
        .collect()
}

fn join_or(parts: Vec<ExprKind>) -> ExprKind {
    ExprKind::Or(flat(parts, true))
}

fn tree() -> impl Strategy<Value = ExprKind> {
    let plain = prop_oneof![
        placed(),
        word().prop_map(ExprKind::Tag),
        Just(ExprKind::Compare(Comparison::read("words", CompareOp::Less, "9").unwrap()))
    ];
    plain.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| ExprKind::And(flat(parts, false))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(join_or),
            inner.prop_map(|inner| ExprKind::Not(boxed(inner))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn printing_and_reading_is_the_identity(kind in tree()) {
        let tree = Expr { kind, span: 0..0 };
        let printed = tree.to_string();
        let (read, diagnostics) = parser::parse_query(&printed);
        prop_assert!(diagnostics.is_empty(), "{printed}\n{diagnostics:#?}");
        prop_assert_eq!(read, Some(tree), "{}", printed);
    }

    #[test]
    fn any_text_is_read_or_complained_of_within_itself(text in "[a-zé法 \"“”()（）@/~=<>:*|.,0-9ANDORTE-]{0,40}") {
        let diagnostics = match parse(&text) {
            Ok((query, lints)) => {
                prop_assert_eq!(&parse(&query.to_string()).unwrap().0, &query);
                lints
            }
            Err(errors) => {
                prop_assert!(errors.iter().any(|d| d.severity == Severity::Error));
                errors
            }
        };
        for diagnostic in diagnostics {
            prop_assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic:?}");
        }
    }
}
