#![allow(unused_variables)]
use pgjobq::prelude::*;
use pgjobq::sqlx::{self, PgConnection, Postgres};

#[job]
async fn of_sqlx(tx: &mut sqlx::Transaction<'_, Postgres>) {}

#[job]
async fn by_value(tx: sqlx::Transaction<'static, Postgres>) {}

#[job]
async fn a_connection(connection: &mut PgConnection) {}

fn main() {}
