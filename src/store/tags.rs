//! Tags on items: what the rules gave, and what a curator gave or took away.

use super::rows::{collect, count, from_json, instant_at, millis, optional_instant_at, to_json, write_rows};
use super::{ReadTx, StoreError, WriteTx};
use crate::model::{Correction, ItemId, TagMatch, TagName, TagOrigin, Timestamp};
use rusqlite::types::ToSqlOutput;
use rusqlite::{OptionalExtension, Row, params};
use std::collections::{BTreeMap, HashMap};

/// Up to so many items of a tag are looked at, each, for the newest of them.
const LOOKED_AT_EACH: u64 = 500;

/// A tag as the store keeps it, its evidence as written: enough to tell whether the rules would change anything.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTag {
    pub tag: TagName,
    score: f64,
    rule_hash: String,
    origin: TagOrigin,
    /// JSON.
    evidence: String,
}

impl From<&TagMatch> for StoredTag {
    fn from(found: &TagMatch) -> Self {
        Self {
            tag: found.tag.clone(),
            score: found.score,
            rule_hash: found.rule_hash.clone(),
            origin: found.origin,
            evidence: to_json(&found.evidence),
        }
    }
}

impl ReadTx<'_> {
    /// Every tag in the store with its number of items and the instant of its newest one; the most frequent first.
    pub fn tag_counts(&self) -> Result<Vec<(TagName, u64, Timestamp)>, StoreError> {
        let sql = "SELECT tag, count(*) AS items FROM item_tags GROUP BY tag ORDER BY items DESC, tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((TagName(row.get("tag")?), row.get::<_, i64>("items")?)))?;
        let mut counts = Vec::new();
        for (tag, items) in collect(rows)? {
            let items = count(items);
            if let Some(newest_at) = self.newest_tagged_at(&tag, items)? {
                counts.push((tag, items, newest_at));
            }
        }
        Ok(counts)
    }

    /// The instant of the newest of a tag's `items` items.
    pub fn newest_tagged_at(&self, tag: &TagName, items: u64) -> Result<Option<Timestamp>, StoreError> {
        if items > LOOKED_AT_EACH {
            // One of the newest items is likely to have a tag that many have.
            let sql = "SELECT n.ordered_at FROM \
                 (SELECT item_id, ordered_at FROM items ORDER BY ordered_at DESC, item_id DESC LIMIT 10000) n \
                 WHERE EXISTS (SELECT 1 FROM item_tags t WHERE t.item_id = n.item_id AND t.tag = ?1) LIMIT 1";
            let mut statement = self.connection.prepare_cached(sql)?;
            let newest_at = statement.query_row([&tag.0], |row| instant_at(row, "ordered_at")).optional()?;
            if newest_at.is_some() {
                return Ok(newest_at);
            }
        }
        let sql = "SELECT max(i.ordered_at) AS newest_at FROM item_tags t CROSS JOIN items i USING (item_id) \
                   WHERE t.tag = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row([&tag.0], |row| optional_instant_at(row, "newest_at"))?)
    }

    /// How many items have this tag. Counted in the index, without looking at an item.
    pub fn tag_count(&self, tag: &TagName) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM item_tags WHERE tag = ?1";
        Ok(count(self.connection.prepare_cached(sql)?.query_row([&tag.0], |row| row.get(0))?))
    }

    /// The tags of items ordered since an instant, the most frequent first. Costs what came since then,
    /// not what the archive holds.
    pub fn tag_counts_since(&self, since: Timestamp) -> Result<Vec<(TagName, u64)>, StoreError> {
        // CROSS JOIN holds the planner to this order: by items, those without a tag would be looked for too.
        let sql = "SELECT t.tag, count(*) AS items FROM item_tags t CROSS JOIN items i USING (item_id) \
                   WHERE t.item_id >= ?1 AND i.ordered_at >= ?2 GROUP BY t.tag ORDER BY items DESC, t.tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let since = millis(since);
        collect(statement.query_map([self.first_item_since(since)?, since], |row| {
            Ok((TagName(row.get("tag")?), count(row.get("items")?)))
        })?)
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
        let mut by_item: HashMap<ItemId, Vec<TagMatch>> = HashMap::new();
        for row in statement.query_and_then([ids_json], tag_match)? {
            let (item, tag) = row?;
            by_item.entry(item).or_default().push(tag);
        }
        Ok(by_item)
    }

    /// The tags of an item, by name.
    pub fn tag_names(&self, item: ItemId) -> Result<Vec<TagName>, StoreError> {
        let sql = "SELECT tag FROM item_tags WHERE item_id = ?1 ORDER BY tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([item.0], |row| Ok(TagName(row.get(0)?)))?)
    }

    /// The tags of the items from `first` to `last`, by name.
    pub fn stored_tags_between(
        &self,
        first: ItemId,
        last: ItemId,
    ) -> Result<HashMap<ItemId, Vec<StoredTag>>, StoreError> {
        let sql = "SELECT item_id, tag, score, rule_hash, origin, evidence FROM item_tags \
                   WHERE item_id BETWEEN ?1 AND ?2 ORDER BY item_id, tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([first.0, last.0])?;
        let mut by_item: HashMap<ItemId, Vec<StoredTag>> = HashMap::new();
        while let Some(row) = rows.next()? {
            by_item.entry(ItemId(row.get(0)?)).or_default().push(StoredTag {
                tag: TagName(row.get(1)?),
                score: row.get(2)?,
                rule_hash: row.get(3)?,
                origin: origin_named(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?),
                evidence: row.get(5)?,
            });
        }
        Ok(by_item)
    }

    /// What a curator decided for this item, by the tag's name.
    pub fn corrections(&self, item: ItemId) -> Result<Vec<Correction>, StoreError> {
        let sql = "SELECT tag, present FROM corrections WHERE item_id = ?1 ORDER BY tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        collect(statement.query_map([item.0], |row| Ok((TagName(row.get(0)?), row.get(1)?)))?)
    }

    /// What curators decided for the items from `first` to `last`.
    pub fn corrections_between(
        &self,
        first: ItemId,
        last: ItemId,
    ) -> Result<BTreeMap<ItemId, Vec<Correction>>, StoreError> {
        let sql = "SELECT item_id, tag, present FROM corrections WHERE item_id BETWEEN ?1 AND ?2 ORDER BY item_id, tag";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([first.0, last.0], |row| {
            Ok((ItemId(row.get("item_id")?), (TagName(row.get("tag")?), row.get("present")?)))
        })?;
        let mut by_item: BTreeMap<ItemId, Vec<Correction>> = BTreeMap::new();
        for (item, correction) in collect(rows)? {
            by_item.entry(item).or_default().push(correction);
        }
        Ok(by_item)
    }
}

