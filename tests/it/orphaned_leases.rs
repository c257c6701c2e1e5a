//! Leases without an owner, after a lost answer or a lost worker, are soon returned, so that others run their jobs.

use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPoolOptions};

use crate::gate::{Gate, result};
use crate::harness::TestDb;
use crate::local_wake_ups::{listen, others_are_notified};
use crate::proxy::Proxy;

const CLAIM_TIMEOUT: Duration = Duration::from_millis(700);
/// Far longer than the test, so that no lease is returned because a worker was silent.
const LEASE: Duration = Duration::from_secs(600);

/// Counts the claims that wait for the lane's lock.
const CLAIMS_THAT_WAIT: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%from pgjobq.claim(%'";

on_one_and_eight_shards!(jobs_of_a_cut_claim_run_soon_without_an_attempt);
async fn jobs_of_a_cut_claim_run_soon_without_an_attempt(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let gate = Gate::new();
    let worker = Worker::builder(&client)
        .queue("default", 5)
        .heartbeat(Duration::from_millis(200))
        .lease(LEASE)
        .claim_timeout(CLAIM_TIMEOUT)
        .poll_interval(Duration::from_millis(100))
        .build()
        .await
        .unwrap()
        .start();
    db.until("exists (select from pgjobq.workers)").await;

    // The claim waits for the lane. Then its connection is cut, which the server detects only when it answers.
    let mut holder = PgConnection::connect_with(&db.options).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("select from pgjobq.lanes for update").execute(&mut *lock).await.unwrap();
    let job = gate.job().enqueue(&db.pool).await.unwrap();
    db.until(&format!("({CLAIMS_THAT_WAIT}) > 0")).await;
    proxy.cut();
    lock.rollback().await.unwrap();
    db.until("exists (select from pgjobq.leases)").await;
    assert!(gate.count().attempts.is_empty(), "no worker knows the lease");

    proxy.mend();
    let mended = Instant::now();
    gate.open();
    assert_eq!(result(&db, &job).await, 1, "the number of the attempt");
    // Limited by the claim timeout, a heartbeat and a busy machine, not by the lease.
    assert!(mended.elapsed() < LEASE / 10, "{:?}", mended.elapsed());
    check_no_attempt_was_counted(&db).await;
    worker.shutdown().await.unwrap();
    client.close().await;
}

on_one_shard!(jobs_of_a_late_claim_run_soon_without_an_attempt);
async fn jobs_of_a_late_claim_run_soon_without_an_attempt(db: TestDb) {
    let gate = Gate::new();
    let worker = db.worker().lease(LEASE).claim_timeout(CLAIM_TIMEOUT).build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers)").await;

    let mut holder = PgConnection::connect_with(&db.options).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("select from pgjobq.lanes for update").execute(&mut *lock).await.unwrap();
    let job = gate.job().enqueue(&db.pool).await.unwrap();
    // The second claim shows that the worker no longer waits for the first.
    db.until(&format!("({CLAIMS_THAT_WAIT}) > 1")).await;
    let (listening, mut signals) = listen(&db).await;
    lock.rollback().await.unwrap();
    others_are_notified(&mut signals).await;

    gate.open();
    assert_eq!(result(&db, &job).await, 1, "the number of the attempt");
    check_no_attempt_was_counted(&db).await;
    listening.close().await;
    worker.shutdown().await.unwrap();
}

/// Checks that the only job had one attempt, and neither a failure nor a crash.
async fn check_no_attempt_was_counted(db: &crate::harness::TestDb) {
    let clean = "select count(*) from pgjobq.finished where attempt = 1 and failures = 0 and crashes = 0";
    assert_eq!(db.number(clean).await, 1);
    db.until("not exists (select from pgjobq.leases)").await;
}

on_one_and_eight_shards!(worker_without_a_row_loses_its_leases);
async fn worker_without_a_row_loses_its_leases(db: TestDb) {
    let gate = Gate::new();
    // Its heartbeats are so rare that it does not notice in time.
    let lost = db.worker().name("lost").heartbeat(Duration::from_secs(60)).lease(LEASE);
    let lost = lost.build().await.unwrap().start();
    let jobs = [gate.job().enqueue(&db.client).await.unwrap(), gate.job().enqueue(&db.client).await.unwrap()];
    gate.until(|count| count.inside == 2).await;
    let heir = db.worker().name("heir").lease(LEASE).build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers where name = 'heir')").await;

    db.run("delete from pgjobq.workers where name = 'lost'").await;
    // The heir puts both jobs back in line.
    db.until("(select count(*) from pgjobq.jobs where crashes = 1) = 2").await;
    gate.until(|count| count.inside == 4).await;
    gate.open();
    for job in jobs {
        assert_eq!(result(&db, &job).await, 2, "the number of the attempt");
    }
    assert_eq!(db.number("select count(*) from pgjobq.finished where attempt = 2 and crashes = 1").await, 2);
    assert_eq!(
        db.number("select count(*) from pgjobq.finished").await,
        2,
        "the lost worker's results changed nothing"
    );
    lost.shutdown().await.unwrap();
    heir.shutdown().await.unwrap();
}

on_one_shard!(lost_claim_is_returned_after_the_clock_was_set_back);
async fn lost_claim_is_returned_after_the_clock_was_set_back(db: TestDb) {
    let gate = Gate::new();
    gate.open();
    let worker = db.worker().build().await.unwrap().start();
    db.until("exists (select from pgjobq.workers)").await;
    // A lease that the worker does not know, created while the clock was an hour ahead.
    db.run(&format!(
        "do $$ begin
            perform pgjobq.enqueue('stand', jsonb_build_object('gate', '{}'));
            insert into pgjobq.leases (shard, queue_id, priority, max_ticket, id, worker, claimed_at, tickets)
            select j.shard, j.queue_id, j.priority, j.ticket, 7, w.id, clock_timestamp() + interval '1 hour',
                   int8multirange(int8range(j.ticket, j.ticket + 1))
              from pgjobq.jobs j, pgjobq.workers w;
        end $$",
        gate.name,
    ))
    .await;
    db.until("exists (select from pgjobq.finished)").await;
    check_no_attempt_was_counted(&db).await;
    worker.shutdown().await.unwrap();
}
