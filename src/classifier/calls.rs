//! Which rules the terms found in an item call up: those each of whose needs is met. Says for sure of many that they hold,
//! and of the clauses of a rule with many which may.

use super::fold::to_u32;
use super::hits::Hits;
use super::index::{Index, PatternId};
use super::program::{Fields, Node};
use super::rule::Rule;
use crate::model::Field;

/// Terms of which one must be found for a query to hold.
#[derive(Debug)]
struct Need {
    /// Each with the fields in which finding it meets the need for sure.
    terms: Vec<(PatternId, Fields)>,
    /// Whether some of them are found late (the language, some expressions): other needs tell sooner.
    is_late: bool,
}

/// Most needs of a rule that are told apart: the bits of [`Call::need`].
const MAX_NEEDS: usize = 8;
/// Terms of a clause's need that is looked at beside a narrower one.
const MAX_FURTHER_TERMS: usize = 64;

/// What a query needs in order to hold.
#[derive(Debug, Default)]
struct Needs {
    /// All must be met. None when the query may hold without any term.
    all: Vec<Need>,
    /// Where each need is met for sure and none of these terms is found, the query holds.
    unless: Vec<PatternId>,
}

/// By term: the rules, and the clauses of rules with weights, with a need that it meets.
///
/// Rules come first by number, then clauses.
#[derive(Debug, Default)]
pub(super) struct Calls {
    rules: usize,
    /// By term: where its calls start in `by_term`; one more for the end of the last.
    starts: Vec<u32>,
    by_term: Vec<Call>,
    /// By rule or clause: a bit for each of its needs.
    needs: Vec<u8>,
    /// By rule: the number of its first clause with a weight.
    first_clauses: Vec<usize>,
    /// By rule: where the terms start that leave it unsure; one more for the end of the last.
    unless_starts: Vec<u32>,
    unless: Vec<PatternId>,
    /// Rules that may hold without any term.
    always: Vec<Candidate>,
    /// Late terms, those of the language among them, that call up a rule which nothing else does: to be looked for in
    /// each item.
    pub awaited: Vec<PatternId>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    /// A rule or a clause.
    part: u32,
    need: u8,
    sure_in: Fields,
}

/// A rule that was called up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub rule: u32,
    /// Whether the terms found make it hold.
    pub sure: bool,
}

/// The needs met so far, by rule or clause; emptied by raising a number, not by clearing.
#[derive(Debug, Default)]
pub(super) struct Met {
    round: u32,
    by_part: Vec<MetByPart>,
}

#[derive(Debug, Clone, Copy, Default)]
struct MetByPart {
    round: u32,
    met: u8,
    sure: u8,
}

impl Calls {
    pub fn new(rules: &[Rule], index: &Index) -> Calls {
        let mut by_term: Vec<Vec<Call>> = vec![Vec::new(); index.len()];
        let mut calls = Calls { rules: rules.len(), starts: vec![0], unless_starts: vec![0], ..Calls::default() };
        for (rule, needs) in (0..).zip(rules.iter().map(|rule| Needs::of_rule(rule, index).limited())) {
            if needs.all.is_empty() {
                calls.always.push(Candidate { rule, sure: false });
            }
            let late = needs.all.iter().filter(|need| need.is_late).flat_map(|need| &need.terms).map(|(term, _)| *term);
            let is_awaited = |term: &PatternId| index.is_late(*term) || index.fields_of(*term).contains(Field::Lang);
            calls.awaited.extend(late.filter(is_awaited));
            calls.add(&needs.all, &mut by_term);
            calls.unless.extend(needs.unless);
            calls.unless_starts.push(to_u32(calls.unless.len()));
        }
        for rule in rules {
            calls.first_clauses.push(calls.needs.len());
            for (clause, _) in &rule.score {
                calls.add(&Needs::of(&clause.node, index).of_clause().all, &mut by_term);
            }
        }
        for own in by_term {
            calls.by_term.extend(own);
            calls.starts.push(to_u32(calls.by_term.len()));
        }
        calls.by_term.shrink_to_fit();
        calls
    }

