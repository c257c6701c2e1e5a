#![allow(unused_variables)]
use pgjobq::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct V1 {}

#[derive(Deserialize)]
struct V2 {}

#[job(version = 0)]
async fn zeroth() {}

#[job(version = 40000)]
async fn far() {}

#[job(version = "2")]
async fn in_quotes() {}

#[job(version = 2)]
async fn without_a_way(user: i64) {}

#[job(upcast_from = V1)]
async fn without_a_version(user: i64) {}

#[job(version = 2, upcast_from = [V1, V2])]
async fn too_many(user: i64) {}

#[job(version = 2, upcast_from = [])]
async fn empty(user: i64) {}

#[job(version = 2, upcast_from = "V1")]
async fn a_text(user: i64) {}

fn main() {}
