//! The macro cannot see the fields of a type, so the error is the compiler's.
#![allow(unused_variables)]
use pgjobq::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct User {
    name: &'static str,
}

#[job]
async fn greet(user: User) {}

fn main() {}
