//! A pool and a client cannot be stored: the worker hands them in.
#![allow(unused_variables)]
use pgjobq::prelude::*;
use pgjobq::sqlx::PgPool;

#[job]
async fn a_pool(pool: PgPool) {}

#[job]
async fn a_client(user: i64, client: Client) {}

type Shared = State<u8>;

#[job]
async fn an_alias(shared: Shared) {}

fn main() {}
