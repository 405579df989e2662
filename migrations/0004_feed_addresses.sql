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
