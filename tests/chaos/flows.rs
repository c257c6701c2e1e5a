//! Workflows with data, growth, failures, held steps, and steps for their end.

use std::time::Duration;

use fastrand::Rng;
use pgjobq::{JobId, Step, Workflow, WorkflowHandle, WorkflowId, gather};
use uuid::Uuid;

use crate::steps::{fetch, inspect, note, report, spread, total};

/// A deadline that many of these workflows miss.
const DEADLINE: Duration = Duration::from_secs(4);

/// The properties of a workflow, drawn from the seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) id: WorkflowId,
    leaves: usize,
    inspect_fails: bool,
    spread_fails: bool,
    has_roles: bool,
    has_deadline: bool,
    /// A job that is no step of it, and that its last step waits for.
    follows: Option<JobId>,
}

/// An enqueued workflow, as the people know it.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) handle: WorkflowHandle,
    /// The step that is held if another one fails.
    pub(crate) held: Step<Uuid>,
    /// The step that any other workflow may wait for.
    pub(crate) last: JobId,
    /// Its steps, without those that it adds to itself.
    pub(crate) steps: i64,
    /// The steps that it may add to itself.
    pub(crate) grown: i64,
}

impl Shape {
    pub(crate) fn random(dice: &mut Rng, follows: Option<JobId>) -> Self {
        Self {
            id: WorkflowId::from(Uuid::from_u128(dice.u128(..))),
            leaves: dice.usize(1..=4),
            inspect_fails: dice.u32(..4) == 0,
            spread_fails: dice.u32(..6) == 0,
            has_roles: dice.u32(..3) == 0,
            has_deadline: dice.u32(..8) == 0,
            follows: follows.filter(|_| dice.bool()),
        }
    }

    /// Builds the workflow: each time the same one, with the same ids.
    pub(crate) fn build(&self) -> (Workflow, Flow) {
        let mut flow = Workflow::with_id(self.id, "chaos");
        if self.has_deadline {
            flow.deadline(DEADLINE);
        }
        let source = flow.add(fetch::step());
        let inspected = flow.add(inspect::step(source.output(), self.inspect_fails));
        let spread = flow.add(spread::step(source.output(), self.leaves, self.spread_fails));
        let joined = flow.add(total::step(gather([inspected.output(), spread.output()])));
        let held = flow.add(note::step().after(&inspected).hold_on_failure());
        let reported = flow.add(report::step(joined.result()));
        let mut last = note::step().after_any_end([&reported, &held]);
        if let Some(job) = self.follows {
            last = last.after_any_end(job);
        }
        let last = flow.add(last);
        let mut steps = 7;
        if self.has_roles {
            let _ = (flow.on_complete(note::step()), flow.on_failure(note::step()));
            steps += 2;
        }
        let handle = WorkflowHandle::from_id(self.id);
        (flow, Flow { handle, held, last: last.id(), steps, grown: self.leaves as i64 + 1 })
    }
}
