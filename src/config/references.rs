//! Who refers to whom: lists to lists and tags, tags and digests to both.
//!
//! Owns three faults that no single query shows: a name that nothing has, a name that leads back to itself, and a tag that
//! a list brings to where only words can stand.

use super::diagnostics::{Diagnostic, Report, did_you_mean, quoted};
use super::source::Place;
use crate::query::{Reference, ReferenceKind};
use std::collections::{BTreeMap, BTreeSet};

/// The references of some queries, each with the place where it stands.
pub(super) type References = Vec<(Reference, Place)>;

/// A list or a tag.
pub(super) type Named = (ReferenceKind, String);

/// Where its name stands, and what it refers to.
struct Node {
    place: Place,
    references: References,
}

/// All lists and tags.
#[derive(Default)]
pub(super) struct Graph(BTreeMap<Named, Node>);

impl Graph {
    pub fn insert(&mut self, kind: ReferenceKind, name: &str, place: Place, references: References) {
        self.0.insert((kind, name.to_owned()), Node { place, references });
    }

    /// Where the name of a tag stands that there is.
    pub fn place_of_tag(&self, name: &str) -> &Place {
        &self.0[&(ReferenceKind::Tag, name.to_owned())].place
    }

    /// Reports everything that is wrong among lists and tags.
    pub fn check(&self, report: &Report) {
        self.0.values().for_each(|node| self.check_references(&node.references, report));
        self.check_cycles(report);
    }

    /// Reports the references to what is not there, or has no place where it is put.
    pub fn check_references(&self, references: &References, report: &Report) {
        for (reference, place) in references {
            let name = quoted(&reference.name);
            let kind = kind_name(reference.kind);
            if !self.0.contains_key(&(reference.kind, reference.name.clone())) {
                let names = self.0.keys().filter(|(kind, _)| *kind == reference.kind).map(|(_, name)| name.as_str());
                let fault = Diagnostic::error(place.clone(), format!("there is no {kind} {name}"));
                report.add(fault.help_if(did_you_mean(&reference.name, names)).resting_on_absence());
            } else if reference.needs_place && self.offers_tag(reference) {
                let message =
                    format!("the {kind} {name} holds tags, which have no place in a text; NEAR cannot take it");
                let help = "join them by AND, or name a list of words alone";
                report.add(Diagnostic::error(place.clone(), message).help(help));
            }
        }
    }

    /// Whether it is a tag, or a list that a tag is enough for.
    fn offers_tag(&self, reference: &Reference) -> bool {
        let (mut pending, mut seen) = (vec![reference], BTreeSet::new());
        while let Some(reference) = pending.pop() {
            let named = (reference.kind, reference.name.clone());
            if reference.kind == ReferenceKind::Tag {
                return true;
            }
            let references =
                self.0.get(&named).into_iter().flat_map(|node| &node.references).map(|(reference, _)| reference);
            if seen.insert(named) {
                pending.extend(references.filter(|reference| reference.is_alternative));
            }
        }
        false
    }

    /// Reports each cycle once, at the reference that closes it.
    fn check_cycles(&self, report: &Report) {
        let mut done: BTreeSet<&Named> = BTreeSet::new();
        for start in self.0.keys() {
            // An explicit stack: a chain of lists may be as long as a file.
            let mut path: Vec<(&Named, usize)> = vec![(start, 0)];
            let mut on_path = BTreeSet::from([start]);
            while let Some((named, next)) = path.last_mut() {
                let named = *named;
                let edge = if done.contains(named) { None } else { self.0[named].references.get(*next) };
                let Some((reference, place)) = edge else {
                    done.insert(named);
                    on_path.remove(named);
                    path.pop();
                    continue;
                };
                *next += 1;
                let Some((target, _)) = self.0.get_key_value(&(reference.kind, reference.name.clone())) else {
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
