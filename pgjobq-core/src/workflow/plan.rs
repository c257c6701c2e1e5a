//! A workflow as the database stores it, checked.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::enqueue::edge::{Demand, NewEdge};
use crate::enqueue::row::Row;
use crate::job::policy::LONGEST_DELAY;
use crate::trace::context::TraceContext;
use crate::workflow::draft::{AddedStep, Draft, Role, StepParts};
use crate::workflow::identity::Identity;
use crate::workflow::links::{Link, links};
use crate::workflow::reference::{Origin, Reference};
use crate::{JobId, WorkflowError, WorkflowId};

/// The largest number of steps in a chain. Cancelling a chain takes a transaction for each of its steps.
const MAX_LEVELS: u32 = 100_000;
/// The largest number of characters in a name.
const MAX_NAME: usize = 100;

/// A workflow as the database stores it. Its values have been checked: PostgreSQL can store each of them.
#[doc(hidden)]
pub struct Plan {
    pub(crate) id: WorkflowId,
    pub(crate) name: String,
    /// The number of steps that the workflow has already, if it runs and grows.
    pub(crate) before: u32,
    /// In microseconds from the enqueue.
    pub(crate) deadline: Option<i64>,
    /// In the order of their numbers, which follow `before`.
    pub(crate) steps: Vec<PlannedStep>,
}

/// A step as the database stores it.
pub(crate) struct PlannedStep {
    pub(crate) row: Arc<Row>,
    /// The name, if it was given one.
    pub(crate) name: Option<String>,
    /// The children, and for each of them a letter: see [`Link::letter`].
    pub(crate) children: Vec<u32>,
    pub(crate) demands: String,
    /// The arguments that come from other steps, as JSON.
    pub(crate) inputs: Option<String>,
    pub(crate) role: Option<Role>,
    /// The number of its parents; 1 if it has a role.
    pub(crate) waits_for: i32,
}

/// The job in whose attempt a workflow is enqueued, and its trace context.
pub(crate) type Enqueuer<'e> = Option<(JobId, Option<&'e TraceContext>)>;

impl Plan {
    /// Checks a workflow.
    pub(crate) fn of(draft: Draft, max_args: usize, enqueuer: Enqueuer<'_>) -> Result<Self, WorkflowError> {
        Self::after(0, draft, max_args, enqueuer)
    }

    /// Checks steps that are added to a running workflow, which has reserved the numbers after `before` for them.
    pub(crate) fn of_growth(
        draft: Draft,
        before: u32,
        max_args: usize,
        enqueuer: Enqueuer<'_>,
    ) -> Result<Self, WorkflowError> {
        let whole = Identity::new(draft.identity.id, draft.identity.name.clone());
        draft.identity.include_in(&whole, before);
        Self::after(before, Draft { identity: whole, ..draft }, max_args, enqueuer)
    }

    fn after(
        before: u32,
        draft: Draft,
        max_args: usize,
        enqueuer: Enqueuer<'_>,
    ) -> Result<Self, WorkflowError> {
        let Draft { identity, deadline, steps, mistake } = draft;
        let workflow = || identity.name.clone();
        check_name(&identity.name)?;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        if steps.is_empty() {
            return Err(WorkflowError::Empty { workflow: workflow() });
        }
        if before == 0 && steps.iter().all(|step| step.parts.role.is_some()) {
            return Err(WorkflowError::OnlyEnd { workflow: workflow() });
        }
        if deadline.is_some_and(|deadline| deadline.is_zero()) {
            return Err(WorkflowError::NoTime { workflow: workflow() });
        }
        if deadline.is_some_and(|deadline| deadline > LONGEST_DELAY) {
            return Err(WorkflowError::TooFar { workflow: workflow() });
        }
        check_names(&identity, &steps)?;
        let parents = parents_of(&identity, before, &steps)?;
        let mut planned = Vec::with_capacity(steps.len());
        for (n, (step, parents)) in (before + 1..).zip(steps.into_iter().zip(&parents)) {
            planned.push(planned_step(&identity, n, step, parents.len(), max_args, enqueuer)?);
        }
        for (child, link) in
            (1..).zip(&parents).flat_map(|(n, links)| links.iter().map(move |link| (n, link)))
        {
            let parent = &mut planned[link.parent as usize - 1];
            parent.children.push(before + child);
            parent.demands.push(link.letter());
        }
        let deadline = deadline.and_then(|deadline| i64::try_from(deadline.as_micros()).ok());
        Ok(Self { id: identity.id, name: workflow(), before, deadline, steps: planned })
    }

    /// Returns about the size of the steps on the wire, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.steps.iter().map(PlannedStep::bytes).sum()
    }

    /// Returns the number of steps with a role.
    pub(crate) fn roles(&self) -> i32 {
        self.steps.iter().filter(|step| step.role.is_some()).count() as i32
    }

    /// Returns the rows of the steps that wait for no other one.
    pub(crate) fn first_rows(&self) -> Vec<Arc<Row>> {
        self.steps.iter().filter(|step| step.waits_for == 0).map(|step| Arc::clone(&step.row)).collect()
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Plan({} `{}`, {} steps)", self.id, self.name, self.steps.len())
    }
}

impl PlannedStep {
    /// The name, or else the kind.
    pub(crate) fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.row.kind)
    }

    /// Returns about the size of the step on the wire, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        const CHILD_BYTES: usize = 8;
        let inputs = self.inputs.as_ref().map_or(0, String::len);
        self.row.bytes()
            + self.name.as_ref().map_or(0, String::len)
            + inputs
            + CHILD_BYTES * self.children.len()
    }
}

