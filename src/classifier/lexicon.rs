//! The words that terms ask for, numbered. A word of a text is looked up once; from there on terms are compared by number.

use super::tokens::hash_word;
use std::collections::HashMap;

/// Number of a word in its lexicon.
pub(super) type WordId = u32;

/// Words while they are gathered.
#[derive(Debug, Default)]
pub(super) struct LexiconBuilder {
    ids: HashMap<Box<str>, WordId>,
}

impl LexiconBuilder {
    /// The number of a word; the same for the same.
    pub fn add(&mut self, word: &str) -> WordId {
        if let Some(&id) = self.ids.get(word) {
            return id;
        }
        let id = WordId::try_from(self.ids.len()).expect("fewer than 2^32 words");
        self.ids.insert(word.into(), id);
        id
    }

    pub fn build(self) -> Lexicon {
        let mut words: Vec<(Box<str>, WordId)> = self.ids.into_iter().collect();
        words.sort_unstable_by_key(|&(_, id)| id);
        let slots = (words.len() * 2).next_power_of_two().max(64);
        let mut lexicon = Lexicon {
            present: vec![0; slots / PRESENT_SLOTS].into(),
            slots: vec![Slot { check: 0, id: NO_WORD }; slots].into(),
            starts: Vec::with_capacity(words.len() + 1),
            text: String::with_capacity(words.iter().map(|(word, _)| word.len()).sum()),
        };
        words.iter().for_each(|(word, id)| lexicon.insert(word, *id));
        lexicon.starts.push(super::fold::to_u32(lexicon.text.len()));
        lexicon
    }
}

const NO_WORD: WordId = WordId::MAX;
/// Slots to a word of [`Lexicon::present`]: eight bits for each, so that one text word in ten passes in vain.
const PRESENT_SLOTS: usize = 8;

/// Words by their hash.
#[derive(Default)]
pub(super) struct Lexicon {
    /// A bit for each word, by its hash: most words of a text are in no term, and this fits the fastest caches.
    present: Box<[u64]>,
    /// Twice as many as words, or more; a word lies in the first free one from where its hash points to.
    slots: Box<[Slot]>,
    /// Where each word starts in `text`, and the end of the last.
    starts: Vec<u32>,
    text: String,
}

#[derive(Clone, Copy)]
struct Slot {
    /// The upper half of the word's hash.
    check: u32,
    id: WordId,
}

impl Lexicon {
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// False when no word has this hash, for sure.
    pub fn may_have(&self, hash: u64) -> bool {
        self.presence(hash).is_some_and(|(place, bit)| self.present[place] & bit != 0)
    }

    /// The number of `word`, whose [`hash_word`] is `hash`.
    pub fn find(&self, hash: u64, word: &str) -> Option<WordId> {
        if !self.may_have(hash) {
            return None;
        }
        let mut at = self.home(hash);
        loop {
            let slot = self.slots[at];
            if slot.id == NO_WORD {
                return None;
            }
            if slot.check == upper(hash) && self.word(slot.id) == word {
                return Some(slot.id);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn word(&self, id: WordId) -> &str {
        &self.text[self.starts[id as usize] as usize..self.starts[id as usize + 1] as usize]
    }

    fn insert(&mut self, word: &str, id: WordId) {
        let hash = hash_word(word);
        if let Some((place, bit)) = self.presence(hash) {
            self.present[place] |= bit;
        }
        let mut at = self.home(hash);
        while self.slots[at].id != NO_WORD {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = Slot { check: upper(hash), id };
        self.starts.push(super::fold::to_u32(self.text.len()));
        self.text.push_str(word);
    }

    /// The word of `present` and the bit in it that stand for a hash; `None` in an empty lexicon.
    fn presence(&self, hash: u64) -> Option<(usize, u64)> {
        let place = masked(hash, self.present.len().checked_sub(1)?);
        Some((place, 1 << (hash >> 58)))
    }

    fn home(&self, hash: u64) -> usize {
        masked(hash, self.slots.len() - 1)
    }
}

fn masked(hash: u64, mask: usize) -> usize {
    usize::try_from(hash & mask as u64).expect("masked by a usize")
}

fn upper(hash: u64) -> u32 {
    u32::try_from(hash >> 32).expect("half of 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_by_its_number_and_no_other_is() {
        let mut builder = LexiconBuilder::default();
        let words: Vec<String> = (0..5_000).map(|number| format!("word{number}")).collect();
        let ids: Vec<WordId> = words.iter().map(|word| builder.add(word)).collect();
        assert_eq!(builder.add("word7"), ids[7]);
        let lexicon = builder.build();
        assert_eq!(lexicon.len(), 5_000);
        for (word, id) in words.iter().zip(ids) {
            assert_eq!(lexicon.find(hash_word(word), word), Some(id));
        }
        for number in 5_000..10_000 {
            let word = format!("word{number}");
            assert_eq!(lexicon.find(hash_word(&word), &word), None);
        }
        assert_eq!(lexicon.find(hash_word("word7"), "a word of the same hash"), None);
        assert_eq!(Lexicon::default().find(1, "word"), None);
    }
}
