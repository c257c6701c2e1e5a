#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn probe(path: String) -> Result<u64> {
    Ok(7)
}

#[job]
async fn report(length: std::result::Result<u64, Failure>) {}

#[job]
async fn publish(length: u64) {}

fn main() {
    let mut flow = Workflow::new("ingest");
    let length = flow.add(probe::step("a.mp4"));
    flow.add(report::step(length.result()));
    flow.add(publish::step(length.result()));
    flow.add(report::step(length.output()));
}
