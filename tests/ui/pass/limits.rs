//! Keys, weights and unique keys are computed from the arguments of a job or a step.

use pgjobq::NewStep;
use pgjobq::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Region {
    name: String,
}

#[job(concurrency = 10)]
async fn fleet() {}

#[job(key = tenant, concurrency = 1, on_conflict = "cancel_running", on_retry = "let_pass", unique = args)]
async fn synchronize(tenant: Option<String>, full: bool) {
    let _ = (tenant, full);
}

#[job(
    key = format!("{tenant}/{}", region.name),
    rate = ["100 per minute", "10 per second"],
    weight = 1 + pages.len() / 10,
    unique = (tenant, &region.name),
    unique_while = "waiting",
    on_duplicate = "replace_args",
)]
async fn import(tenant: u64, region: Region, pages: Vec<u8>) -> Result<usize> {
    let _ = (tenant, region);
    Ok(pages.len())
}

#[job(key = region.name, rate = "5 per hour", burst = 2, weight = size, unique = region.name.to_lowercase(), on_duplicate = "debounce 5s")]
async fn reindex(region: Region, size: u64) {
    let _ = (region, size);
}

// An argument with the name of a generated variable, and one that is all of the unique key.
#[job(unique = computed_0, unique_while = "1h", key = computed_0)]
async fn hidden(computed_0: u32) {
    let _ = computed_0;
}

fn region() -> Region {
    Region { name: "eu".to_owned() }
}

#[test]
fn keys_weights_and_unique_keys_are_computed_from_arguments() {
    let _ =
        (fleet::job(), synchronize::job(None, true).key("other"), hidden::job(7).unique("other").weight(3));
    let _: NewJob<usize> = import::job(7, region(), vec![]);
    let mut flow = Workflow::new("limits");
    let first = flow.add(import::step(7, region(), vec![1]));
    let second: NewStep<()> = reindex::step(region(), 7_u64);
    flow.add(second.after(&first).key("eu").weight(2));
}
