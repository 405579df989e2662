//! Which issue a story belongs to: issues are cut by what entered since the last cut.

use crate::digest::Period;
use crate::model::{Membership, Timestamp};

/// An issue to be made: a period and what entered in it, in the order in which it entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    pub period: Period,
    pub members: Vec<Membership>,
}

/// Gives each pending story (one that is in no issue yet) its issue, or leaves it pending.
///
/// `periods` are those due by `now`, in order, none of them cut yet. A story goes to the first one that
/// ends after it entered: its own, or, for a story that came too late for its own, the next. A story
/// stamped later than `now` was stamped by a clock that has since been set back; it is in the store, so
/// it has entered, and goes to the last due issue: left pending it might wait for years.
///
/// Every pending story comes out exactly once: in one cut, or not at all, and then it is still pending.
/// Empty periods are returned too; whether they become issues is the digest's setting.
#[must_use]
pub fn assign(pending: Vec<Membership>, periods: Vec<Period>, now: Timestamp) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = periods.into_iter().map(|period| Cut { period, members: Vec::new() }).collect();
    let Some(last) = cuts.len().checked_sub(1) else { return cuts };
    for member in pending {
        let first_open = cuts.partition_point(|cut| cut.period.ends_at <= member.entered_at);
        let index = if member.entered_at > now { last } else { first_open };
        if let Some(cut) = cuts.get_mut(index) {
            cut.members.push(member);
        }
    }
    for cut in &mut cuts {
        cut.members.sort_by_key(|member| member.sequence);
    }
    cuts
}
