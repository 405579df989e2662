//! An item of the store as a command names it (an id or a URL), and as it is shown.

use super::output::{printable, tell};
use crate::feed::link_key;
use crate::model::{Item, ItemId, StoryId, TagName, Timestamp};
use crate::store::{ReadTx, StoreError};
use serde::Serialize;

/// The item with this id, else the newest one with this URL.
pub(super) fn find(tx: &ReadTx<'_>, named: &str) -> Result<Option<Item>, StoreError> {
    match named.strip_prefix('#').unwrap_or(named).parse() {
        Ok(id) => tx.item(ItemId(id)),
        Err(_) => tx.item_by_link(named, &link_key(named)),
    }
}

/// Says on standard error that there is no such item.
pub(super) fn say_not_found(named: &str) {
    tell(format_args!("veille: {named}: there is no item with this id or URL"));
}

/// An item as lists show it to programs.
#[derive(Debug, Serialize)]
pub(super) struct ItemSummary {
    pub id: ItemId,
    pub story_id: StoryId,
    pub title: String,
    pub url: Option<String>,
    pub feed: String,
    pub published_at: Option<Timestamp>,
    pub first_seen_at: Timestamp,
    pub tags: Vec<TagName>,
}

impl From<&Item> for ItemSummary {
    fn from(item: &Item) -> Self {
        Self {
            id: item.id,
            story_id: item.story_id,
            title: item.content.title.clone(),
            url: item.content.link.clone(),
            feed: item.feed_title.clone(),
            published_at: item.content.published_at,
            first_seen_at: item.first_seen_at,
            tags: item.tags.iter().map(|tag| tag.tag.clone()).collect(),
        }
    }
}

/// An item as people see it: id, day, title, tags, feed, URL, on two lines.
pub(super) fn lines(item: &Item) -> [String; 2] {
    let tags: Vec<_> = item.tags.iter().map(|tag| format!("[{}]", tag.tag.0)).collect();
    let day = item.ordered_at().strftime("%Y-%m-%d");
    let title = if item.content.title.is_empty() { "(no title)" } else { item.content.title.as_str() };
    [
        printable(&format!("{:>7}  {day}  {title}  {}", item.id.0, tags.join(" "))).trim_end().to_owned(),
        printable(&format!("{:>7}  {}  {}", "", item.feed_title, item.content.link.as_deref().unwrap_or_default()))
            .trim_end()
            .to_owned(),
    ]
}
