//! Who refers to whom: lists to lists and tags, tags and digests to both, all to groups of feeds.
//!
//! Owns three faults that no single query shows: a name that nothing has, a name that leads back to itself, and what a list
//! brings to where only words can stand: a tag, a language, a group.

use super::FeedSettings;
use super::diagnostics::{Diagnostic, Report, did_you_mean, quoted};
use super::source::Place;
use crate::query::{Reference, ReferenceKind};
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// What some queries refer to, each with the place where it stands.
#[derive(Default)]
pub(super) struct References {
    pub names: Vec<(Reference, Place)>,
    /// Whether one of the queries [offers a fact](crate::query::Query::offers_a_fact).
    pub offer_a_fact: bool,
    pub groups: Vec<(String, Place)>,
}

/// A list or a tag.
pub(super) type Named = (ReferenceKind, String);

/// Where its name stands, and what it refers to.
struct Node {
    place: Place,
    references: References,
}

/// All lists, tags and groups.
pub(super) struct Graph {
    nodes: BTreeMap<Named, Node>,
    /// Those of the feeds; `None` without feeds, as where items come as lines.
    groups: Option<BTreeSet<String>>,
}

impl Graph {
    pub fn new(feeds: &[FeedSettings]) -> Self {
        let groups = || feeds.iter().flat_map(|feed| &feed.groups).cloned().collect();
        Self { nodes: BTreeMap::new(), groups: (!feeds.is_empty()).then(groups) }
    }

    pub fn insert(&mut self, kind: ReferenceKind, name: &str, place: Place, references: References) {
        self.nodes.insert((kind, name.to_owned()), Node { place, references });
    }

    /// Where the name of a tag stands that there is.
    pub fn place_of_tag(&self, name: &str) -> &Place {
        &self.nodes[&(ReferenceKind::Tag, name.to_owned())].place
    }

    /// Reports everything that is wrong among lists and tags.
    pub fn check(&self, report: &Report) {
        self.nodes.values().for_each(|node| self.check_references(&node.references, report));
        self.check_cycles(report);
    }

    /// Reports the references to what is not there, or has no place where it is put.
    pub fn check_references(&self, references: &References, report: &Report) {
        for (reference, place) in &references.names {
            let name = quoted(&reference.name);
            let kind = kind_name(reference.kind);
            if !self.nodes.contains_key(&(reference.kind, reference.name.clone())) {
                let names =
                    self.nodes.keys().filter(|(kind, _)| *kind == reference.kind).map(|(_, name)| name.as_str());
                let define = || format!("define it: {}", definition(reference));
                let help = did_you_mean(&reference.name, names).unwrap_or_else(define);
                let fault = Diagnostic::error(place.clone(), format!("there is no {kind} {name}"));
                report.add(fault.help(help).resting_on_absence());
            } else if reference.needs_place && self.offers_what_has_no_place(reference) {
                let message = format!(
                    "the {kind} {name} holds tags, languages or groups, which have no place in a text; NEAR cannot take it"
                );
                let help = "join them by AND, or name a list of words alone";
                report.add(Diagnostic::error(place.clone(), message).help(help));
            }
        }
        self.check_groups(references, report);
    }

    /// Items of feeds that have left the config may have other groups, so that it is a doubt.
    fn check_groups(&self, references: &References, report: &Report) {
        let Some(groups) = &self.groups else { return };
        let known: BTreeSet<String> = groups.iter().map(|group| words_of(group)).collect();
        let is_unknown = |name: &str| !name.contains('*') && !known.contains(&words_of(name));
        for (name, place) in references.groups.iter().filter(|(name, _)| is_unknown(name)) {
            let message = format!("no feed is in the group {}", quoted(name));
            let help = did_you_mean(name, groups.iter().map(String::as_str));
            let help = help.unwrap_or_else(|| format!("write `groups = [\"{name}\"]` at the feeds that are"));
            report.add(Diagnostic::warning(place.clone(), message).help(help).resting_on_absence());
        }
    }

    /// Whether it is a tag, or a list that a tag, a language or a group is enough for.
    fn offers_what_has_no_place(&self, reference: &Reference) -> bool {
        let (mut pending, mut seen) = (vec![reference], BTreeSet::new());
        while let Some(reference) = pending.pop() {
            let named = (reference.kind, reference.name.clone());
            let node = self.nodes.get(&named);
            if reference.kind == ReferenceKind::Tag || node.is_some_and(|node| node.references.offer_a_fact) {
                return true;
            }
            if seen.insert(named) {
                let references = node.into_iter().flat_map(|node| &node.references.names);
                pending.extend(references.map(|(reference, _)| reference).filter(|reference| reference.is_alternative));
            }
        }
        false
    }

    /// Reports each cycle once, at the reference that closes it.
    fn check_cycles(&self, report: &Report) {
        let mut done: BTreeSet<&Named> = BTreeSet::new();
        for start in self.nodes.keys() {
            // An explicit stack: a chain of lists may be as long as a file.
            let mut path: Vec<(&Named, usize)> = vec![(start, 0)];
            let mut on_path = BTreeSet::from([start]);
            while let Some((named, next)) = path.last_mut() {
                let named = *named;
                let edge = if done.contains(named) { None } else { self.nodes[named].references.names.get(*next) };
                let Some((reference, place)) = edge else {
                    done.insert(named);
                    on_path.remove(named);
                    path.pop();
                    continue;
                };
                *next += 1;
                let Some((target, _)) = self.nodes.get_key_value(&(reference.kind, reference.name.clone())) else {
                    continue;
                };
                if on_path.insert(target) {
                    path.push((target, 0));
                } else {
                    let open = path.iter().map(|(named, _)| *named).skip_while(|named| *named != target);
                    report.add(Diagnostic::error(place.clone(), circle(target, open)));
                }
            }
        }
    }
}

fn definition(Reference { kind, name, .. }: &Reference) -> String {
    match kind {
        ReferenceKind::List => format!("`{name} = [\"…\"]` in [lists]"),
        ReferenceKind::Tag => format!("`[tags.{name}]`"),
    }
}

/// A name as queries compare it, near enough: without case, accents and what stands between words.
fn words_of(name: &str) -> String {
    name.nfkd().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// `the tag `one` refers to itself: one → two → one`; where a list is on the way of a tag, as `@list`.
fn circle<'a>(target: &'a Named, open: impl Iterator<Item = &'a Named>) -> String {
    let path: Vec<&Named> = open.chain([target]).collect();
    let of_one_kind = path.iter().all(|(kind, _)| *kind == target.0);
    let written = |(kind, name): &Named| match kind {
        ReferenceKind::List if !of_one_kind => format!("@{name}"),
        ReferenceKind::Tag if !of_one_kind => format!("tag:{name}"),
        _ => name.clone(),
    };
    let path: Vec<String> = path.into_iter().map(written).collect();
    format!("the {} {} refers to itself: {}", kind_name(target.0), quoted(&target.1), path.join(" → "))
}

fn kind_name(kind: ReferenceKind) -> &'static str {
    match kind {
        ReferenceKind::List => "list",
        ReferenceKind::Tag => "tag",
    }
}
