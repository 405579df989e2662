//! Digests: their members, their issues, and the version that every change raises.

use super::rows::{collect, count, instant_at, millis, optional_instant_at, to_json, write_rows};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{
    ConfiguredDigest, DigestName, EntryId, Issue, IssueId, Membership, PendingEntry, Story, StoryId, Timestamp,
};
use rusqlite::types::ToSqlOutput;
use rusqlite::{OptionalExtension, Row, params};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

/// Grows with every change of what a digest shows; what is cached is cached per version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DigestVersion {
    pub version: i64,
    pub changed_at: Timestamp,
}

/// An issue about to be cut: its period and the entries that go into it.
#[derive(Debug, Clone)]
pub struct NewIssue {
    pub period: String,
    pub entry_id: EntryId,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub sequences: Vec<i64>,
}

/// A story on its way into a digest.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrance {
    pub digest: DigestName,
    pub story: StoryId,
    /// Its place among the entries: when it came, of news; of what comes from the archive, when it was published.
    pub place: Timestamp,
    /// It comes from the archive and waits for no issue.
    pub backfilled: bool,
}

/// Stories of a digest, and the sequence to go on behind when there are more.
pub type StoriesPage = (Vec<(Membership, Story)>, Option<i64>);

pub(super) const ISSUE_COLUMNS: &str = "issue_id, period, entry_id, starts_at, ends_at, cut_at, updated_at, \
    (SELECT count(*) FROM digest_entries e WHERE e.issue_id = issues.issue_id AND e.left_at IS NULL) AS story_count";

/// Entries of digests with their stories, as [`membership`] reads them.
pub(super) const MEMBERS: &str = "SELECT e.sequence, e.story_id, s.entry_id, e.entered_at, e.updated_at \
    FROM digest_entries e JOIN stories s USING (story_id)";

