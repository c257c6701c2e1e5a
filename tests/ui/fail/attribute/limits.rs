#![allow(unused_variables)]
use pgjobq::prelude::*;

struct Region(String);

#[job(concurrency = 0)]
async fn nobody() {}

#[job(concurrency = 10001)]
async fn everybody() {}

#[job(concurrency = "2")]
async fn in_quotes() {}

#[job(key = tenent, concurrency = 1)]
async fn unknown_argument(tenant: u64) {}

#[job(key = "fixed", concurrency = 1)]
async fn one_key_for_all(tenant: u64) {}

#[job(key = "tenant", concurrency = 1)]
async fn argument_in_quotes(tenant: u64) {}

#[job(key = "{tenant}", concurrency = 1)]
async fn format_without_a_macro(tenant: u64) {}

#[job(key = format!("{tennant}"), concurrency = 1)]
async fn unknown_name_in_a_format(tenant: u64, page: u64) {}

#[job(key = ctx, concurrency = 1)]
async fn not_stored(ctx: JobContext, tenant: u64) {}

#[job(on_conflict = "drop", on_retry = "let_pass")]
async fn no_limit(tenant: u64) {}

#[job(concurrency = 1, on_conflict = "skip", on_retry = "wait")]
async fn wrong_words(tenant: u64) {}

#[job(max_concurrency = 5, group = tenant)]
async fn words_of_others(tenant: u64) {}

fn main() {}
