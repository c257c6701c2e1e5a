#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn probe(path: String) -> Result<u64> {
    Ok(7)
}

#[job]
async fn sum(lengths: Vec<u64>) {}

fn main() {
    let mut flow = Workflow::new("ingest");
    let length = flow.add(probe::step("a.mp4"));
    flow.add(sum::step(gather([&length, &length])));
    flow.add(sum::step(vec![1]).after(length.output()));
}
