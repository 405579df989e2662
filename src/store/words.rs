//! The index of words: which items may hold what a query needs.
//!
//! A new item's words come with it. After an edit, and after a feed's first document, the index trails: what it lacks is
//! noted, and whoever searches counts that in, so that nobody is told that something is not there because it was not
//! looked at. The daemon makes it up within seconds, without one the next search that would have to read many items.

use super::rows::{collect, millis};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{ItemId, Needed, StoredText, TagName, Timestamp};
use rusqlite::{OptionalExtension, params};

impl ReadTx<'_> {
    /// The items that may have what is needed, by number; `None` when any may.
    pub fn candidates(&self, needed: &Needed) -> Result<Option<Vec<ItemId>>, StoreError> {
        let unindexed = self.ids("SELECT item_id FROM unindexed_items ORDER BY item_id", [])?;
        self.with(needed, &unindexed)
    }

    /// How many items the index lacks as they now are.
    pub fn unindexed_count(&self) -> Result<usize, StoreError> {
        let sql = "SELECT count(*) FROM unindexed_items";
        let unindexed: i64 = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(usize::try_from(unindexed).unwrap_or_default())
    }

    /// What `words_of` makes of the first items after `after` that the index lacks, each with when it had last changed.
    pub fn unindexed_words(
        &self,
        after: ItemId,
        limit: usize,
        words_of: impl Fn(&StoredText) -> String,
    ) -> Result<Vec<(ItemId, Timestamp, String)>, StoreError> {
        let sql = "SELECT item_id FROM unindexed_items WHERE item_id > ?1 ORDER BY item_id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let items = collect(statement.query_map([after.0, limit], |row| Ok(ItemId(row.get(0)?)))?)?;
        Ok(self.texts(&items)?.iter().map(|text| (text.id, text.changed_at, words_of(text))).collect())
    }

    /// What the index and the tags say, in the order of numbers. The items that are not indexed may have any words.
    fn with(&self, needed: &Needed, unindexed: &[ItemId]) -> Result<Option<Vec<ItemId>>, StoreError> {
        match needed {
            Needed::Anything => Ok(None),
            Needed::Tag(tag) => self.tagged(tag).map(Some),
            words if words.is_of_words() => {
                let sql = "SELECT rowid FROM item_words WHERE item_words MATCH ?1 ORDER BY rowid";
                let found = self.ids(sql, [expression(words)])?;
                Ok(Some(either(found, unindexed)))
            }
            Needed::All(parts) => {
                let mut common: Option<Vec<ItemId>> = None;
                for part in parts {
                    let Some(found) = self.with(part, unindexed)? else { continue };
                    common = Some(match common {
                        Some(common) => both(common, &found),
                        None => found,
                    });
                }
                Ok(common)
            }
            Needed::Any(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    let Some(found) = self.with(part, unindexed)? else { return Ok(None) };
                    all = either(all, &found);
                }
                Ok(Some(all))
            }
            Needed::Word(_) | Needed::WordStart(_) => unreachable!("these are of words alone"),
        }
    }

    fn tagged(&self, tag: &TagName) -> Result<Vec<ItemId>, StoreError> {
        self.ids("SELECT item_id FROM item_tags WHERE tag = ?1 ORDER BY item_id", [tag.0.clone()])
    }

    fn ids<const N: usize>(&self, sql: &str, parameters: [String; N]) -> Result<Vec<ItemId>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map(rusqlite::params_from_iter(parameters), |row| Ok(ItemId(row.get(0)?)))?)
    }
}

