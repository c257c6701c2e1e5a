//! Rates hold for the whole fleet, and delay nothing else.

use pgjobq::Worker;
use pgjobq::prelude::*;
use sqlx::AssertSqlSafe;

use super::{COUNTED, judge, keyed, ledger, limit, make_ledger, note, other};
use crate::harness::TestDb;
use crate::probe::Probe;

async fn start(db: &TestDb, workers: usize) -> Vec<pgjobq::RunningWorker> {
    db.client.queue("api").save().await.unwrap();
    let mut started = Vec::new();
    for _ in 0..workers {
        let builder = db.worker().queue("api", 5);
        started.push(builder.build().await.unwrap().start());
    }
    started
}

async fn stop(workers: Vec<pgjobq::RunningWorker>) {
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

on_one_shard!(no_window_of_several_workers_exceeds_its_rate);
async fn no_window_of_several_workers_exceeds_its_rate(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[20, 500000]]").await;
    let workers = start(&db, 3).await;
    db.client.enqueue_all((0..200).map(|_| note::job(probe))).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    stop(workers).await;
    let starts = ledger(&db, "").await;
    assert_eq!(starts.len(), 200);
    println!("20 per 500 ms, three workers: {:.0} % of the allowance", judge(&starts, 20, 500_000) * 100.0);
}

on_one_shard!(claims_of_two_lanes_share_a_rate_without_deadlock);
async fn claims_of_two_lanes_share_a_rate_without_deadlock(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[30, 300000]]").await;
    // Also a rate of one of the queues: its jobs are under both.
    limit(&db, "queue", "api", "[[20, 300000], [5, 50000]]").await;
    let workers = start(&db, 3).await;
    let queue = |n: usize| if n.is_multiple_of(2) { "api" } else { "default" };
    db.client.enqueue_all((0..200).map(|n| note::job(probe).queue(queue(n)))).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    stop(workers).await;
    let starts = ledger(&db, "").await;
    assert_eq!(starts.len(), 200);
    judge(&starts, 30, 300_000);
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(db.number(deadlocks).await, 0);
}

on_one_shard!(full_rate_delays_no_other_job_of_its_queue);
async fn full_rate_delays_no_other_job_of_its_queue(db: TestDb) {
    let probe = make_ledger(&db).await;
    limit(&db, "kind", "rates_note", "[[3, 3600000000]]").await;
    db.client.enqueue_all((0..500).map(|_| note::job(probe))).await.unwrap();
    db.client.enqueue_all((0..100).map(|_| other::job())).await.unwrap();
    let workers = start(&db, 2).await;
    db.until("not exists (select from pgjobq.jobs where kind = 'rates_other')").await;
    db.until("(select count(*) from public.ledger) = 3").await;
    // The others are where no claim sees them.
    db.until("(select count(*) from pgjobq.jobs where ticket is null) = 497").await;
    stop(workers).await;
    assert_eq!(ledger(&db, "").await.len(), 3);
}

on_one_shard!(each_key_has_a_rate_of_its_own);
async fn each_key_has_a_rate_of_its_own(db: TestDb) {
    let probe = make_ledger(&db).await;
    let workers = start(&db, 2).await;
    let jobs = (0..300).map(|n| keyed::job(if n < 280 { "big" } else { "small" }.to_owned(), probe));
    db.client.enqueue_all(jobs).await.unwrap();
    db.until("(select count(*) from public.ledger) = 8").await;
    stop(workers).await;
    assert_eq!((ledger(&db, "big").await.len(), ledger(&db, "small").await.len()), (4, 4));
}

on_one_shard!(weights_and_several_windows_hold_together);
async fn weights_and_several_windows_hold_together(db: TestDb) {
    let probe = make_ledger(&db).await;
    // The second window is the burst.
    limit(&db, "kind", "rates_note", "[[40, 1000000], [8, 200000]]").await;
    db.client.enqueue_all((0..100).map(|_| note::job(probe))).await.unwrap();
    db.run("update pgjobq.jobs set weight = 1 + arrival % 4").await;
    let workers = start(&db, 2).await;
    db.until("not exists (select from pgjobq.jobs)").await;
    stop(workers).await;
    let starts = ledger(&db, "").await;
    judge(&starts, 40, 1_000_000);
    println!("8 per 200 ms by weight: {:.0} % of the allowance", judge(&starts, 8, 200_000) * 100.0);
}

/// Notes how many starts were counted when it began, and how many runs had begun before.
#[job(kind = "rates_counted", queue = "default", rate = "1000 per hour")]
async fn counted(probe: u64) -> Result<()> {
    let pool = Probe::of(probe).pool.get().expect("the test has set it").clone();
    let note = format!("insert into public.counts select {COUNTED}, count(*) from public.counts");
    sqlx::query(AssertSqlSafe(note)).execute(&pool).await?;
    Ok(())
}

on_one_shard!(job_that_must_start_under_a_rate_is_not_prefetched);
async fn job_that_must_start_under_a_rate_is_not_prefetched(db: TestDb) {
    db.run("create table public.counts (counted bigint, begun bigint)").await;
    let probe = Probe::new();
    probe.pool.set(db.pool.clone()).unwrap();
    let worker = Worker::builder(&db.client).queue("default", 2);
    let worker = worker.build().await.unwrap().start();
    db.client.enqueue_all((0..300).map(|_| counted::job(probe.number))).await.unwrap();
    db.until("not exists (select from pgjobq.jobs)").await;
    worker.shutdown().await.unwrap();
    // Beside a run whose row is there, two at most have begun: a claim takes no job for which there is no slot.
    assert_eq!(db.number("select count(*) from public.counts where counted > begun + 2").await, 0);
    // A returned job would have been counted twice.
    assert_eq!(db.number(COUNTED).await, 300);
}

on_one_shard!(high_rate_lets_no_more_into_line_than_claims_need);
async fn high_rate_lets_no_more_into_line_than_claims_need(db: TestDb) {
    limit(&db, "kind", "rates_other", "[[100000, 3600000000]]").await;
    for _ in 0..5 {
        db.client.enqueue_all((0..1000).map(|_| other::job())).await.unwrap();
    }
    let in_line = db.number("select count(*) from pgjobq.jobs where ticket is not null").await;
    assert!((1000..=2000).contains(&in_line), "{in_line}");
    let workers = start(&db, 1).await;
    db.until("not exists (select from pgjobq.jobs)").await;
    stop(workers).await;
}
