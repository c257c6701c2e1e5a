//! The edges between the steps of a workflow, as their arguments and their options say.

use std::sync::Arc;

use crate::enqueue::edge::Demand;
use crate::workflow::draft::AddedStep;
use crate::workflow::identity::{Identity, StepRef};
use crate::workflow::reference::Origin;

/// An edge from a parent, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub(crate) parent: u32,
    pub(crate) demand: Demand,
    /// True if the child takes an argument from the parent.
    pub(crate) reads: bool,
}

impl Link {
    /// The letter in the database: that of the demand, as a capital if the child takes an argument from the parent.
    pub(crate) fn letter(self) -> char {
        let letter = self.demand.letter();
        if self.reads { letter.to_ascii_uppercase() } else { letter }
    }
}

/// Returns the edges to a step, one for each parent in the workflow, in the order of their numbers. Fails with the first parent that is a
/// step of another workflow. Jobs that were enqueued earlier are no part of the answer.
pub(crate) fn links(workflow: &Arc<Identity>, step: &AddedStep) -> Result<Vec<Link>, StepRef> {
    let parts = &step.parts;
    let mut found = Found { workflow, holds: parts.holds, links: Vec::new(), foreign: None };
    for (_, reference) in &parts.inputs {
        reference.each(&mut |origin, completes| {
            found.add(origin, if completes { Demand::Completed } else { Demand::AnyEnd }, true);
        });
    }
    for (origin, demand) in &parts.after {
        found.add(origin, *demand, false);
    }
    match found.foreign {
        Some(foreign) => Err(foreign),
        None => Ok(merged(found.links)),
    }
}

/// Returns the steps that have completed only if all steps have, by their numbers: those that no other step needs to be completed.
pub(crate) fn last_steps(workflow: &Arc<Identity>, steps: &[AddedStep]) -> Vec<u32> {
    let mut is_last = vec![true; steps.len()];
    for link in steps.iter().flat_map(|step| links(workflow, step).unwrap_or_default()) {
        // A held step may be resumed although its parent failed.
        if let (Demand::Completed, Some(parent)) = (link.demand, is_last.get_mut(link.parent as usize - 1)) {
            *parent = false;
        }
    }
    (1..).zip(is_last).filter(|(_, is_last)| *is_last).map(|(n, _)| n).collect()
}

/// The edges that were found, with several for one parent.
struct Found<'w> {
    workflow: &'w Arc<Identity>,
    holds: bool,
    links: Vec<Link>,
    foreign: Option<StepRef>,
}

impl Found<'_> {
    fn add(&mut self, origin: &Origin, demand: Demand, reads: bool) {
        let Origin::Step(at) = origin else { return };
        let demand = demand.held_if(self.holds);
        let (workflow, before) = at.workflow();
        if !Arc::ptr_eq(workflow, self.workflow) {
            self.foreign.get_or_insert_with(|| at.clone());
            return;
        }
        let (_, parent) = at.place();
        self.links.push(Link { parent, demand, reads });
        let Some(whole) = &at.added().whole else { return };
        let mut follow = |n: u32| self.links.push(Link { parent: before + n, demand, reads: false });
        match demand {
            Demand::AnyEnd => (1..=whole.count).for_each(&mut follow),
            Demand::Completed | Demand::CompletedOrHeld => whole.last.iter().copied().for_each(&mut follow),
        }
    }
}

/// Merges edges from one parent: the strictest demand counts.
fn merged(mut links: Vec<Link>) -> Vec<Link> {
    links.sort_unstable();
    links.dedup_by(|later, kept| {
        let same = later.parent == kept.parent;
        if same {
            kept.demand = kept.demand.max(later.demand);
            kept.reads |= later.reads;
        }
        same
    });
    links
}
