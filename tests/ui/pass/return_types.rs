//! Every return type that a job function may have.
#![deny(warnings)]
use pgjobq::prelude::{JobHandle, JobId, NewJob, job};

type Outcome = pgjobq::Result<u8>;
type Failing<T> = Result<T, std::io::Error>;

#[job]
async fn nothing() {}

#[job]
async fn unit() -> () {}

#[job]
async fn facade() -> pgjobq::Result<Vec<u8>> {
    Ok(Vec::new())
}

#[job]
async fn standard() -> std::result::Result<u8, std::fmt::Error> {
    Ok(5)
}

#[job]
async fn text_as_error() -> Result<(), &'static str> {
    Err("no")
}

#[job]
async fn boxed_error() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(())
}

#[job]
async fn alias() -> Outcome {
    Ok(5)
}

#[job]
async fn alias_with_argument() -> Failing<u8> {
    Ok(5)
}

#[job(retain = "0s")]
async fn kept_nowhere() -> Result<(), std::fmt::Error> {
    Ok(())
}

#[test]
fn every_return_type_compiles() {
    let _: (NewJob<()>, NewJob<()>) = (nothing::job(), unit::job());
    let _: (NewJob<Vec<u8>>, NewJob<u8>) = (facade::job(), standard::job());
    let _: (NewJob<()>, NewJob<()>, NewJob<()>) =
        (text_as_error::job(), boxed_error::job(), kept_nowhere::job());
    let _: (NewJob<u8>, NewJob<u8>) = (alias::job(), alias_with_argument::job());
    let _: JobHandle<u8> = alias::handle(JobId::new());
}
