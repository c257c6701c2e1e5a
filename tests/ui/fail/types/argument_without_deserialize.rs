#![allow(unused_variables)]
use pgjobq::prelude::*;

#[derive(serde::Serialize)]
struct OneWay;

#[job]
async fn cannot_be_read_back(value: OneWay) {}

fn main() {}
