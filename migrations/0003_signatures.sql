-- Near-duplicate signatures of recent items with all that deciding on a story needs: the items' own rows are wide.
-- Their bands are indexed in memory: two dozen rows an item, in random order, were most of what writing an item cost.
CREATE TABLE recent_signatures (
    item_id        INTEGER PRIMARY KEY,
    story_id       INTEGER NOT NULL,
    feed_id        INTEGER NOT NULL,
    ordered_at     INTEGER NOT NULL,
    first_seen_at  INTEGER NOT NULL,
    signature      BLOB    NOT NULL
) STRICT;
INSERT INTO recent_signatures (item_id, story_id, feed_id, ordered_at, first_seen_at, signature)
    SELECT s.item_id, i.story_id, i.feed_id, i.ordered_at, i.first_seen_at, s.signature
    FROM signatures s JOIN items i USING (item_id);
DROP TABLE signature_bands;
DROP TABLE signatures;

-- An item with a link has its canonical form for a key, by which it is found too: the index of raw links, the widest of
-- all, serves the items that have none.
DROP INDEX items_by_url;
CREATE INDEX items_by_url ON items (link) WHERE link_key IS NULL;
