#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job(transactional)]
async fn with_the_key(tx: &mut Tx, invoice: i64) {}

#[job(transactional = true, retries = 3)]
async fn without_a_transaction(invoice: i64) {}

#[job]
async fn not_mutably(tx: &Tx) {}

#[job]
async fn by_value(tx: Tx) {}

#[job]
async fn twice(one: &mut Tx, two: &mut Tx) {}

fn main() {}