impl ReadTx<'_> {
    pub fn digest_version(&self, digest: &DigestName) -> Result<Option<DigestVersion>, StoreError> {
        let sql = "SELECT version, changed_at FROM digests WHERE digest = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let version = statement.query_row([&digest.0], |row| {
            Ok(DigestVersion { version: row.get("version")?, changed_at: instant_at(row, "changed_at")? })
        });
        Ok(version.optional()?)
    }

    /// At most `limit` stories of a digest from those behind the entry with sequence `before`. The latest places come first;
    /// on its page a story stands by when it was published.
    pub fn digest_page(
        &self,
        digest: &DigestName,
        before: Option<i64>,
        limit: usize,
    ) -> Result<StoriesPage, StoreError> {
        let place = self.place_of_entry(before)?;
        let sql = format!(
            "{MEMBERS} WHERE e.digest = ?1 AND e.left_at IS NULL \
             AND (e.ordered_at, e.sequence) < (?2, ?3) ORDER BY e.ordered_at DESC, e.sequence DESC LIMIT ?4"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let rows = statement.query_map(params![digest.0, place.0, place.1, one_more], membership)?;
        let mut members = collect(rows)?;
        let has_more = members.len() > limit;
        members.truncate(limit);
        let older = members.last().filter(|_| has_more).map(|member| member.sequence);
        let mut stories = self.with_stories(members)?;
        stories.sort_by_key(|(member, story)| Reverse((story.first().ordered_at(), member.sequence)));
        Ok((stories, older))
    }

    /// The latest place of a digest's entries.
    pub fn newest_place(&self, digest: &DigestName) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT max(ordered_at) AS place_at FROM digest_entries INDEXED BY digest_entries_by_time \
                   WHERE digest = ?1 AND left_at IS NULL";
        Ok(self.connection.prepare_cached(sql)?.query_row([&digest.0], |row| optional_instant_at(row, "place_at"))?)
    }

    /// Instant and sequence behind which a list of entries goes on; before everything when it begins.
    fn place_of_entry(&self, before: Option<i64>) -> Result<(i64, i64), StoreError> {
        let Some(before) = before else { return Ok((i64::MAX, i64::MAX)) };
        let sql = "SELECT ordered_at, sequence FROM digest_entries WHERE sequence = ?1";
        let place = self.connection.prepare_cached(sql)?.query_row([before], |row| Ok((row.get(0)?, row.get(1)?)));
        place.optional()?.ok_or(StoreError::PlaceGone)
    }

    /// The digests that each of these stories is in; stories in none are left out.
    pub fn digests_of_stories(
        &self,
        stories: &[StoryId],
    ) -> Result<HashMap<StoryId, BTreeSet<DigestName>>, StoreError> {
        let wanted = to_json(&stories.iter().map(|story| story.0).collect::<Vec<_>>());
        let sql = "SELECT story_id, digest FROM digest_entries \
                   WHERE story_id IN (SELECT value FROM json_each(?1)) AND left_at IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows =
            statement.query_map([wanted], |row| Ok((StoryId(row.get("story_id")?), DigestName(row.get("digest")?))))?;
        let mut by_story: HashMap<StoryId, BTreeSet<DigestName>> = HashMap::new();
        for (story, digest) in collect(rows)? {
            by_story.entry(story).or_default().insert(digest);
        }
        Ok(by_story)
    }

    /// How many stories a digest has.
    pub fn digest_size(&self, digest: &DigestName) -> Result<u64, StoreError> {
        // The index alone has the answer; the planner would take another, and look at every entry.
        let sql = "SELECT count(*) FROM digest_entries INDEXED BY digest_entries_by_time \
                   WHERE digest = ?1 AND left_at IS NULL";
        Ok(count(self.connection.prepare_cached(sql)?.query_row([&digest.0], |row| row.get(0))?))
    }

    /// Issues of a periodic digest, newest first, from those before the issue `before`.
    pub fn issues(&self, digest: &DigestName, before: Option<IssueId>, limit: usize) -> Result<Vec<Issue>, StoreError> {
        let sql = format!(
            "SELECT {ISSUE_COLUMNS} FROM issues WHERE digest = ?1 AND issue_id < ?2 \
             ORDER BY issue_id DESC LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        collect(statement.query_map(params![digest.0, before.map_or(i64::MAX, |issue| issue.0), limit], issue)?)
    }

    /// The issue of a digest that was cut next after this one.
    pub fn issue_after(&self, digest: &DigestName, issue_id: IssueId) -> Result<Option<Issue>, StoreError> {
        let sql =
            format!("SELECT {ISSUE_COLUMNS} FROM issues WHERE digest = ?1 AND issue_id > ?2 ORDER BY issue_id LIMIT 1");
        Ok(self.connection.prepare_cached(&sql)?.query_row(params![digest.0, issue_id.0], issue).optional()?)
    }

    pub fn issue(&self, digest: &DigestName, period: &str) -> Result<Option<Issue>, StoreError> {
        let sql = format!("SELECT {ISSUE_COLUMNS} FROM issues WHERE digest = ?1 AND period = ?2");
        Ok(self.connection.prepare_cached(&sql)?.query_row(params![digest.0, period], issue).optional()?)
    }

    /// When a digest was first configured.
    pub fn created_at(&self, digest: &DigestName) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT created_at FROM digests WHERE digest = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([&digest.0], |row| instant_at(row, "created_at")).optional()?)
    }

    /// The story of this entry id as a member of a digest that it has not left.
    pub fn digest_story(
        &self,
        digest: &DigestName,
        entry_id: &EntryId,
    ) -> Result<Option<(Membership, Story)>, StoreError> {
        // There is no index by entry id. What is asked for entered a while ago at most, so that it is found from the end.
        let sql = format!(
            "{MEMBERS} WHERE s.entry_id = ?2 AND e.digest = ?1 AND e.left_at IS NULL ORDER BY e.sequence DESC LIMIT 1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params![digest.0, entry_id.0], membership)?;
        Ok(self.with_stories(collect(rows)?)?.pop())
    }

    /// The issue of this entry id.
    pub fn issue_with_entry_id(&self, entry_id: &EntryId) -> Result<Option<Issue>, StoreError> {
        let sql = format!("SELECT {ISSUE_COLUMNS} FROM issues WHERE entry_id = ?1");
        Ok(self.connection.prepare_cached(&sql)?.query_row([&entry_id.0], issue).optional()?)
    }

    /// The stories of an issue in the order in which they entered.
    pub fn issue_stories(&self, issue: IssueId) -> Result<Vec<(Membership, Story)>, StoreError> {
        let sql = format!("{MEMBERS} WHERE e.issue_id = ?1 AND e.left_at IS NULL ORDER BY e.sequence");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([issue.0], membership)?;
        self.with_stories(collect(rows)?)
    }

    /// Until when a digest's issues have been cut; when it was first configured, if none ever was.
    pub fn cut_until_at(&self, digest: &DigestName) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT coalesce(cut_until_at, created_at) AS until_at FROM digests WHERE digest = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([&digest.0], |row| instant_at(row, "until_at")).optional()?)
    }

    /// Stories that entered and are in no issue yet, in the order in which they entered.
    pub fn pending_entries(&self, digest: &DigestName) -> Result<Vec<PendingEntry>, StoreError> {
        let sql = "SELECT sequence, entered_at FROM digest_entries WHERE digest = ?1 AND issue_id IS NULL \
                   AND left_at IS NULL AND backfilled = 0 ORDER BY sequence";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([&digest.0], |row| {
            Ok(PendingEntry { sequence: row.get("sequence")?, entered_at: instant_at(row, "entered_at")? })
        })?)
    }

    pub(super) fn with_stories(&self, members: Vec<Membership>) -> Result<Vec<(Membership, Story)>, StoreError> {
        let ids: Vec<StoryId> = members.iter().map(|member| member.story_id).collect();
        let mut stories = self.stories(&ids)?.into_iter().peekable();
        let with_story = |member: Membership| {
            let story = stories.next_if(|story| story.id == member.story_id)?;
            Some((member, story))
        };
        Ok(members.into_iter().filter_map(with_story).collect())
    }
}

