//! Every line of the language's definition, as a table: a query, a text, whether it holds.

use super::{CompiledQuery, ItemText};
use crate::model::Timestamp;
use crate::query::{self, Query};
use std::collections::BTreeMap;

pub(super) fn now() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

pub(super) fn lists() -> BTreeMap<String, Vec<Query>> {
    let list = |terms: &[&str]| terms.iter().map(|term| query::parse_term(term).unwrap().0).collect();
    BTreeMap::from([
        ("ai".to_string(), list(&["=AI", "=IA", "artificial intelligence", "人工智能", "LLM*"])),
        ("france".to_string(), list(&["France", "French", "français*", "法国"])),
        ("both".to_string(), list(&["@ai", "@france"])),
    ])
}

fn compile(text: &str) -> CompiledQuery {
    let (query, _) = query::parse(text).unwrap_or_else(|errors| panic!("`{text}`: {errors:?}"));
    CompiledQuery::compile(&query, &lists()).unwrap()
}

fn holds(query: &str, item: &ItemText<'_>) -> bool {
    compile(query).matches(item, now())
}

#[track_caller]
fn check(query: &str, yes: &[&str], no: &[&str]) {
    for text in yes {
        assert!(holds(query, &ItemText::from_title(text)), "`{query}` should hold for {text:?}");
    }
    for text in no {
        assert!(!holds(query, &ItemText::from_title(text)), "`{query}` should not hold for {text:?}");
    }
}

#[test]
fn a_word_is_whole() {
    check("AI", &["AI wins", "open ai", "l'AI", "AI-first", "(AI)", "ai"], &["said", "OpenAI", "AIs", "aim"]);
    check("mistral", &["MISTRAL", "Mistral's", "mistral.ai", "@Mistral", "#mistral"], &["mistrals", "amistral"]);
}

#[test]
fn words_of_a_phrase_stand_in_a_row() {
    let yes = [
        "open source",
        "Open-Source",
        "open/source",
        "open\nsource",
        "open – source",
        "“open” source",
        "open\u{a0}source",
    ];
    check(
        "\"open source\"",
        &yes,
        &["open, source", "open. Source", "open the source", "source open", "open", "reopen source", "open (source)"],
    );
    check("open-source", &["open source"], &["source open"]);
    check("\"L'Oréal\"", &["L’Oreal", "l oreal"], &["loreal"]);
    check("\"Dust, Inc\"", &["Dust, Inc", "Dust Inc"], &["Dust. Other inc"]);
    check("\"Mr Smith\"", &["Mr. Smith"], &["mr, smith"]);
}

#[test]
fn a_wildcard_stays_within_a_word() {
    check("relocat*", &["relocates", "Relocation", "relocat"], &["dislocates", "reloc at"]);
    check("*ation", &["relocation", "station"], &["stations", "at ion"]);
    check("*loca*", &["relocation", "local", "loca"], &["lo ca"]);
    // The words of an acronym lie behind the text that the others are in.
    check("*locat*", &["The U.S. relocation of an office", "U.S. and U.K. offices of one relocated firm"], &[]);
    check("*kb*", &["A U.K.B. firm"], &["A U.K. B firm", "U.K. B.K."]);
    check("rel*ion", &["relocation", "religion"], &["relocations", "rel ion"]);
    check("\"open weight*\"", &["open weights", "open-weight"], &["open the weights", "opens weights"]);
    check("\"open* weight\"", &["opening weight"], &["opening weights"]);
    check("GPT-4*", &["GPT 4o", "gpt-4"], &["gpt 3"]);
    check("LLM*", &["LLMs", "llm"], &["allm"]);
    check("délocal*", &["delocalise", "DÉLOCALISATION"], &["local"]);
}

