#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn option() -> Option<String> {
    None
}

fn main() {}
