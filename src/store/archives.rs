//! Archives of digests: the bounds of their parts, and what stands between two bounds.
//!
//! A full part's bounds are those of its entries, counted from the first that ever came. Before retention takes entries
//! away they are noted, so that no part is ever cut anew.

use super::digests::{ISSUE_COLUMNS, MEMBERS, issue, membership};
use super::rows::collect;
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{ArchivePart, DigestName, Issue, Membership, Story};
use rusqlite::{OptionalExtension, params};

impl ReadTx<'_> {
    /// The full parts of a digest's archive, oldest first.
    ///
    /// `periodic`: of its issues, else of its stories; those that left count.
    pub fn archive_parts(&self, digest: &DigestName, periodic: bool) -> Result<Vec<ArchivePart>, StoreError> {
        let sql = "SELECT entries_a_part FROM archives WHERE digest = ?1";
        let size: Option<i64> =
            self.connection.prepare_cached(sql)?.query_row([&digest.0], |row| row.get(0)).optional()?;
        let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else { return Ok(Vec::new()) };
        let mut bounds = self.noted_bounds(digest, periodic)?;
        let since = bounds.last().copied().unwrap_or(0);
        let places = self.places_after(digest, periodic, since)?;
        bounds.extend(places.chunks_exact(size).filter_map(|part| part.last()));
        let starts = std::iter::once(0).chain(bounds.iter().copied());
        let parts = (1..).zip(starts.zip(bounds.iter().copied()));
        Ok(parts.map(|(number, (after, until))| ArchivePart { number, after, until }).collect())
    }

    fn noted_bounds(&self, digest: &DigestName, periodic: bool) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT last_place FROM archive_parts WHERE digest = ?1 AND kind = ?2 ORDER BY number";
        collect(self.connection.prepare_cached(sql)?.query_map(params![digest.0, kind(periodic)], |row| row.get(0))?)
    }

    fn places_after(&self, digest: &DigestName, periodic: bool, place: i64) -> Result<Vec<i64>, StoreError> {
        let sql = if periodic {
            "SELECT issue_id FROM issues WHERE digest = ?1 AND issue_id > ?2 ORDER BY issue_id"
        } else {
            "SELECT sequence FROM digest_entries WHERE digest = ?1 AND sequence > ?2 ORDER BY sequence"
        };
        collect(self.connection.prepare_cached(sql)?.query_map(params![digest.0, place], |row| row.get(0))?)
    }

    /// The stories of a part in the order in which they entered. A place whose story left stays empty, so that no
    /// other story moves into it.
    pub fn stories_of_part(
        &self,
        digest: &DigestName,
        part: &ArchivePart,
    ) -> Result<Vec<(Membership, Story)>, StoreError> {
        let sql = format!(
            "{MEMBERS} WHERE e.digest = ?1 AND e.sequence > ?2 AND e.sequence <= ?3 \
             AND e.left_at IS NULL ORDER BY e.sequence"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![digest.0, part.after, part.until], membership)?;
        self.with_stories(collect(rows)?)
    }

    /// The issues of a part, oldest first.
    pub fn issues_of_part(&self, digest: &DigestName, part: &ArchivePart) -> Result<Vec<Issue>, StoreError> {
        let sql = format!(
            "SELECT {ISSUE_COLUMNS} FROM issues WHERE digest = ?1 AND issue_id > ?2 AND issue_id <= ?3 ORDER BY issue_id"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        collect(statement.query_map(params![digest.0, part.after, part.until], issue)?)
    }
}

impl WriteTx<'_> {
    /// Settles how many entries a part of a digest's archive has; what was settled before stays.
    pub(super) fn settle_archive(&self, digest: &DigestName, entries_a_part: usize) -> Result<(), StoreError> {
        let sql = "INSERT INTO archives (digest, entries_a_part) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.connection.prepare_cached(sql)?.execute(params![digest.0, count_of(entries_a_part)])?;
        Ok(())
    }

    /// Notes the bounds of all parts that are full: to be done before any entry is removed.
    pub(super) fn note_archive_bounds(&self) -> Result<(), StoreError> {
        let sql = "INSERT INTO archive_parts (digest, kind, number, last_place) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING";
        let names = "SELECT digest FROM archives";
        let names = collect(self.connection.prepare_cached(names)?.query_map([], |row| Ok(DigestName(row.get(0)?)))?)?;
        let mut note = self.connection.prepare_cached(sql)?;
        for (digest, periodic) in names.iter().flat_map(|name| [(name, false), (name, true)]) {
            for part in self.as_read().archive_parts(digest, periodic)? {
                note.execute(params![digest.0, kind(periodic), part.number.cast_signed(), part.until])?;
            }
        }
        Ok(())
    }
}

fn kind(periodic: bool) -> &'static str {
    if periodic { "periodic" } else { "stream" }
}

fn count_of(entries: usize) -> i64 {
    i64::try_from(entries.max(1)).unwrap_or(i64::MAX)
}
