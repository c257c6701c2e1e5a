use pgjobq::prelude::*;
use std::error::Error;

#[job]
async fn stays_on_its_thread() -> Result<u32, Box<dyn Error>> {
    Ok(5)
}

#[job]
async fn cannot_be_shared() -> Result<(), Box<dyn std::error::Error + Send>> {
    Ok(())
}

fn main() {}
