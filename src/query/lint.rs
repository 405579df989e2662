//! What a query says that can never match, matches nearly everything, or was probably not meant.

use super::tree::{Expr, ExprKind, Scope, Term};
use super::{MAX_REGEX_PROGRAM_BYTES, QueryDiagnostic};
use crate::model::Field;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;

/// Acronyms whose lower case is an everyday word of English, French, German, Spanish or Italian.
const WORDLIKE_ACRONYMS: &[&str] = &[
    "AI", "AM", "ARM", "AS", "CAR", "DO", "ELF", "ES", "GO", "IS", "IT", "LE", "NO", "OR", "PIN", "SAP", "SE", "SI",
    "SO", "SON", "TO", "UN", "US", "WE", "WHO",
];

/// Frequent words and names of the news that short wildcards catch by accident.
const FREQUENT_WORDS: &[&str] = &[
    "announce",
    "application",
    "artist",
    "board",
    "business",
    "capital",
    "car",
    "care",
    "center",
    "challenge",
    "change",
    "chief",
    "chipotle",
    "city",
    "company",
    "computer",
    "conference",
    "content",
    "control",
    "country",
    "data",
    "department",
    "design",
    "develop",
    "digital",
    "director",
    "economy",
    "engineer",
    "europe",
    "finance",
    "first",
    "founder",
    "francisco",
    "franchise",
    "frank",
    "general",
    "german",
    "government",
    "group",
    "health",
    "industry",
    "information",
    "interest",
    "international",
    "internet",
    "investor",
    "labor",
    "launch",
    "leader",
    "legal",
    "manager",
    "market",
    "media",
    "mobile",
    "model",
    "money",
    "moment",
    "monde",
    "mother",
    "movie",
    "national",
    "network",
    "officer",
    "online",
    "open",
    "operation",
    "parish",
    "partner",
    "party",
    "people",
    "person",
    "platform",
    "policy",
    "power",
    "president",
    "price",
    "product",
    "program",
    "project",
    "public",
    "quarter",
    "question",
    "report",
    "research",
    "result",
    "return",
    "science",
    "security",
    "service",
    "share",
    "software",
    "startup",
    "state",
    "story",
    "street",
    "student",
    "support",
    "system",
    "technology",
    "through",
    "united",
    "university",
    "update",
    "value",
    "video",
    "website",
    "winter",
    "woman",
    "world",
    "worker",
];

pub(super) fn lint(text: &str, root: &Expr, diagnostics: &mut Vec<QueryDiagnostic>) {
    lint_expr(text, root, TEXT_FIELDS, diagnostics);
    lint_negation(root, diagnostics);
}

/// Title, summary, content and category, as bits of [`field_bits`].
const TEXT_FIELDS: u16 =
    1 << Field::Title as u16 | 1 << Field::Summary as u16 | 1 << Field::Content as u16 | 1 << Field::Category as u16;

fn field_bits(scope: Scope) -> u16 {
    match scope {
        Scope::Text => TEXT_FIELDS,
        Scope::Field(field) => 1 << field as u16,
    }
}

/// Lints a node that looks at `fields`; returns the fields in which it can occur.
fn lint_expr(text: &str, expr: &Expr, fields: u16, diagnostics: &mut Vec<QueryDiagnostic>) -> u16 {
    match &expr.kind {
        ExprKind::And(parts) | ExprKind::Or(parts) => {
            parts.iter().fold(0, |seen, part| seen | lint_expr(text, part, fields, diagnostics))
        }
        ExprKind::Not(inner) => lint_expr(text, inner, fields, diagnostics),
        ExprKind::Scope(scope, inner) => lint_expr(text, inner, field_bits(*scope), diagnostics),
        ExprKind::Proximity { left, operator, right } => {
            let left_fields = lint_expr(text, left, fields, diagnostics);
            let right_fields = lint_expr(text, right, fields, diagnostics);
            let has_places = (left_fields | right_fields)
                & (field_bits(Scope::Field(Field::Lang)) | field_bits(Scope::Field(Field::Group)))
                == 0;
            if left_fields & right_fields == 0 && has_places {
                let problem = QueryDiagnostic::error(
                    expr.span.clone(),
                    format!("`{operator}` never holds: its sides look at different fields"),
                );
                diagnostics.push(problem.with_help("look at one field with `field:(…)`, or join the sides by AND"));
            }
            left_fields & right_fields
        }
        ExprKind::Term(term) => {
            lint_term(text, term, expr, fields, diagnostics);
            fields
        }
        // Terms of a list may have scopes of their own.
        ExprKind::List(_) => u16::MAX,
        ExprKind::Tag(_) | ExprKind::Compare(_) => fields,
    }
}

