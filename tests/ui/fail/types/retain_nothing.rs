#![allow(unused_variables)]
use pgjobq::prelude::*;

#[job(retain = "0s")]
async fn loses_its_value() -> Result<String> {
    Ok(String::new())
}

#[job(retain = "0s")]
async fn has_none() -> Result<()> {
    Ok(())
}

#[job(retain = "0ms")]
async fn has_no_result() {}

fn main() {}
