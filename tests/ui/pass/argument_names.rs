//! An argument may have any name, also one that the macro uses.
#![deny(warnings)]
#![allow(clippy::too_many_arguments)]
use pgjobq::prelude::*;

#[job]
async fn names(to: u8, client: u16, args: u32, context: u64, id: i8, self_: i16, job: i32, kind: i64) {
    let _ = (to, client, args, context, id, self_, job, kind);
}

#[job]
async fn itself(itself: String) -> Result<String> {
    Ok(itself)
}

#[job]
async fn r#type(r#type: u8, r#match: Option<u8>) {
    let _ = (r#type, r#match);
}

#[job]
async fn mutable(mut count: u8, _unused: u8) -> Result<u8> {
    count += 1;
    Ok(count)
}

#[job]
async fn run(given: u8, returned: u8, value: u8, state: u8, policy: u8, handler: u8, de: u8, t: u8) {
    let _ = (given, returned, value, state, policy, handler, de, t);
}

#[job]
async fn enqueue(call: u8, handle: u8) {
    let _ = (call, handle);
}

// Nor can a function's name.

#[job]
async fn context(args: u8) -> Result<u8> {
    Ok(args)
}

#[job]
async fn args(ctx: JobContext, context: u8) -> Result<u8> {
    Ok(context + u8::from(ctx.failures() > 0))
}

#[job]
async fn to(client: u8) -> Result<u8> {
    Ok(client)
}

#[job]
async fn id() {}

#[test]
fn arguments_and_functions_may_have_any_name() {
    assert_eq!(r#type::KIND, "type");
    let _: NewJob<()> = names::job(1, 2, 3, 4, 5, 6, 7, 8);
    let _: NewJob<String> = itself::job(String::new());
    let _: NewJob<()> = r#type::job(1, None);
    let _: NewJob<u8> = mutable::job(1, 2);
    let _: NewJob<()> = run::job(1, 2, 3, 4, 5, 6, 7, 8);
    let _: NewJob<()> = enqueue::job(1, 2);
    let _: [NewJob<u8>; 3] = [context::job(1), args::job(1), to::job(1)];
    let _: JobHandle<()> = id::handle(JobId::new());
}
