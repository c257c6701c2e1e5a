//! Unique jobs.

mod answers; // What each enqueue answers, alone and in bulk.
mod bystanders; // Jobs that are enqueued together with unique ones.
mod changes; // Jobs that change the one which has their key.
mod debounce; // Jobs that wait until no more come.
mod lifecycle; // Failures, crashes, cancellations and requeues of unique jobs.
mod requested; // Jobs of which it is not settled yet if they are enqueued.
mod storms; // Many enqueues of few keys at the same time.
mod transactions; // Unique jobs in a caller's transaction.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{EnqueueOutcome, NewJob, OnDuplicate, UniqueWhile};

use crate::harness::TestDb;
use crate::probe::Probe;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Waits for its probe, if it has one.
#[job(backoff = "1ms")]
async fn unique_sync(ctx: JobContext, tenant: u32, probe: u64) -> Result<u32> {
    if probe > 0 {
        let probe = Probe::of(probe);
        let _run = probe.begin(&ctx);
        probe.pass().await;
    }
    Ok(tenant)
}

#[job(retries = 1, backoff = "1ms")]
async fn unique_fail(tenant: u32) -> Result<()> {
    Err(format!("no {tenant}").into())
}

/// A job of this tenant, which is unique by it.
fn sync(tenant: u32) -> NewJob<u32> {
    unique_sync::job(tenant, 0).unique(format!("tenant:{tenant}"))
}

/// The same, unique while it waits.
fn sync_waiting(tenant: u32) -> NewJob<u32> {
    sync(tenant).unique_while(UniqueWhile::Waiting)
}

async fn jobs(db: &TestDb) -> i64 {
    db.number("select count(*) from pgjobq.jobs").await
}

/// Lets a worker that does not run claim all jobs.
async fn claim_all(db: &TestDb) {
    db.run(
        "do $$ declare l record; begin
             for l in select * from pgjobq.lanes loop
                 begin
                     perform pgjobq.register_worker(l.shard, 42, 'ghost');
                 exception when unique_violation then null;
                 end;
                 perform pgjobq.claim(l.shard, l.queue_id, 42, 7, true, array['unique_sync', 'unique_fail'], 100,
                                      '{0,0,0,0}', null, null);
             end loop;
         end $$",
    )
    .await;
}

/// Lets that worker crash.
async fn crash(db: &TestDb) {
    db.run(
        "do $$ begin
             delete from pgjobq.workers where id = 42;
             perform pgjobq.reap(shard, '{}') from pgjobq.leases;
         end $$",
    )
    .await;
}