impl WriteTx<'_> {
    /// The words of a new item, with blanks between them, for the index; or a note that they are to follow.
    pub(super) fn index_new_item(&self, item: ItemId, words: Option<&str>) -> Result<(), StoreError> {
        if let Some(words) = words {
            self.new_words.borrow_mut().push((item, words.to_owned()));
        } else {
            let sql = "INSERT INTO unindexed_items (item_id, was_edited) VALUES (?1, 0)";
            self.connection.prepare_cached(sql)?.execute([item.0])?;
        }
        Ok(())
    }

    /// Puts the words of all new items into the index, once nothing else is written: at each statement of a kind that may
    /// be undone by itself FTS5 would write out what it has gathered.
    pub(super) fn index_new_items(&self) -> Result<(), StoreError> {
        let mut put = self.connection.prepare_cached("INSERT INTO item_words (rowid, words) VALUES (?1, ?2)")?;
        for (item, words) in self.new_words.take() {
            put.execute(params![item.0, words])?;
        }
        Ok(())
    }

    /// Puts the words of items into the index, with blanks between them, each with when the item that they are of had last
    /// changed. One that was edited since is left to the next time.
    pub fn index_words(&self, items: &[(ItemId, Timestamp, String)]) -> Result<(), StoreError> {
        let mut due = self.connection.prepare_cached(
            "SELECT was_edited FROM unindexed_items JOIN items USING (item_id) WHERE item_id = ?1 AND changed_at = ?2",
        )?;
        let mut remove = self.connection.prepare_cached("DELETE FROM item_words WHERE rowid = ?1")?;
        let mut current = Vec::with_capacity(items.len());
        for (item, changed_at, words) in items {
            let was_edited = due.query_row([item.0, millis(*changed_at)], |row| row.get::<_, bool>(0)).optional()?;
            // Removed first, all of them: for the next row to remove FTS5 would write out what it has gathered.
            if was_edited == Some(true) {
                remove.execute([item.0])?;
            }
            current.extend(was_edited.map(|_| (item, words)));
        }
        let mut put = self.connection.prepare_cached("INSERT INTO item_words (rowid, words) VALUES (?1, ?2)")?;
        let mut done = self.connection.prepare_cached("DELETE FROM unindexed_items WHERE item_id = ?1")?;
        for (item, words) in current {
            put.execute(params![item.0, words])?;
            done.execute([item.0])?;
        }
        Ok(())
    }
}

/// A condition of words in the syntax of FTS5. Its words hold neither quotes nor anything that the tokenizer splits at.
fn expression(needed: &Needed) -> String {
    let joined = |parts: &[Needed], operator: &str| {
        let parts: Vec<String> = parts.iter().map(expression).collect();
        format!("({})", parts.join(operator))
    };
    match needed {
        Needed::Word(word) => format!("\"{word}\""),
        Needed::WordStart(start) => format!("\"{start}\"*"),
        Needed::All(parts) => joined(parts, " AND "),
        Needed::Any(parts) => joined(parts, " OR "),
        Needed::Anything | Needed::Tag(_) => unreachable!("asked of conditions of words alone"),
    }
}

/// Numbers that are in both of two sorted lists.
fn both(mut one: Vec<ItemId>, other: &[ItemId]) -> Vec<ItemId> {
    one.retain(|id| other.binary_search(id).is_ok());
    one
}

/// Numbers that are in one of two sorted lists.
fn either(mut one: Vec<ItemId>, other: &[ItemId]) -> Vec<ItemId> {
    if !other.is_empty() {
        one.extend(other);
        one.sort_unstable();
        one.dedup();
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_written_with_every_word_in_quotes() {
        let word = |text: &str| Needed::Word(text.to_owned());
        let needed = Needed::all([word("c++"), Needed::any([word("and"), Needed::WordStart("reloc".to_owned())])]);
        assert_eq!(expression(&needed), r#"("c++" AND ("and" OR "reloc"*))"#);
    }

    #[test]
    fn sorted_lists_are_joined_and_cut() {
        let ids = |numbers: &[i64]| numbers.iter().map(|number| ItemId(*number)).collect::<Vec<_>>();
        assert_eq!(both(ids(&[1, 2, 5, 9]), &ids(&[2, 3, 9])), ids(&[2, 9]));
        assert_eq!(either(ids(&[1, 5]), &ids(&[2, 5, 9])), ids(&[1, 2, 5, 9]));
    }
}
