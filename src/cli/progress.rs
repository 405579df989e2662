//! A counter for long work: on a terminal, and nothing in a pipe.

use super::output::tell;
use std::io::{self, IsTerminal, Write};

pub(super) struct Progress {
    done: usize,
    all: usize,
    /// What is counted, in the plural.
    what: &'static str,
    shown: bool,
}

impl Progress {
    pub(super) fn of(all: usize, what: &'static str) -> Self {
        Self { done: 0, all, what, shown: io::stderr().is_terminal() }
    }

    /// So many more are done.
    pub(super) fn step(&mut self, more: usize) {
        self.reach(self.done + more);
    }

    /// So many are done in all.
    pub(super) fn reach(&mut self, done: usize) {
        self.done = done;
        if self.shown {
            // A counter that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r{}/{} {}", self.done, self.all.max(self.done), self.what);
            let _ = io::stderr().flush();
        }
    }
}

/// What is printed next begins a line.
impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown && self.done > 0 {
            tell("");
        }
    }
}
