-- The same entries with three indexes less to write: an entry was in six trees, three of them in random order.
-- A story's digests are found by what keeps them apart, what is in no issue is in no index of issues, and in the order of
-- entering a digest's entries are found by its name alone, for sequence is the rowid.
CREATE TABLE lean_entries (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,       -- the order in which stories entered
    digest      TEXT    NOT NULL REFERENCES digests,
    story_id    INTEGER NOT NULL REFERENCES stories ON DELETE CASCADE,
    entered_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    ordered_at  INTEGER NOT NULL,                        -- of the story's first item
    issue_id    INTEGER REFERENCES issues,               -- NULL: not in an issue (yet)
    backfilled  INTEGER NOT NULL DEFAULT 0 CHECK (backfilled IN (0, 1)),
    left_at     INTEGER,
    UNIQUE (story_id, digest)
) STRICT;
INSERT INTO lean_entries
    SELECT sequence, digest, story_id, entered_at, updated_at, ordered_at, issue_id, backfilled, left_at FROM digest_entries;
-- A sequence that was given once is given to no other entry, whether its entry is still there or not.
DELETE FROM sqlite_sequence WHERE name = 'lean_entries';
INSERT INTO sqlite_sequence (name, seq) SELECT 'lean_entries', seq FROM sqlite_sequence WHERE name = 'digest_entries';
DROP TABLE digest_entries;
ALTER TABLE lean_entries RENAME TO digest_entries;
CREATE INDEX digest_entries_by_time   ON digest_entries (digest, ordered_at, sequence) WHERE left_at IS NULL;
CREATE INDEX digest_entries_by_digest ON digest_entries (digest);
CREATE INDEX digest_entries_by_issue  ON digest_entries (issue_id) WHERE issue_id IS NOT NULL;
