//! Bounded queues.

mod changes;
mod dropped;
mod exact;
mod line;
mod moves;
mod partial;
mod refusals;
mod waiting;

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{RunningWorker, WhenFull};

use crate::harness::TestDb;
use crate::probe::Probe;

#[job(kind = "bounded_hold", queue = "bounded", retries = 0)]
async fn hold(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

#[job(kind = "bounded_quick", queue = "bounded", retries = 0)]
async fn quick(number: u64) -> Result<u64> {
    Ok(number)
}

#[job(kind = "bounded_fatal", queue = "bounded", retries = 0)]
async fn fatal() -> Result<()> {
    Err(JobError::fatal("once"))
}

async fn bound(db: &TestDb, jobs: usize) {
    db.client.queue("bounded").bounded(jobs).save().await.unwrap();
}

async fn bound_and(db: &TestDb, jobs: usize, when_full: WhenFull) {
    db.client.queue("bounded").bounded(jobs).when_full(when_full).save().await.unwrap();
}

async fn room(db: &TestDb) -> u64 {
    db.client.queue("bounded").room().await.unwrap().expect("it is bounded")
}

/// A client on the same pool with this limit of an enqueue.
fn patient(db: &TestDb, limit: Duration) -> Client {
    Client::builder(db.pool.clone()).enqueue_timeout(limit).build().unwrap()
}

async fn worker(db: &TestDb, slots: usize) -> RunningWorker {
    db.worker().queue("bounded", slots).build().await.unwrap().start()
}

/// Asserts that no place is lost, and that there is none too many.
async fn assert_accounted(db: &TestDb) {
    let places = db
        .number(
            "select (select coalesce(sum(places), 0) from pgjobq.room)
                  + (select count(*) from pgjobq.jobs where limits & 8 > 0)",
        )
        .await;
    let capacity = "select sum(capacity) from pgjobq.queues where capacity is not null";
    assert_eq!(places, db.number(capacity).await, "free and occupied places");
}
