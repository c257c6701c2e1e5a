#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn thumbnail(image_id: i64, ctx: JobContext, width: u32) {}

fn main() {
    Workflow::new("images").add(thumbnail::step(7));
}
