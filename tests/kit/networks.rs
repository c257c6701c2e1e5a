//! Lost replies and notifications.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx;
use pgjobq::testing::{TestQueue, assert_enqueued};
use pgjobq::{EnqueueOutcome, Worker, WorkerBuilder};

use crate::jobs::{Ended, Gate, Log, chain, fail_until, note};

/// Gives a worker the states that the jobs of these tests take.
fn everything(worker: WorkerBuilder, pg: &TestQueue) -> WorkerBuilder {
    worker.state(Log::default()).state(pg.faults().clone()).state(Gate::default()).state(pg.clone())
}

#[pgjobq::test]
async fn enqueue_without_a_reply_enqueues_once(pg: TestQueue) -> Ended {
    let network = pg.network().await?;
    for lost in 1..=3 {
        network.lose_reply();
        let handle = note::enqueue(network.client(), lost.to_string()).await?;
        assert!(!network.is_reply_due(), "a reply was lost");
        assert_eq!(handle.outcome(), EnqueueOutcome::New, "the client knows that the duplicate is its own");
        assert_enqueued!(pg, note, count = lost);
    }
    Ok(())
}

#[pgjobq::test]
async fn commit_without_a_reply_has_happened(pg: TestQueue) -> Ended {
    let network = pg.network().await?;
    let mut tx = network.client().pool().begin().await.unwrap();
    network.lose_reply();
    note::enqueue(&mut *tx, "a".to_owned()).await?;
    assert!(network.is_reply_due(), "an enqueue within a transaction commits nothing");
    tx.commit().await.unwrap_err();
    assert_enqueued!(pg, note, count = 1);
    Ok(())
}

#[pgjobq::test]
async fn completion_without_a_reply_runs_nothing_again(pg: TestQueue) -> Ended {
    let network = pg.network().await?;
    let worker = Worker::builder(network.client()).queue("default", 1);
    let worker = everything(worker, &pg).build().await?.start();
    fail_until::call(pg.client(), 1).await?; // The worker is up.
    // The enqueue is on the test's own way, so that the completion is the next to lose its reply.
    network.lose_reply();
    let handle = fail_until::enqueue(pg.client(), 1).await?;
    assert_eq!(handle.wait(pg.client()).await?, Outcome::Completed(1));
    while network.is_reply_due() {
        tokio::task::yield_now().await;
    }
    worker.shutdown().await?;
    assert_eq!(handle.status(pg.client()).await?.unwrap().attempts, 1);
    Ok(())
}

#[pgjobq::test]
async fn worker_without_notifications_runs_jobs(pg: TestQueue) -> Ended {
    let network = pg.network().await?;
    network.drop_notifications();
    let worker =
        Worker::builder(network.client()).queue("default", 10).poll_interval(Duration::from_millis(100));
    let worker = everything(worker, &pg).build().await?.start();
    // The worker announces that it is idle, and then each enqueue notifies it.
    while network.dropped_notifications() == 0 {
        chain::call(pg.client(), 0).await?;
    }
    worker.shutdown().await?;
    let left: i64 =
        sqlx::query_scalar("select count(*) from pgjobq.jobs").fetch_one(pg.pool()).await.unwrap();
    assert_eq!(left, 0);
    Ok(())
}