    /// Adds the next rule or clause.
    fn add(&mut self, needs: &[Need], by_term: &mut [Vec<Call>]) {
        let part = to_u32(self.needs.len());
        let mut bits = 0;
        for (place, Need { terms, .. }) in needs.iter().enumerate() {
            let need = 1 << place;
            bits |= need;
            terms.iter().for_each(|&(term, sure_in)| by_term[term as usize].push(Call { part, need, sure_in }));
        }
        self.needs.push(bits);
    }

    /// The rules to look at, each once.
    pub fn call_up(&self, hits: &Hits, met: &mut Met, candidates: &mut Vec<Candidate>) {
        met.clear(self.needs.len());
        candidates.clone_from(&self.always);
        for &term in &hits.found {
            let (start, end) = (self.starts[term as usize], self.starts[term as usize + 1]);
            let found_in = hits.fields_of(term);
            for call in &self.by_term[start as usize..end as usize] {
                let part = met.of(call.part);
                let before = part.met;
                part.met |= call.need;
                if !call.sure_in.common(found_in).is_empty() {
                    part.sure |= call.need;
                }
                let all = self.needs[call.part as usize];
                if part.met == all && before != all && (call.part as usize) < self.rules {
                    candidates.push(Candidate { rule: call.part, sure: false });
                }
            }
        }
        for candidate in &mut candidates[self.always.len()..] {
            let rule = candidate.rule as usize;
            candidate.sure = met.of(candidate.rule).sure == self.needs[rule]
                && self.unless(rule).iter().all(|&term| !hits.is_found(term));
        }
    }

    /// Whether the `clause`th clause with a weight of a rule may hold: each of its needs is met.
    pub fn may_hold(&self, rule: u32, clause: usize, met: &Met) -> bool {
        let part = self.first_clauses[rule as usize] + clause;
        met.by_part[part].met_in(met.round) == self.needs[part]
    }

    fn unless(&self, rule: usize) -> &[PatternId] {
        &self.unless[self.unless_starts[rule] as usize..self.unless_starts[rule + 1] as usize]
    }
}

impl Met {
    /// Starts on the next item, for so many rules and clauses.
    fn clear(&mut self, parts: usize) {
        self.by_part.resize(parts, MetByPart::default());
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.by_part.fill(MetByPart::default());
            self.round = 1;
        }
    }

    fn of(&mut self, part: u32) -> &mut MetByPart {
        let met = &mut self.by_part[part as usize];
        if met.round != self.round {
            *met = MetByPart { round: self.round, ..MetByPart::default() };
        }
        met
    }
}

impl MetByPart {
    fn met_in(self, round: u32) -> u8 {
        if self.round == round { self.met } else { 0 }
    }
}

impl Need {
    /// How little it tells.
    fn breadth(&self) -> (bool, usize) {
        (self.is_late, self.terms.len())
    }
}

impl Needs {
    fn of_rule(rule: &Rule, index: &Index) -> Needs {
        if !rule.score.is_empty() && rule.threshold <= 0.0 {
            return Needs::default();
        }
        let plain = rule.any.iter().chain(&rule.matches).map(|clause| Needs::of(&clause.node, index));
        let weighted = rule.score.iter().filter(|(_, weight)| *weight > 0.0);
        let weighted = weighted.map(|(clause, _)| Needs::of(&clause.node, index).unsure());
        let needs = Needs::any(plain.chain(weighted).collect());
        match &rule.except {
            Some(except) => Needs::all(vec![needs, Needs::of(&except.node, index).negated()]),
            None => needs,
        }
    }

