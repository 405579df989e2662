//! Who publishes: the facts about the service that stand in every digest's document.

use crate::model::{PublishedCategory, TagName};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// The service as a publisher, from its config.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// Where the service is seen from outside, without a slash at the end: `https://watch.example.org`.
    pub public_url: String,
    /// Periods and printed times are in this zone.
    pub time_zone: TimeZone,
    /// `WebSub` hubs that are told of changes.
    pub hubs: Vec<String>,
    /// How long readers may keep a document, in seconds.
    pub ttl_s: u32,
    /// What tags are called; a tag that is missing is called by its name.
    pub tag_titles: BTreeMap<TagName, String>,
}

impl Publisher {
    /// The address of a path of ours.
    #[must_use]
    pub fn address(&self, path: &str) -> String {
        format!("{}/{path}", self.public_url)
    }

    #[must_use]
    pub fn tag_title<'a>(&'a self, tag: &'a TagName) -> &'a str {
        self.tag_titles.get(tag).map_or(tag.0.as_str(), String::as_str)
    }

    #[must_use]
    pub fn category(&self, tag: &TagName) -> PublishedCategory {
        PublishedCategory { term: tag.0.clone(), label: self.tag_title(tag).to_owned(), scheme: self.address("tags/") }
    }
}
