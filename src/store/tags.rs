//! Tags on items: what the rules gave, and what a curator gave or took away.

use super::rows::{collect, from_json, instant_at, millis, to_json};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{Evidence, ItemId, TagMatch, TagName, TagOrigin, Timestamp, corrected};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashMap;

impl ReadTx<'_> {
    /// Every tag in the store with its number of items and the instant of its newest one.
    pub fn tag_counts(&self) -> Result<Vec<(TagName, u64, Timestamp)>, StoreError> {
        let sql = "SELECT t.tag, count(*) AS items, max(i.ordered_at) AS newest_at FROM item_tags t \
                   JOIN items i USING (item_id) GROUP BY t.tag ORDER BY items DESC, t.tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([], |row| {
            Ok((TagName(row.get("tag")?), super::rows::count(row.get("items")?), instant_at(row, "newest_at")?))
        })?)
    }

    /// How many items have this tag. Counted in the index, without looking at an item.
    pub fn tag_count(&self, tag: &TagName) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM item_tags WHERE tag = ?1";
        Ok(super::rows::count(self.connection.prepare_cached(sql)?.query_row([&tag.0], |row| row.get(0))?))
    }

    /// The tags of items ordered since an instant, the most frequent first. Costs what came since then,
    /// not what the archive holds.
    pub fn tag_counts_since(&self, since: Timestamp) -> Result<Vec<(TagName, u64)>, StoreError> {
        // CROSS JOIN holds the planner to this order: over all tags it would be the whole archive.
        let sql = "SELECT t.tag, count(*) AS items FROM items i CROSS JOIN item_tags t ON t.item_id = i.item_id \
                   WHERE i.ordered_at >= ?1 GROUP BY t.tag ORDER BY items DESC, t.tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(
            statement.query_map([millis(since)], |row| {
                Ok((TagName(row.get("tag")?), super::rows::count(row.get("items")?)))
            })?,
        )
    }

    /// The last item that a run over the archive with these rules has done; the beginning if there was none.
    pub fn retagged_until(&self, rules_hash: &str) -> Result<ItemId, StoreError> {
        let sql = "SELECT value FROM facts WHERE name = 'retagged_until'";
        let fact: Option<String> = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        let until = fact.as_deref().and_then(|fact| fact.split_once(' '));
        let same_rules = until.filter(|(_, hash)| *hash == rules_hash);
        Ok(ItemId(same_rules.and_then(|(id, _)| id.parse().ok()).unwrap_or(0)))
    }

    pub(super) fn tags_of(&self, ids_json: &str) -> Result<HashMap<ItemId, Vec<TagMatch>>, StoreError> {
        let sql = "SELECT item_id, tag, score, rule_hash, origin, evidence FROM item_tags \
                   WHERE item_id IN (SELECT value FROM json_each(?1)) ORDER BY item_id, tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([ids_json], |row| Ok((tag_match(row)?, row.get::<_, String>("evidence")?)))?;
        let mut by_item: HashMap<ItemId, Vec<TagMatch>> = HashMap::new();
        for row in rows {
            let ((item, mut tag), evidence) = row?;
            tag.evidence = from_json::<Vec<Evidence>>("evidence", &evidence)?;
            by_item.entry(item).or_default().push(tag);
        }
        Ok(by_item)
    }

    /// Tags without their evidence.
    pub(super) fn tag_names_of(&self, ids_json: &str) -> Result<HashMap<ItemId, Vec<TagMatch>>, StoreError> {
        let sql = "SELECT item_id, tag, score, rule_hash, origin FROM item_tags \
                   WHERE item_id IN (SELECT value FROM json_each(?1)) ORDER BY item_id, tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut by_item: HashMap<ItemId, Vec<TagMatch>> = HashMap::new();
        for (item, tag) in collect(statement.query_map([ids_json], tag_match)?)? {
            by_item.entry(item).or_default().push(tag);
        }
        Ok(by_item)
    }

    /// What a curator decided for this item: tag and whether it has it.
    pub fn corrections(&self, item: ItemId) -> Result<Vec<(TagName, bool)>, StoreError> {
        let sql = "SELECT tag, present FROM corrections WHERE item_id = ?1 ORDER BY tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([item.0], |row| Ok((TagName(row.get(0)?), row.get(1)?)))?)
    }

    /// What curators decided for the items from `first` to `last`.
    pub fn corrections_between(
        &self,
        first: ItemId,
        last: ItemId,
    ) -> Result<HashMap<ItemId, Vec<(TagName, bool)>>, StoreError> {
        let sql = "SELECT item_id, tag, present FROM corrections WHERE item_id BETWEEN ?1 AND ?2 ORDER BY item_id, tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([first.0, last.0], |row| {
            Ok((ItemId(row.get("item_id")?), (TagName(row.get("tag")?), row.get("present")?)))
        })?;
        let mut by_item: HashMap<ItemId, Vec<(TagName, bool)>> = HashMap::new();
        for (item, correction) in collect(rows)? {
            by_item.entry(item).or_default().push(correction);
        }
        Ok(by_item)
    }
}

