//! The claim loop with its own guesses, under the same producers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgjobq::{JobId, RunningWorker, Worker};
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

use crate::dice::{Dice, long_writer, rounds};
use crate::harness::TestDb;
use crate::producers::{produce, send_many};
use crate::world::{QUEUES, World};

on_one_and_eight_shards!(invariant_12_workers_run_each_committed_job_once);
async fn invariant_12_workers_run_each_committed_job_once(db: TestDb) {
    let world = World::new(db).await;
    let mut dice = Dice::new();
    let workers = [start(&world).await, start(&world).await];
    for _ in 0..rounds() {
        let mut producing = JoinSet::new();
        for _ in 0..6 {
            producing.spawn(produce(Arc::clone(&world), dice.fork(), 12));
        }
        producing.join_all().await;
        all_done(&world).await;
    }
    stop(&world, workers).await;
}

on_one_and_eight_shards!(invariant_12_workers_find_jobs_of_a_late_commit);
async fn invariant_12_workers_find_jobs_of_a_late_commit(db: TestDb) {
    late(db, 300).await;
}

on_one_and_eight_shards!(invariant_12_workers_find_50_000_jobs_of_one_commit);
async fn invariant_12_workers_find_50_000_jobs_of_one_commit(db: TestDb) {
    late(db, 50_000).await;
}

/// A writer stays open while thousands of others commit and are done; then it commits.
async fn late(db: crate::harness::TestDb, rows: usize) {
    let world = World::new(db).await;
    let workers = [start(&world).await, start(&world).await];
    let begun = Instant::now();
    let mut writer = PgConnection::connect_with(&world.db.options).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    let rows = send_many(&world, &mut tx, rows).await;
    let mut others = 0;
    while others < 4000 || begun.elapsed() < long_writer() {
        others += commit_many(&world, 2000).await.len();
        all_done(&world).await;
    }
    tx.commit().await.unwrap();
    world.ledger.committed(&rows);
    all_done(&world).await;
    stop(&world, workers).await;
}

on_one_and_eight_shards!(invariant_12_workers_find_jobs_after_a_sequence_reset);
async fn invariant_12_workers_find_jobs_after_a_sequence_reset(db: TestDb) {
    let world = World::new(db).await;
    let workers = [start(&world).await];
    commit_many(&world, 4000).await;
    all_done(&world).await; // Now the worker guesses that the waiting jobs begin thousands of tickets further on.
    world.db.run("select setval('pgjobq.ticket', 1, false)").await;

    let mut writer = PgConnection::connect_with(&world.db.options).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    let late = send_many(&world, &mut tx, 10).await;
    for _ in 0..3 {
        commit_many(&world, 20).await;
        all_done(&world).await; // Only a sweep can have found them, and it has scanned past the writer.
    }
    tx.commit().await.unwrap();
    world.ledger.committed(&late);
    all_done(&world).await;
    stop(&world, workers).await;
}

/// A worker for every queue.
async fn start(world: &Arc<World>) -> RunningWorker {
    let worker = Worker::builder(&world.db.client).state(Arc::clone(&world.ledger));
    let worker = QUEUES.into_iter().fold(worker, |worker, queue| worker.queue(queue, 500));
    worker.poll_interval(Duration::from_millis(200)).build().await.unwrap().start()
}

async fn stop(world: &World, workers: impl IntoIterator<Item = RunningWorker>) {
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    world.check().await;
    assert_eq!(world.db.number("select count(*) from pgjobq.leases").await, 0);
}

async fn commit_many(world: &World, count: usize) -> Vec<JobId> {
    let mut connection = PgConnection::connect_with(&world.db.options).await.unwrap();
    let mut tx = connection.begin().await.unwrap();
    let jobs = send_many(world, &mut tx, count).await;
    tx.commit().await.unwrap();
    world.ledger.committed(&jobs);
    jobs
}

/// Returns when every committed job is done; panics if the jobs stop making progress.
async fn all_done(world: &World) {
    let mut left = world.ledger.left_behind().len();
    let mut since = Instant::now();
    while left > 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "{left} jobs are left behind");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = world.ledger.left_behind().len();
        if now != left {
            (left, since) = (now, Instant::now());
        }
    }
}
