#![allow(unused_variables)]
use pgjobq::prelude::*;
use std::path::Path;

#[job]
async fn text(name: &str) {}

#[job]
async fn static_text(name: &'static str) {}

#[job]
async fn slice(bytes: &[u8], rows: &[Vec<u8>]) {}

#[job]
async fn path(file: &Path) {}

#[job]
async fn other(number: &mut u64) {}

#[job]
async fn inside(name: Option<&str>, pair: (u8, &str)) {}

#[job]
async fn pool(pool: &pgjobq::sqlx::PgPool) {}

#[job]
async fn context(ctx: &JobContext) {}

#[job]
async fn state(state: &State<u8>) {}

fn main() {}
