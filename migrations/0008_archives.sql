-- The archives of digests (RFC 5005 section 4). A part that is not full yet will hold so many entries, in the order in which
-- they came.
CREATE TABLE archives (
    digest          TEXT    PRIMARY KEY,
    entries_a_part  INTEGER NOT NULL CHECK (entries_a_part > 0)
) STRICT, WITHOUT ROWID;

-- Where parts end, noted before retention removes any entry: what can no longer be counted keeps its part.
-- last_place is a sequence of digest_entries in a stream, an issue_id in a periodic digest.
CREATE TABLE archive_parts (
    digest      TEXT    NOT NULL REFERENCES archives,
    kind        TEXT    NOT NULL CHECK (kind IN ('stream', 'periodic')),
    number      INTEGER NOT NULL,
    last_place  INTEGER NOT NULL,
    PRIMARY KEY (digest, kind, number)
) STRICT, WITHOUT ROWID;
