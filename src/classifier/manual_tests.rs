//! Runs every example of `docs/query-language.md`.

use super::tests::{lists, now};
use super::{CompiledQuery, ItemText};
use crate::query::{self, QueryDiagnostic, Severity};

const MANUAL: &str = include_str!("../../docs/query-language.md");

/// A query of the manual with the lines below it.
struct Example {
    query: &'static str,
    lines: Vec<&'static str>,
}

fn examples() -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for block in MANUAL.split("```query\n").skip(1) {
        let block = block.split("\n```").next().unwrap();
        for line in block.lines() {
            match line.strip_prefix("  ") {
                Some(line) => examples.last_mut().expect("a query comes first").lines.push(line),
                None => examples.push(Example { query: line, lines: Vec::new() }),
            }
        }
    }
    examples
}

#[test]
fn every_example_of_the_manual_does_as_it_says() {
    let examples = examples();
    assert!(examples.len() > 90, "the manual has lost its examples: {}", examples.len());
    for Example { query, lines } in &examples {
        let (compiled, diagnostics) = match query::parse(query) {
            Ok((parsed, lints)) => (Some(CompiledQuery::compile(&parsed, &lists()).unwrap()), lints),
            Err(errors) => (None, errors),
        };
        let announced = lines.iter().filter(|line| line.starts_with(['!', '?'])).count();
        assert_eq!(diagnostics.len(), announced, "`{query}`: {diagnostics:#?}");
        for line in lines {
            let (sign, rest) = line.split_at(2);
            match sign {
                "+ " | "- " => {
                    let compiled =
                        compiled.as_ref().unwrap_or_else(|| panic!("`{query}` is an error: {diagnostics:#?}"));
                    assert_eq!(holds(compiled, rest), sign == "+ ", "`{query}` on {rest:?}");
                }
                "! " => check_diagnostic(query, rest, Severity::Error, &diagnostics),
                "? " => check_diagnostic(query, rest, Severity::Warning, &diagnostics),
                other => panic!("an example's line begins with {other:?}"),
            }
        }
    }
}

/// Puts a query to an item as the manual writes it: `{field: value; field: value} title`.
fn holds(query: &CompiledQuery, text: &str) -> bool {
    let (fields, title) = text.strip_prefix('{').and_then(|rest| rest.split_once("} ")).unwrap_or(("", text));
    let pairs: Vec<(&str, &str)> =
        fields.split("; ").filter(|pair| !pair.is_empty()).map(|pair| pair.split_once(": ").unwrap()).collect();
    let known = "summary content author category url feed group lang tag published";
    assert!(pairs.iter().all(|(name, _)| known.split(' ').any(|known| known == *name)), "unknown field in {text:?}");
    let all = |name: &str| pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1).collect::<Vec<_>>();
    let owned = |name| all(name).into_iter().map(str::to_string).collect::<Vec<String>>();
    let one = |name| all(name).first().copied();
    let (authors, categories, groups) = (owned("author"), owned("category"), owned("group"));
    let item = ItemText {
        title,
        summary: one("summary").unwrap_or_default(),
        content: one("content").unwrap_or_default(),
        authors: &authors,
        categories: &categories,
        url: one("url").unwrap_or_default(),
        feed_title: one("feed").unwrap_or_default(),
        feed_url: one("feed").unwrap_or_default(),
        groups: &groups,
        language: one("lang"),
        published_at: one("published").map(|instant| instant.parse().unwrap()),
        tags: &all("tag"),
        corrections: &[],
    };
    query.matches(&item, now())
}

fn check_diagnostic(query: &str, line: &str, severity: Severity, found: &[QueryDiagnostic]) {
    let (at, part) = line.split_once(" | ").expect("the place, a bar, and what is said");
    let says = |diagnostic: &QueryDiagnostic| {
        format!("{}; {}", diagnostic.message, diagnostic.help.as_deref().unwrap_or_default()).contains(part)
    };
    let found_it = found.iter().any(|d| d.severity == severity && &query[d.span.clone()] == at && says(d));
    assert!(found_it, "`{query}` should say `{part}` at `{at}`: {found:#?}");
}
