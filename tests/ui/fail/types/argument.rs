#![allow(unused_variables)]
use pgjobq::prelude::*;

struct Plain;

#[job]
async fn cannot_be_stored(plain: Plain) {}

fn main() {}
