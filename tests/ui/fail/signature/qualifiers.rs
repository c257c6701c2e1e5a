#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async unsafe fn dangerous() {}

#[job]
async extern "C" fn foreign() {}

#[job]
async unsafe extern "C" fn variadic(number: u8, more: ...) {}

#[job]
async fn without_body();

#[job]
async fn conditional(#[cfg(unix)] mode: u32) {}

fn main() {}
