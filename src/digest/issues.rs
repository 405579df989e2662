//! Which issue a story belongs to: issues are cut by what entered since the last cut.

use crate::digest::Period;
use crate::model::{PendingEntry, Timestamp};

/// An issue to be made: a period and the sequences of what entered in it, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub period: Period,
    pub sequences: Vec<i64>,
}

/// Gives each pending story (one that is in no issue yet) its issue, or leaves it pending.
///
/// `periods` are those due by `now`, in order, none of them cut yet. A story goes to the first one that
/// ends after it entered: its own, or, for a story that came too late for its own, the next. A story
/// stamped later than `now` was stamped by a clock that has since been set back; it is in the store, so
/// it has entered, and goes to the last due issue: left pending it might wait for years.
///
/// Every pending story comes out at most once; one that does not is still pending and gets its issue at a
/// later cut. Empty periods are returned too; whether they become issues is the digest's setting.
#[must_use]
pub fn assign(pending: &[PendingEntry], periods: Vec<Period>, now: Timestamp) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = periods.into_iter().map(|period| Cut { period, sequences: Vec::new() }).collect();
    let Some(last) = cuts.len().checked_sub(1) else { return cuts };
    for entry in pending {
        let first_open = cuts.partition_point(|cut| cut.period.ends_at <= entry.entered_at);
        let index = if entry.entered_at > now { last } else { first_open };
        if let Some(cut) = cuts.get_mut(index) {
            cut.sequences.push(entry.sequence);
        }
    }
    for cut in &mut cuts {
        cut.sequences.sort_unstable();
    }
    cuts
}
