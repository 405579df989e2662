-- Article pages of items whose feed gives only a teaser (`full_text = true`). A page that was read is kept, so that an
-- edit of the teaser asks for none again.
CREATE TABLE articles (
    item_id      INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    next_try_at  INTEGER,                                -- NULL: read, or given up
    tries        INTEGER NOT NULL DEFAULT 0,             -- that failed
    last_error   TEXT,
    html         TEXT,
    text         TEXT
) STRICT;
CREATE INDEX articles_wanted ON articles (next_try_at) WHERE next_try_at IS NOT NULL;