#[test]
fn exactly_counts_case_and_accents() {
    check("=AI", &["AI", "l'AI", "AI.", "ＡＩ"], &["ai", "j'ai", "Ai", "AIs"]);
    check("=\"Le Chat\"", &["Le Chat", "Le-Chat"], &["le chat", "Le chat"]);
    check("=résumé", &["résumé"], &["resume", "Résumé"]);
    check("=US", &["US", "U.S."], &["us"]);
    check("=LLM*", &["LLMs", "LLM"], &["llms", "Llm"]);
    check("AI", &["j'ai"], &[]);
}

#[test]
fn a_stem_is_taken_in_the_language_of_the_item() {
    let item = |language, title| ItemText { language: Some(language), ..ItemText::from_title(title) };
    for title in ["relocate", "Relocating to Boston", "has relocated", "it relocates"] {
        assert!(holds("~relocate", &item("en", title)), "{title}");
    }
    assert!(holds("~délocaliser", &item("fr", "Mistral délocalise")));
    assert!(holds("~delocaliser", &item("fr-FR", "Les délocalisés")));
    assert!(holds("~relocate", &ItemText::from_title("Relocating")));
    assert!(!holds("~relocate", &item("en", "location")));
}

#[test]
fn a_regex_sees_the_text_as_published() {
    check("/gpt-?[45]/", &["GPT-4", "gpt5", "xgpt-5"], &["gpt 4", "gpt-3"]);
    check("/\\bA\\/B\\b/", &["an a/b test"], &["ab"]);
    check("/(?-i)ARM/", &["ARM"], &["arm"]);
    check("/[0-9]{3} ?M€/", &["lève 100 M€"], &["lève 10 M€"]);
    check("/€|\\$/ NEAR/2 million*", &["$5 million"], &["$5 for a million"]);
}

#[test]
fn a_list_holds_by_any_of_its_terms() {
    check("@ai", &["AI", "l'IA", "中国人工智能", "LLMs"], &["j'ai", "aim"]);
    check("@both", &["AI", "les Françaises"], &["other"]);
}

#[test]
fn booleans_bind_as_said() {
    check("a b", &["b a"], &["a", "b"]);
    check("a AND b OR c", &["a b", "c"], &["a", "b"]);
    check("a (b OR c)", &["a b", "a c"], &["a", "b c"]);
    check("a NOT b", &["a", "a c"], &["a b"]);
    check("a -b", &["a"], &["a b"]);
    check("a -\"b c\"", &["a b", "a c b"], &["a b c"]);
    check("a -(b OR c)", &["a"], &["a b", "a c"]);
    check("NOT a b", &["b"], &["a b", "c"]);
}

#[test]
fn near_counts_words_in_either_order() {
    check("a NEAR/1 b", &["a b", "b a", "a, b"], &["a x b"]);
    check("a NEAR/3 b", &["a x y b", "b x y a", "a. B"], &["a x y z b"]);
    check("a NEAR/8 a", &["a a"], &["a"]);
    check("@france NEAR/4 @ai", &["French startup in AI", "AI from France"], &["France one two three four AI"]);
    check("(a OR b) NEAR/2 (c OR d)", &["b x d"], &["a b", "a x y c"]);
    check("(a NEAR/5 b) NEAR/1 c", &["a c b", "a b c"], &["a b x c"]);
    check("法国 NEAR/1 公司", &["法国公司", "公司法国"], &["法国的公司"]);
    check("法国 NEAR/2 公司", &["法国人的公司"], &["法国人的大公司"]);
    check("a NEAR b", &["a 1 2 3 4 5 6 7 8 9 b"], &["a 1 2 3 4 5 6 7 8 9 10 b"]);
}

#[test]
fn before_keeps_the_order() {
    check("a BEFORE/2 b", &["a b", "a x b"], &["b a", "a x y b"]);
    check("a BEFORE/9 b", &["b a b"], &["b a"]);
}

