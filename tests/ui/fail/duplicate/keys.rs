use pgjobq::prelude::*;

#[job(queue = "a", retries = 1, queue = "b")]
async fn twice() {}

#[job(retries = 1, retries = 2, retries = 3)]
async fn three_times() {}

fn main() {}
