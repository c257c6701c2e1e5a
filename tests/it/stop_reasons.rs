//! The context of an attempt: the request to stop, with its reason, and the client.

use std::sync::atomic::Ordering;

use pgjobq::StopReason;
use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::{Probe, end_of};

/// Starts a task that outlives the attempt, and counts when that task is asked to stop.
#[job(retries = 0, timeout = "50ms")]
async fn leave_a_task(ctx: JobContext, probe: u64) {
    let task = ctx.clone();
    tokio::spawn(async move {
        assert_eq!(task.stop_requested().await, StopReason::TimedOut);
        Probe::of(probe).reached.fetch_add(1, Ordering::SeqCst);
    });
    std::future::pending::<()>().await;
}

/// Enqueues with the client of its worker.
#[job]
async fn fan_out(ctx: JobContext, numbers: Vec<i64>) -> Result<u64> {
    Ok(ctx.client().enqueue_all(numbers.into_iter().map(double::job)).await?.new)
}

on_one_shard!(timeout_asks_the_tasks_of_the_attempt_to_stop);
async fn timeout_asks_the_tasks_of_the_attempt_to_stop(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let job = leave_a_task::enqueue(&db.client, probe.number).await.unwrap();
    let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!("the job is not dead") };
    assert_eq!(failure.errors[0].reason, pgjobq::FailureReason::Timeout);
    probe.until(|probe| probe.reached() == 1).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(context_has_the_client_of_its_worker);
async fn context_has_the_client_of_its_worker(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(fan_out::call(&db.client, vec![1, 2, 3]).await.unwrap(), 3);
    worker.shutdown().await.unwrap();
    let ctx = JobContext::for_test_with(&db.client);
    assert_eq!(fan_out(ctx.clone(), vec![4, 5]).await.unwrap(), 2);
    assert!(ctx.enqueue(double::job(6)).await.unwrap().is_new());
    assert_eq!((ctx.should_stop(), ctx.stop_reason()), (false, None));
}