impl WriteTx<'_> {
    /// Gives an item the tags that the rules found, corrected by what a curator decided, and returns
    /// the tags that it has now, by name. A tag whose rule and evidence are the same is left untouched.
    pub fn set_tags(&self, item: ItemId, found: &[TagMatch], now: Timestamp) -> Result<Vec<TagName>, StoreError> {
        let kept = corrected(found.to_vec(), &self.as_read().corrections(item)?);
        let names = to_json(&kept.iter().map(|tag| tag.tag.0.as_str()).collect::<Vec<_>>());
        self.connection
            .prepare_cached(
                "DELETE FROM item_tags WHERE item_id = ?1 AND tag NOT IN (SELECT value FROM json_each(?2))",
            )?
            .execute(params![item.0, names])?;
        let mut upsert = self.connection.prepare_cached(
            "INSERT INTO item_tags (item_id, tag, score, rule_hash, origin, evidence, tagged_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (item_id, tag) DO UPDATE SET \
             score = ?3, rule_hash = ?4, origin = ?5, evidence = ?6, tagged_at = ?7 \
             WHERE rule_hash <> ?4 OR origin <> ?5 OR evidence <> ?6",
        )?;
        for tag in &kept {
            let (origin, evidence) = (origin_name(tag.origin), to_json(&tag.evidence));
            upsert.execute(params![item.0, tag.tag.0, tag.score, tag.rule_hash, origin, evidence, millis(now)])?;
        }
        Ok(kept.into_iter().map(|tag| tag.tag).collect())
    }

    /// Records how far a run over the archive with these rules has come.
    pub fn set_retagged_until(&self, rules_hash: &str, item: ItemId) -> Result<(), StoreError> {
        let sql = "INSERT INTO facts (name, value) VALUES ('retagged_until', ?1) \
                   ON CONFLICT (name) DO UPDATE SET value = ?1";
        self.connection.prepare_cached(sql)?.execute([format!("{} {rules_hash}", item.0)])?;
        Ok(())
    }

    /// Records a curator's decision on one tag of one item; `None` takes the decision back.
    pub fn correct_tag(
        &self,
        item: ItemId,
        tag: &TagName,
        present: Option<bool>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match present {
            Some(present) => self
                .connection
                .prepare_cached(
                    "INSERT INTO corrections (item_id, tag, present, corrected_at) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT (item_id, tag) DO UPDATE SET present = ?3, corrected_at = ?4",
                )?
                .execute(params![item.0, tag.0, present, millis(now)])?,
            None => self
                .connection
                .prepare_cached("DELETE FROM corrections WHERE item_id = ?1 AND tag = ?2")?
                .execute(params![item.0, tag.0])?,
        };
        Ok(())
    }
}

fn tag_match(row: &Row<'_>) -> rusqlite::Result<(ItemId, TagMatch)> {
    let origin: String = row.get("origin")?;
    let tag = TagMatch {
        tag: TagName(row.get("tag")?),
        score: row.get("score")?,
        rule_hash: row.get("rule_hash")?,
        origin: if origin == "hand" { TagOrigin::Hand } else { TagOrigin::Rule },
        evidence: Vec::new(),
    };
    Ok((ItemId(row.get("item_id")?), tag))
}

fn origin_name(origin: TagOrigin) -> &'static str {
    match origin {
        TagOrigin::Rule => "rule",
        TagOrigin::Hand => "hand",
    }
}
