//! What the worker hands in stands anywhere, under any path, and is no argument of the helpers.
#![deny(warnings)]
use pgjobq::prelude::*;

struct Store;

#[job]
async fn everywhere(
    ctx: JobContext,
    page: u32,
    store: State<Store>,
    name: String,
    same: pgjobq::State<Store>,
) {
    let _ = (ctx.id(), page, &*store, name, &*same);
}

#[job]
async fn alone(_ctx: pgjobq::JobContext) {}

fn main() {
    let _: NewJob<()> = everywhere::job(7, "ada".to_owned());
    let _: NewJob<()> = alone::job();
    let _future = everywhere(JobContext::for_test(), 7, State::new(Store), String::new(), State::new(Store));
}