fn lint_term(query: &str, term: &Term, expr: &Expr, fields: u16, diagnostics: &mut Vec<QueryDiagnostic>) {
    let problem = match term {
        Term::Regex(pattern) => lint_regex(pattern, expr),
        Term::Stem(word) => lint_stem(word, expr),
        Term::Text { text, exact } => lint_text(query, text, *exact, expr, fields),
    };
    diagnostics.extend(problem);
}

fn lint_regex(pattern: &str, expr: &Expr) -> Option<QueryDiagnostic> {
    let error = |message: String| QueryDiagnostic::error(expr.span.clone(), message);
    match build_regex(pattern, bare()) {
        Ok(regex) if regex.is_match("") => Some(
            error("this regular expression matches the empty text, so it holds everywhere".to_string())
                .with_help("ask for at least one character, like `+` for `*`"),
        ),
        Ok(_) => None,
        Err(problem) if problem.size_limit().is_some() => {
            let message = format!(
                "this regular expression is too large: its program takes more than {} KiB",
                MAX_REGEX_PROGRAM_BYTES / 1024
            );
            Some(error(message).with_help("use smaller counts in `{…}`, or several terms"))
        }
        Err(problem) => {
            let text = problem.syntax_error().map_or_else(|| problem.to_string(), ToString::to_string);
            let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Some(error(format!("this regular expression cannot be read: {reason}")))
        }
    }
}

/// The one way in which a query's regular expression is compiled; none that [`lint`] lets pass fails.
pub(crate) fn compile_regex(pattern: &str) -> Result<Regex, Box<BuildError>> {
    // What makes it fast may be larger than the program itself.
    build_regex(pattern, Regex::config()).or_else(|_| build_regex(pattern, bare()))
}

/// Without what makes an expression fast on long texts: what is to be checked need not be. A third of the time.
fn bare() -> Config {
    Regex::config().auto_prefilter(false).hybrid(false).dfa(false).backtrack(false)
}

fn build_regex(pattern: &str, config: Config) -> Result<Regex, Box<BuildError>> {
    // Nobody asks for groups.
    let config =
        config.nfa_size_limit(Some(MAX_REGEX_PROGRAM_BYTES)).which_captures(WhichCaptures::Implicit).onepass(false);
    let syntax = syntax::Config::new().case_insensitive(true).nest_limit(100);
    Regex::builder().configure(config).syntax(syntax).build(pattern).map_err(Box::new)
}

fn lint_stem(word: &str, expr: &Expr) -> Option<QueryDiagnostic> {
    if word.chars().all(char::is_alphabetic) && !word.is_empty() {
        return None;
    }
    let problem = QueryDiagnostic::error(expr.span.clone(), "`~` takes one word of letters");
    Some(problem.with_help("write `~relocate`; in a phrase use `*`, like `\"open weight*\"`"))
}