impl WriteTx<'_> {
    /// Brings the digests of the store in line with the config. Returns those whose members must be
    /// computed anew over the archive: new ones, and those whose query or rules changed.
    pub fn sync_digests(&self, digests: &[ConfiguredDigest], now: Timestamp) -> Result<Vec<DigestName>, StoreError> {
        let names = to_json(&digests.iter().map(|digest| digest.name.0.as_str()).collect::<Vec<_>>());
        self.connection
            .prepare_cached("UPDATE digests SET configured = 0 WHERE digest NOT IN (SELECT value FROM json_each(?1))")?
            .execute([names])?;
        let mut known = self.connection.prepare_cached(
            "SELECT configured = 1 AND rule_hash = ?2, title = ?3 AND kind = ?4 FROM digests WHERE digest = ?1",
        )?;
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO digests (digest, kind, title, query, configured, changed_at, created_at) \
             VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5) ON CONFLICT (digest) DO UPDATE SET kind = ?2, title = ?3, query = ?4, \
             rule_hash = iif(configured, rule_hash, ''), configured = 1",
        )?;
        let mut stale = Vec::new();
        for digest in digests {
            let kind = if digest.periodic { "periodic" } else { "stream" };
            let same: Option<(bool, bool)> = known
                .query_row(params![digest.name.0, digest.rule_hash, digest.title, kind], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            upsert.execute(params![digest.name.0, kind, digest.title, digest.query, millis(now)])?;
            self.settle_archive(&digest.name, digest.limit)?;
            // Of a digest that is new nobody was shown another head.
            let (same_members, same_head) = same.unwrap_or((false, true));
            if !same_head {
                self.digest_changed(&digest.name, now);
            }
            if !same_members {
                stale.push(digest.name.clone());
            }
        }
        Ok(stale)
    }

    /// Notes that a digest's members are those that these rules give.
    pub fn members_computed(&self, digest: &DigestName, rule_hash: &str) -> Result<(), StoreError> {
        let sql = "UPDATE digests SET rule_hash = ?2 WHERE digest = ?1";
        self.connection.prepare_cached(sql)?.execute(params![digest.0, rule_hash])?;
        self.note_archive_bounds(digest)
    }

    /// Puts a story into a digest, or back. Returns whether it was not in it.
    ///
    /// A story that left keeps its sequence and its issue, so that it is never announced twice.
    pub fn enter_digest(
        &self,
        digest: &DigestName,
        story: StoryId,
        place: Timestamp,
        backfilled: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let entrance = Entrance { digest: digest.clone(), story, place, backfilled };
        Ok(self.enter_digests(&[entrance], now)? > 0)
    }

    /// As [`WriteTx::enter_digest`], of many stories in this order. Returns how many were not in their digest.
    pub fn enter_digests(&self, entrances: &[Entrance], now: Timestamp) -> Result<usize, StoreError> {
        let into = "INTO digest_entries (digest, story_id, entered_at, updated_at, ordered_at, backfilled)";
        // An edit while it was away is news of it: those who saw it before are to see that it changed.
        let on_conflict = "ON CONFLICT (story_id, digest) DO UPDATE SET left_at = NULL, updated_at = max(updated_at, \
             (SELECT coalesce(max(changed_at), 0) FROM items i WHERE i.story_id = digest_entries.story_id)) \
             WHERE left_at IS NOT NULL";
        let rows: Vec<_> = entrances.iter().map(|entrance| (entrance, now)).collect();
        let mut entered = 0;
        write_rows(self.connection, into, on_conflict, &rows, entry_values, |rows, changed| {
            entered += changed;
            // Of many at once it is not known which were in their digest before; who enters many has looked.
            if changed > 0 {
                rows.iter().for_each(|(entrance, _)| self.digest_changed(&entrance.digest, now));
            }
        })?;
        Ok(entered)
    }

    /// Takes a story out of a digest that its items' tags no longer carry. Returns whether it was in it.
    pub fn leave_digest(&self, digest: &DigestName, story: StoryId, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE digest_entries SET left_at = ?3 WHERE digest = ?1 AND story_id = ?2 AND left_at IS NULL";
        let changed = self.connection.prepare_cached(sql)?.execute(params![digest.0, story.0, millis(now)])?;
        if changed > 0 {
            self.digest_changed(digest, now);
        }
        Ok(changed > 0)
    }

    /// Digests that the story is in.
    pub fn digests_of(&self, story: StoryId) -> Result<Vec<DigestName>, StoreError> {
        let sql = "SELECT digest FROM digest_entries WHERE story_id = ?1 AND left_at IS NULL";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([story.0], |row| Ok(DigestName(row.get(0)?)))?)
    }

    /// Notes that what a story shows has changed: an edit, another source, other tags.
    pub fn story_changed(&self, story: StoryId, now: Timestamp) -> Result<(), StoreError> {
        let at = millis(now);
        self.connection
            .prepare_cached("UPDATE digest_entries SET updated_at = ?2 WHERE story_id = ?1 AND left_at IS NULL")?
            .execute(params![story.0, at])?;
        self.connection
            .prepare_cached(
                "UPDATE issues SET updated_at = ?2 WHERE issue_id IN \
                 (SELECT issue_id FROM digest_entries WHERE story_id = ?1 AND left_at IS NULL)",
            )?
            .execute(params![story.0, at])?;
        self.shown_otherwise(story, now)
    }

    /// Notes that documents show another thing of a story, which makes nothing newer: another address of an enclosure, a feed
    /// that comes to list what was told long ago.
    pub fn shown_otherwise(&self, story: StoryId, now: Timestamp) -> Result<(), StoreError> {
        self.digests_of(story)?.iter().for_each(|digest| self.digest_changed(digest, now));
        Ok(())
    }

    /// Notes that what streams show of a story has changed, and nothing that an issue shows of it.
    pub fn changed_in_streams(&self, story: StoryId, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE digest_entries SET updated_at = ?2 WHERE story_id = ?1 AND left_at IS NULL \
                   AND digest IN (SELECT digest FROM digests WHERE kind = 'stream') RETURNING digest";
        let mut statement = self.connection.prepare_cached(sql)?;
        let changed = statement.query_map(params![story.0, millis(now)], |row| Ok(DigestName(row.get(0)?)))?;
        collect(changed)?.iter().for_each(|digest| self.digest_changed(digest, now));
        Ok(())
    }

    /// Cuts issues: from now on their entries are in them and in no other, and all that entered before
    /// `until` has had its cut, whether there was anything to put into an issue or not. An `until` before the last one
    /// takes up the calendar again where a clock was ahead.
    pub fn cut_issues(
        &self,
        digest: &DigestName,
        issues: &[NewIssue],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for issue in issues {
            self.cut_issue(digest, issue, now)?;
        }
        let sql = "UPDATE digests SET cut_until_at = ?2 WHERE digest = ?1";
        self.connection.prepare_cached(sql)?.execute(params![digest.0, millis(until)])?;
        Ok(())
    }

    fn cut_issue(&self, digest: &DigestName, issue: &NewIssue, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO issues (digest, period, entry_id, starts_at, ends_at, cut_at, updated_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)";
        let (starts_at, ends_at) = (millis(issue.starts_at), millis(issue.ends_at));
        self.connection.prepare_cached(sql)?.execute(params![
            digest.0,
            issue.period,
            issue.entry_id.0,
            starts_at,
            ends_at,
            millis(now)
        ])?;
        let id = self.connection.last_insert_rowid();
        let sql = "UPDATE digest_entries SET issue_id = ?2 WHERE digest = ?1 AND issue_id IS NULL \
                   AND sequence IN (SELECT value FROM json_each(?3))";
        self.connection.prepare_cached(sql)?.execute(params![digest.0, id, to_json(&issue.sequences)])?;
        self.tell_of_issue(digest, &issue.entry_id, now)?;
        self.tell_of_document(digest, now)?;
        self.digest_changed(digest, now);
        Ok(())
    }

    /// Notes that what a digest shows has changed: it gets a new version once the job is done.
    pub(super) fn digest_changed(&self, digest: &DigestName, now: Timestamp) {
        let mut changed = self.changed_digests.borrow_mut();
        match changed.get_mut(digest) {
            Some(at) => *at = now.max(*at),
            None => drop(changed.insert(digest.clone(), now)),
        }
    }

    /// Gives each digest that the job has changed its new version.
    pub(super) fn raise_versions(&self) -> Result<(), StoreError> {
        let sql = "UPDATE digests SET version = version + 1, changed_at = ?2 WHERE digest = ?1";
        let changed = self.changed_digests.take();
        let mut raise = self.connection.prepare_cached(sql)?;
        for (digest, at) in &changed {
            raise.execute(params![digest.0, millis(*at)])?;
        }
        self.tell_of_streams(&changed)
    }
}

