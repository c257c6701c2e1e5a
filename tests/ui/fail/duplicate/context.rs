#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn two_contexts(one: JobContext, other: pgjobq::JobContext) {}

fn main() {}
