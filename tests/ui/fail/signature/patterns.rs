#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn tuple((a, b): (u8, u8)) {}

#[job]
async fn nothing(_: u8) {}

#[job]
async fn state(State { .. }: State<u8>) {}

#[job]
async fn unused_context(_: JobContext) {}

#[job]
async fn twice(a: u8, a: u8) {}

fn main() {}
