//! The life of a job, from its enqueue to its outcome, as its handle sees it.

use std::time::Duration;

use pgjobq::FailureReason;
use pgjobq::prelude::*;

use crate::harness::TestDb;

#[job]
pub(crate) async fn double(number: i64) -> Result<i64> {
    Ok(number * 2)
}

#[job(retries = 3, backoff = "10ms")]
pub(crate) async fn fail_twice(ctx: JobContext) -> Result<u32> {
    if ctx.failures() < 2 {
        return Err(JobError::from(format!("failure {}", ctx.failures() + 1)));
    }
    Ok(ctx.attempt())
}

#[job]
pub(crate) async fn give_up() -> Result<()> {
    Err(JobError::fatal("there is no such account"))
}

#[job(retries = 0)]
async fn panic_at_once() -> Result<()> {
    panic!("the disco")
}

#[job(retries = 1, backoff = "1ms", timeout = "20ms")]
async fn sleep_for_ever() -> Result<()> {
    tokio::time::sleep(Duration::from_secs(3600)).await;
    Ok(())
}

on_one_and_eight_shards!(handle_returns_the_typed_result);
async fn handle_returns_the_typed_result(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(double::call(&db.client, 21).await.unwrap(), 42);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(failing_job_is_retried_until_it_succeeds);
async fn failing_job_is_retried_until_it_succeeds(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(fail_twice::call(&db.client).await.unwrap(), 3);
    assert_eq!(db.number("select count(*) from pgjobq.failures").await, 0);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(dead_job_keeps_its_error);
async fn dead_job_keeps_its_error(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let fatal = give_up::enqueue(&db.client).await.unwrap();
    let panicked = panic_at_once::enqueue(&db.client).await.unwrap();
    let late = sleep_for_ever::enqueue(&db.client).await.unwrap();
    let Outcome::Dead(fatal) = fatal.wait(&db.client).await.unwrap() else { panic!() };
    assert_eq!((fatal.message(), fatal.attempts), ("there is no such account", 1));
    let Outcome::Dead(panicked) = panicked.wait(&db.client).await.unwrap() else { panic!() };
    assert_eq!(
        (panicked.errors[0].reason, panicked.message()),
        (FailureReason::Panic, "it panicked: the disco")
    );
    let Outcome::Dead(late) = late.wait(&db.client).await.unwrap() else { panic!() };
    assert_eq!(late.errors.iter().map(|error| error.reason).collect::<Vec<_>>(), [FailureReason::Timeout; 2]);
    worker.shutdown().await.unwrap();
}
