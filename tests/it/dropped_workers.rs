//! Workers that are dropped instead of shut down: they drain as well.

use std::time::Duration;

use crate::gate::{Gate, result};
use crate::harness::{PATIENCE, TestDb};

on_one_shard!(run_until_that_is_dropped_drains);
async fn run_until_that_is_dropped_drains(db: TestDb) {
    let gate = Gate::new();
    let job = gate.job().enqueue(&db.client).await.unwrap();
    let worker = db.worker().grace(PATIENCE).build().await.unwrap();
    tokio::select! {
        ended = worker.run_until(std::future::pending()) => panic!("{ended:?}"),
        _ = gate.until(|count| count.inside == 1) => {}
    }
    let late = gate.job().enqueue(&db.client).await.unwrap();
    gate.open();
    assert_eq!(result(&db, &job).await, 1, "the job ended in its first attempt");
    db.until("not exists (select from pgjobq.workers)").await;
    assert_eq!(late.status(&db.client).await.unwrap().unwrap().attempts, 0, "nothing more was claimed");
}

on_one_shard!(dropped_worker_hands_its_jobs_back);
async fn dropped_worker_hands_its_jobs_back(db: TestDb) {
    let gate = Gate::new();
    let job = gate.job().enqueue(&db.client).await.unwrap();
    let worker = db.worker().grace(Duration::ZERO).build().await.unwrap().start();
    gate.until(|count| count.inside == 1).await;
    drop(worker);
    db.until("not exists (select from pgjobq.workers)").await;
    let status = job.status(&db.client).await.unwrap().unwrap();
    assert_eq!((status.state, status.failures, status.crashes), (pgjobq::JobState::Ready, 0, 0));
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 0);
}

on_one_shard!(shutdown_that_is_dropped_goes_on);
async fn shutdown_that_is_dropped_goes_on(db: TestDb) {
    let gate = Gate::new();
    let job = gate.job().enqueue(&db.client).await.unwrap();
    let worker = db.worker().grace(PATIENCE).build().await.unwrap().start();
    gate.until(|count| count.inside == 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(10), worker.shutdown()).await.is_err());
    gate.open();
    assert_eq!(result(&db, &job).await, 1);
    db.until("not exists (select from pgjobq.workers)").await;
}
