//! An argument is stored under its own name and type.
#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn resize(image: i64, #[serde(default)] width: u32) {}

#[job]
async fn archive(#[serde(with = "folder")] from: String, #[allow(unused)] to: String) {}

fn main() {}
