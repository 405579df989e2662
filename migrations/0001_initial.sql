-- The store of veille. Every table may be read by anyone's sqlite3 while the daemon runs.
--
-- Instants (names end in _at) are milliseconds since 1970-01-01T00:00:00Z:
--     SELECT title, datetime(first_seen_at / 1000, 'unixepoch') FROM items ORDER BY item_id DESC LIMIT 10;
-- Lists (groups, authors, categories, enclosures, evidence) are JSON texts: see json_each().

-- What we poll, and how each feed is doing. One row for every feed that was ever configured.
CREATE TABLE feeds (
    feed_id            INTEGER PRIMARY KEY,
    url                TEXT    NOT NULL UNIQUE,          -- the feed's identity: its URL as first configured
    fetch_url          TEXT,                             -- where it is now, once a permanent redirect was adopted
    configured_title   TEXT,
    title              TEXT,                             -- the feed's own
    site_url           TEXT,
    language           TEXT,
    groups             TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(groups)),
    state              TEXT    NOT NULL DEFAULT 'active'
                               CHECK (state IN ('active', 'gone', 'duplicate', 'disabled', 'removed')),
    item_identity      TEXT    NOT NULL DEFAULT 'guid' CHECK (item_identity IN ('guid', 'link', 'content')),
    -- the schedule
    next_check_at      INTEGER,
    next_check_reason  TEXT    NOT NULL DEFAULT 'never refreshed',
    last_refresh_at    INTEGER,
    last_success_at    INTEGER,
    last_new_item_at   INTEGER,
    last_status        INTEGER,                          -- HTTP status of the last answer
    -- what the server and the document asked for
    fresh_until_at     INTEGER,                          -- Cache-Control, Expires
    retry_after_at     INTEGER,                          -- 429, 503
    wait_was_cut       INTEGER NOT NULL DEFAULT 0,       -- it asked for longer than the longest wait that we grant
    ttl_s              INTEGER,                          -- ttl and sy:*, the longer of them
    skip_hours         INTEGER NOT NULL DEFAULT 0,       -- bit h: hour h GMT
    skip_days          INTEGER NOT NULL DEFAULT 0,       -- bit d: day d, 0 is Monday
    -- failures
    failure_count      INTEGER NOT NULL DEFAULT 0,       -- in a row
    failing_since_at   INTEGER,
    last_error         TEXT,
    -- windows that may have slid past us between two refreshes
    overflow_count     INTEGER NOT NULL DEFAULT 0,
    last_overflow_at   INTEGER,
    -- a permanent redirect that has not been adopted yet
    redirect_url       TEXT,
    redirect_count     INTEGER NOT NULL DEFAULT 0,
    redirect_since_at  INTEGER
) STRICT;
CREATE INDEX feeds_due ON feeds (next_check_at) WHERE state = 'active';

-- ETag and Last-Modified as received, one set a URL, never sent anywhere else; lifetime_s is the
-- freshness lifetime that came with them, which a 304 that names none renews.
CREATE TABLE validators (
    feed_id        INTEGER NOT NULL REFERENCES feeds ON DELETE CASCADE,
    url            TEXT    NOT NULL,
    etag           BLOB,
    last_modified  BLOB,
    lifetime_s     INTEGER,
    PRIMARY KEY (feed_id, url)
) STRICT, WITHOUT ROWID;

