//! A job defines a type of its name, which conflicts with a module of that name.
use pgjobq::prelude::*;

mod mail {}

#[job]
async fn mail() {}

fn main() {}
