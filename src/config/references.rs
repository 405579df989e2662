//! Who refers to whom: lists to lists, tags to lists and tags, digests to both.
//!
//! Owns two faults that no single query shows: a name that nothing has, and a name that leads back to itself.

use super::diagnostics::{Diagnostic, Report, did_you_mean, quoted};
use super::source::Place;
use std::collections::{BTreeMap, BTreeSet};

/// The names that some queries refer to, each with the place where it stands.
#[derive(Debug, Default)]
pub(super) struct References {
    pub lists: Vec<(String, Place)>,
    pub tags: Vec<(String, Place)>,
}

/// A list or a tag: where its name stands, and what it refers to.
pub(super) struct Node {
    pub place: Place,
    pub references: References,
}

/// All lists and tags.
#[derive(Default)]
pub(super) struct Graph {
    pub lists: BTreeMap<String, Node>,
    pub tags: BTreeMap<String, Node>,
}

impl Graph {
    /// Reports everything that dangles or goes in circles among lists and tags.
    pub fn check(&self, report: &Report) {
        for node in self.lists.values().chain(self.tags.values()) {
            self.check_existence(&node.references, report);
        }
        check_cycles("list", &self.lists, |references| &references.lists, report);
        check_cycles("tag", &self.tags, |references| &references.tags, report);
    }

    /// Reports the references to what is not there.
    pub fn check_existence(&self, references: &References, report: &Report) {
        for (what, names, nodes) in [("list", &references.lists, &self.lists), ("tag", &references.tags, &self.tags)] {
            for (name, place) in names.iter().filter(|(name, _)| !nodes.contains_key(name)) {
                let message = format!("there is no {what} {}", quoted(name));
                let help = did_you_mean(name, nodes.keys().map(String::as_str));
                report.add(Diagnostic::error(place.clone(), message).help_if(help).resting_on_absence());
            }
        }
    }
}

/// Reports each cycle once, at the reference that closes it.
fn check_cycles(
    what: &str,
    nodes: &BTreeMap<String, Node>,
    edges: impl Fn(&References) -> &Vec<(String, Place)>,
    report: &Report,
) {
    let mut done = BTreeSet::new();
    for start in nodes.keys() {
        // An explicit stack: a chain of lists may be as long as a file.
        let mut path: Vec<(&String, usize)> = vec![(start, 0)];
        let mut on_path = BTreeSet::from([start]);
        while let Some((name, next)) = path.last_mut() {
            let name = *name;
            let edge = if done.contains(name) { None } else { edges(&nodes[name].references).get(*next) };
            let Some((target, place)) = edge else {
                done.insert(name);
                on_path.remove(name);
                path.pop();
                continue;
            };
            *next += 1;
            if on_path.contains(target) {
                let circle = path.iter().map(|(name, _)| name.as_str()).skip_while(|name| name != target);
                let circle: Vec<_> = circle.chain([target.as_str()]).collect();
                let message = format!("the {what} {} refers to itself: {}", quoted(target), circle.join(" → "));
                report.add(Diagnostic::error(place.clone(), message));
            } else if let Some((target, _)) = nodes.get_key_value(target) {
                on_path.insert(target);
                path.push((target, 0));
            }
        }
    }
}
