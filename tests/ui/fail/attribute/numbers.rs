use pgjobq::prelude::*;

#[job(retries = -1)]
async fn negative() {}

#[job(retries = 32768)]
async fn too_big() {}

#[job(max_crashes = 99999999999999999999999)]
async fn far_too_big() {}

#[job(max_crashes = -3)]
async fn negative_crashes() {}

#[job(retries = 32767, max_crashes = 0)]
async fn the_most_and_the_least() {}

fn main() {}