impl WriteTx<'_> {
    /// Gives an item exactly these tags.
    pub fn set_tags(&self, item: ItemId, tags: &[TagMatch], now: Timestamp) -> Result<(), StoreError> {
        let stored = self.as_read().stored_tags_between(item, item)?.remove(&item).unwrap_or_default();
        let wanted: Vec<StoredTag> = tags.iter().map(StoredTag::from).collect();
        self.change_tags([(item, &*stored, &*wanted)], now)
    }

    /// Gives items, each with the tags that it has, those that it should have in their place; writes what differs.
    pub fn change_tags<'t>(
        &self,
        items: impl IntoIterator<Item = (ItemId, &'t [StoredTag], &'t [StoredTag])>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut delete = self.connection.prepare_cached("DELETE FROM item_tags WHERE item_id = ?1 AND tag = ?2")?;
        let mut gained = Vec::new();
        for (item, stored, wanted) in items {
            for lost in stored.iter().filter(|stored| wanted.iter().all(|wanted| wanted.tag != stored.tag)) {
                delete.execute(params![item.0, lost.tag.0])?;
            }
            gained.extend(wanted.iter().filter(|wanted| !stored.contains(wanted)).map(|tag| (item, tag, now)));
        }
        let into = "INTO item_tags (item_id, tag, score, rule_hash, origin, evidence, tagged_at)";
        let on_conflict = "ON CONFLICT (item_id, tag) DO UPDATE SET score = excluded.score, \
                           rule_hash = excluded.rule_hash, origin = excluded.origin, evidence = excluded.evidence, \
                           tagged_at = excluded.tagged_at";
        write_rows(self.connection, into, on_conflict, &gained, tag_values, |_, _| ())
    }

    /// Records how far a run over the archive with these rules has come.
    pub fn set_retagged_until(&self, rules_hash: &str, item: ItemId) -> Result<(), StoreError> {
        let sql = "INSERT INTO facts (name, value) VALUES ('retagged_until', ?1) \
                   ON CONFLICT (name) DO UPDATE SET value = ?1";
        self.connection.prepare_cached(sql)?.execute([format!("{} {rules_hash}", item.0)])?;
        Ok(())
    }

    /// Whether the archive follows these rules: a run over it with them has come to its end, and none with others has begun.
    pub fn follows_rules(&self, rules_hash: &str) -> Result<bool, StoreError> {
        let sql = "SELECT value = ?1 FROM facts WHERE name = 'rules_followed'";
        let follows = self.connection.prepare_cached(sql)?.query_row([rules_hash], |row| row.get(0)).optional()?;
        Ok(follows.unwrap_or(false))
    }

    /// Notes that the archive follows these rules.
    pub fn rules_followed(&self, rules_hash: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO facts (name, value) VALUES ('rules_followed', ?1) \
                   ON CONFLICT (name) DO UPDATE SET value = ?1";
        self.connection.prepare_cached(sql)?.execute([rules_hash])?;
        Ok(())
    }

    /// Notes that the archive follows no rules.
    pub fn forget_rules(&self) -> Result<(), StoreError> {
        self.connection.prepare_cached("DELETE FROM facts WHERE name = 'rules_followed'")?.execute([])?;
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

fn tag_values<'r>((item, tag, now): &'r (ItemId, &StoredTag, Timestamp)) -> [ToSqlOutput<'r>; 7] {
    [
        item.0.into(),
        tag.tag.0.as_str().into(),
        tag.score.into(),
        tag.rule_hash.as_str().into(),
        origin_name(tag.origin).into(),
        tag.evidence.as_str().into(),
        millis(*now).into(),
    ]
}

fn tag_match(row: &Row<'_>) -> Result<(ItemId, TagMatch), StoreError> {
    let tag = TagMatch {
        tag: TagName(row.get("tag")?),
        score: row.get("score")?,
        rule_hash: row.get("rule_hash")?,
        origin: origin_named(&row.get::<_, String>("origin")?),
        evidence: from_json("evidence", &row.get::<_, String>("evidence")?)?,
    };
    Ok((ItemId(row.get("item_id")?), tag))
}

fn origin_name(origin: TagOrigin) -> &'static str {
    match origin {
        TagOrigin::Rule => "rule",
        TagOrigin::Hand => "hand",
    }
}

fn origin_named(name: &str) -> TagOrigin {
    if name == "hand" { TagOrigin::Hand } else { TagOrigin::Rule }
}