fn lint_text(query: &str, text: &str, exact: bool, expr: &Expr, fields: u16) -> Option<QueryDiagnostic> {
    if !text.chars().any(char::is_alphanumeric) {
        return Some(lint_without_words(text, expr));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.iter().any(|word| word.chars().all(|c| c == '*')) {
        let problem = QueryDiagnostic::error(expr.span.clone(), "a word of a phrase cannot be `*` alone");
        return Some(problem.with_help("for words in order with others between them, write `one BEFORE/3 other`"));
    }
    if text.contains('*') {
        return words
            .iter()
            .filter(|word| word.contains('*'))
            .find_map(|word| lint_wildcard(word, words.len() > 1, expr));
    }
    if fields & TEXT_FIELDS != 0 && !exact && WORDLIKE_ACRONYMS.contains(&text) {
        let quoted = query[expr.span.clone()].contains(['=', '"']);
        let message =
            format!("`{text}` also matches the everyday word *{}*, because case is ignored", text.to_lowercase());
        let problem = QueryDiagnostic::warning(expr.span.clone(), message);
        return (!quoted).then(|| {
            problem.with_help(format!("write `={text}` for exactly these letters, or `\"{text}\"` if both are meant"))
        });
    }
    None
}

fn lint_without_words(text: &str, expr: &Expr) -> QueryDiagnostic {
    if text.contains('*') {
        return QueryDiagnostic::error(expr.span.clone(), "`*` alone matches nearly everything")
            .with_help("write some letters of the word, like `relocat*`");
    }
    QueryDiagnostic::error(expr.span.clone(), format!("`{text}` can never match: it holds no letter or digit"))
        .with_help("only words are looked for; a symbol can be found by a /regex/")
}

/// `word` is one blank-separated word with a `*` in it.
fn lint_wildcard(word: &str, in_phrase: bool, expr: &Expr) -> Option<QueryDiagnostic> {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphanumeric()).collect();
    let stem: String = letters.iter().collect::<String>().to_lowercase();
    let beside_unspaced = |c: char| c as u32 >= 0x0e00 && crate::query::lint::is_unspaced(c);
    let (first, last) = (word.trim_start_matches('*').chars().next()?, word.trim_end_matches('*').chars().last()?);
    if (word.starts_with('*') && beside_unspaced(first)) || (word.ends_with('*') && beside_unspaced(last)) {
        let problem = QueryDiagnostic::warning(
            expr.span.clone(),
            "`*` does nothing beside a script without spaces, which matches anywhere in a run",
        );
        return Some(problem.with_help(format!("write `{}`", word.trim_matches('*'))));
    }
    if in_phrase {
        return None;
    }
    if letters.len() <= 1 {
        let problem = QueryDiagnostic::error(expr.span.clone(), format!("`{word}` matches nearly everything"));
        return Some(problem.with_help("write more letters, or the words that are meant, joined by OR"));
    }
    let caught: Vec<&str> = FREQUENT_WORDS
        .iter()
        .filter(|frequent| {
            word.ends_with('*')
                && !word.starts_with('*')
                && letters.len() <= 5
                && frequent.starts_with(&stem)
                && frequent.len() > stem.len()
        })
        .take(3)
        .copied()
        .collect();
    let acronym = letters.iter().all(|c| c.is_uppercase());
    if !caught.is_empty() || letters.len() == 2 || (letters.len() == 3 && !acronym) {
        let also =
            if caught.is_empty() { "many other words".to_string() } else { format!("*{}*", caught.join("*, *")) };
        let problem = QueryDiagnostic::warning(expr.span.clone(), format!("`{word}` is short: it also matches {also}"));
        return Some(problem.with_help("write more letters, or the words that are meant, joined by OR"));
    }
    None
}

/// Whether a character belongs to a script that is written without spaces between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    use unicode_script::{Script, UnicodeScript};
    matches!(c, '\u{30fc}' | '\u{3005}' | '\u{3007}')
        || matches!(
            c.script(),
            Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Bopomofo
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar
                | Script::Yi
        )
}

/// A query that holds for whatever lacks a word.
fn lint_negation(root: &Expr, diagnostics: &mut Vec<QueryDiagnostic>) {
    if only_negated(root) {
        let problem = QueryDiagnostic::warning(
            root.span.clone(),
            "this matches nearly everything: it only says what must be absent",
        );
        diagnostics.push(problem.with_help("add what must be there: `a NOT b`"));
    }
}

fn only_negated(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Not(inner) => !only_negated(inner),
        ExprKind::And(parts) => parts.iter().all(only_negated),
        ExprKind::Or(parts) => parts.iter().any(only_negated),
        ExprKind::Scope(_, inner) => only_negated(inner),
        _ => false,
    }
}
