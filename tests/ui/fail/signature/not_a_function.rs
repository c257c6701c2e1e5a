#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
struct Thumbnail {
    image_id: i64,
}

#[job]
pub enum Size {
    Small,
}

#[job]
mod jobs {}

#[job]
const LIMIT: u8 = 5;

#[job]
impl Thumbnail {}

fn main() {
    let _ = Thumbnail { image_id: LIMIT.into() };
    let _ = Size::Small;
}
