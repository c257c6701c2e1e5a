use pgjobq::prelude::*;

#[job(backoff = "6h..1s")]
async fn shrinking() {}

#[job(backoff = "0s")]
async fn none() {}

#[job(backoff = "0s..1h")]
async fn from_none() {}

#[job(backoff = "1s..")]
async fn without_end() {}

#[job(backoff = "1s-6h")]
async fn with_a_dash() {}

#[job(backoff = "1s..400d")]
async fn too_long() {}

fn main() {}
