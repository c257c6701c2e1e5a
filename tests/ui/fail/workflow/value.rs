#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn thumbnail(image_id: i64, name: String) {}

fn main() {
    let mut flow = Workflow::new("images");
    flow.add(thumbnail::step("seven", "ada"));
    flow.add(thumbnail::step(7, 8));
}
