//! A config made ready for work: the settings, the compiled rules and digests, the client.

use crate::classifier::{Classifier, CompiledQueries, CompiledQuery, ItemText, rules_hash};
use crate::config::{DigestSettings, FeedSettings, Settings};
use crate::fetch::{Client, ClientError};
use crate::model::{ConfiguredDigest, DigestKind, DigestName, DigestSpec, Item, TagName, Timestamp};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// What the config tells where it stands, when it is read.
const CHECKED: &str = "a config whose queries name what is not there is not read";

/// Everything that one config says, compiled once and replaced as a whole on reload.
#[derive(Debug)]
pub struct Watch {
    pub settings: Arc<Settings>,
    pub client: Client,
    /// Compiled when the first item asks for it: most polls bring none.
    classifier: OnceLock<Arc<Classifier>>,
    rules_hash: String,
    pub digests: Vec<CompiledDigest>,
    /// Index of each feed by its URL in the config.
    feeds: HashMap<String, usize>,
    /// By tag: indices of the digests that need it, or another one of several.
    digests_by_tag: HashMap<String, Vec<usize>>,
    /// Indices of the digests that may hold an item without any tag, and their queries in that order.
    digests_of_all: Vec<usize>,
    queries_of_all: CompiledQueries,
}

/// A digest and the query that says which stories are in it.
#[derive(Debug)]
pub struct CompiledDigest {
    pub spec: DigestSpec,
    pub query: CompiledQuery,
    pub query_text: String,
}

impl Watch {
    /// Makes the client and compiles the digests of valid settings.
    ///
    /// # Errors
    /// The client cannot be made.
    ///
    /// # Panics
    /// On settings that [`crate::config::load`] does not give.
    pub fn compile(settings: impl Into<Arc<Settings>>) -> Result<Self, ClientError> {
        let settings = settings.into();
        let client = Client::new(&settings.fetch)?;
        let lists = &settings.rules.lists;
        let compiled = |digest: &DigestSettings| CompiledDigest {
            spec: digest.spec.clone(),
            query: CompiledQuery::compile(&digest.query, lists).expect(CHECKED),
            query_text: digest.query_text.clone(),
        };
        let digests: Vec<CompiledDigest> = settings.digests.iter().map(compiled).collect();
        let feeds = settings.feeds.iter().enumerate().map(|(index, feed)| (feed.url.to_string(), index)).collect();
        let (mut digests_by_tag, mut digests_of_all) = (HashMap::<String, Vec<usize>>::new(), Vec::new());
        for (index, digest) in digests.iter().enumerate() {
            match digest.query.needed_tags() {
                None => digests_of_all.push(index),
                Some(tags) => {
                    tags.iter().for_each(|tag| digests_by_tag.entry((*tag).to_owned()).or_default().push(index));
                }
            }
        }
        let queries_of_all = digests_of_all.iter().map(|index: &usize| &settings.digests[*index].query);
        let queries_of_all = CompiledQueries::compile(queries_of_all, lists).expect(CHECKED);
        let rules_hash = rules_hash(&settings.rules);
        let classifier = OnceLock::new();
        Ok(Self {
            settings,
            client,
            classifier,
            rules_hash,
            digests,
            feeds,
            digests_by_tag,
            digests_of_all,
            queries_of_all,
        })
    }

    /// The rules, compiled. The first call takes about a twentieth of a second for a few hundred clauses.
    pub fn classifier(&self) -> &Arc<Classifier> {
        self.classifier.get_or_init(|| Arc::new(Classifier::of_config(&self.settings.rules)))
    }

    /// What is configured for the feed that the config lists at `url`; `None` when it has left the config.
    #[must_use]
    pub fn feed(&self, url: &str) -> Option<&FeedSettings> {
        self.feeds.get(url).map(|index| &self.settings.feeds[*index])
    }

    /// The digests that an item with these tags belongs to.
    #[must_use]
    pub fn digests_for(&self, text: &ItemText<'_>, tags: &[TagName], now: Timestamp) -> Vec<DigestName> {
        let tags: Vec<&str> = tags.iter().map(|tag| tag.0.as_str()).collect();
        let text = ItemText { tags: &tags, ..*text };
        // A tag has a digest of its own, so a config of a thousand rules has a thousand digests; an item has few tags.
        let by_tag = tags.iter().filter_map(|tag| self.digests_by_tag.get(*tag)).flatten();
        let by_tag = by_tag.copied().filter(|index| self.digests[*index].query.matches(&text, now));
        let of_all = self.queries_of_all.holding(&text, now).map(|number| self.digests_of_all[number]);
        let found: BTreeSet<usize> = by_tag.chain(of_all).collect();
        found.into_iter().map(|index| self.digests[index].spec.name.clone()).collect()
    }

    /// The digests that a stored item belongs to, by the tags that it has.
    #[must_use]
    pub fn digests_of_item(&self, item: &Item, now: Timestamp) -> Vec<DigestName> {
        let tags: Vec<TagName> = item.tags.iter().map(|tag| tag.tag.clone()).collect();
        self.digests_for(&ItemText::from_item(item), &tags, now)
    }

    /// Of all rules: the same for configs that tag alike, whatever feeds and digests they have.
    #[must_use]
    pub fn rules_hash(&self) -> &str {
        &self.rules_hash
    }

    /// Of all rules and digests, and of what they may ask of feeds: the same for configs that tag and gather alike.
    #[must_use]
    pub fn hash(&self) -> String {
        let digests = self.digests.iter().flat_map(|digest| [digest.spec.name.0.as_str(), digest.query_text.as_str()]);
        let feeds = self.settings.feeds.iter().flat_map(|feed| {
            let names = [Some(feed.url.as_str()), feed.title.as_deref(), feed.language.as_deref()];
            names.map(Option::unwrap_or_default).into_iter().chain(feed.groups.iter().map(String::as_str))
        });
        hash_of(std::iter::once(self.rules_hash.as_str()).chain(digests).chain(feeds))
    }

    /// The digests as the store keeps them.
    #[must_use]
    pub fn configured_digests(&self) -> Vec<ConfiguredDigest> {
        // A digest may refer to any tag, so any rule may change its members.
        let configured = |digest: &CompiledDigest| ConfiguredDigest {
            name: digest.spec.name.clone(),
            title: digest.spec.title.clone(),
            query: digest.query_text.clone(),
            rule_hash: hash_of([self.rules_hash.as_str(), digest.query_text.as_str()].into_iter()),
            periodic: digest.spec.kind != DigestKind::Stream,
            limit: digest.spec.limit,
        };
        self.digests.iter().map(configured).collect()
    }
}

fn hash_of<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
