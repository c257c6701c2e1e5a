use pgjobq::prelude::*;

const MAIL: &str = "mail";

#[job(queue = MAIL)]
async fn queue_by_constant() {}

#[job(queue = 5)]
async fn queue_by_number() {}

#[job(retries = "5")]
async fn retries_in_quotes() {}

#[job(retries = 5.5)]
async fn retries_with_a_fraction() {}

#[job(retries = 5i64)]
async fn retries_with_a_type() {}

#[job(max_crashes = true)]
async fn crashes_by_flag() {}

#[job(kind = send_mail)]
async fn kind_without_quotes() {}

#[job(aliases = "old_name")]
async fn aliases_without_brackets() {}

#[job(aliases = ["old_name", 5])]
async fn aliases_with_a_number() {}

#[job(timeout = 30)]
async fn timeout_by_number() {}

#[job(backoff = "1s".."6h")]
async fn backoff_by_range() {}

#[job(retain = 7d)]
async fn retain_without_quotes() {}

#[job(crate = "no path")]
async fn crate_by_words() {}

fn main() {}
