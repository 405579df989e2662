-- Where the config lists a feed that it once listed elsewhere. feeds.url stays the feed's identity.
CREATE TABLE feed_addresses (
    feed_id  INTEGER PRIMARY KEY REFERENCES feeds ON DELETE CASCADE,
    url      TEXT    NOT NULL UNIQUE
) STRICT;

-- Addresses that a feed may be listed at instead: found on its site, or put into the config by `veille feeds fix`.
-- One that the config then lists is this feed, and no new one.
CREATE TABLE offered_addresses (
    feed_id      INTEGER PRIMARY KEY REFERENCES feeds ON DELETE CASCADE,
    url          TEXT,                                   -- NULL: sought, and nothing found
    searched_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX offered_addresses_by_url ON offered_addresses (url);
-- Which feed is now at an address.
CREATE INDEX feeds_by_fetch_url ON feeds (fetch_url) WHERE fetch_url IS NOT NULL;

-- What the operator is told of feeds, in the words of the moment: the entries of the digest feed-health.
CREATE TABLE feed_notices (
    notice_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    feed_id     INTEGER REFERENCES feeds ON DELETE CASCADE,   -- NULL: many feeds at once
    kind        TEXT    NOT NULL
                        CHECK (kind IN ('failing', 'gone', 'moved', 'stale', 'overflowing', 'recovered', 'outage')),
    entry_id    TEXT    NOT NULL UNIQUE,
    started_at  INTEGER NOT NULL,
    noted_at    INTEGER NOT NULL,
    ended_at    INTEGER,                                      -- NULL: it lasts
    title       TEXT    NOT NULL,
    advice      TEXT    NOT NULL
) STRICT;
CREATE INDEX feed_notices_by_time ON feed_notices (noted_at);
CREATE INDEX feed_notices_open ON feed_notices (kind) WHERE ended_at IS NULL;

-- Subscriptions at hubs (W3C WebSub). callback_key and secret are ours alone: who has them can deliver.
CREATE TABLE subscriptions (
    feed_id           INTEGER PRIMARY KEY REFERENCES feeds ON DELETE CASCADE,
    hub               TEXT    NOT NULL,
    topic             TEXT    NOT NULL,
    callback_key      TEXT    NOT NULL UNIQUE,
    secret            TEXT    NOT NULL,
    state             TEXT    NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'asked', 'active', 'denied')),
    tries             INTEGER NOT NULL DEFAULT 0,             -- since the last verification
    next_try_at       INTEGER NOT NULL,                       -- when the hub is asked, or asked again
    expires_at        INTEGER,                                -- end of the lease
    last_delivery_at  INTEGER,
    missed_at         INTEGER,                                -- a poll found what the hub had not delivered
    last_error        TEXT
) STRICT;
CREATE INDEX subscriptions_due ON subscriptions (next_try_at);
