//! Cutting issues: which periods have ended since the last cut, and what entered in each.

use crate::config::DigestSettings;
use crate::digest::{Calendar, Cut, Period, assign, issue_entry_id};
use crate::model::{DigestKind, DigestName, Timestamp};
use crate::refresh::Watch;
use crate::store::{NewIssue, ReadTx, Store, StoreError};

/// Cuts every issue that is due at `now`, and returns how many were made.
///
/// Idempotent: each cut is one transaction that also records until when was cut, so a second call, a
/// kill between two digests, or ten days asleep neither repeat nor drop an issue.
///
/// # Errors
/// The store failed; digests cut before that stay cut.
pub async fn cut_due_issues(store: &Store, watch: &Watch, now: Timestamp) -> Result<usize, StoreError> {
    let mut made = 0;
    for digest in &watch.settings.digests {
        made += cut_digest(store, watch, digest, now).await?;
    }
    Ok(made)
}

async fn cut_digest(
    store: &Store,
    watch: &Watch,
    digest: &DigestSettings,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let DigestKind::Periodic { schedule, empty_issues, .. } = &digest.spec.kind else { return Ok(0) };
    let name = digest.spec.name.clone();
    let calendar = match Calendar::new(schedule, watch.settings.service.time_zone.clone()) {
        Ok(calendar) => calendar,
        Err(error) => {
            tracing::error!(digest = name.0, %error, "the digest has no issues until its schedule is mended");
            return Ok(0);
        }
    };
    let mut made = 0;
    // A call gives a bounded number of periods; after years asleep there is more than one round.
    loop {
        let read = name.clone();
        let cut_until = store.read(move |tx| tx.cut_until_at(&read)).await?;
        let write = name.clone();
        let resumed = cut_until.map(|until| calendar.cut_until_at(until, now));
        if let Some(until) = resumed.filter(|_| resumed != cut_until) {
            store.write(move |tx| tx.cut_issues(&write, &[], until, now)).await?;
            continue;
        }
        let periods = calendar.due_periods(cut_until, now);
        let Some(until) = periods.last().map(|period| period.ends_at) else { return Ok(made) };
        // Only now, for this is asked each second: to find what waits, the whole digest is looked through.
        let read = name.clone();
        let pending = store.read(move |tx| tx.pending_entries(&read)).await?;
        let periods = named_anew(store, &name, periods).await?;
        let cuts = assign(&pending, periods, now);
        let issues: Vec<NewIssue> = cuts
            .into_iter()
            .filter(|cut| *empty_issues || !cut.sequences.is_empty())
            .map(|cut| issue(&name, cut))
            .collect();
        let cut = store.write(move |tx| tx.cut_issues(&write, &issues, until, now).map(|()| issues)).await?;
        made += cut.len();
        for issue in cut {
            tracing::info!(digest = name.0, period = issue.period, stories = issue.sequences.len(), "issue cut");
        }
    }
}

/// A change of schedule or time zone, or a clock that was ahead, can give a period a name that an earlier issue has: it is
/// then named by its end, which no other period shares. One that has been cut under that name too gets no second issue:
/// what waits is in the next one.
async fn named_anew(store: &Store, digest: &DigestName, periods: Vec<Period>) -> Result<Vec<Period>, StoreError> {
    let digest = digest.clone();
    let free = move |tx: &ReadTx<'_>, period: Period| -> Result<Option<Period>, StoreError> {
        for name in [period.name.clone(), period.name_by_end()] {
            if tx.issue(&digest, &name)?.is_none() {
                return Ok(Some(Period { name, ..period }));
            }
        }
        Ok(None)
    };
    store.read(move |tx| periods.into_iter().filter_map(|period| free(tx, period).transpose()).collect()).await
}

fn issue(digest: &DigestName, cut: Cut) -> NewIssue {
    NewIssue {
        entry_id: issue_entry_id(digest, &cut.period.name),
        period: cut.period.name,
        starts_at: cut.period.starts_at,
        ends_at: cut.period.ends_at,
        sequences: cut.sequences,
    }
}
