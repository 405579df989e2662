//! Whose turn it is: an output gets one delivery at a time, and none before its receiver is asked again.
//!
//! Pure. The store puts off what waits for an output when a try of it fails; what is noted afterwards is due at once, and
//! would go before what failed, to a receiver that is down or asked for peace.

use crate::model::{OutputId, Timestamp, WAIT_CEILING};
use std::collections::{HashMap, HashSet};

/// The outputs that get nothing now.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// A try is under way.
    busy: HashSet<OutputId>,
    held_until: HashMap<OutputId, Timestamp>,
}

impl Turns {
    /// Forgets what is over at `now`, and a wait longer than any receiver may ask for: the clock has been set back since.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let furthest = now.saturating_add(WAIT_CEILING).unwrap_or(Timestamp::MAX);
        self.held_until.retain(|_, until| now < *until && *until <= furthest);
    }

    pub(super) fn is_free(&self, output: OutputId) -> bool {
        !self.busy.contains(&output) && !self.held_until.contains_key(&output)
    }

    /// How many are not.
    pub(super) fn taken(&self) -> usize {
        self.busy.len() + self.held_until.len()
    }

    pub(super) fn begin(&mut self, output: OutputId) {
        self.busy.insert(output);
    }

    /// A try has ended. `held_until`: it failed for the receiver's sake, who is not to be asked before.
    pub(super) fn end(&mut self, output: OutputId, held_until: Option<Timestamp>) {
        self.busy.remove(&output);
        self.held_until.extend(held_until.map(|until| (output, until)));
    }

    /// It is not known any more what is under way.
    pub(super) fn lose(&mut self) {
        self.busy.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_has_its_turn_when_nothing_is_under_way_and_its_wait_is_over() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (one, other) = (OutputId(1), OutputId(2));
        let mut turns = Turns::default();
        turns.begin(one);
        assert_eq!((turns.is_free(one), turns.is_free(other), turns.taken()), (false, true, 1));
        turns.end(one, Some(at(10)));
        turns.advance(at(9));
        assert_eq!((turns.is_free(one), turns.taken()), (false, 1));
        turns.advance(at(10));
        assert_eq!((turns.is_free(one), turns.taken()), (true, 0));
        turns.begin(one);
        turns.end(one, None);
        assert!(turns.is_free(one));
        turns.end(one, Some(at(10)));
        turns.advance(at(9) - WAIT_CEILING);
        assert!(turns.is_free(one), "the clock was a week ahead");
    }
}
