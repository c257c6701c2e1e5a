//! Handles: each receives its job's outcome, independent of the process that enqueued or runs the job.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{CallError, NotCompleted, WaitError};
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPoolOptions};

use crate::error_text::{check_says, whole};
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::{Probe, end_of};
use crate::proxy::Proxy;

#[job]
async fn answer(question: String) -> Result<String> {
    Ok(format!("{question}: 42"))
}

#[job(retain = "0s")]
async fn leave_no_trace(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

#[job]
async fn refuse() -> Result<()> {
    Err(JobError::fatal("no"))
}

on_one_and_eight_shards!(handle_returns_the_result_at_any_time_in_any_process);
async fn handle_returns_the_result_at_any_time_in_any_process(db: TestDb) {
    let elsewhere = Client::new(pgjobq::sqlx::PgPool::connect_with(db.options.clone()).await.unwrap());
    let handle = answer::enqueue(&db.client, "what".to_owned()).await.unwrap();
    let rebuilt = answer::handle(handle.id());
    assert_eq!((handle.is_new(), rebuilt.is_new()), (true, false));
    let waiting = tokio::spawn({
        let (client, handle) = (db.client.clone(), handle.clone());
        async move { end_of(&client, &handle).await }
    });
    let waiting_elsewhere = tokio::spawn({
        let (client, handle) = (elsewhere.clone(), rebuilt.clone());
        async move { end_of(&client, &handle).await }
    });
    // Both processes wait, and are registered as waiters.
    db.until("(select count(distinct process) from pgjobq.waiters) = 2").await;
    let worker = db.worker().build().await.unwrap().start();
    let result = Outcome::Completed("what: 42".to_owned());
    assert_eq!(waiting.await.unwrap(), result);
    assert_eq!(waiting_elsewhere.await.unwrap(), result);
    assert_eq!(end_of(&db.client, &handle).await, result, "a second wait receives the same outcome");
    assert_eq!(end_of(&elsewhere, &rebuilt).await, result);
    worker.shutdown().await.unwrap();
    elsewhere.close().await;
}

on_one_shard!(missing_job_is_reported);
async fn missing_job_is_reported(db: TestDb) {
    let id = JobId::new();
    let handle = answer::handle(id);
    assert_eq!(handle.status(&db.client).await.unwrap(), None);
    check_says(
        handle.wait(&db.client).await,
        &format!(
            "there is no job {id}: its transaction has not committed or was rolled back, it was never enqueued, it was purged, or it ended so long ago that it is no longer kept"
        ),
    );
}

on_one_and_eight_shards!(missing_job_of_another_schema_is_named);
async fn missing_job_of_another_schema_is_named(db: TestDb) {
    let other = Client::builder(db.pool.clone()).schema("background").build().unwrap();
    other.migrate().await.unwrap();
    let handle = answer::enqueue(&other, "there".to_owned()).await.unwrap();
    check_says(
        answer::handle(handle.id()).wait(&db.client).await,
        &format!(
            "there is no job {} in the schema of this client, but there is one in the schema `background`: wait with a client of that one",
            handle.id()
        ),
    );
    other.close().await;
}

on_one_shard!(waiting_ends_in_time_and_the_job_goes_on);
async fn waiting_ends_in_time_and_the_job_goes_on(db: TestDb) {
    let handle = answer::enqueue(&db.client, "late".to_owned()).await.unwrap();
    check_says(
        handle.wait_timeout(&db.client, Duration::from_millis(30)).await,
        &format!(
            "job {} has not ended in the time given. It keeps its place and goes on: wait again with this handle, or with one that is made from its id",
            handle.id()
        ),
    );
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &handle).await, Outcome::Completed("late: 42".to_owned()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(closed_client_ends_every_wait);
async fn closed_client_ends_every_wait(db: TestDb) {
    let handle = answer::enqueue(&db.client, "never".to_owned()).await.unwrap();
    let client = db.client.clone();
    let waiting = tokio::spawn(async move { handle.wait(&client).await });
    db.until("exists (select from pgjobq.waiters)").await;
    db.client.close().await;
    check_says(
        waiting.await.unwrap(),
        "the client was closed: wait before `client.close()`, or with another client",
    );
}

on_one_shard!(handle_from_a_transaction_waits_for_its_commit);
async fn handle_from_a_transaction_waits_for_its_commit(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let mut tx = db.pool.begin().await.unwrap();
    let handle = answer::enqueue(&mut *tx, "soon".to_owned()).await.unwrap();
    let early = handle.wait_timeout(&db.client, Duration::from_millis(50)).await;
    assert!(matches!(early, Err(WaitError::TimedOut { .. })), "{early:?}");
    tx.commit().await.unwrap();
    assert_eq!(end_of(&db.client, &handle).await, Outcome::Completed("soon: 42".to_owned()));
    worker.shutdown().await.unwrap();
}

/// Takes half a minute, because a wait allows such a job that time to appear.
#[tokio::test]
async fn handle_of_a_rolled_back_job_returns_not_found() {
    let db = crate::harness::TestDb::new(1).await;
    let mut tx = db.pool.begin().await.unwrap();
    let handle = answer::enqueue(&mut *tx, "never".to_owned()).await.unwrap();
    tx.rollback().await.unwrap();
    let ended = handle.wait_timeout(&db.client, Duration::from_secs(50)).await;
    assert!(matches!(ended, Err(WaitError::NotFound { id, .. }) if id == handle.id()), "{ended:?}");
}

on_one_shard!(mismatched_result_type_is_reported);
async fn mismatched_result_type_is_reported(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let handle = answer::enqueue(&db.client, "what".to_owned()).await.unwrap();
    let _ = end_of(&db.client, &handle).await;
    db.run("update pgjobq.finished set output = '42'").await; // As an older program would have stored it, which returned a number.
    check_says(
        handle.wait(&db.client).await,
        &format!(
            "job {} completed, but its result does not fit the handle's type: \
             invalid type: integer `42`, expected a string at line 1 column 2",
            handle.id()
        ),
    );
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(completed_job_without_retention_is_reported_as_completed);
async fn completed_job_without_retention_is_reported_as_completed(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let handle = leave_no_trace::enqueue(&db.client, probe.number).await.unwrap();
    let rebuilt = leave_no_trace::handle(handle.id());
    let early = tokio::spawn({
        let (client, handle) = (db.client.clone(), rebuilt.clone());
        async move { handle.wait(&client).await }
    });
    db.until("exists (select from pgjobq.waiters)").await;
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &handle).await, Outcome::Completed(()));
    assert_eq!(
        db.number("select (select count(*) from pgjobq.finished) + (select count(*) from pgjobq.jobs)").await,
        0
    );
    drop(early); // The early wait may have seen the row in time; a new wait cannot.
    assert!(matches!(rebuilt.wait(&db.client).await, Err(WaitError::NotFound { .. })));
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purged_dead_job_is_never_reported_as_completed() {
    let db = TestDb::new(1).await;
    let worker = db.worker().build().await.unwrap().start();
    let handle = refuse::enqueue(&db.client).await.unwrap();
    db.until("exists (select from pgjobq.finished where outcome = 'dead')").await;
    assert_eq!(db.client.dead_jobs().purge().await.unwrap(), 1);
    for handle in [refuse::handle(handle.id()), handle] {
        let ended = handle.wait(&db.client).await;
        assert!(matches!(ended, Err(WaitError::NotFound { id, .. }) if id == handle.id()), "{ended:?}");
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(call_returns_why_there_is_no_result);
async fn call_returns_why_there_is_no_result(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let error = refuse::call(&db.client).await.unwrap_err();
    assert_eq!(whole(&error), "the job is dead: no (attempt 1)");
    assert!(matches!(error, CallError::NotCompleted(NotCompleted::Dead(failure)) if failure.attempts == 1));
    worker.shutdown().await.unwrap();
}

on_one_shard!(wait_survives_a_connection_that_falls_silent);
async fn wait_survives_a_connection_that_falls_silent(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let one = PgPoolOptions::new().max_connections(1).connect_with(proxy.options()).await.unwrap();
    let client = Client::new(one); // The silent connection must not reduce this pool afterwards.
    let job = double::enqueue(&client, 4).await.unwrap();
    let mut holder = PgConnection::connect_with(&db.options).await.unwrap();
    let mut lock = holder.begin().await.unwrap();
    sqlx::query("lock table pgjobq.jobs").execute(&mut *lock).await.unwrap();
    let waiting = tokio::spawn(async move { job.wait(&client).await });
    db.until(
        "exists (select from pg_stat_activity where datname = current_database()
                      and wait_event_type = 'Lock' and query like '%pgjobq.lookup(%')",
    )
    .await;
    proxy.silence();
    lock.rollback().await.unwrap();
    proxy.mend(); // For new connections only; the silent one stays silent.
    let worker = db.worker().build().await.unwrap().start();
    let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the wait returns");
    assert_eq!(waited.unwrap().unwrap().completed(), Some(8));
    worker.shutdown().await.unwrap();
}
