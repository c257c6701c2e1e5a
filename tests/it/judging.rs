//! Reaping of silent workers: the silence is compared with the silent worker's own lease, on the clock of the one that reaps.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq_core::worker_api::Signal;

use crate::gate::{Gate, result};
use crate::harness::{TestDb, in_time};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn judge_with_short_lease_spares_worker_with_long_one() {
    in_time(async {
        let db = TestDb::new(1).await;
        let gate = Gate::new();
        let seldom = db.worker().heartbeat(Duration::from_secs(20)).lease(Duration::from_secs(60));
        let seldom = seldom.name("seldom").build().await.unwrap().start();
        let job = gate.job().max_crashes(0).enqueue(&db.client).await.unwrap();
        gate.until(|count| count.inside == 1).await;
        db.client.queue("other").save().await.unwrap();
        let often = Worker::builder(&db.client).queue("other", 1).name("often");
        let often = often.heartbeat(Duration::from_millis(100)).lease(Duration::from_millis(400));
        let often = often.build().await.unwrap().start();
        // Several leases of `often`, during which the other worker sends no heartbeat.
        db.until("(select seen_at - started_at > '3 s' from pgjobq.workers where name = 'often')").await;
        gate.open();
        assert_eq!(result(&db, &job).await, 1, "the number of the attempt");
        often.shutdown().await.unwrap();
        seldom.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_with_long_lease_reaps_one_with_short_lease() {
    in_time(async {
        let db = TestDb::new(1).await;
        db.run("select pgjobq.register_worker(0::smallint, 42, 'dead', '1 second')").await;
        let judge = db.worker().heartbeat(Duration::from_millis(200)).lease(Duration::from_secs(600));
        let judge = judge.build().await.unwrap().start();
        db.until("not exists (select from pgjobq.workers where name = 'dead')").await;
        judge.shutdown().await.unwrap();
    })
    .await;
}

/// Shifts `seen_at` of all workers by this much, as a step of the database's clock would.
async fn set_clock(db: &TestDb, by: &str) {
    db.run(&format!(
        "create or replace function be_wrong() returns trigger language plpgsql as $$ begin
             new.seen_at := clock_timestamp() + interval '{by}'; return new; end $$;
         create or replace trigger wrong before insert or update on pgjobq.workers
             for each row execute function be_wrong();
         update pgjobq.workers set name = name"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn step_of_the_database_clock_costs_no_worker_its_jobs() {
    in_time(async {
        let db = TestDb::new(1).await;
        let gate = Gate::new();
        let workers =
            [db.worker().build().await.unwrap().start(), db.worker().build().await.unwrap().start()];
        let job = gate.job().max_crashes(0).enqueue(&db.client).await.unwrap();
        gate.until(|count| count.inside == 1).await;
        // Each shift lasts longer than a lease, so that every worker could have reaped another.
        for by in ["-1 hour", "1 hour", "-1 day"] {
            set_clock(&db, by).await;
            let beats = db.number("select min(beats) from pgjobq.workers").await;
            db.until(&format!("(select count(*) = 2 and min(beats) > {beats} + 15 from pgjobq.workers)"))
                .await;
        }
        gate.open();
        assert_eq!(result(&db, &job).await, 1, "the number of the attempt");
        for worker in workers {
            worker.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_worker_last_seen_in_the_future_is_reaped() {
    in_time(async {
        let db = TestDb::new(1).await;
        db.run("select pgjobq.register_worker(0::smallint, 42, 'dead', '1 second')").await;
        db.run("update pgjobq.workers set seen_at = seen_at + interval '1 hour'").await;
        let judge = db.worker().build().await.unwrap().start();
        db.until("not exists (select from pgjobq.workers where name = 'dead')").await;
        judge.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_whose_heartbeat_is_not_answered_claims_nothing() {
    in_time(async {
        let db = TestDb::new(1).await;
        let gate = Gate::new();
        gate.open();
        let worker = db.worker().lease(Duration::from_secs(3)).build().await.unwrap().start();
        result(&db, &gate.job().enqueue(&db.client).await.unwrap()).await;
        db.run(
            "create function refuse() returns trigger language plpgsql as $$ begin
                 raise exception 'no heartbeats today'; end $$;
             create trigger refuse before update of beats on pgjobq.workers for each row execute function refuse()",
        )
        .await;
        let ready = || worker.health().is_ready();
        while ready() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let job = gate.job().enqueue(&db.client).await.unwrap();
        // Several polls, each of which could claim.
        tokio::time::timeout(Duration::from_secs(1), result(&db, &job)).await.expect_err("the job is not claimed");
        db.run("drop trigger refuse on pgjobq.workers").await;
        assert_eq!(result(&db, &job).await, 1, "the number of the attempt");
        assert!(ready());
        worker.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heartbeat_wakes_the_claim_loop() {
    in_time(async {
        let db = TestDb::new(1).await;
        let gate = Gate::new();
        gate.open();
        let worker = db.worker().heartbeat(Duration::from_secs(8)).lease(Duration::from_secs(24));
        let worker = worker.poll_interval(Duration::from_secs(600)).build().await.unwrap().start();
        result(&db, &gate.job().enqueue(&db.client).await.unwrap()).await;
        // The next heartbeat is sent in time, but its answer comes more than half a lease after the last one.
        db.run(
            "create table hold as select 1;
             create function wait_for_test() returns trigger language plpgsql as $$ begin
                 while exists (select from public.hold) loop perform pg_sleep(0.01); end loop;
                 return new;
             end $$;
             create trigger wait_for_test before update of beats on pgjobq.workers
                 for each row execute function wait_for_test()",
        )
        .await;
        while worker.health().accepting_jobs {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut signals = db.client.signals();
        let job = gate.job().enqueue(&db.client).await.unwrap();
        while !matches!(signals.recv().await, Ok(Signal::Wake(_))) {}
        // The claim loop receives the same signal, and has a few round trips of time to stop its claim.
        for _ in 0..5 {
            db.number("select count(*) from pgjobq.leases").await;
        }
        db.run("delete from hold").await;
        // Before the next heartbeat, because that also wakes the claim loop.
        let claimed = tokio::time::timeout(Duration::from_secs(6), result(&db, &job)).await;
        assert_eq!(claimed.expect("the job is claimed at once"), 1, "the number of the attempt");
        worker.shutdown().await.unwrap();
    })
    .await;
}
