//! `JobContext`: a job enqueues others, reports its progress and passes its trace on, all visible from outside.

use std::time::Duration;

use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Returns its parent and its trace.
#[job]
async fn tell(ctx: JobContext) -> Result<(Option<JobId>, Option<String>)> {
    Ok((ctx.parent(), ctx.traceparent().map(str::to_owned)))
}

#[job]
async fn spawn(ctx: JobContext) -> Result<JobId> {
    Ok(ctx.enqueue(tell::job()).await?.id())
}

#[job]
async fn climb(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    for percent in 0..=250 {
        ctx.progress(percent, format!("step {percent}\0"));
    }
    probe.pass().await;
}

on_one_shard!(child_knows_its_parent_and_its_trace);
async fn child_knows_its_parent_and_its_trace(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let parent = spawn::job().traceparent(TRACE).enqueue(&db.client).await.unwrap();
    let child = end_of(&db.client, &parent).await.completed().unwrap();
    assert_eq!(
        end_of(&db.client, &tell::handle(child)).await,
        Outcome::Completed((Some(parent.id()), Some(TRACE.to_owned())))
    );
    assert_eq!(tell::call(&db.client).await.unwrap(), (None, None));
    db.run(&format!("select pgjobq.enqueue('tell', traceparent => '{TRACE}')")).await;
    db.until(&format!("(select count(*) from pgjobq.finished where output->>1 = '{TRACE}') = 2")).await;
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(handle_reads_the_progress_of_a_running_job);
async fn handle_reads_the_progress_of_a_running_job(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let job = climb::enqueue(&db.client, probe.number).await.unwrap();
    db.until("exists (select from pgjobq.progress where message like 'step 250%')").await;
    let progress = job.progress(&db.client).await.unwrap().unwrap();
    assert_eq!((progress.percent, &*progress.message), (100, "step 250\u{fffd}"));
    probe.gate.add_permits(1);
    let _ = end_of(&db.client, &job).await;
    assert_eq!(job.progress(&db.client).await.unwrap(), None);
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.progress").await, 0);
}

on_one_shard!(stale_attempt_reports_no_progress);
async fn stale_attempt_reports_no_progress(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let job = climb::enqueue(&db.client, probe.number).await.unwrap();
    db.until("exists (select from pgjobq.progress where message like 'step 250%')").await;
    db.run("update pgjobq.progress set ticket = 0").await; // As if an earlier attempt had reported it.
    assert_eq!(job.progress(&db.client).await.unwrap(), None);
    probe.gate.add_permits(1);
    let _ = end_of(&db.client, &job).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(health_describes_the_worker);
async fn health_describes_the_worker(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().lease(Duration::from_secs(2)).build().await.unwrap().start();
    let job = climb::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    while !worker.health().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await; // No heartbeat has been answered yet.
    }
    let health = worker.health();
    assert!(health.last_heartbeat.is_some_and(|ago| ago < Duration::from_secs(30)), "{health:?}");
    assert_eq!((health.running, health.slots), (1, 20));
    // The lock stops all heartbeats. After half a lease without an answer the worker is not ready.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.workers").execute(&mut *locked).await.unwrap();
    while worker.health().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!worker.health().accepting_jobs, "the worker would lose a job that it claims now");
    locked.rollback().await.unwrap();
    while !worker.health().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    probe.gate.add_permits(9); // The job may have lost its lease, and run again.
    let _ = end_of(&db.client, &job).await;
    worker.shutdown().await.unwrap();
}
