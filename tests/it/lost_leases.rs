//! Workers that consider a lease lost while its jobs run or their results wait: each result is recorded once if it still counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgjobq::prelude::*;

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};
use crate::recorded::{ACCEPT, REFUSE, again, once};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_buried_while_its_lease_is_lost_is_alerted_once() {
    let db = TestDb::new(1).await;
    let alerts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&alerts);
    let worker = db.worker().lease(Duration::from_secs(2)).on_dead(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(())
    });
    let worker = worker.build().await.unwrap().start();
    let probe = Probe::new();
    let job = once::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // No heartbeat is answered for longer than the lease.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.workers").execute(&mut *locked).await.unwrap();
    probe.until(|probe| probe.running() == 0).await;
    locked.rollback().await.unwrap();
    assert!(matches!(end_of(&db.client, &job).await, Outcome::Dead(_)));
    probe.until(|_| alerts.load(Ordering::SeqCst) > 0).await;
    worker.shutdown().await.unwrap();
    assert_eq!(alerts.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn result_that_waits_outlives_the_loss_of_its_lease() {
    let db = TestDb::new(1).await;
    db.run(REFUSE).await;
    let probe = Probe::new();
    let worker = db.worker().lease(Duration::from_secs(6)).build().await.unwrap().start();
    let refused = again::enqueue(&db.client, probe.number, "P0001".to_owned()).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    probe.gate.add_permits(1);
    db.until("(select last_value from refusals) >= 3").await;
    // The worker considers the lease lost, because no heartbeat is answered, but no other worker reaps it.
    let other = again::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    probe.until(|probe| probe.runs().len() == 2).await;
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.workers").execute(&mut *locked).await.unwrap();
    probe.until(|probe| probe.running() == 0).await; // The worker dropped the other attempt, because its lease is lost.
    locked.rollback().await.unwrap();
    probe.gate.add_permits(10);
    assert_eq!(end_of(&db.client, &other).await, Outcome::Completed(2), "the other job was released");

    db.run(ACCEPT).await;
    assert_eq!(end_of(&db.client, &refused).await, Outcome::Completed(1), "the job did not run again");
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
}

/// Blocks its thread until the test lets it end, even after a request to stop. Must not run twice.
#[job(retries = 0, max_crashes = 0)]
async fn outlast_outage(ctx: JobContext, probe: u64) -> Result<u32> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    while !ctx.should_stop() {
        std::thread::sleep(Duration::from_millis(2));
    }
    probe.reached.fetch_add(1, Ordering::SeqCst);
    loop {
        if let Ok(permit) = probe.gate.try_acquire() {
            permit.forget();
            return Ok(ctx.attempt());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attempt_that_outlasts_an_outage_completes() {
    let db = TestDb::new(1).await;
    let probe = Probe::new();
    let worker = db.worker().lease(Duration::from_secs(2)).build().await.unwrap().start();
    let job = outlast_outage::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // No heartbeat is answered for longer than the lease, and no other worker reaps the job.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.workers").execute(&mut *locked).await.unwrap();
    probe.until(|probe| probe.reached() == 1).await;
    locked.rollback().await.unwrap();
    let beats = db.number("select beats from pgjobq.workers").await;
    db.until(&format!("(select beats from pgjobq.workers) > {beats} + 3")).await;
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(1));
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_return_of_a_lease_fails_no_heartbeat() {
    let db = TestDb::new(1).await;
    let probe = Probe::new();
    let worker = db.worker().lease(Duration::from_secs(15)).build().await.unwrap().start();
    let first = again::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // A claim whose answer was lost. The database refuses to delete its lease.
    db.run(
        "create function keep_lease() returns trigger language plpgsql as $$ begin raise exception 'kept'; end $$;
         create trigger keep_lease before delete on pgjobq.leases for each row when (old.id = 7) execute function keep_lease();
         insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, claimed_at, tickets)
         select shard, queue_id, priority, 1000000000, 7, worker, now() - interval '1 hour', '{[1000000000,1000000001)}'
           from pgjobq.leases",
    )
    .await;
    // Longer than the lease.
    let beats = db.number("select beats from pgjobq.workers").await;
    db.until(&format!("(select beats from pgjobq.workers) > {beats} + 90")).await;
    let second = again::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    probe.until(|probe| probe.running() == 2).await;
    probe.gate.add_permits(2);
    assert_eq!(end_of(&db.client, &first).await, Outcome::Completed(1), "the first job's lease was not lost");
    assert_eq!(end_of(&db.client, &second).await, Outcome::Completed(1));
    db.run("drop trigger keep_lease on pgjobq.leases").await;
    worker.shutdown().await.unwrap();
}
