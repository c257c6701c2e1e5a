//! Assertions about jobs are checked by the compiler.
use pgjobq::prelude::*;
use pgjobq::testing::{TestQueue, assert_enqueued, assert_not_enqueued};

#[job]
async fn welcome(user: String, seats: u32) {}

async fn mistakes(pg: TestQueue) {
    assert_enqueued!(pg, welcome, name == "ada");
    assert_enqueued!(pg, welcome, seats == "three");
    assert_enqueued!(pg, welcome, user = "ada");
    assert_enqueued!(pg, welcome, user);
    assert_enqueued!(pg, farewell);
    assert_not_enqueued!(pg, welcome, count = 2);
    assert_enqueued!();
}

fn main() {}
