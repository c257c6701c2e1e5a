use pgjobq::prelude::*;

#[job(retry = 3)]
async fn near_retries() {}

#[job(max_retries = 3)]
async fn contains_retries() {}

#[job(color = "red")]
async fn near_nothing() {}

fn main() {}
