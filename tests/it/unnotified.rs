//! Notifications are hints: without them everything works as well, one poll later.

use std::time::Duration;

use pgjobq::prelude::*;

use crate::gate::{Gate, result};
use crate::harness::{PATIENCE, TestDb};
use crate::lifecycle::{double, fail_twice};

on_one_and_eight_shards!(invariant_6_everything_runs_when_notifications_are_off);
async fn invariant_6_everything_runs_when_notifications_are_off(db: TestDb) {
    let client = || Client::builder(db.pool.clone()).notifications(false).build().unwrap();
    in_good_time(everything_runs(&db, &client(), &client())).await;
}

on_one_and_eight_shards!(invariant_6_everything_runs_when_notifications_are_lost);
async fn invariant_6_everything_runs_when_notifications_are_lost(db: TestDb) {
    let (client, elsewhere) = (Client::new(db.pool.clone()), Client::new(db.pool.clone()));
    double::job(1).enqueue(&elsewhere).await.unwrap(); // The client now knows the channel, on which no notification will arrive.
    db.run(
        "create or replace function pgjobq.channel() returns text language plpgsql as $$
        begin return 'elsewhere'; end $$",
    )
    .await;
    in_good_time(everything_runs(&db, &client, &elsewhere)).await;
}

/// Fails if this takes very long, although each step takes a poll or two.
async fn in_good_time(runs: impl Future<Output = ()>) {
    tokio::time::timeout(PATIENCE, runs).await.expect("everything runs");
}

/// Runs ready and delayed jobs, from callers' transactions and from SQL, and retries, and waits for their outcomes. The worker has a
/// client of its own, because it is woken directly by the one that it shares.
async fn everything_runs(db: &TestDb, workers: &Client, client: &Client) {
    let worker = Worker::builder(workers).queue("default", 5).poll_interval(Duration::from_millis(200));
    let worker = worker.build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers)").await;
    // After its first poll the worker is idle.
    assert_eq!(double::call(client, 1).await.unwrap(), 2);
    assert_eq!(fail_twice::call(client).await.unwrap(), 3);
    let later = double::job(4).delay(Duration::from_millis(300)).enqueue(client).await.unwrap();
    assert!(matches!(later.wait(client).await.unwrap(), Outcome::Completed(8)));
    let mut tx = db.pool.begin().await.unwrap();
    let theirs = double::enqueue(&mut *tx, 5).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(theirs.wait(client).await.unwrap(), Outcome::Completed(10)));
    let gate = Gate::new();
    gate.open();
    let from_sql = format!("select job from pgjobq.enqueue('stand', '{{\"gate\": \"{}\"}}')", gate.name);
    let from_sql: uuid::Uuid = db.text(&from_sql).await.parse().unwrap();
    assert_eq!(result(db, &crate::gate::stand::handle(from_sql)).await, 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commit_after_a_busy_worker_became_idle_is_found_soon() {
    let db = TestDb::new(1).await;
    let worker = Worker::builder(&db.client).queue("default", 1).poll_interval(Duration::from_secs(60));
    let worker = worker.build().await.unwrap().start();
    let gate = Gate::new();
    let before =
        [gate.job().enqueue(&db.client).await.unwrap(), gate.job().enqueue(&db.client).await.unwrap()];
    // The worker is busy for so long that it withdraws its request for notifications, so the transaction sends none.
    db.until("(select idle = '{}' from pgjobq.workers)").await;
    let mut tx = db.pool.begin().await.unwrap();
    let late = double::enqueue(&mut *tx, 4).await.unwrap();
    gate.open();
    for job in &before {
        result(&db, job).await;
    }
    db.until("(select idle <> '{}' from pgjobq.workers)").await;
    tx.commit().await.unwrap();
    // The worker polls after an eighth of its idle time, and after at most a minute.
    let committed = std::time::Instant::now();
    assert_eq!(late.wait(&db.client).await.unwrap(), Outcome::Completed(8));
    assert!(committed.elapsed() < Duration::from_secs(25), "{:?}", committed.elapsed());
    worker.shutdown().await.unwrap();
}
