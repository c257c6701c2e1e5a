#![allow(unused_variables)]
use pgjobq::prelude::*;
use std::future::Future;
use std::pin::Pin;

#[job]
fn send(user: String) -> impl Future<Output = Result<()>> {
    async { Ok(()) }
}

#[job]
fn count(rows: u32) -> impl Future<Output = u32> + Send {
    async { 5 }
}

#[job]
fn boxed() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async {})
}

fn main() {}
