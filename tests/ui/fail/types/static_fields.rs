//! The macro does not see the fields.
#![allow(unused_variables)]
use pgjobq::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct User {
    name: &'static str,
}

#[job]
async fn greet(user: User) {}

fn main() {}
