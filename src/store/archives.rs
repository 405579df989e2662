//! Archives of digests: the bounds of their parts, and what stands between two bounds.
//!
//! A full part's bounds are those of its entries, counted from the first that ever came. Before retention takes entries
//! away they are noted, so that no part is ever cut anew.

use super::digests::{ISSUE_COLUMNS, MEMBERS, issue, membership};
use super::rows::collect;
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{ArchivePart, DOCUMENT_STORIES, DigestName, ISSUE_STORIES, Issue, Membership, Story};
use rusqlite::{OptionalExtension, Row, params};

impl ReadTx<'_> {
    /// The full parts of a digest's archive, oldest first.
    ///
    /// `periodic`: of its issues, else of its stories; those that left count.
    pub fn archive_parts(&self, digest: &DigestName, periodic: bool) -> Result<Vec<ArchivePart>, StoreError> {
        let sql = "SELECT last_place FROM archive_parts WHERE digest = ?1 AND kind = ?2 ORDER BY number";
        let mut noted = self.connection.prepare_cached(sql)?;
        let ends: Vec<i64> = collect(noted.query_map(params![digest.0, kind(periodic)], |row| row.get(0))?)?;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let noted = (1..).zip(starts.zip(ends.iter().copied()));
        let noted = noted.map(|(number, (after, until))| Ok(ArchivePart { number, after, until }));
        noted.chain(self.parts_to_note(digest, periodic)?).collect()
    }

    /// The last of [`ReadTx::archive_parts`].
    pub fn newest_archive_part(&self, digest: &DigestName, periodic: bool) -> Result<Option<ArchivePart>, StoreError> {
        match self.parts_to_note(digest, periodic)?.last() {
            Some(newest) => newest.map(Some),
            None => self.noted_part(digest, periodic, self.parts_noted(digest, periodic)?),
        }
    }

    /// The one of [`ReadTx::archive_parts`] that has this number.
    pub fn archive_part(
        &self,
        digest: &DigestName,
        periodic: bool,
        number: u64,
    ) -> Result<Option<ArchivePart>, StoreError> {
        if number <= self.parts_noted(digest, periodic)? {
            return self.noted_part(digest, periodic, number);
        }
        let is_before = |part: &Result<ArchivePart, _>| part.as_ref().is_ok_and(|part| part.number < number);
        self.parts_to_note(digest, periodic)?.find(|part| !is_before(part)).transpose()
    }

    fn parts_noted(&self, digest: &DigestName, periodic: bool) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(number), 0) FROM archive_parts WHERE digest = ?1 AND kind = ?2";
        let number: i64 =
            self.connection.prepare_cached(sql)?.query_row(params![digest.0, kind(periodic)], |row| row.get(0))?;
        Ok(number.cast_unsigned())
    }

    fn noted_part(&self, digest: &DigestName, periodic: bool, number: u64) -> Result<Option<ArchivePart>, StoreError> {
        let sql = "SELECT last_place, coalesce((SELECT last_place FROM archive_parts \
                   WHERE digest = ?1 AND kind = ?2 AND number = ?3 - 1), 0) \
                   FROM archive_parts WHERE digest = ?1 AND kind = ?2 AND number = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let part = |row: &Row<'_>| Ok(ArchivePart { number, until: row.get(0)?, after: row.get(1)? });
        Ok(statement.query_row(params![digest.0, kind(periodic), number.cast_signed()], part).optional()?)
    }

    /// The parts that became full since bounds were last noted, oldest first. Each is counted when it is asked for.
    fn parts_to_note(
        &self,
        digest: &DigestName,
        periodic: bool,
    ) -> Result<impl Iterator<Item = Result<ArchivePart, StoreError>>, StoreError> {
        let sql = "SELECT entries_a_part FROM archives WHERE digest = ?1";
        let size: Option<i64> =
            self.connection.prepare_cached(sql)?.query_row([&digest.0], |row| row.get(0)).optional()?;
        let noted = self.parts_noted(digest, periodic)?;
        let last = self.noted_part(digest, periodic, noted)?;
        let (mut number, mut after) = (noted, last.map_or(0, |part| part.until));
        let next = move |size: i64| -> Result<Option<ArchivePart>, StoreError> {
            let Some(until) = self.place_after(digest, periodic, after, size)? else { return Ok(None) };
            number += 1;
            Ok(Some(ArchivePart { number, after: std::mem::replace(&mut after, until), until }))
        };
        let mut next = size.map(|size| (size, next));
        Ok(std::iter::from_fn(move || next.as_mut().and_then(|(size, next)| next(*size).transpose())))
    }

    /// The place of the entry that is so many after `place`.
    fn place_after(
        &self,
        digest: &DigestName,
        periodic: bool,
        place: i64,
        entries: i64,
    ) -> Result<Option<i64>, StoreError> {
        if periodic {
            return self.issue_after_many(digest, place, entries);
        }
        let sql = "SELECT sequence FROM digest_entries WHERE digest = ?1 AND sequence > ?2 ORDER BY sequence LIMIT 1 OFFSET ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![digest.0, place, entries - 1], |row| row.get(0)).optional()?)
    }

    /// The issue that is so many after `place`, or an earlier one that fills a document with the stories of those before it:
    /// what is in no part always fits into the newest document. Stories that left count, so that no part is cut anew.
    fn issue_after_many(&self, digest: &DigestName, place: i64, issues: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT issue_id, (SELECT count(*) FROM digest_entries e WHERE e.issue_id = issues.issue_id) \
                   FROM issues WHERE digest = ?1 AND issue_id > ?2 ORDER BY issue_id LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![digest.0, place, issues])?;
        let (mut seen, mut stories) = (0, 0);
        while let Some(row) = rows.next()? {
            seen += 1;
            stories += row.get::<_, u32>(1)?.min(ISSUE_STORIES);
            if seen == issues || stories >= DOCUMENT_STORIES {
                return Ok(row.get(0)?);
            }
        }
        Ok(None)
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
    /// Settles how many entries the parts have that are not full yet: as many as a document, which holds what is in no part.
    pub(super) fn settle_archive(&self, digest: &DigestName, entries_a_part: usize) -> Result<(), StoreError> {
        self.note_archive_bounds(digest)?;
        let sql = "INSERT INTO archives (digest, entries_a_part) VALUES (?1, ?2) \
                   ON CONFLICT DO UPDATE SET entries_a_part = excluded.entries_a_part";
        self.connection.prepare_cached(sql)?.execute(params![digest.0, count_of(entries_a_part)])?;
        self.note_archive_bounds(digest)
    }

    /// Notes the bounds of all parts that are full: to be done before any entry is removed.
    pub(super) fn note_all_archive_bounds(&self) -> Result<(), StoreError> {
        let names = "SELECT digest FROM archives";
        let names = collect(self.connection.prepare_cached(names)?.query_map([], |row| Ok(DigestName(row.get(0)?)))?)?;
        names.iter().try_for_each(|digest| self.note_archive_bounds(digest))
    }

    /// The same of one digest, when many entries may have come: what is noted need not be counted again.
    pub(super) fn note_archive_bounds(&self, digest: &DigestName) -> Result<(), StoreError> {
        let sql = "INSERT INTO archive_parts (digest, kind, number, last_place) VALUES (?1, ?2, ?3, ?4)";
        let mut note = self.connection.prepare_cached(sql)?;
        for periodic in [false, true] {
            let parts: Vec<ArchivePart> = self.as_read().parts_to_note(digest, periodic)?.collect::<Result<_, _>>()?;
            for part in parts {
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
