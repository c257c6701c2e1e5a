//! The comparison of a workflow that has ended with the model.

use std::collections::{BTreeMap, BTreeSet};

use pgjobq::JobState;

use crate::graph::Graph;
use crate::log::Event;
use crate::model::{Decision, End, Inputs, expected};

/// The steps of a graph until its workflow ended.
pub(crate) struct Story<'s> {
    pub(crate) graph: &'s Graph,
    /// Nothing for a step that was not added, because the one that adds it did not complete.
    pub(crate) states: &'s [Option<JobState>],
    pub(crate) decisions: &'s BTreeMap<usize, Decision>,
    pub(crate) events: &'s [Event],
    /// The ends of the steps before a retry, if there was one.
    pub(crate) before: Option<&'s [End]>,
}

impl Story<'_> {
    /// Compares each step with the model, and returns how they ended.
    pub(crate) fn ends(&self) -> Result<Vec<End>, String> {
        let mut ends = Vec::new();
        for n in 0..self.graph.nodes.len() {
            match self.end(n, &ends) {
                Ok(end) => ends.push(end),
                Err(wrong) => {
                    let parents = self.graph.parents(n).into_iter().map(|(n, _)| (n, ends[n]));
                    let parents: BTreeMap<usize, End> = parents.collect();
                    let node = &self.graph.nodes[n];
                    return Err(format!("step {n} {wrong}; it is {node:?}, and its parents {parents:?}"));
                }
            }
        }
        Ok(ends)
    }

    fn end(&self, n: usize, ends: &[End]) -> Result<End, String> {
        let node = &self.graph.nodes[n];
        let ran = self.attempts(n).count();
        let is_missing = node.grown_by.is_some_and(|grown_by| ends[grown_by].is_err());
        let state = match self.states[n] {
            Some(state) if !is_missing => state,
            None if is_missing && ran == 0 => return Ok(Err(JobState::Cancelled)),
            state => return Err(format!("is {state:?}, although the step that adds it is not")),
        };
        if let Some(Ok(output)) = self.before.map(|before| before[n]) {
            let again = state != JobState::Completed || ran > 0;
            return if again {
                Err(format!("had completed, ran {ran} times and is {state}"))
            } else {
                Ok(Ok(output))
            };
        }
        let repaired = self.before.is_some();
        let model = expected(self.graph, n, ends, self.decisions.get(&n).copied(), repaired);
        let may_be_cancelled = !repaired && (node.is_cancelled || self.graph.is_cancelled);
        let as_expected = model.end.err().unwrap_or(JobState::Completed) == state;
        if !(as_expected || may_be_cancelled && state == JobState::Cancelled) {
            return Err(format!("is {state}, and the model says {model:?}"));
        }
        if ran > model.attempts || ran < model.attempts && !may_be_cancelled {
            return Err(format!("ran {ran} times, and the model says {model:?}"));
        }
        self.check_attempts(n, Inputs::of(node, ends).as_ref())?;
        self.check_order(n)?;
        Ok(if as_expected { model.end } else { Err(state) })
    }

    /// Checks that no attempt ran twice, and that each got what the parents had returned.
    fn check_attempts(&self, n: usize, wanted: Option<&Inputs>) -> Result<(), String> {
        let mut numbers = BTreeSet::new();
        for (attempt, got) in self.attempts(n) {
            if !numbers.insert(attempt) {
                return Err(format!("ran twice as attempt {attempt}"));
            }
            if Some(got) != wanted {
                return Err(format!("got {got:?}, and its parents returned {wanted:?}"));
            }
        }
        Ok(())
    }

    /// Checks that no attempt began before the last event of each parent.
    fn check_order(&self, n: usize) -> Result<(), String> {
        let began = |event: &Event| matches!(event, Event::Began { n: of, .. } if *of == n);
        let Some(first) = self.events.iter().position(began) else { return Ok(()) };
        let is_of = |event: &Event, parent| match event {
            Event::Began { n, .. } | Event::Ended { n } => *n == parent,
        };
        let early =
            |&(parent, _): &(usize, bool)| self.events[first..].iter().any(|event| is_of(event, parent));
        match self.graph.parents(n).into_iter().find(early) {
            Some((parent, _)) => Err(format!("began before its parent {parent} had ended")),
            None => Ok(()),
        }
    }

    fn attempts(&self, n: usize) -> impl Iterator<Item = (u32, &Inputs)> {
        self.events.iter().filter_map(move |event| match event {
            Event::Began { n: of, attempt, inputs } if *of == n => Some((*attempt, inputs)),
            _ => None,
        })
    }
}
