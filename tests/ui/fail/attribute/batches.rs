#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job(batch = 0)]
async fn nobody(items: Batch<u64>) {}

#[job(batch = 10001)]
async fn everybody(items: Batch<u64>) {}

#[job(batch = "500", within = 200)]
async fn wrong_forms(items: Batch<u64>) {}

#[job(batch = 500, within = "6s")]
async fn waits_for_too_long(items: Batch<u64>) {}

#[job(batch = 500, within = "0ms")]
async fn waits_for_nothing(items: Batch<u64>) {}

#[job(within = "200ms")]
async fn single(number: u64) {}

#[job(batch = 500)]
async fn takes_one(number: u64) {}

#[job(batch = 500)]
async fn takes_none() {}

#[job]
async fn says_no_size(items: Batch<u64>) {}

#[job(batch = 500, batch_by = key)]
async fn without_a_key(items: Batch<u64>) {}

#[job(batch = 500, key = items % 2, batch_by = items)]
async fn by_something_else(items: Batch<u64>) {}

#[job(batch = 500)]
async fn with_another_argument(items: Batch<u64>, tenant: String) {}

#[job(batch = 500)]
async fn two_batches(items: Batch<u64>, others: Batch<String>) {}

#[job(batch = 500)]
async fn with_a_context(ctx: JobContext, items: Batch<u64>) {}

#[job(batch = 500)]
async fn in_a_transaction(tx: &mut Tx, items: Batch<u64>) {}

#[job(batch = 500)]
async fn with_a_result(items: Batch<u64>) -> Result<usize> {
    Ok(0)
}

#[job(batch = 500)]
async fn borrows(items: Batch<&str>) {}

#[job(batch = 500, max_crashes = 0)]
async fn not_twice(items: Batch<u64>) {}

#[job(batch = 500, batch_size = 100)]
async fn words_of_others(items: Batch<u64>) {}

fn main() {}
