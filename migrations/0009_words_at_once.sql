-- A new item's words go into the index with the item; what an edit changes of them, and what was not there yet, follows.
DROP TRIGGER item_added;
