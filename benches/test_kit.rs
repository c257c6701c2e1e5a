//! The price of a test with the test kit, beside an empty test: `cargo bench --bench test_kit`
//!
//! A test holds the server meanwhile, as tests that run at the same time do for each other.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use pgjobq::testing::__private::{Test, run};
use pgjobq::testing::TestQueue;

/// The number of tests of each sort. They alternate.
const TESTS: usize = 60;

#[job]
async fn nothing() {}

fn main() {
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let (hold, holds) = std::sync::mpsc::channel();
    let holder = std::thread::spawn(move || {
        run(test(), async move |_: TestQueue| {
            hold.send(()).unwrap();
            ended.await.unwrap();
        });
    });
    holds.recv().unwrap();
    let (mut empty, mut kit, mut drained) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TESTS {
        empty.push(time(empty_test));
        kit.push(time(|| run(test(), async |_: TestQueue| ())));
        drained.push(time(|| run(test(), drain_one)));
    }
    end.send(()).unwrap();
    holder.join().unwrap();
    for (name, mut times) in
        [("#[tokio::test]", empty), ("#[pgjobq::test]", kit), ("with one job drained", drained)]
    {
        times.sort();
        let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
        println!("{name:22} median {:6.1} ms   p90 {:6.1} ms   longest {:6.1} ms", at(50), at(90), at(100));
    }
}

/// What `#[tokio::test]` does.
fn empty_test() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {});
}

async fn drain_one(pg: TestQueue) {
    nothing::enqueue(pg.client()).await.unwrap();
    assert_eq!(pg.drain().await.unwrap().completed(), 1);
}

fn test() -> Test {
    Test { name: "bench", worker_threads: 0, should_panic: false, set_up: None }
}

fn time(test: impl FnOnce()) -> Duration {
    let began = Instant::now();
    test();
    began.elapsed()
}
