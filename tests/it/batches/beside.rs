//! Calls for several jobs beside other jobs, limits, rates, queues and states.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx;

use super::{ALL_ENDED, Item, calls, enqueue, four, many, note, start, worker};
use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

#[job(kind = "batches_plain", retries = 0)]
async fn plain(ctx: JobContext, item: Item) {
    let _run = Probe::of(item.probe).begin(&ctx);
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// At most two of a key at a time, in a call or not.
#[job(kind = "batches_limited", batch = 20, within = "50ms", key = item.number % 2, concurrency = 2, retries = 0)]
async fn limited(item: Batch<Item>) {
    let probe = note(&item);
    let _runs: Vec<_> = item.iter().map(|item| probe.begin(item.context())).collect();
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Ten start in an hour.
#[job(kind = "batches_rated", batch = 20, within = "1s", rate = "10 per hour", retries = 0)]
async fn rated(item: Batch<Item>) {
    note(&item);
}

#[job(kind = "batches_unique", batch = 20, within = "1s", unique = args, retries = 0)]
async fn unique(item: Batch<Item>) {
    note(&item);
}

/// Writes down its items in one statement.
#[job(kind = "batches_states", queue = "batches_states", batch = 3, within = "5s", retries = 0)]
async fn with_state(pool: State<sqlx::PgPool>, items: Batch<Item>) -> Result<()> {
    let numbers: Vec<i32> = items.iter().map(|item| item.number as i32).collect();
    sqlx::query("insert into public.written select unnest($1::int[])").bind(numbers).execute(&*pool).await?;
    Ok(())
}

on_one_shard!(other_jobs_of_the_queue_run_beside_calls);
async fn other_jobs_of_the_queue_run_beside_calls(db: TestDb) {
    let (probe, other) = (Probe::new(), Probe::new());
    let batch = super::items(&probe, 0..500).into_iter().map(|item| many::job(item).any());
    let plain = super::items(&other, 0..500).into_iter().map(|item| plain::job(item).any());
    let mixed = batch.zip(plain).flat_map(|(batch, plain)| [batch, plain]);
    db.client.enqueue_all(mixed).await.unwrap();
    let worker = start(&db, 4).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert_eq!((calls(&probe).concat().len(), other.runs().len()), (500, 500));
    assert!(other.runs().iter().chain(&probe.runs()).all(|(_, attempt)| *attempt == 1));
    assert!(other.most() <= 4);
}

on_one_shard!(jobs_of_two_queues_share_no_call);
async fn jobs_of_two_queues_share_no_call(db: TestDb) {
    let probe = Probe::new();
    db.client.queue("elsewhere").save().await.unwrap();
    let worker = worker(&db, 1).queue("elsewhere", 1).build().await.unwrap().start();
    enqueue(&db, four::job, &probe, 0..4).await;
    enqueue(&db, |item| four::job(item).queue("elsewhere"), &probe, 10..14).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let calls = calls(&probe);
    assert!(calls.iter().all(|call| call.iter().all(|number| number / 10 == call[0] / 10)), "{calls:?}");
}

on_one_shard!(limit_of_a_key_holds_for_each_item);
async fn limit_of_a_key_holds_for_each_item(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, limited::job, &probe, 0..40).await;
    let worker = start(&db, 10).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert!(probe.most() <= 4, "{} ran at a time", probe.most());
    assert!(calls(&probe).iter().all(|call| call.iter().filter(|number| *number % 2 == 0).count() <= 2));
    assert_eq!(calls(&probe).concat().len(), 40);
}

on_one_shard!(rate_holds_for_each_item);
async fn rate_holds_for_each_item(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, rated::job, &probe, 0..15).await;
    let worker = start(&db, 20).await;
    db.until("(select count(*) from pgjobq.finished) = 10").await;
    worker.shutdown().await.unwrap();
    assert_eq!(calls(&probe).concat().len(), 10);
    assert!(calls(&probe).len() < 10, "they share calls: {:?}", calls(&probe));
}

on_one_shard!(unique_items_are_in_a_call_once);
async fn unique_items_are_in_a_call_once(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, unique::job, &probe, 0..5).await;
    let again = enqueue(&db, unique::job, &probe, 0..6).await;
    assert_eq!(again.iter().filter(|job| job.is_new()).count(), 1);
    let worker = start(&db, 2).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let mut numbers = calls(&probe).concat();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
}

on_one_shard!(call_receives_the_states_of_the_worker);
async fn call_receives_the_states_of_the_worker(db: TestDb) {
    db.run("create table public.written (number int)").await;
    let probe = Probe::new();
    let worker =
        worker(&db, 2).queue("batches_states", 2).state(db.pool.clone()).build().await.unwrap().start();
    let jobs = enqueue(&db, with_state::job, &probe, 0..3).await;
    for job in &jobs {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(()));
    }
    assert_eq!(db.number("select count(*) from public.written").await, 3);
    worker.shutdown().await.unwrap();
}
