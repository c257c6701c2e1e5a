#![allow(unused_variables)]
use pgjobq::prelude::*;

struct Thumbnail;

#[job]
async fn thumbnail() -> Thumbnail {
    Thumbnail
}

fn main() {}
