//! A term as it is looked for: its words, folded, and how each is compared.

use super::fold::fold_exactly;
use super::tokens::{FieldText, Gap, Token};

/// Words in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    pub words: Box<[Word]>,
    /// Whether each word must also agree in case and accents.
    pub exact: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Word {
    pub form: Form,
    /// The word with its case and accents; empty unless the pattern is exact.
    pub exact: Box<str>,
    /// The widest gap before this word that the pattern takes.
    pub gap: Gap,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Form {
    Literal(Box<str>),
    Glob(Glob),
}

/// A word with `*`: pieces in order, the first and last bound to the word's edges unless open.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Glob {
    pub pieces: Box<[Box<str>]>,
    pub open_start: bool,
    pub open_end: bool,
}

impl Glob {
    fn new(word: &str) -> Glob {
        let pieces = word.split('*').filter(|piece| !piece.is_empty()).map(Box::from).collect();
        Glob { pieces, open_start: word.starts_with('*'), open_end: word.ends_with('*') }
    }

    pub fn matches(&self, word: &str) -> bool {
        let (Some(first), Some(last)) = (self.pieces.first(), self.pieces.last()) else { return true };
        let mut rest = word;
        let mut middle = &self.pieces[..];
        if !self.open_start {
            let Some(tail) = rest.strip_prefix(&**first) else { return false };
            rest = tail;
            middle = &middle[1..];
        }
        if !self.open_end && !middle.is_empty() {
            let Some(head) = rest.strip_suffix(&**last) else { return false };
            rest = head;
            middle = &middle[..middle.len() - 1];
        }
        middle.iter().all(|piece| match rest.find(&**piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}

impl Pattern {
    /// The pattern of a term's text; `None` when no word is in it.
    pub fn new(text: &str, exact: bool) -> Option<Pattern> {
        let mut field = FieldText::default();
        field.append_term(text);
        let tokens = drop_idle_wildcards(&field);
        let words: Box<[Word]> = tokens
            .iter()
            .enumerate()
            .map(|(index, token)| {
                let own = field.text(token);
                let form = if own.contains('*') { Form::Glob(Glob::new(own)) } else { Form::Literal(own.into()) };
                let published = &text[token.source_start as usize..token.source_end as usize];
                let exact = if exact { exact_form(published).into() } else { Box::default() };
                let gap = gap_taken(token, index.checked_sub(1).map(|before| &tokens[before]));
                Word { form, exact, gap }
            })
            .collect();
        (!words.is_empty()).then_some(Pattern { words, exact })
    }

    /// Whether the pattern stands at `tokens[at..]` of a field whose published text is `source`.
    pub fn matches_at(&self, field: &FieldText, at: usize, source: &str) -> bool {
        let Some(tokens) = field.tokens.get(at..at + self.words.len()) else { return false };
        self.words.iter().zip(tokens).enumerate().all(|(index, (word, token))| {
            (index == 0 || token.gap <= word.gap)
                && word.form.matches(field, token)
                && (!self.exact
                    || word.matches_exactly(&source[token.source_start as usize..token.source_end as usize]))
        })
    }
}

impl Word {
    fn matches_exactly(&self, published: &str) -> bool {
        match &self.form {
            Form::Literal(_) => {
                let form = exact_form(published);
                form == *self.exact || form.strip_suffix('+') == Some(&*self.exact)
            }
            Form::Glob(_) => Glob::new(&self.exact).matches(&exact_form(published)),
        }
    }
}

impl Form {
    fn matches(&self, field: &FieldText, token: &Token) -> bool {
        match self {
            Form::Literal(text) => {
                field.text(token) == &**text || (token.short_len > 0 && field.short_text(token) == &**text)
            }
            Form::Glob(glob) => glob.matches(field.text(token)),
        }
    }
}

/// A word as published, but for form, width, the dots of an acronym and a `+` at its end.
fn exact_form(published: &str) -> String {
    fold_exactly(published).replace('.', "")
}

/// The words of a term without the `*` that stands beside a script that matches anywhere in a run.
fn drop_idle_wildcards(field: &FieldText) -> Vec<Token> {
    let is_idle = |token: &Token| field.text(token).bytes().all(|byte| byte == b'*');
    field.tokens.iter().filter(|token| !is_idle(token)).copied().collect()
}

/// A run is looked for as a run; words may stand apart by what may stand in a phrase, or by what the term itself has.
fn gap_taken(token: &Token, before: Option<&Token>) -> Gap {
    match before {
        Some(before) if token.gap == Gap::Glued && before.unspaced && token.unspaced => Gap::Glued,
        Some(_) => token.gap.max(Gap::Joined),
        None => Gap::Broken,
    }
}
