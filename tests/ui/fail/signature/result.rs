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

#[job]
async fn number() -> i64 {
    5
}

#[job]
async fn option() -> Option<String> {
    None
}

#[job]
async fn pair() -> (u8, u8) {
    (1, 2)
}

fn main() {}
