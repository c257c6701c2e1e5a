use pgjobq::prelude::*;

#[job(name = "x")]
async fn named() {}

#[job(cron = "0 9 * * *")]
async fn scheduled() {}

#[job(max_attempts = 3)]
async fn tried() {}

#[job(max_retries = 3)]
async fn retried() {}

#[job(workers = 3)]
async fn limited() {}

fn main() {}
