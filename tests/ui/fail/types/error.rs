#![allow(unused_variables)]
use pgjobq::prelude::*;

struct NotAnError;

#[job]
async fn fails_oddly() -> Result<(), NotAnError> {
    Err(NotAnError)
}

fn main() {}
