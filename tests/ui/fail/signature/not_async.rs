#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
fn thumbnail(image_id: i64) -> Result<()> {
    Ok(())
}

#[job]
pub const fn constant() {}

fn main() {}
