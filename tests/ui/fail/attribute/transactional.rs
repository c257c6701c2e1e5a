#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job(transactional)]
async fn without_its_transaction(invoice: i64) {}

#[job]
async fn without_the_key(tx: &mut Tx, invoice: i64) {}

#[job(transactional = true)]
async fn with_a_value(tx: &mut Tx) {}

#[job(transactional)]
async fn not_mutably(tx: &Tx) {}

#[job(transactional)]
async fn by_value(tx: Tx) {}

#[job(transactional)]
async fn twice(one: &mut Tx, two: &mut Tx) {}

fn main() {}
