//! Values of steps infer like those of functions.

use pgjobq::prelude::*;
use pgjobq::{NewStep, Output};

#[job]
async fn everything(
    number: u64,
    float: f32,
    text: String,
    maybe: Option<u8>,
    list: Vec<Option<String>>,
    pair: (i16, bool),
) -> Result<u64> {
    let _ = (number, float, text, maybe, list, pair);
    Ok(7)
}

#[job]
async fn scale(image: i64, width: u32, ctx: JobContext, r#type: char) -> Result<String> {
    let _ = (image, width, ctx, r#type);
    Ok(String::new())
}

#[job]
async fn report(outcome: std::result::Result<u64, Failure>, names: Vec<String>) {
    let _ = (outcome, names);
}

#[job]
async fn pair(both: (u64, std::result::Result<String, Failure>)) {
    let _ = both;
}

#[job]
async fn rest() {}

fn generic(flow: &mut Workflow, image: impl pgjobq::Input<i64>) -> Output<String> {
    flow.add(scale::step(image, 320, 'a')).output()
}

#[test]
fn values_of_steps_infer_like_those_of_functions() {
    let name = "ada".to_owned();
    let mut flow = Workflow::new("everything");
    let first = flow.add(everything::step(7, -1.5, "ada", None, vec![], (-3, true)));
    flow.add(everything::step(
        first.output(),
        0.0,
        &name,
        Some(3),
        vec![None, Some(name.clone())],
        (1, false),
    ));
    flow.add(everything::step(u64::MAX, 2.0, name, None, Vec::new(), (1, 1 == 2)));
    let scaled: Vec<Step<String>> =
        [1, 2].into_iter().map(|id| flow.add(scale::step(id, 1 << 4, 'b'))).collect();
    let name = generic(&mut flow, 7);
    flow.add(report::step(first.result(), gather(scaled.iter().map(Step::output))));
    flow.add(report::step(Ok(7), gather(vec![name.clone(), name])));
    flow.add(pair::step(gather((first.output(), scaled[0].result()))));
    let all: NewStep<()> = rest::step().named("clean up").after(&scaled).after_any_end((&first, &scaled[1]));
    flow.add(all);
    assert!(flow.graph().mermaid().contains("clean up"));
}
