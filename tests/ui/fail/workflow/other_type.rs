#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn probe(path: String) -> Result<u64> {
    Ok(7)
}

#[job]
async fn publish(title: String, pages: Vec<u64>) {}

fn main() {
    let mut flow = Workflow::new("ingest");
    let length = flow.add(probe::step("a.mp4"));
    flow.add(publish::step(length.output(), gather([length.output()])));
    flow.add(publish::step("title", length.output()));
    flow.add(publish::step("title", gather((length.output(), length.output()))));
}