fn check_name(name: &str) -> Result<(), WorkflowError> {
    let is_short = (1..=MAX_NAME).contains(&name.chars().count());
    if is_short && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(WorkflowError::Name { name: name.to_owned() })
}

/// Checks the names that were given.
fn check_names(workflow: &Identity, steps: &[AddedStep]) -> Result<(), WorkflowError> {
    let mut known = HashSet::new();
    for name in steps.iter().filter_map(|step| step.parts.name.as_ref()) {
        check_name(name)?;
        if !known.insert(name) {
            return Err(WorkflowError::SameName { workflow: workflow.name.clone(), step: name.clone() });
        }
    }
    Ok(())
}

/// Returns the edges to each step, and checks that they come from earlier ones of these steps. Parents are counted from the first of
/// them, which follows `before` others.
fn parents_of(
    workflow: &Arc<Identity>,
    before: u32,
    steps: &[AddedStep],
) -> Result<Vec<Vec<Link>>, WorkflowError> {
    let mut levels: Vec<u32> = Vec::with_capacity(steps.len());
    let mut parents = Vec::with_capacity(steps.len());
    for (n, added) in (1..).zip(steps) {
        let names = || (workflow.name.clone(), added.at.added().name.clone());
        check_gathered(workflow, added)?;
        let mut links = links(workflow, added).map_err(|foreign| {
            let (workflow, step) = names();
            let (parent, other) = (foreign.added().name.clone(), foreign.place().0.name.clone());
            WorkflowError::ForeignStep { workflow, step, parent, other }
        })?;
        links.iter_mut().for_each(|link| link.parent -= before);
        check_role(workflow, added, &links, steps)?;
        if let Some(later) = links.iter().find(|link| link.parent >= n) {
            let (workflow, step) = names();
            let parent = steps[later.parent as usize - 1].at.added().name.clone();
            return Err(WorkflowError::IncludedLater { workflow, step, parent });
        }
        let level = links.iter().map(|link| levels[link.parent as usize - 1]).max().unwrap_or(0) + 1;
        if level > MAX_LEVELS {
            let (workflow, step) = names();
            return Err(WorkflowError::TooDeep { workflow, step, limit: MAX_LEVELS });
        }
        levels.push(level);
        parents.push(links);
    }
    Ok(parents)
}

fn check_gathered(workflow: &Identity, added: &AddedStep) -> Result<(), WorkflowError> {
    match added.parts.inputs.iter().find(|(_, reference)| reference.lacks_parents()) {
        Some(&(argument, _)) => Err(WorkflowError::NothingGathered {
            workflow: workflow.name.clone(),
            step: added.at.added().name.clone(),
            argument,
        }),
        None => Ok(()),
    }
}

/// Checks that a step with a role has no parents, and that no step follows one.
fn check_role(
    workflow: &Identity,
    added: &AddedStep,
    links: &[Link],
    steps: &[AddedStep],
) -> Result<(), WorkflowError> {
    let has_role = |link: &Link| steps[link.parent as usize - 1].parts.role.is_some();
    let has_parents = !added.parts.inputs.is_empty() || !added.parts.after.is_empty();
    if added.parts.role.is_some() && has_parents || links.iter().any(has_role) {
        let (workflow, step) = (workflow.name.clone(), added.at.added().name.clone());
        return Err(WorkflowError::EdgeAtTheEnd { workflow, step });
    }
    Ok(())
}

/// Checks a step, and returns it without its children.
fn planned_step(
    workflow: &Identity,
    n: u32,
    AddedStep { at, parts }: AddedStep,
    parents: usize,
    max_args: usize,
    enqueuer: Enqueuer<'_>,
) -> Result<PlannedStep, WorkflowError> {
    let StepParts { mut row, inputs, after, holds, name, role } = parts;
    row.give_id(workflow.id.step(n));
    row.edges = outside_edges(&inputs, &after, holds);
    if let Some((parent, trace)) = enqueuer {
        row.meta.inherit(parent, trace);
    }
    let row = Row::check(row, max_args).map_err(|error| WorkflowError::Step {
        workflow: workflow.name.clone(),
        step: at.added().name.clone(),
        error: Box::new(error),
    })?;
    Ok(PlannedStep {
        row: Arc::new(row),
        name,
        children: Vec::new(),
        demands: String::new(),
        inputs: (!inputs.is_empty()).then(|| written(&inputs)),
        role,
        waits_for: if role.is_some() { 1 } else { parents as i32 },
    })
}

/// Returns the edges from jobs that were enqueued earlier. The database merges several from one job.
fn outside_edges(
    inputs: &[(&'static str, Reference)],
    after: &[(Origin, Demand)],
    holds: bool,
) -> Vec<NewEdge> {
    let mut edges = Vec::new();
    let mut add = |origin: &Origin, demand: Demand| {
        if let Origin::Job(parent) = origin {
            edges.push(NewEdge { parent: parent.clone(), demand: demand.held_if(holds) });
        }
    };
    for (_, reference) in inputs {
        reference.each(&mut |origin, completes| {
            add(origin, if completes { Demand::Completed } else { Demand::AnyEnd });
        });
    }
    after.iter().for_each(|(origin, demand)| add(origin, *demand));
    edges
}

/// Writes the arguments that come from other steps: `{"info":{"output":3},"parts":{"outputs":[4,5]}}`.
fn written(inputs: &[(&'static str, Reference)]) -> String {
    let mut json = String::from("{");
    for (place, (argument, reference)) in inputs.iter().enumerate() {
        json.push_str(if place == 0 { "\"" } else { ",\"" });
        json.push_str(argument);
        json.push_str("\":");
        reference.write(&mut json);
    }
    json.push('}');
    json
}
