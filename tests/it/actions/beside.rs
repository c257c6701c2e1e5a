//! A worker goes on beside an action on many jobs of its queue.
//!
//! By hand, with more: `PGJOBQ_ACTION_JOBS=1000000 PGJOBQ_TEST_SECONDS=3600 cargo test --test it -- actions::beside --nocapture`
//! prints the longest batch, the longest time without an end of a job, and who went on after the client that had asked died.

use std::time::Duration;

use pgjobq::filter::kind;
use pgjobq::prelude::*;

use super::act_greet;
use crate::harness::TestDb;

#[job]
async fn act_tick() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

on_one_shard!(worker_starts_jobs_beside_an_action);
async fn worker_starts_jobs_beside_an_action(db: TestDb) {
    let many = std::env::var("PGJOBQ_ACTION_JOBS").ok().and_then(|many| many.parse().ok()).unwrap_or(5_000);
    db.client.enqueue_all((0..many).map(|n: u32| act_greet::job(n.to_string()))).await.unwrap();
    db.run("update pgjobq.jobs set kind = 'act_of_nobody'; analyze pgjobq.jobs").await; // No worker runs them.
    let feeder = tokio::spawn({
        let client = db.client.clone();
        async move {
            loop {
                client.enqueue_all((0..40).map(|_| act_tick::job())).await.unwrap();
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
    });
    let worker = db.worker().build().await.unwrap().start();
    let ticks = "select count(*) from pgjobq.finished where kind = 'act_tick'";
    db.until(&format!("({ticks}) > 0")).await;

    // The client that asked for it dies half-way.
    let client = db.client.clone();
    let asks = tokio::spawn(async move { client.jobs(kind("act_of_nobody")).cancel().await });
    while db.number("select coalesce(max(changed), 0) from pgjobq.actions").await * 2 < i64::from(many) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    asks.abort();
    let (mut longest, mut by) = (0, String::new());
    while db.number("select count(*) from pgjobq.actions where ended_at is null").await == 1 {
        let batch = "pg_stat_activity where datname = current_database() and query like '%pgjobq.act(%'
                         and state = 'active' and pid <> pg_backend_pid()";
        let took =
            format!("select extract(epoch from max(clock_timestamp() - xact_start)) * 1000 from {batch}");
        longest = longest.max(db.number(&format!("coalesce(({took}), 0)")).await);
        let name = db.text(&format!("coalesce((select max(application_name) from {batch}), '')")).await;
        by = if name.is_empty() { by } else { name };
    }
    feeder.abort();
    let beside = "from pgjobq.finished f, pgjobq.actions a
                  where f.kind = 'act_tick' and f.finished_at between a.created_at and a.ended_at";
    let meanwhile = db.number(&format!("select count(*) {beside}")).await;
    let pauses =
        format!("select f.finished_at - lag(f.finished_at) over (order by f.finished_at) as pause {beside}");
    let gap = db.number(&format!("select extract(epoch from max(pause)) * 1000 from ({pauses}) p")).await;
    let took = db.number("select extract(epoch from ended_at - created_at) * 1000 from pgjobq.actions").await;
    eprintln!(
        "{many} jobs cancelled in {took} ms: {meanwhile} jobs ended meanwhile, longest batch {longest} ms, longest pause {gap} ms; `{by}` went on"
    );
    let counts = "select format('%s %s %s', matched, changed, left_out) from pgjobq.actions";
    assert_eq!(db.text(&format!("({counts})")).await, format!("{many} {many} {{}}"));
    // In this time the action has had a batch for each 500 jobs; the worker has had a claim for each, too.
    assert!(meanwhile >= i64::from(many) / 1000, "{meanwhile} jobs ended");
    assert!(gap < took, "no job ended for {gap} ms, and the action took {took} ms");
    worker.shutdown().await.unwrap();
}
