//! What an item must have for a query to hold: a condition that an index can answer.

use super::TagName;

/// A necessary condition. It may hold for items that the query does not hold for, never the other way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needed {
    /// Nothing that an index knows of: every item may do.
    Anything,
    /// A word, as the index of words has it.
    Word(String),
    /// A word that starts so.
    WordStart(String),
    Tag(TagName),
    /// Two or more conditions, none of them [`Needed::Anything`].
    All(Vec<Needed>),
    /// Any of two or more conditions, none of them [`Needed::Anything`].
    Any(Vec<Needed>),
}

/// More alternatives than this are not worth asking an index for.
const MAX_ALTERNATIVES: usize = 256;

impl Needed {
    /// All of these.
    #[must_use]
    pub fn all(parts: impl IntoIterator<Item = Needed>) -> Needed {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Needed::Anything => {}
                Needed::All(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        match all.len() {
            0 => Needed::Anything,
            1 => all.remove(0),
            _ => Needed::All(all),
        }
    }

    /// Any of these.
    #[must_use]
    pub fn any(parts: impl IntoIterator<Item = Needed>) -> Needed {
        let mut any = Vec::new();
        for part in parts {
            match part {
                Needed::Anything => return Needed::Anything,
                Needed::Any(inner) => any.extend(inner),
                other => any.push(other),
            }
        }
        match any.len() {
            1 => any.remove(0),
            2..=MAX_ALTERNATIVES => Needed::Any(any),
            // None at all is an empty list, which no index can be asked for.
            _ => Needed::Anything,
        }
    }

    /// Whether the index of words is asked at all.
    #[must_use]
    pub fn names_words(&self) -> bool {
        match self {
            Needed::Word(_) | Needed::WordStart(_) => true,
            Needed::All(parts) | Needed::Any(parts) => parts.iter().any(Needed::names_words),
            Needed::Anything | Needed::Tag(_) => false,
        }
    }

    /// Whether the index of words alone can answer it.
    #[must_use]
    pub fn is_of_words(&self) -> bool {
        match self {
            Needed::Word(_) | Needed::WordStart(_) => true,
            Needed::All(parts) | Needed::Any(parts) => parts.iter().all(Needed::is_of_words),
            Needed::Anything | Needed::Tag(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Needed {
        Needed::Word(text.to_owned())
    }

    #[test]
    fn what_may_be_anything_is_needed_by_nobody() {
        assert_eq!(Needed::all([Needed::Anything, word("a")]), word("a"));
        assert_eq!(Needed::all([Needed::Anything]), Needed::Anything);
        assert_eq!(Needed::any([Needed::Anything, word("a")]), Needed::Anything);
        assert_eq!(Needed::any([]), Needed::Anything);
    }

    #[test]
    fn conditions_of_one_kind_are_one() {
        let two = Needed::all([word("a"), word("b")]);
        assert_eq!(Needed::all([two.clone(), word("c")]), Needed::All(vec![word("a"), word("b"), word("c")]));
        assert_eq!(Needed::any([two.clone(), word("c")]), Needed::Any(vec![two, word("c")]));
        assert!(Needed::any((0..1_000).map(|n| word(&n.to_string()))) == Needed::Anything);
    }
}
