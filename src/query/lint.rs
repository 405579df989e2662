//! What a query says that can never match, matches nearly everything, or was probably not meant.

mod words;

use super::lexer::escape_regex;
use super::tree::{Expr, ExprKind, Scope, Term};
use super::{MAX_REGEX_PROGRAM_BYTES, QueryDiagnostic};
use crate::model::Field;
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::WhichCaptures;
use regex_automata::util::syntax;
use unicode_normalization::char::is_combining_mark;
use words::{EVERYDAY_TEXTS, EVERYWHERE, FREQUENT_WORDS, WORDLIKE_ACRONYMS};

pub(super) fn lint(text: &str, root: &Expr, beside_another: bool, diagnostics: &mut Vec<QueryDiagnostic>) {
    lint_expr(text, root, Within { fields: TEXT_FIELDS, beside_another }, diagnostics);
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

/// Where a node stands.
#[derive(Clone, Copy)]
struct Within {
    /// What it looks at, as bits of [`field_bits`].
    fields: u16,
    /// Whether a NEAR asks for something beside it, so that it may well stand in every text.
    beside_another: bool,
}

/// Lints a node; returns the fields in which it can occur.
fn lint_expr(text: &str, expr: &Expr, within: Within, diagnostics: &mut Vec<QueryDiagnostic>) -> u16 {
    match &expr.kind {
        ExprKind::And(parts) | ExprKind::Or(parts) => {
            if matches!(expr.kind, ExprKind::And(_)) {
                diagnostics.extend(lint_contradiction(parts));
            }
            parts.iter().fold(0, |seen, part| seen | lint_expr(text, part, within, diagnostics))
        }
        ExprKind::Not(inner) => lint_expr(text, inner, within, diagnostics),
        ExprKind::Scope(scope, inner) => {
            lint_expr(text, inner, Within { fields: field_bits(*scope), ..within }, diagnostics)
        }
        ExprKind::Proximity { left, operator, right } => {
            let within = Within { beside_another: true, ..within };
            let left_fields = lint_expr(text, left, within, diagnostics);
            let right_fields = lint_expr(text, right, within, diagnostics);
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
            diagnostics.extend(lint_term(text, term, expr, within));
            within.fields
        }
        // Terms of a list may have scopes of their own.
        ExprKind::List(_) => u16::MAX,
        ExprKind::Tag(_) | ExprKind::Compare(_) => within.fields,
    }
}

/// A part that another one negates. Each is compared with each, so that of a hostile number none is.
fn lint_contradiction(parts: &[Expr]) -> Option<QueryDiagnostic> {
    const MOST_COMPARED: usize = 100;
    if parts.len() > MOST_COMPARED {
        return None;
    }
    let negated = |part: &&Expr| matches!(&part.kind, ExprKind::Not(inner) if parts.contains(inner));
    parts.iter().find(negated).map(|part| {
        let message = "this never holds: the same thing must be there and absent";
        QueryDiagnostic::warning(part.span.clone(), message).with_help("remove one of the two")
    })
}

fn lint_term(query: &str, term: &Term, expr: &Expr, within: Within) -> Option<QueryDiagnostic> {
    match term {
        Term::Regex(pattern) => lint_regex(pattern, expr, within),
        Term::Stem(word) => lint_stem(word, expr),
        Term::Text { text, exact } => lint_text(query, text, *exact, expr, within),
    }
}

/// `lang:french`: languages go by their tags.
fn lint_language(text: &str, expr: &Expr) -> Option<QueryDiagnostic> {
    let primary = text.split(['-', '_', ' ']).next().unwrap_or_default();
    let is_tag = text.contains('*')
        || (2..=3).contains(&primary.len()) && primary.bytes().all(|byte| byte.is_ascii_alphabetic());
    let problem =
        || QueryDiagnostic::error(expr.span.clone(), format!("`{text}` can never match: it is no tag of a language"));
    (!is_tag).then(|| problem().with_help("write one such as `lang:fr`, `lang:en` or `lang:zh-Hant`"))
}

/// `host:https://example.org/blog`: a host is a part of an address.
fn lint_host(text: &str, expr: &Expr) -> Option<QueryDiagnostic> {
    let host = text.split_once("://").map_or(text, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let problem = || QueryDiagnostic::error(expr.span.clone(), format!("`{text}` can never match: it is no host"));
    (host != text).then(|| problem().with_help(format!("write `host:{host}`, or `url:` for more of the address")))
}

fn lint_regex(pattern: &str, expr: &Expr, within: Within) -> Option<QueryDiagnostic> {
    let error = |message: String| QueryDiagnostic::error(expr.span.clone(), message);
    match build_regex(pattern, bare()) {
        Ok(regex) if regex.is_match("") => Some(
            error("this regular expression matches the empty text, so it holds everywhere".to_string())
                .with_help("ask for at least one character, like `+` for `*`"),
        ),
        // Every item has a title; of a field that may be empty the question is whether it is there.
        Ok(regex)
            if within.fields & 1 << Field::Title as u16 != 0
                && !within.beside_another
                && EVERYDAY_TEXTS.iter().all(|text| regex.is_match(*text)) =>
        {
            let message = "this regular expression matches nearly everything";
            Some(QueryDiagnostic::warning(expr.span.clone(), message).with_help("ask for more letters than these"))
        }
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

fn lint_text(query: &str, text: &str, exact: bool, expr: &Expr, within: Within) -> Option<QueryDiagnostic> {
    if !text.chars().any(char::is_alphanumeric) {
        return Some(lint_without_words(text, expr));
    }
    let is_of = |field| within.fields == field_bits(Scope::Field(field));
    if is_of(Field::Lang) {
        return lint_language(text, expr);
    }
    if is_of(Field::Host) {
        return lint_host(text, expr);
    }
    let marked = query[expr.span.clone()].contains(['=', '"', '“', '„', '«']);
    let in_text = within.fields & TEXT_FIELDS != 0;
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.iter().any(|word| word.chars().all(|c| c == '*')) {
        let problem = QueryDiagnostic::error(expr.span.clone(), "a word of a phrase cannot be `*` alone");
        return Some(problem.with_help("for words in order with others between them, write `one BEFORE/3 other`"));
    }
    if text.contains('*') {
        return words.iter().filter(|word| word.contains('*')).find_map(|word| {
            lint_idle_wildcard(word, expr).filter(|_| in_text).or_else(|| lint_wildcard(word, words.len() > 1, expr))
        });
    }
    if let Some(problem) = lint_symbols(text, expr).filter(|_| in_text) {
        return Some(problem);
    }
    if marked || exact || !in_text {
        return None;
    }
    let letters = acronym(text);
    if WORDLIKE_ACRONYMS.contains(&letters.as_str()) {
        let word = letters.to_lowercase();
        let message = format!("`{text}` also matches the everyday word *{word}*, because case is ignored");
        let problem = QueryDiagnostic::warning(expr.span.clone(), message);
        let help = format!("write `={letters}` for exactly these letters, or `\"{text}\"` if both are meant");
        return Some(problem.with_help(help));
    }
    if !within.beside_another && EVERYWHERE.contains(&text.to_lowercase().as_str()) {
        let problem = QueryDiagnostic::warning(expr.span.clone(), format!("`{text}` stands in nearly every text"));
        return Some(problem.with_help(format!("write what goes with it, or `\"{text}\"` if that is meant")));
    }
    None
}

/// `U.S.` is `US`, since matching takes no notice of an acronym's dots.
fn acronym(text: &str) -> String {
    let mut letters = text.strip_suffix('.').unwrap_or(text).split('.');
    if letters.all(|letter| letter.chars().count() == 1) { text.replace('.', "") } else { text.to_owned() }
}

/// `100 M€`, `5 %`, `#IA`: what stands there for a reader, and matching passes over.
fn lint_symbols(text: &str, expr: &Expr) -> Option<QueryDiagnostic> {
    let begins_word = |at: usize| !text[..at].ends_with(char::is_alphanumeric);
    let (_, symbol) = text.char_indices().find(|(at, c)| match c {
        '%' | '‰' | '°' | '€' | '$' | '£' | '¥' | '₹' | '₿' => true,
        // Behind letters it belongs to a name: `C#`.
        '#' => begins_word(*at),
        _ => false,
    })?;
    let words = text.split_whitespace().map(|word| word.replace(symbol, "")).filter(|word| !word.is_empty());
    let plain = words.collect::<Vec<_>>().join(" ");
    let message = format!("the `{symbol}` of `{text}` is passed over: it finds what `{plain}` finds");
    let expression = escape_regex(&regex_syntax::escape(text).replace(' ', r"\s?"));
    let begins = if text.starts_with(char::is_alphanumeric) { r"\b" } else { "" };
    let help = format!("write `{plain}` if that is meant, or an expression such as `/{begins}{expression}/`");
    Some(QueryDiagnostic::warning(expr.span.clone(), message).with_help(help))
}

fn lint_without_words(text: &str, expr: &Expr) -> QueryDiagnostic {
    if text.contains('*') {
        return QueryDiagnostic::error(expr.span.clone(), "`*` alone matches nearly everything")
            .with_help("write some letters of the word, like `relocat*`");
    }
    let help = match text {
        "&" | "&&" => "write `AND`, or nothing between the terms",
        "|" | "||" => "write `OR`",
        "!" => "write `NOT`",
        _ => "only words are looked for; a symbol can be found by a /regex/",
    };
    QueryDiagnostic::error(expr.span.clone(), format!("`{text}` can never match: it holds no letter or digit"))
        .with_help(help)
}

/// `node.*`, `C++*`: a `*` stands for letters of a word, and most symbols beside it end the word.
fn lint_idle_wildcard(word: &str, expr: &Expr) -> Option<QueryDiagnostic> {
    let in_word = |c: char| c.is_alphanumeric() || is_combining_mark(c);
    let pieces: Vec<&str> = word.split('*').collect();
    let beside = pieces.windows(2).find(|sides| !sides[0].ends_with(in_word) && !sides[1].starts_with(in_word))?;
    let message = format!("the `*` of `{word}` stands beside no letter or digit, so it finds nothing");
    // Those belong to words (`C++`, `R&D`), but not in their middle: without the `*` it would be another word.
    let symbols = ['+', '#', '&'];
    let is_cut = beside[0].ends_with(symbols) || beside[1].starts_with(symbols);
    let problem = if is_cut { QueryDiagnostic::error } else { QueryDiagnostic::warning };
    let plain = pieces.concat();
    let plain = plain.trim_matches(|c: char| !in_word(c) && !symbols.contains(&c));
    let expression = escape_regex(&regex_syntax::escape(word).replace(r"\*", r"\w+"));
    let help = format!("write `{plain}`, or an expression such as `/{expression}/`");
    Some(problem(expr.span.clone(), message).with_help(help))
}

/// `word` is one blank-separated word with a `*` in it.
fn lint_wildcard(word: &str, in_phrase: bool, expr: &Expr) -> Option<QueryDiagnostic> {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphanumeric()).collect();
    let stem: String = letters.iter().collect::<String>().to_lowercase();
    let beside_unspaced = |c: char| c as u32 >= 0x0e00 && is_unspaced(c);
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
