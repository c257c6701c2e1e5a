#![allow(unused_variables)]
use pgjobq::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Region(String);

#[job(attributes(tenent, ctx))]
async fn unknown_arguments(ctx: JobContext, tenant: u64) {}

#[job(attributes = [tenant])]
async fn no_parentheses(tenant: u64) {}

#[job(attributes())]
async fn nothing(tenant: u64) {}

#[job(attributes(tenant, region.code()))]
async fn no_name(tenant: u64, region: Region) {}

#[job(attributes(tenant, "" = 1, tenant = 3))]
async fn wrong_names(tenant: u64) {}

#[job(attributes(tenant) retries = 5)]
async fn no_comma(tenant: u64) {}

#[job(attributes(region))]
async fn no_value(region: Region) {}

#[job(tags(tenant))]
async fn other_word(tenant: u64) {}

fn main() {}