#[test]
fn a_sentence_ends_where_it_says() {
    let apart = ["a. B", "a! b", "a? b", "a。b", "a！b", "a？b", "a; b", "a；b", "a | b", "a｜b", "a\nb"];
    check("a SENTENCE b", &["a b", "b a", "a, b", "a 3.5 b", "a: b"], &apart);
    check("x SENTENCE b", &["x in the U.S. market b", "x vs. b", "x e.g. b", "x Dr. Who b"], &["x it. b"]);
    check("苹果 SENTENCE 法国", &["苹果在法国"], &["苹果；法国", "苹果。法国"]);
    check("a SENTENCE/2 b", &["a x b"], &["a x y b", "a. b"]);
}

#[test]
fn not_near_asks_for_a_free_occurrence() {
    check(
        "mistral NOT NEAR/3 bugatti",
        &["Mistral AI", "Bugatti Mistral and then some words later Mistral"],
        &["Bugatti Mistral", "the Mistral, a Bugatti"],
    );
    check("mistral NOT NEAR/1 \"bugatti mistral\"", &["mistral ai"], &["bugatti mistral"]);
    check("a NOT BEFORE/1 b", &["a c", "b a"], &["a b"]);
    check("a NOT SENTENCE b", &["a. b"], &["a b"]);
}

#[test]
fn scopes_look_at_their_field() {
    let groups = ["ai".to_string(), "fr-news".to_string()];
    let (authors, categories) =
        (["Ada Lovelace".to_string(), "Bob".to_string()], ["Start-ups".to_string(), "Cloud".to_string()]);
    let item = ItemText {
        title: "tee",
        summary: "sum",
        content: "con",
        authors: &authors,
        categories: &categories,
        url: "https://www.example.org:8080/path/to-page?q=1",
        feed_title: "Le Monde",
        feed_url: "https://lemonde.test/rss.xml",
        groups: &groups,
        language: Some("fr-FR"),
        published_at: Some("2026-11-20T09:00:00Z".parse().unwrap()),
        tags: &["french-ai", "funding"],
        corrections: &[],
    };
    let yes = [
        "title:tee",
        "summary:sum",
        "content:con",
        "text:tee text:con",
        "author:\"Ada Lovelace\"",
        "author:lovelace",
        "category:\"start ups\"",
        "start-ups",
        "url:path",
        "url:\"to page\"",
        "host:example.org",
        "host:www.example.org",
        "host:example",
        "feed:\"le monde\"",
        "feed:lemonde.test",
        "feed:https://lemonde.test/rss.xml",
        "group:ai",
        "group:fr-news",
        "lang:fr",
        "lang:fr-fr",
        "tag:french-ai",
        "tag:(x OR funding)",
        "title:(a OR tee)",
        "title: tee",
        "tag:french-ai AND NOT tag:other",
        "-tag:x tee",
    ];
    for query in yes {
        assert!(holds(query, &item), "{query}");
    }
    let no = [
        "title:sum",
        "summary:tee",
        "lovelace",
        "text:ada",
        "category:\"start ups cloud\"",
        "url:tee",
        "host:example.com",
        "host:ample.org",
        "group:fr",
        "group:news",
        "lang:en",
        "tag:french",
        "tag:(x AND funding)",
        "feed:figaro",
        "path",
        "title:(tee AND sum)",
        "author:\"lovelace bob\"",
    ];
    for query in no {
        assert!(!holds(query, &item), "{query}");
    }
    assert!(!holds("host:example.org", &ItemText { url: "https://example.org.evil.test/", ..ItemText::default() }));
}

#[test]
fn comparisons_compare() {
    let item = ItemText {
        title: "one two 三四",
        published_at: Some("2026-11-20T09:00:00Z".parse().unwrap()),
        ..ItemText::default()
    };
    let yes = [
        "published>=2026-11-20",
        "published<=2026-11-20",
        "published=2026-11-20",
        "published>2026-11-19",
        "published<2026-11-21",
        "published=2026-11",
        "published>=2026",
        "published>2026-11-20T08:59:59Z",
        "age<7d",
        "age>3d",
        "age>=4d",
        "age<=96h",
        "age<1w",
        "words>2",
        "words>=3",
        "words=3",
        "words<4",
        "published >= 2026-11-20",
        "age < 7d",
    ];
    for query in yes {
        assert!(holds(query, &item), "{query}");
    }
    for query in
        ["published>2026-11-20", "published<2026-11-20", "published=2025", "age<4d", "age>7d", "words>3", "NOT words=3"]
    {
        assert!(!holds(query, &item), "{query}");
    }
    assert!(!holds("published>=1970-01-01", &ItemText::default()));
}

