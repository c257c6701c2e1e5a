#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn number() -> i64 {
    5
}

fn main() {}
