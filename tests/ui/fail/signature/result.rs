#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job]
async fn unnamed() -> Result<impl Send> {
    Ok(5)
}

#[job]
async fn borrowed() -> Result<&'static str> {
    Ok("five")
}

#[job]
async fn never() -> ! {
    loop {}
}

fn main() {}