pub(super) fn membership(row: &Row<'_>) -> rusqlite::Result<Membership> {
    Ok(Membership {
        story_id: StoryId(row.get("story_id")?),
        entry_id: EntryId(row.get("entry_id")?),
        sequence: row.get("sequence")?,
        entered_at: instant_at(row, "entered_at")?,
        updated_at: instant_at(row, "updated_at")?,
    })
}

pub(super) fn issue(row: &Row<'_>) -> rusqlite::Result<Issue> {
    Ok(Issue {
        id: IssueId(row.get("issue_id")?),
        period: row.get("period")?,
        entry_id: EntryId(row.get("entry_id")?),
        starts_at: instant_at(row, "starts_at")?,
        ends_at: instant_at(row, "ends_at")?,
        cut_at: instant_at(row, "cut_at")?,
        updated_at: instant_at(row, "updated_at")?,
        story_count: count(row.get("story_count")?),
    })
}

fn entry_values<'r>((entrance, now): &'r (&Entrance, Timestamp)) -> [ToSqlOutput<'r>; 6] {
    [
        entrance.digest.0.as_str().into(),
        entrance.story.0.into(),
        millis(*now).into(),
        millis(*now).into(),
        millis(entrance.place).into(),
        entrance.backfilled.into(),
    ]
}
