-- Trees that are written at random places cost most when many items come at once: each commit writes nearly all of their
-- pages again (measured with 30,000 new items: a third of the log, an eighth of the time). Two of them are gone here.

-- An item is found by its link within its feed, or feed by feed; the items of late that have a new one's link are found
-- in memory, as those that are like it are.
DROP INDEX items_by_link;
CREATE INDEX items_by_link ON items (feed_id, link_key);
ALTER TABLE recent_signatures ADD COLUMN link_hash INTEGER; -- the first 60 bits of its link_key
UPDATE recent_signatures SET link_hash = (
    WITH RECURSIVE digits (count, value) AS (
        SELECT 0, 0
        UNION ALL
        SELECT count + 1, value * 16 + instr('0123456789abcdef', substr(link_key, 3 + count, 1)) - 1 FROM digits WHERE count < 15
    )
    SELECT value FROM digits WHERE count = 15
) FROM items WHERE items.item_id = recent_signatures.item_id AND link_key GLOB 'l-[0-9a-f]*';

-- A story's entry id follows from the item that began it, so that no second story has it as long as that item is there.
-- Only a story that has outlived an item is looked for by its entry id, lest the item begin it again when it comes back.
CREATE TABLE lean_stories (
    story_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    entry_id    TEXT    NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
INSERT INTO lean_stories SELECT story_id, entry_id, created_at FROM stories;
DELETE FROM sqlite_sequence WHERE name = 'lean_stories';
INSERT INTO sqlite_sequence (name, seq) SELECT 'lean_stories', seq FROM sqlite_sequence WHERE name = 'stories';
DROP TABLE stories;
ALTER TABLE lean_stories RENAME TO stories;

CREATE TABLE bereft_stories (
    story_id  INTEGER PRIMARY KEY REFERENCES stories ON DELETE CASCADE,
    entry_id  TEXT    NOT NULL UNIQUE
) STRICT;
INSERT INTO bereft_stories SELECT story_id, entry_id FROM stories s
    WHERE NOT EXISTS (SELECT 1 FROM items i WHERE i.story_id = s.story_id AND i.first_seen_at = s.created_at);

DROP TRIGGER item_removed;
CREATE TRIGGER item_removed AFTER DELETE ON items BEGIN
    DELETE FROM item_words WHERE rowid = old.item_id;
    INSERT OR IGNORE INTO bereft_stories SELECT story_id, entry_id FROM stories WHERE story_id = old.story_id;
END;
