//! `JobContext` and `State` may be at any position and have any path. They are no arguments of `enqueue`.
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

#[test]
fn context_and_state_may_be_at_any_position() {
    let _: NewJob<()> = everywhere::job(7, "ada".to_owned());
    let _: NewJob<()> = alone::job();
    let _future = everywhere(JobContext::for_test(), 7, State::new(Store), String::new(), State::new(Store));
}