-- Hosts (with port) that asked to be left alone: 429 or 503 on one feed holds every feed of its host.
CREATE TABLE hosts (
    host           TEXT    PRIMARY KEY,
    held_until_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Items that tell the same news. entry_id is a pure function of the first item's feed and key.
CREATE TABLE stories (
    story_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    entry_id    TEXT    NOT NULL UNIQUE,
    created_at  INTEGER NOT NULL
) STRICT;

-- What feeds served. item_id grows in the order of first sight and is never reused.
CREATE TABLE items (
    item_id        INTEGER PRIMARY KEY AUTOINCREMENT,
    feed_id        INTEGER NOT NULL REFERENCES feeds,
    story_id       INTEGER NOT NULL REFERENCES stories,
    item_key       TEXT    NOT NULL,                     -- our identity of the item within its feed
    link_key       TEXT,                                 -- the next rungs of the identity ladder
    content_key    TEXT    NOT NULL,
    content_hash   BLOB    NOT NULL CHECK (length(content_hash) = 16),
    guid           TEXT,
    link           TEXT,
    title          TEXT    NOT NULL,
    authors        TEXT    NOT NULL CHECK (json_valid(authors)),
    published_at   INTEGER,
    updated_at     INTEGER,
    categories     TEXT    NOT NULL CHECK (json_valid(categories)),
    summary        TEXT    NOT NULL,
    content_html   TEXT    NOT NULL,
    content_text   TEXT    NOT NULL,
    enclosures     TEXT    NOT NULL CHECK (json_valid(enclosures)),
    language       TEXT,
    first_seen_at  INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    ordered_at     INTEGER NOT NULL,                     -- published_at where credible, else first_seen_at
    UNIQUE (feed_id, item_key)
) STRICT;
CREATE INDEX items_by_link    ON items (link_key, feed_id);
CREATE INDEX items_by_content ON items (feed_id, content_key);
CREATE INDEX items_by_feed    ON items (feed_id, ordered_at);
CREATE INDEX items_by_time    ON items (ordered_at, item_id);
CREATE INDEX items_by_story   ON items (story_id);
CREATE INDEX items_by_url     ON items (link);

-- Keys of items that retention removed while their feed still listed them: they do not come back as new.
CREATE TABLE tombstones (
    feed_id         INTEGER NOT NULL REFERENCES feeds ON DELETE CASCADE,
    item_key        TEXT    NOT NULL,
    last_listed_at  INTEGER NOT NULL,
    PRIMARY KEY (feed_id, item_key)
) STRICT, WITHOUT ROWID;

-- The tags of an item and why it has them.
CREATE TABLE item_tags (
    item_id    INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    tag        TEXT    NOT NULL,
    score      REAL    NOT NULL,
    rule_hash  TEXT    NOT NULL,                         -- of the rule as it was when it matched
    origin     TEXT    NOT NULL CHECK (origin IN ('rule', 'hand')),
    evidence   TEXT    NOT NULL CHECK (json_valid(evidence)),
    tagged_at  INTEGER NOT NULL,
    PRIMARY KEY (item_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_tags_by_tag ON item_tags (tag, item_id);

-- Tags that a curator gave or took away by hand: they win over every later run of the rules.
CREATE TABLE corrections (
    item_id       INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    tag           TEXT    NOT NULL,
    present       INTEGER NOT NULL CHECK (present IN (0, 1)),
    corrected_at  INTEGER NOT NULL,
    PRIMARY KEY (item_id, tag)
) STRICT, WITHOUT ROWID;

-- Near-duplicate signatures of recent items: 64 MinHash values, and the 16 bands they are found by.
CREATE TABLE signatures (
    item_id    INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    signature  BLOB    NOT NULL
) STRICT;
CREATE TABLE signature_bands (
    band     INTEGER NOT NULL,
    hash     INTEGER NOT NULL,
    item_id  INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
    PRIMARY KEY (band, hash, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX signature_bands_by_item ON signature_bands (item_id);

-- The feeds that we publish. version grows with every change of what a digest shows.
CREATE TABLE digests (
    digest        TEXT    PRIMARY KEY,
    kind          TEXT    NOT NULL CHECK (kind IN ('stream', 'periodic')),
    title         TEXT    NOT NULL,
    query         TEXT    NOT NULL,
    rule_hash     TEXT    NOT NULL DEFAULT '',           -- what its membership was last computed with
    configured    INTEGER NOT NULL CHECK (configured IN (0, 1)),
    version       INTEGER NOT NULL DEFAULT 1,
    changed_at    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    cut_until_at  INTEGER                                -- issues were cut for all that entered before
) STRICT, WITHOUT ROWID;

-- The issues of periodic digests. An issue, once cut, keeps its stories.
CREATE TABLE issues (
    issue_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    digest      TEXT    NOT NULL REFERENCES digests,
    period      TEXT    NOT NULL,
    entry_id    TEXT    NOT NULL UNIQUE,
    starts_at   INTEGER NOT NULL,
    ends_at     INTEGER NOT NULL,
    cut_at      INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    UNIQUE (digest, period)
) STRICT;

-- Which story is in which digest. A row is never deleted while the story lives: a story that a rule
-- lets go is marked, so that it keeps its place and its issue should it come back.
CREATE TABLE digest_entries (
    sequence    INTEGER PRIMARY KEY AUTOINCREMENT,       -- the order in which stories entered
    digest      TEXT    NOT NULL REFERENCES digests,
    story_id    INTEGER NOT NULL REFERENCES stories ON DELETE CASCADE,
    entered_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    ordered_at  INTEGER NOT NULL,                        -- of the story's first item
    issue_id    INTEGER REFERENCES issues,               -- NULL: not in an issue (yet)
    backfilled  INTEGER NOT NULL DEFAULT 0 CHECK (backfilled IN (0, 1)),
    left_at     INTEGER,
    UNIQUE (digest, story_id)
) STRICT;
CREATE INDEX digest_entries_by_time  ON digest_entries (digest, ordered_at, sequence) WHERE left_at IS NULL;
CREATE INDEX digest_entries_by_issue ON digest_entries (issue_id);
CREATE INDEX digest_entries_by_story ON digest_entries (story_id);

-- Small facts about the store itself.
CREATE TABLE facts (
    name   TEXT PRIMARY KEY,
    value  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
