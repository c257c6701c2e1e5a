//! The steps as the database stores them.

use super::{plan, shown, source, taking, with};
use crate::{Failure, Input, JobId, Step, Workflow, gather};

fn shown_all(flow: Workflow) -> Vec<String> {
    plan(flow).unwrap().steps.iter().map(shown).collect()
}

#[test]
fn parent_knows_its_children() {
    let mut flow = Workflow::new("ingest");
    let info: Step<u64> = flow.add(source("probe"));
    let [large, small] = ["large", "small"].map(|name| flow.add(taking::<u64, u8>(name, info.output())));
    let page: Step<()> = flow.add(taking::<Vec<u8>, _>("publish", gather([large.output(), small.output()])));
    flow.add(taking::<Result<(), Failure>, ()>("report", page.result()));
    flow.add(source::<()>("clean").after_any_end(&page));
    let plan = plan(flow).unwrap();
    assert_eq!(
        plan.steps.iter().map(shown).collect::<Vec<_>>(),
        [
            "probe -> O2 O3, after 0",
            "large -> O4, after 1",
            "small -> O4, after 1",
            "publish -> A5 a6, after 2",
            "report -> , after 1",
            "clean -> , after 1",
        ]
    );
    let inputs: Vec<_> = plan.steps.iter().map(|step| step.inputs.as_deref().unwrap_or_default()).collect();
    let from_probe = r#"{"from":{"output":1}}"#;
    assert_eq!(
        inputs,
        ["", from_probe, from_probe, r#"{"from":{"outputs":[2,3]}}"#, r#"{"from":{"result":4}}"#, ""]
    );
}

#[test]
fn known_arguments_stand_in_the_row() {
    let mut flow = Workflow::new("ingest");
    let info: Step<u64> = flow.add(source("probe"));
    let arguments = [
        Input::<String>::source("a \"b\"", "path"),
        Input::<u64>::source(info.output(), "length"),
        Input::<Option<u8>>::source(None, "limit"),
    ];
    flow.add(with::<(), 3>("transcode", arguments));
    let plan = plan(flow).unwrap();
    assert_eq!(plan.steps[0].row.args, "{}");
    assert_eq!(plan.steps[1].row.args, r#"{"path":"a \"b\"","limit":null}"#);
    assert_eq!(plan.steps[1].inputs.as_deref(), Some(r#"{"length":{"output":1}}"#));
}

#[test]
fn steps_are_jobs_of_the_workflow() {
    let mut flow = Workflow::new("ingest");
    let first: Step<()> = flow.add(source("first"));
    let id = flow.id();
    let plan = plan(flow).unwrap();
    assert_eq!(plan.id, id);
    assert_eq!(plan.steps[0].row.id, first.id());
}

#[test]
fn several_edges_between_two_steps_are_one() {
    let mut flow = Workflow::new("ingest");
    let info: Step<u64> = flow.add(source("probe"));
    let arguments = [
        Input::<Result<u64, Failure>>::source(info.result(), "result"),
        Input::<(u64, u64)>::source(gather((info.output(), info.output())), "twice"),
    ];
    flow.add(with::<(), 2>("both", arguments).after((&info, &info)).after_any_end(&info));
    flow.add(source::<()>("waits").after_any_end([&info]).after(vec![&info]));
    assert_eq!(shown_all(flow), ["probe -> O2 o3, after 0", "both -> , after 1", "waits -> , after 1"]);
}

#[test]
fn held_step_demands_the_same_of_all_parents() {
    let mut flow = Workflow::new("ingest");
    let [a, b]: [Step<u64>; 2] = ["a", "b"].map(|name| flow.add(source(name)));
    flow.add(taking::<u64, ()>("c", a.output()).after(&b).hold_on_failure());
    flow.add(taking::<Result<u64, Failure>, ()>("d", a.result()).hold_on_failure());
    assert_eq!(shown_all(flow)[..2], ["a -> H3 A4, after 0", "b -> h3, after 0"]);
}

#[test]
fn lists_may_hold_results_and_lists() {
    let mut flow = Workflow::new("ingest");
    let [a, b]: [Step<u64>; 2] = ["a", "b"].map(|name| flow.add(source(name)));
    let job = JobId::new();
    let pair = gather((a.output(), b.result()));
    let nested = gather((pair.clone(), gather([a.output(), b.output()])));
    flow.add(taking::<(u64, Result<u64, Failure>), ()>("pair", pair).after(job));
    flow.add(taking::<((u64, Result<u64, Failure>), Vec<u64>), ()>("nested", nested));
    let plan = plan(flow).unwrap();
    assert_eq!(plan.steps[2].inputs.as_deref(), Some(r#"{"from":{"list":[{"output":1},{"result":2}]}}"#));
    assert_eq!(
        plan.steps[3].inputs.as_deref(),
        Some(r#"{"from":{"list":[{"list":[{"output":1},{"result":2}]},{"outputs":[1,2]}]}}"#)
    );
    assert_eq!(shown(&plan.steps[1]), "b -> A3 O4, after 0");
}

#[test]
fn part_follows_in_the_order_of_its_inclusion() {
    let mut flow = Workflow::new("all");
    let first: Step<u64> = flow.add(source("first"));
    let mut part = Workflow::new("part");
    let inner: Step<u64> = part.add(taking("inner", first.output()));
    let beside: Step<()> = part.add(source("beside").after_any_end(&inner));
    let whole = flow.include(part.returning(&inner));
    flow.add(taking::<u64, ()>("after", whole.output()));
    flow.add(source::<()>("clean").after_any_end(&whole));
    assert_eq!(inner.id(), flow.id().step(2));
    assert_eq!(beside.id(), flow.id().step(3));
    assert_eq!(
        shown_all(flow),
        [
            "first -> O2, after 0",
            "inner -> a3 O4 a5, after 1",
            "beside -> o4 a5, after 1",
            "after -> , after 2",
            "clean -> , after 2",
        ]
    );
}

#[test]
fn part_of_a_part_is_one_step() {
    let mut innermost = Workflow::new("innermost");
    let [a, b]: [Step<u64>; 2] = ["a", "b"].map(|name| innermost.add(source(name)));
    let mut middle = Workflow::new("middle");
    middle.add(source::<()>("before"));
    let part = middle.include(innermost.returning(&b));
    let mut flow = Workflow::new("all");
    flow.add(source::<()>("first"));
    let whole = flow.include(middle.returning(&part));
    flow.add(taking::<u64, ()>("last", whole.output()));
    assert_eq!(a.id(), flow.id().step(3));
    assert_eq!(
        shown_all(flow),
        [
            "first -> , after 0",
            "before -> o5, after 0",
            "a -> o5, after 0",
            "b -> O5, after 0",
            "last -> , after 3",
        ]
    );
}

#[test]
fn step_for_the_end_waits_for_all_others() {
    let mut flow = Workflow::new("ingest");
    flow.on_failure(source::<()>("alert"));
    flow.add(source::<()>("probe"));
    flow.on_complete(source::<()>("celebrate"));
    let plan = plan(flow).unwrap();
    assert_eq!(plan.roles(), 2);
    assert_eq!(plan.steps.iter().map(|step| step.waits_for).collect::<Vec<_>>(), [1, 0, 1]);
}
