//! Application code that panics in unusual places, such as `Display` or `Drop`: the attempt fails, and the worker goes on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgjobq::FailureReason;
use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::end_of;

/// An error that panics when it is displayed or dropped.
#[derive(Debug)]
struct Evil {
    shown: bool,
}

impl fmt::Display for Evil {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!self.shown, "panicked in Display");
        out.write_str("evil")
    }
}

impl std::error::Error for Evil {}

impl Drop for Evil {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.shown, "panicked in Drop");
        }
    }
}

/// A panic payload that panics when it is dropped.
struct Thrown;

impl Drop for Thrown {
    fn drop(&mut self) {
        panic!("panicked in the drop of a panic");
    }
}

#[job]
async fn be_doomed() -> Result<()> {
    Err(JobError::fatal("it was to be"))
}

#[job(retries = 0)]
async fn panic_so(how: String) -> Result<()> {
    match how.as_str() {
        "display" => Err(Evil { shown: true }.into()),
        "drop" => Err(Evil { shown: false }.into()),
        "cancel" => Err(JobError::cancel().because(Evil { shown: true })),
        _ => std::panic::panic_any(Thrown),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_after_the_job_function_ends_the_attempt() {
    let db = TestDb::new(1).await;
    let worker = db.worker().build().await.unwrap().start();
    let message = [
        ("display", "it panicked: panicked in Display"),
        ("drop", "it panicked: panicked in Drop"),
        ("cancel", "it panicked: panicked in Display"),
        ("throw", "it panicked: (with a payload that is not a string)"),
    ];
    for (how, message) in message {
        let job = panic_so::enqueue(&db.client, how.to_owned()).await.unwrap();
        let Outcome::Dead(failure) = end_of(&db.client, &job).await else {
            panic!("{how}: the job is not dead")
        };
        assert_eq!((failure.message(), failure.errors[0].reason), (message, FailureReason::Panic), "{how}");
    }
    db.until("not exists (select from pgjobq.leases)").await;
    while worker.health().running > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alert_that_panics_costs_no_other_alert() {
    let db = TestDb::new(1).await;
    let alerts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&alerts);
    let worker = db.worker().on_dead(move |_| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) > 0, "the first alert panics before it has begun");
        std::future::ready(())
    });
    db.client.enqueue_all((0..5).map(|_| be_doomed::job())).await.unwrap();
    let worker = worker.build().await.unwrap().start();
    db.until("(select count(*) from pgjobq.finished where outcome = 'dead') = 5").await;
    worker.shutdown().await.unwrap();
    assert_eq!(alerts.load(Ordering::SeqCst), 5);
}