#[test]
fn folding_ignores_what_writers_vary() {
    check("délocalisé", &["delocalise", "DÉLOCALISÉ", "de\u{301}localise\u{301}"], &["delocaliser"]);
    check("strasse", &["Straße", "STRASSE"], &[]);
    check("ΟΔΟΣ", &["οδος", "οδός"], &[]);
    check("елка", &["Ёлка"], &[]);
    check("AI", &["ＡＩ", "A\u{200b}I"], &[]);
    check("coeur", &["cœur", "CŒUR"], &[]);
    check("ガ", &["ガ", "ｶﾞ", "カ\u{3099}"], &["カ"]);
    check("カ", &[], &["ガ"]);
    check("\"l'IA\"", &["l’IA", "l'ia", "l`IA"], &["lia"]);
    check("IA", &["l'IA", "L’IA", "d'IA"], &["lia"]);
    check("軟體", &["软体"], &["软件"]);
    check("法国", &["法國", "在法國的"], &[]);
    check("企劃", &["企划", "企畫"], &[]);
}

#[test]
fn runs_match_anywhere_and_a_change_of_script_is_a_break() {
    check("法国", &["法国AI公司", "在法国", "法国"], &["法 国", "法，国", "国法"]);
    check("AI", &["法国AI公司", "AI公司"], &["法国OPENAI公司"]);
    check("\"法国 AI\"", &["法国AI公司", "法国 AI"], &["AI法国"]);
    check("法国AI", &["法国 AI", "法国AI"], &[]);
    check("スタートアップ", &["AIスタートアップ企業"], &["スタート アップ"]);
    check("ไทย", &["ประเทศไทย"], &["ไท"]);
    check("AI*", &["法国AIs"], &[]);
    check("人工智能*", &["人工智能公司"], &[]);
}

#[test]
fn words_may_hold_symbols() {
    check("C++", &["in C++ now", "C++.", "(C++)"], &["C", "C+", "C#"]);
    check("C", &["in C now"], &["C++", "C#"]);
    check("C#", &["C# 12"], &["C", "#C"]);
    check(".NET", &["the .NET runtime", ".NET"], &["net", "the internet"]);
    check("net", &["the net"], &[".NET"]);
    check("AT&T", &["AT&T's"], &["AT T", "AT"]);
    check("R&D", &["R&D spending"], &["R D", "D"]);
    check("3.5", &["GPT-3.5", "3.5 million"], &["3", "3.5.1", "13.5", "5"]);
    check("GPT-4", &["GPT 4", "gpt-4", "GPT-4."], &["GPT-4o", "GPT-40"]);
    check("Disney+", &["on Disney+ now"], &["Disney"]);
    check("Disney", &["Disney+"], &[]);
    check("AI", &["AI+医疗", "“AI+”行动"], &[]);
}

#[test]
fn evidence_counts_characters_of_the_published_text() {
    let query = compile("délocaliser OR 法国 NEAR/3 AI");
    let title = "«\u{200b}DE\u{301}LOCALISER» 在法國ＡＩ";
    let evidence = query.evidence(&ItemText::from_title(title), now()).unwrap();
    let characters: Vec<char> = title.chars().collect();
    let texts: Vec<&str> = evidence.iter().map(|evidence| evidence.text.as_str()).collect();
    assert_eq!(texts, ["DE\u{301}LOCALISER", "法國", "ＡＩ"]);
    for evidence in &evidence {
        assert_eq!(characters[evidence.start..evidence.end].iter().collect::<String>(), evidence.text);
    }
}
