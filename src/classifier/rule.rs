//! One tag's rule, compiled: its clauses, and when it needs a look.

use super::clause::{Clause, Gathered};
use super::evaluate::Reading;
use super::program::{CompileError, Compiler};
use crate::model::{TagMatch, TagName, TagOrigin};
use crate::query::{Query, TagRule, sum_of_weights};

#[derive(Debug)]
pub(super) struct Rule {
    pub name: TagName,
    /// Number of the name among the tags that queries name; known when all rules are compiled.
    pub tag: Option<u32>,
    pub any: Vec<Clause>,
    pub matches: Option<Clause>,
    pub except: Option<Clause>,
    pub score: Vec<(Clause, f64)>,
    pub threshold: f64,
    pub hash: String,
}

impl Rule {
    pub fn compile(rule: &TagRule, hash: String, compiler: &mut Compiler<'_>) -> Rule {
        let used_by = format!("tag `{}`", rule.name.0);
        let mut clause = |query: &Query, part: &str| Clause::compile(query, part, &used_by, compiler);
        let any = rule.any.iter().map(|query| clause(query, "any")).collect();
        let matches = rule.matches.as_ref().map(|query| clause(query, "match"));
        let except = rule.except.as_ref().map(|query| clause(query, "except"));
        let weighted = |(index, weighted): (usize, &crate::query::ScoreClause)| {
            (clause(&weighted.query, &format!("score[{index}]")), weighted.weight)
        };
        let score = rule.score.iter().enumerate().map(weighted).collect();
        Rule { name: rule.name.clone(), tag: None, any, matches, except, score, threshold: rule.threshold, hash }
    }

    /// The tags that the rule names, by number.
    pub fn named_tags(&self) -> Vec<u32> {
        let mut found = Vec::new();
        let clauses =
            self.any.iter().chain(&self.matches).chain(&self.except).chain(self.score.iter().map(|(clause, _)| clause));
        clauses.for_each(|clause| clause.node.tags(&mut found));
        found
    }

    /// Whether it gives its tag; `may_hold` says of a clause with a weight, by its place, whether it is worth a look.
    pub fn holds(&self, reading: &Reading<'_>, may_hold: impl Fn(usize) -> bool) -> bool {
        let plainly = self.any.iter().chain(&self.matches).any(|clause| reading.holds(&clause.node));
        (plainly || self.reached(self.weight(reading, may_hold))) && !self.vetoed(reading)
    }

    fn vetoed(&self, reading: &Reading<'_>) -> bool {
        self.except.as_ref().is_some_and(|clause| reading.holds(&clause.node))
    }

    /// The sum of the weights that hold; of those that are worth a look.
    pub fn weight(&self, reading: &Reading<'_>, may_hold: impl Fn(usize) -> bool) -> f64 {
        let clauses = self.score.iter().enumerate();
        let held = clauses.filter(|(place, (clause, _))| may_hold(*place) && reading.holds(&clause.node));
        sum_of_weights(held.map(|(_, (_, weight))| *weight))
    }

    fn reached(&self, weight: f64) -> bool {
        !self.score.is_empty() && weight >= self.threshold
    }

    /// The tag that the rule gives, with its evidence; the rule has been found to hold.
    pub fn tag_match<'a>(
        &'a self,
        reading: &Reading<'_>,
        tag_names: &[String],
        gathered: &mut Gathered<'a>,
    ) -> TagMatch {
        let weight = self.weight(reading, |_| true);
        let by_weight = self.reached(weight);
        let weighted = self.score.iter().filter(|(_, weight)| by_weight && *weight > 0.0).map(|(clause, _)| clause);
        let clauses = self.any.iter().chain(&self.matches).chain(weighted);
        let evidence = gathered.evidence(&self.name, clauses, reading, tag_names);
        let score = if by_weight { weight } else { 1.0 };
        TagMatch { tag: self.name.clone(), score, rule_hash: self.hash.clone(), origin: TagOrigin::Rule, evidence }
    }
}

/// The rules in an order in which each comes after those whose tags it names.
pub(super) fn in_dependency_order(rules: &[Rule], errors: &mut Vec<CompileError>, tag_names: &[String]) -> Vec<u32> {
    let mut order = Ordering {
        rules,
        state: vec![State::New; rules.len()],
        sorted: Vec::new(),
        path: Vec::new(),
        errors,
        tag_names,
    };
    (0..rules.len()).for_each(|at| order.visit(at));
    order.sorted
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

struct Ordering<'a> {
    rules: &'a [Rule],
    state: Vec<State>,
    sorted: Vec<u32>,
    path: Vec<usize>,
    errors: &'a mut Vec<CompileError>,
    tag_names: &'a [String],
}

impl Ordering<'_> {
    fn visit(&mut self, at: usize) {
        match self.state[at] {
            State::Done => return,
            State::Open => return self.circle(at),
            State::New => self.state[at] = State::Open,
        }
        self.path.push(at);
        for tag in self.rules[at].named_tags() {
            match self.rules.iter().position(|rule| rule.tag == Some(tag)) {
                Some(other) => self.visit(other),
                None => self.errors.push(CompileError::UnknownTag {
                    name: self.tag_names[tag as usize].clone(),
                    used_by: format!("tag `{}`", self.rules[at].name.0),
                }),
            }
        }
        self.path.pop();
        self.state[at] = State::Done;
        self.sorted.push(super::fold::to_u32(at));
    }

    fn circle(&mut self, at: usize) {
        let from = self.path.iter().position(|&open| open == at).unwrap_or(0);
        let mut path: Vec<String> = self.path[from..].iter().map(|&open| self.rules[open].name.0.clone()).collect();
        let name = self.rules[at].name.0.clone();
        path.push(name.clone());
        self.errors.push(CompileError::TagCycle { name, path });
    }
}
