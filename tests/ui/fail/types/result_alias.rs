//! The macro takes the first argument of a `Result` for the type of the value; the compiler checks that.
#![allow(unused_variables)]
use pgjobq::prelude::{JobError, job};

type Result<E> = std::result::Result<(), E>;

#[job]
async fn odd() -> Result<JobError> {
    Ok(())
}

fn main() {}
