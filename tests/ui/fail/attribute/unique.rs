#![allow(unused_variables)]
use pgjobq::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Region(String);

#[job(unique = ())]
async fn nothing(tenant: u64) {}

#[job(unique = (tenant, regoin))]
async fn unknown_argument(tenant: u64, region: Region) {}

#[job(unique = "fixed")]
async fn one_for_all(tenant: u64) {}

#[job(unique = args)]
async fn ambiguous(args: u64) {}

#[job(unique = args, unique_while = "running", on_duplicate = "skip")]
async fn wrong_words(tenant: u64) {}

#[job(unique = args, unique_while = "0s", on_duplicate = "debounce soon")]
async fn wrong_times(tenant: u64) {}

#[job(unique = args, while = "1h")]
async fn keyword(tenant: u64) {}

#[job(unique = &region.0[..], key = region)]
async fn no_key(region: Region) {}

#[job(unique = [tenant])]
async fn brackets(tenant: u64) {}

fn main() {}
