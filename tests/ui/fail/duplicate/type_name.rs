//! A job's helpers live among the types, where modules live too.
use pgjobq::prelude::*;

mod mail {}

#[job]
async fn mail() {}

fn main() {}
