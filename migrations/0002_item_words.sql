-- Which items hold a word: what a search looks at before the evaluator decides.

-- A row an item, rowid is item_id; the words are folded and cut by veille, each once, and the tokenizer only splits them at
-- the blanks. Nothing but MATCH can be asked: SELECT rowid FROM item_words WHERE item_words MATCH '"mistral" AND "open"*'.
-- A character of a script without spaces stands with the one after it: 法国人 is 法国, 国人, 人.
CREATE VIRTUAL TABLE item_words USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '+#.,&'"
);
-- More parts side by side before they are merged: a search looks into a few more, and each word is written less often.
INSERT INTO item_words (item_words, rank) VALUES ('automerge', 8);

-- Items whose words are not in the index as they now are: each of them may hold any query.
CREATE TABLE unindexed_items (
    item_id     INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    was_edited  INTEGER NOT NULL CHECK (was_edited IN (0, 1)) -- since it was indexed: its old words are there still
) STRICT;
INSERT INTO unindexed_items (item_id, was_edited) SELECT item_id, 0 FROM items;

CREATE TRIGGER item_added AFTER INSERT ON items BEGIN
    INSERT INTO unindexed_items (item_id, was_edited) VALUES (new.item_id, 0);
END;
CREATE TRIGGER item_edited AFTER UPDATE OF title, authors, categories, summary, content_text ON items BEGIN
    INSERT OR IGNORE INTO unindexed_items (item_id, was_edited) VALUES (new.item_id, 1);
END;
CREATE TRIGGER item_removed AFTER DELETE ON items BEGIN
    DELETE FROM item_words WHERE rowid = old.item_id;
END;
