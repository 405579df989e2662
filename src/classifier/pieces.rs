//! What is sought within words: wildcards open at both ends, `*part*`, and regular expressions, which are run only where
//! one of their literals was found, or, if they have no such, late: once a query asks. One automaton finds all the pieces
//! that a field asks for.

use super::fold::is_kept;
use super::hits::FIELDS;
use super::index::{Anchor, PatternId, Scan};
use super::pattern::Glob;
use super::program::Fields;
use crate::query::compile_regex;
use daachorse::DoubleArrayAhoCorasick;
use regex_automata::meta::Regex;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Longest text in bytes that a regular expression is run on: time is the text's length times the program's size.
const REGEX_TEXT_BYTES: usize = 64 * 1024;
/// Shortest literal that is worth looking for before a regular expression is run.
const MIN_REQUIRED_BYTES: usize = 3;

#[derive(Default)]
pub(super) struct Pieces {
    /// For each field in which a piece may count; titles are asked for more than other texts.
    by_field: [Option<Arc<Automaton>>; FIELDS],
    /// What a piece found calls for, by the number of the piece.
    calls: Vec<Vec<Call>>,
    /// In the order of their terms.
    regexes: Vec<SoughtRegex>,
}

/// Finds pieces, which it knows by number.
type Automaton = DoubleArrayAhoCorasick<u32>;

#[derive(Debug, Clone, Copy)]
enum Call {
    Glob(Anchor),
    Regex(usize),
}

#[derive(Debug)]
struct SoughtRegex {
    term: PatternId,
    source: String,
    /// Compiled once it is run, which many never are: a compiled one takes some 100 KB. `None`: it is none. A query with
    /// a bad one has not passed the parser; a rule set made by hand may hold one, which never matches.
    regex: OnceLock<Option<Regex>>,
    /// It has no literal that has to be found first.
    is_late: bool,
}

/// The pieces while they are gathered.
#[derive(Default)]
pub(super) struct PiecesBuilder {
    /// By piece: where it may count, and what it calls for.
    calls: BTreeMap<String, (Fields, Vec<Call>)>,
    regexes: Vec<SoughtRegex>,
}

impl PiecesBuilder {
    /// Adds a pattern that begins with `glob`, by its longest piece.
    pub fn add_glob(&mut self, glob: &Glob, anchor: Anchor, fields: Fields) {
        let Some(longest) = glob.pieces.iter().max_by_key(|piece| piece.len()) else { return };
        self.add(longest, Call::Glob(anchor), fields);
    }

    pub fn add_regex(&mut self, term: PatternId, source: &str, fields: Fields) {
        let required = required_literals(source);
        let number = self.regexes.len();
        required.iter().flatten().for_each(|literal| self.add(literal, Call::Regex(number), fields));
        let source = source.to_owned();
        self.regexes.push(SoughtRegex { term, source, regex: OnceLock::new(), is_late: required.is_none() });
    }

    fn add(&mut self, piece: &str, call: Call, fields: Fields) {
        let (counts_in, calls) = self.calls.entry(piece.to_owned()).or_default();
        counts_in.add(fields);
        calls.push(call);
    }

    pub fn build(self) -> Pieces {
        let mut by_field: [Option<Arc<Automaton>>; FIELDS] = Default::default();
        let mut built: BTreeMap<Vec<(&str, u32)>, Arc<Automaton>> = BTreeMap::new();
        for field in Fields::ANY.iter() {
            let numbered = (0..).zip(&self.calls).filter(|(_, (_, (fields, _)))| fields.contains(field));
            let pieces: Vec<_> = numbered.map(|(number, (piece, _))| (piece.as_str(), number)).collect();
            if !pieces.is_empty() {
                let automaton = built.entry(pieces).or_insert_with_key(|pieces| {
                    let automaton = Automaton::with_values(pieces.iter().copied());
                    Arc::new(automaton.expect("pieces are distinct and not empty"))
                });
                by_field[field as usize] = Some(Arc::clone(automaton));
            }
        }
        let calls = self.calls.into_values().map(|(_, calls)| calls).collect();
        Pieces { by_field, calls, regexes: self.regexes }
    }
}

impl Pieces {
    pub fn scan(&self, scan: &mut Scan<'_>) {
        let Some(automaton) = &self.by_field[scan.field as usize] else { return };
        let mut due: Vec<usize> = Vec::new();
        for found in automaton.find_overlapping_iter(&scan.text.folded) {
            for call in &self.calls[found.value() as usize] {
                match *call {
                    Call::Regex(number) => due.push(number),
                    Call::Glob(anchor) => {
                        let tokens = &scan.text.tokens;
                        let at = tokens.partition_point(|token| (token.end as usize) < found.end());
                        if tokens.get(at).is_some_and(|token| token.start as usize <= found.start()) {
                            scan.anchored(anchor, at);
                        }
                    }
                }
            }
        }
        due.sort_unstable();
        due.dedup();
        due.into_iter().for_each(|number| self.regexes[number].scan(scan));
    }

    /// The expressions that [`Self::scan`] does not look for, in the order of their terms.
    pub fn late(&self) -> impl Iterator<Item = PatternId> {
        self.regexes.iter().filter(|regex| regex.is_late).map(|regex| regex.term)
    }

    /// Looks for one of them.
    pub fn scan_late(&self, term: PatternId, scan: &mut Scan<'_>) {
        if let Ok(at) = self.regexes.binary_search_by_key(&term, |regex| regex.term) {
            self.regexes[at].scan(scan);
        }
    }
}

impl SoughtRegex {
    fn scan(&self, scan: &mut Scan<'_>) {
        if !scan.is_wanted(self.term) {
            return;
        }
        let Some(regex) = self.regex.get_or_init(|| compile_regex(&self.source).ok()) else { return };
        let tokens = &scan.text.tokens;
        let text = &scan.source[..scan.source.floor_char_boundary(REGEX_TEXT_BYTES)];
        for found in regex.find_iter(text).filter(|found| !found.is_empty()) {
            let start = tokens.partition_point(|token| (token.source_end as usize) <= found.start());
            let end = tokens.partition_point(|token| (token.source_start as usize) < found.end());
            let span = (super::fold::to_u32(found.start()), super::fold::to_u32(found.end()));
            scan.hits.add(self.term, scan.field, (start, end.max(start)), span);
        }
    }
}

/// Literals of which every match of the expression holds one, in lower case; `None` when there are no such.
fn required_literals(source: &str) -> Option<Vec<String>> {
    required_of(&regex_syntax::parse(source).ok()?)
}

fn required_of(hir: &regex_syntax::hir::Hir) -> Option<Vec<String>> {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            let best = text.split(|c: char| !is_kept(c)).max_by_key(|piece| piece.len())?;
            (best.len() >= MIN_REQUIRED_BYTES).then(|| vec![best.to_ascii_lowercase()])
        }
        HirKind::Capture(capture) => required_of(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => required_of(&repetition.sub),
        HirKind::Concat(parts) => {
            parts.iter().filter_map(required_of).max_by_key(|found| found.iter().map(String::len).min().unwrap_or(0))
        }
        HirKind::Alternation(parts) => {
            let all: Option<Vec<Vec<String>>> = parts.iter().map(required_of).collect();
            Some(all?.concat())
        }
        _ => None,
    }
}
