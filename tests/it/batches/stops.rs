//! Cancellations, timeouts, shutdowns, crashes and lost leases concern each item by itself.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{FailureReason, JobState, StopReason, sqlx};

use super::{ALL_ENDED, Item, calls, enqueue, four, hold, note, start, worker};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

/// Waits until each item was asked to stop, or the test lets the call pass.
#[job(kind = "batches_obey", batch = 2, within = "5s", retries = 0)]
async fn obey(items: Batch<Item>) -> BatchResult {
    let probe = note(&items);
    let _run = probe.begin(items.iter().next().expect("two items").context());
    let stopped = async {
        for item in &items {
            let why = item.context().stop_requested().await;
            assert!(matches!(why, StopReason::Cancelled | StopReason::Shutdown | StopReason::LeaseLost));
            probe.reached.fetch_add(1, Ordering::SeqCst);
        }
    };
    tokio::select! {
        () = probe.pass() => Ok(()),
        () = stopped => Err("asked to stop".into()),
    }
}

/// Never ends by itself. The first item is complete.
#[job(kind = "batches_stuck", batch = 3, within = "5s", retries = 0, timeout = "300ms")]
async fn stuck(items: Batch<Item>) {
    let probe = note(&items);
    let _run = probe.begin(items.iter().next().expect("three items").context());
    items.into_iter().next().expect("three items").complete();
    std::future::pending::<()>().await;
}

on_one_shard!(job_that_is_gathered_can_be_cancelled);
async fn job_that_is_gathered_can_be_cancelled(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 1).await;
    let jobs = enqueue(&db, four::job, &probe, 0..3).await;
    db.until("(select count(*) from pgjobq.job_states where state = 'running') = 3").await;
    jobs[1].cancel(&db.client).await.unwrap();
    assert_eq!(end_of(&db.client, &jobs[1]).await, Outcome::Cancelled);
    for job in [&jobs[0], &jobs[2]] {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(()));
    }
    let lone = enqueue(&db, four::job, &probe, 7..8).await;
    db.until("(select count(*) from pgjobq.job_states where state = 'running') = 1").await;
    lone[0].cancel(&db.client).await.unwrap();
    assert_eq!(end_of(&db.client, &lone[0]).await, Outcome::Cancelled);
    enqueue(&db, four::job, &probe, 10..14).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let numbers = calls(&probe).concat();
    assert!(!numbers.contains(&1) && !numbers.contains(&7), "{numbers:?}");
    assert_eq!(numbers.len(), 6);
}

on_one_shard!(cancelled_item_stops_and_the_others_complete);
async fn cancelled_item_stops_and_the_others_complete(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 1).await;
    let jobs = enqueue(&db, obey::job, &probe, 0..2).await;
    probe.until(|probe| probe.running() == 1).await;
    jobs[0].cancel(&db.client).await.unwrap();
    probe.until(|probe| probe.reached() == 1).await;
    // The item has some seconds to end by itself, and the call goes on.
    assert_eq!(end_of(&db.client, &jobs[0]).await, Outcome::Cancelled);
    assert_eq!(probe.running(), 1);
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &jobs[1]).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(call_is_dropped_when_no_item_is_left);
async fn call_is_dropped_when_no_item_is_left(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 1).await;
    let jobs = enqueue(&db, hold::job, &probe, 0..3).await;
    probe.until(|probe| probe.running() == 1).await;
    for job in &jobs {
        job.cancel(&db.client).await.unwrap();
    }
    for job in &jobs {
        assert_eq!(end_of(&db.client, job).await, Outcome::Cancelled);
    }
    probe.until(|probe| probe.running() == 0).await;
    enqueue(&db, four::job, &probe, 0..4).await;
    db.until(ALL_ENDED).await; // The slot is free.
    worker.shutdown().await.unwrap();
}

on_one_shard!(timeout_fails_each_item_without_an_end);
async fn timeout_fails_each_item_without_an_end(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 1).await;
    let jobs = enqueue(&db, stuck::job, &probe, 0..3).await;
    assert_eq!(end_of(&db.client, &jobs[0]).await, Outcome::Completed(()));
    for job in &jobs[1..] {
        let Outcome::Dead(failure) = end_of(&db.client, job).await else { panic!("the job is not dead") };
        assert_eq!(failure.errors[0].reason, FailureReason::Timeout);
    }
    probe.until(|probe| probe.running() == 0).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(shutdown_returns_gathered_jobs_as_if_never_claimed);
