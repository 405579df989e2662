//! Terms that ask for a word in any of its forms: found by the stem of the words of a text, in its language.

use super::index::{PatternId, Scan};
use super::language;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// By index in [`language::STEMMED`].
#[derive(Default)]
pub(super) struct Stems(BTreeMap<usize, StemTable>);

#[derive(Default)]
struct StemTable {
    by_stem: HashMap<String, Vec<PatternId>>,
    first_chars: BTreeSet<char>,
}

impl Stems {
    pub fn add(&mut self, term: PatternId, word: &str) {
        for language in 0..language::STEMMED.len() {
            let stem = language::stem(language, word);
            let table = self.0.entry(language).or_default();
            table.first_chars.extend(stem.chars().next());
            table.by_stem.entry(stem).or_default().push(term);
        }
    }

    pub fn scan<'l>(&self, language: impl FnOnce() -> Option<&'l str>, scan: &mut Scan<'_>) {
        if self.0.is_empty() {
            return;
        }
        let wanted = language::stemmers_for(language());
        for (&language, table) in self.0.iter().filter(|(language, _)| wanted.contains(language)) {
            for (at, token) in scan.text.tokens.iter().enumerate() {
                let published = &scan.source[token.source_start as usize..token.source_end as usize];
                if token.unspaced
                    || !table.may_hold(language, scan.text.text(token))
                    || !language::is_stemmable(published)
                {
                    continue;
                }
                let terms = table.by_stem.get(&language::stem(language, published));
                for &term in terms.into_iter().flatten() {
                    if scan.is_wanted(term) {
                        scan.hit(term, at, at + 1);
                    }
                }
            }
        }
    }
}

impl StemTable {
    /// Stemming is dear, and leaves the first letter alone but where a language has prefixes.
    fn may_hold(&self, language: usize, folded: &str) -> bool {
        let has_prefixes = language::STEMMED[language].0 == "ar";
        has_prefixes || folded.chars().next().is_some_and(|first| self.first_chars.contains(&first))
    }
}
