//! The mistakes that are found before anything is sent.

use std::time::Duration;

use super::{plan, source, taking};
use crate::{NewStep, Output, Step, Workflow, gather};

#[track_caller]
fn refused(flow: Workflow, message: &str) {
    assert_eq!(plan(flow).map(drop).unwrap_err().to_string(), message);
}

#[test]
fn empty_workflow_is_refused() {
    refused(
        Workflow::new("ingest"),
        "the workflow `ingest` has no step: add one with `flow.add(my_job::step(…))`",
    );
}

#[test]
fn workflow_of_steps_for_its_end_alone_is_refused() {
    let mut flow = Workflow::new("ingest");
    flow.on_failure(source::<()>("alarm"));
    refused(
        flow,
        "the workflow `ingest` has only steps for its end: add the steps whose end they wait for with `flow.add(my_job::step(…))`",
    );
}

#[test]
fn deadline_of_zero_is_refused() {
    let mut flow = Workflow::new("ingest");
    flow.deadline(Duration::ZERO);
    flow.add(source::<()>("encode"));
    refused(
        flow,
        "the deadline of the workflow `ingest` is zero, so all of it would be cancelled: give it some time, or no deadline",
    );
}

#[test]
fn two_steps_with_one_name_are_refused() {
    let mut flow = Workflow::new("ingest");
    flow.add(source::<()>("encode"));
    flow.add(source::<()>("encode"));
    flow.add(source::<()>("encode").named("large"));
    flow.add(source::<()>("encode").named("large"));
    refused(
        flow,
        "two steps of the workflow `ingest` are named `large`: give one of them another name with `.named(\"…\")`, or none",
    );
}

#[test]
fn names_are_short_and_visible() {
    let begins =
        "the name of a workflow or a step has 1 to 100 characters and no control characters, and this one is";
    let named = |name: &str| {
        let mut flow = Workflow::new("ingest");
        flow.add(source::<()>("encode").named(name));
        flow
    };
    refused(named(""), &format!("{begins} empty"));
    refused(named("a\nb"), &format!("{begins} \"a\\nb\""));
    refused(named(&"ß".repeat(101)), &format!("{begins} 101 characters long: {:?}…", "ß".repeat(40)));
    assert!(plan(named(&"ß".repeat(100))).is_ok());
    let mut unnamed = Workflow::new("");
    unnamed.add(source::<()>("encode"));
    refused(unnamed, &format!("{begins} empty"));
}

#[test]
fn gathering_nothing_is_refused() {
    let mut flow = Workflow::new("ingest");
    flow.add(taking::<Vec<u64>, ()>("sum", gather(Vec::<Output<u64>>::new())));
    refused(
        flow,
        "the argument `from` of the step `sum` of the workflow `ingest` gathers nothing: give `gather(…)` at least one output, or \
         pass an empty `Vec` in its place",
    );
}

#[test]
fn step_of_another_workflow_is_refused() {
    let mut other = Workflow::new("ingest");
    let info: Step<u64> = other.add(source("probe"));
    let mut flow = Workflow::new("export");
    flow.add(taking::<u64, ()>("publish", info.output()));
    refused(
        flow,
        "the step `publish` of the workflow `export` depends on the step `probe` of another workflow, `ingest`: add both to one \
         workflow, or enqueue `ingest` first and depend on the job of that step, `.handle()` of it",
    );
}

#[test]
fn part_that_is_included_too_late_is_refused() {
    let mut part = Workflow::new("part");
    let inner: Step<u64> = part.add(source("inner"));
    let mut flow = Workflow::new("all");
    flow.add(taking::<u64, ()>("outer", inner.output()));
    flow.include(part.returning(&inner));
    refused(
        flow,
        "the step `outer` of the workflow `all` depends on the step `inner`, which was included after it: call `include` before \
         you add `outer`",
    );
}

#[test]
fn part_with_a_mistake_is_refused() {
    let outer = |part: Workflow, step: &Step<u64>| {
        let mut flow = Workflow::new("all");
        flow.include(part.returning(step));
        flow
    };
    let mut late = Workflow::new("part");
    late.deadline(Duration::from_secs(1));
    let inner = late.add(source("inner"));
    refused(
        outer(late, &inner),
        "the workflow `part`, which `all` includes, has a deadline or steps for its end, which only a whole workflow has: give them to \
         `all`",
    );
    let mut foreign = Workflow::new("part");
    foreign.add(source::<u64>("inner"));
    refused(
        outer(foreign, &Workflow::new("other").add(source("elsewhere"))),
        "the workflow `part` returns the step `elsewhere` of another workflow, `other`: give `returning` one of its own steps",
    );
}

#[test]
fn chain_is_limited() {
    let chain = |steps: u32| {
        let mut flow = Workflow::new("count");
        let mut last: Step<u64> = flow.add(source("one"));
        for _ in 1..steps {
            last = flow.add(taking("next", last.output()));
        }
        flow.add(source::<()>("end").after(&last));
        flow
    };
    assert!(plan(chain(99_999)).is_ok());
    refused(
        chain(100_000),
        "the step `end` of the workflow `count` ends a chain of more than 100000 steps: let one step do the work of several",
    );
}

#[test]
fn invalid_job_is_refused_with_its_step() {
    let with = |step: NewStep<()>| {
        let mut flow = Workflow::new("ingest");
        flow.add(step);
        flow
    };
    refused(
        with(taking("store", "x".repeat(2 << 20)).named("store the page")),
        "the step `store the page` of the workflow `ingest`: the arguments of the `store` job are 2097164 bytes as PostgreSQL \
         prints them, more than the limit of 1048576: store them elsewhere and enqueue their name, or raise the client's `max_args`",
    );
    refused(
        with(taking("store", f64::NAN)),
        "the step `store` of the workflow `ingest`: the arguments of the `store` job could not be written as JSON: `from` is NaN, or \
         holds it, which JSON cannot express: send an `Option`, or text",
    );
    let mut flow = Workflow::new("ingest");
    flow.deadline(Duration::MAX);
    flow.add(source::<()>("probe"));
    refused(
        flow,
        "the deadline of the workflow `ingest` is more than a hundred years away: a unit may be wrong",
    );
}

#[test]
fn step_for_the_end_has_no_edges() {
    let message = |step: &str| {
        format!(
            "the step `{step}` of the workflow `ingest` and another step depend on each other, and one of them was given to \
             `on_complete` or `on_failure`, which wait for all other steps: take the `result()` of a step in a step of its own instead"
        )
    };
    let mut flow = Workflow::new("ingest");
    let first: Step<u64> = flow.add(source("probe"));
    flow.on_failure(taking::<u64, ()>("alert", first.output()));
    refused(flow, &message("alert"));
    let mut flow = Workflow::new("ingest");
    let alert: Step<u64> = flow.on_failure(source("alert"));
    flow.add(source::<()>("clean").after(&alert));
    refused(flow, &message("clean"));
}