async fn shutdown_returns_gathered_jobs_as_if_never_claimed(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 4).await;
    let jobs = enqueue(&db, four::job, &probe, 0..3).await;
    db.until("(select count(*) from pgjobq.job_states where state = 'running') = 3").await;
    worker.shutdown().await.unwrap();
    for job in &jobs {
        let status = job.status(&db.client).await.unwrap().unwrap();
        assert_eq!(
            (status.state, status.attempts, status.failures, status.crashes),
            (JobState::Ready, 0, 0, 0)
        );
    }
    assert!(calls(&probe).is_empty(), "it does not wait for the call to be due");
}

on_one_shard!(shutdown_releases_each_item_of_a_running_call);
async fn shutdown_releases_each_item_of_a_running_call(db: TestDb) {
    let probe = Probe::new();
    let worker = worker(&db, 1).grace(Duration::from_millis(50)).build().await.unwrap().start();
    let jobs = enqueue(&db, obey::job, &probe, 0..2).await;
    probe.until(|probe| probe.running() == 1).await;
    worker.shutdown().await.unwrap();
    assert_eq!(probe.reached(), 2);
    for job in &jobs {
        let status = job.status(&db.client).await.unwrap().unwrap();
        assert_eq!((status.state, status.attempts, status.failures), (JobState::Ready, 1, 0));
    }
}

/// Completes its items, and never ends.
#[job(kind = "batches_endless", batch = 2, within = "5s", retries = 0)]
async fn endless(items: Batch<Item>) {
    let running = note(&items).begin(items.iter().next().expect("a batch is never empty").context());
    items.into_iter().for_each(|item| item.complete());
    std::future::pending::<()>().await;
    drop(running);
}

on_one_shard!(shutdown_drops_a_call_whose_items_have_ended);
async fn shutdown_drops_a_call_whose_items_have_ended(db: TestDb) {
    let probe = Probe::new();
    let worker = worker(&db, 1).grace(Duration::from_millis(100)).build().await.unwrap().start();
    enqueue(&db, endless::job, &probe, 0..2).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert_eq!(probe.running(), 0, "nothing of the application runs any more");
}

on_one_shard!(lost_leases_stop_the_call_and_its_jobs_run_again);
async fn lost_leases_stop_the_call_and_its_jobs_run_again(db: TestDb) {
    let probe = Probe::new();
    let worker = worker(&db, 1).lease(Duration::from_secs(6)).build().await.unwrap().start();
    let jobs = enqueue(&db, obey::job, &probe, 0..2).await;
    probe.until(|probe| probe.running() == 1).await;
    // No heartbeat is answered for longer than the lease.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.workers").execute(&mut *locked).await.unwrap();
    probe.until(|probe| probe.reached() >= 2 && probe.running() == 0).await;
    locked.rollback().await.unwrap();
    probe.until(|probe| probe.running() > 0).await;
    probe.gate.add_permits(2);
    for job in &jobs {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(()));
    }
    worker.shutdown().await.unwrap();
}

/// Claims all jobs for a worker that does not run, and reaps that worker.
const CRASH: &str = "do $$ declare l record; begin
    for l in select * from pgjobq.lanes loop
        begin
            perform pgjobq.register_worker(l.shard, 42, 'ghost');
        exception when unique_violation then null;
        end;
        perform pgjobq.claim(l.shard, l.queue_id, 42, 7, true, array['batches_four'], 100, '{0,0,0,0}', null, null);
    end loop;
    delete from pgjobq.workers where id = 42;
    perform pgjobq.reap(shard, '{}') from pgjobq.leases;
end $$";

on_one_shard!(quarantined_jobs_share_no_call);
async fn quarantined_jobs_share_no_call(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, four::job, &probe, 0..4).await;
    db.run(CRASH).await;
    let began = std::time::Instant::now();
    let worker = start(&db, 5).await;
    db.until(ALL_ENDED).await;
    assert!(began.elapsed() < Duration::from_secs(60));
    worker.shutdown().await.unwrap();
    let mut calls = calls(&probe);
    calls.sort_unstable();
    assert_eq!(calls, [[0], [1], [2], [3]]);
    assert!(probe.runs().iter().all(|(_, attempt)| *attempt == 2));
}
