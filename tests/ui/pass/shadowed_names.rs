//! A crate may define items with the names of the standard library.
#![allow(dead_code, non_camel_case_types)]
use ::pgjobq::job;

struct Result;
struct Option;
struct String;
struct Box;
struct Vec;
struct Some;
struct None;
struct Ok;
struct Err;
struct Into;
struct Send;
struct Sync;
struct Future;
struct Handler;
struct Args;
struct NewJob;
struct JobHandle;
struct Client;
struct Policy;
trait Serialize {}
trait Deserialize {}
mod std {}
mod core {}
mod serde {}
mod serde_json {}
mod inventory {}
mod async_trait {}
mod pgjobq {}

#[job(queue = "mail", timeout = "1500ms", backoff = "1s..1m", priority = "high", retain = "1h")]
async fn shadowed(number: u8) -> ::std::result::Result<u8, ::std::fmt::Error> {
    ::std::result::Result::Ok(number)
}

#[job]
async fn with_context(context: ::pgjobq::JobContext, state: ::pgjobq::State<u8>) {
    let _ = (context, state);
}

#[test]
fn names_of_the_standard_library_may_be_shadowed() {
    let _: ::pgjobq::NewJob<u8> = shadowed::job(5);
}
