//! Tests of the builder, without a database.

mod errors;
mod graphs;
mod plans;

use crate::job::policy::Policy;
use crate::workflow::input::Source;
use crate::workflow::plan::{Plan, PlannedStep};
use crate::{Input, NewStep, Workflow, WorkflowError};

/// A step that takes nothing.
fn source<T>(kind: &'static str) -> NewStep<T> {
    NewStep::new(kind, &Policy::DEFAULT, [])
}

/// A step that takes one argument, `from`.
fn taking<A, T>(kind: &'static str, from: impl Input<A>) -> NewStep<T> {
    with(kind, [from.source("from")])
}

fn with<T, const N: usize>(kind: &'static str, arguments: [Source; N]) -> NewStep<T> {
    NewStep::new(kind, &Policy::DEFAULT, arguments)
}

fn plan(flow: Workflow) -> Result<Plan, WorkflowError> {
    Plan::of(flow.draft, 1 << 20, None)
}

/// A step in a few words: its children with their demands, and for how many parents it waits.
fn shown(step: &PlannedStep) -> String {
    let children: Vec<String> = step
        .children
        .iter()
        .zip(step.demands.chars())
        .map(|(child, demand)| format!("{demand}{child}"))
        .collect();
    format!("{} -> {}, after {}", step.shown_name(), children.join(" "), step.waits_for)
}