    fn of(node: &Node, index: &Index) -> Needs {
        let of = |node| Needs::of(node, index);
        match node {
            Node::Terms(terms) => {
                let fields = terms.fields.common(Fields::TEXT);
                let is_late = terms.fields.contains(Field::Lang) || index.late_among(terms).next().is_some();
                Needs::one(Need { terms: terms.patterns().map(|pattern| (pattern, fields)).collect(), is_late })
            }
            Node::Any(parts) => Needs::any(parts.iter().map(of).collect()),
            Node::All(parts) => Needs::all(parts.iter().map(of).collect()),
            Node::Not(inner) => of(inner).negated(),
            Node::Proximity { left, operator, right } => {
                let right = if operator.negated { Needs::default() } else { of(right) };
                Needs::all(vec![of(left), right]).unsure()
            }
            Node::Tag(_) | Node::Compare(_) => Needs::default(),
        }
    }

    fn one(need: Need) -> Needs {
        Needs { all: vec![need], unless: Vec::new() }
    }

    /// The needs of all of `parts` together, of which some may have none.
    fn all(parts: Vec<Needs>) -> Needs {
        let told_by_terms = parts.iter().all(|part| !part.all.is_empty() || !part.unless.is_empty());
        let mut needs = Needs::default();
        for part in parts {
            needs.all.extend(part.all);
            needs.unless.extend(part.unless);
        }
        if told_by_terms { needs } else { needs.unsure() }
    }

    /// What any of `parts` needs: their own needs where there is one part, else one need.
    fn any(mut parts: Vec<Needs>) -> Needs {
        if parts.len() == 1 {
            return parts.pop().expect("there is one");
        }
        if parts.iter().any(|part| part.all.is_empty()) {
            return Needs::default();
        }
        let parts: Vec<Need> = parts.into_iter().map(Needs::into_one).collect();
        let is_late = parts.iter().any(|need| need.is_late);
        let mut terms: Vec<_> = parts.into_iter().flat_map(|need| need.terms).collect();
        terms.sort_unstable();
        terms.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1.add(next.1);
            }
            same
        });
        Needs::one(Need { terms, is_late })
    }

    /// What must not be for this to hold: without its terms it does not. Of late ones nobody knows in time.
    fn negated(self) -> Needs {
        let unless = if self.all.is_empty() { None } else { Some(self.into_one()).filter(|need| !need.is_late) };
        let unless = unless.map_or_else(Vec::new, |need| need.terms.into_iter().map(|(term, _)| term).collect());
        Needs { all: Vec::new(), unless }
    }

    /// The need that the fewest terms meet, and none late.
    fn into_one(self) -> Need {
        let is_whole = self.all.len() == 1 && self.unless.is_empty();
        let needs = if is_whole { self } else { self.unsure() };
        needs.all.into_iter().min_by_key(Need::breadth).expect("there is a need")
    }

    /// As many needs as bits tell apart, and none late but where it is the only one.
    fn limited(self) -> Needs {
        let in_time = self.all.iter().filter(|need| !need.is_late).count();
        let most = if in_time > 0 { in_time.min(MAX_NEEDS) } else { 1 };
        if self.all.len() <= most {
            return self;
        }
        let mut needs = self.unsure();
        needs.all.sort_by_key(Need::breadth);
        needs.all.truncate(most);
        needs
    }

    /// What tells most of a clause: its narrowest need and others of few terms. Late ones would tell too late.
    fn of_clause(mut self) -> Needs {
        self.all.retain(|need| !need.is_late);
        self.all.sort_by_key(Need::breadth);
        let narrow = self.all.iter().skip(1).take_while(|need| need.terms.len() <= MAX_FURTHER_TERMS).count();
        self.all.truncate((1 + narrow).min(MAX_NEEDS));
        self.unsure()
    }

    /// The same needs, which may be met without the query holding.
    fn unsure(mut self) -> Needs {
        self.all.iter_mut().flat_map(|need| &mut need.terms).for_each(|(_, sure_in)| *sure_in = Fields::default());
        self
    }
}
