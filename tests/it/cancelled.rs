//! Cancelling jobs that wait or run, from Rust, from SQL and in a transaction, while their workers go on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, JobState, RunningWorker, StopReason};

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

/// Ends when the test lets it. When asked to stop, it counts the request and fails.
#[job(retries = 3)]
async fn obey(ctx: JobContext, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    tokio::select! {
        () = probe.pass() => Ok(()),
        why = ctx.stop_requested() => {
            assert_eq!((why, ctx.stop_reason()), (StopReason::Cancelled, Some(StopReason::Cancelled)));
            probe.reached.fetch_add(1, Ordering::SeqCst);
            Err("asked to stop".into())
        }
    }
}

/// Ignores every request to stop.
#[job]
async fn go_on(ctx: JobContext, probe: u64) {
    let _run = Probe::of(probe).begin(&ctx);
    std::future::pending::<()>().await;
}

#[job]
async fn keep_failing(ctx: JobContext, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
    Err("no".into())
}

on_one_and_eight_shards!(waiting_job_is_cancelled_with_requester_and_reason);
async fn waiting_job_is_cancelled_with_requester_and_reason(db: TestDb) {
    let probe = Probe::new();
    let job = obey::enqueue(&db.client, probe.number).await.unwrap();
    let later = obey::job(probe.number).delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    assert_eq!(
        job.cancel(&db.client).by("ada").because("wrong\0 recipient").await.unwrap(),
        CancelOutcome::Cancelled
    );
    assert_eq!(later.cancel(&db.client).await.unwrap(), CancelOutcome::Cancelled);
    assert_eq!(job.cancel(&db.client).await.unwrap(), CancelOutcome::NotLive);
    assert_eq!(end_of(&db.client, &job).await, Outcome::Cancelled);
    let status = job.status(&db.client).await.unwrap().unwrap();
    let why = status.cancelled.unwrap();
    assert_eq!(
        (status.state, &*why.by, why.reason.as_deref()),
        (JobState::Cancelled, "ada", Some("wrong recipient"))
    );
    let by = later.status(&db.client).await.unwrap().unwrap().cancelled.unwrap().by;
    assert_eq!(by, db.text("session_user").await);
    let worker = db.worker().build().await.unwrap().start();
    let _ = end_of(&db.client, &later).await;
    worker.shutdown().await.unwrap();
    assert_eq!(probe.runs(), []);
    assert_eq!(db.number("select count(*) from pgjobq.cancels").await, 0);
}

on_one_and_eight_shards!(running_job_is_cancelled_with_any_result);
async fn running_job_is_cancelled_with_any_result(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let job = obey::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    job.cancel(&db.client).await.unwrap(); // It may have ended before the answer: each one is legal.
    assert_eq!(end_of(&db.client, &job).await, Outcome::Cancelled);
    assert_eq!((probe.reached(), probe.runs().len()), (1, 1));
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.cancels").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
}

/// Starts a worker whose sweeps for requests to cancel are minutes apart: it sees those that it is notified of.
async fn inattentive_worker(db: &TestDb) -> RunningWorker {
    let minutes = Duration::from_secs(600);
    db.worker().heartbeat(minutes).lease(3 * minutes).build().await.unwrap().start()
}

on_one_shard!(job_that_completes_despite_a_request_has_completed);
async fn job_that_completes_despite_a_request_has_completed(db: TestDb) {
    let probe = Probe::new();
    let worker = inattentive_worker(&db).await;
    let job = obey::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // The request exists, but no notification was sent, as if it had been lost.
    db.run("insert into pgjobq.cancels (shard, job, created_at, asked_by) select shard, id, created_at, 'ada' from pgjobq.jobs").await;
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.cancels").await, 0);
}

on_one_shard!(job_that_does_not_stop_is_dropped);
async fn job_that_does_not_stop_is_dropped(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let job = go_on::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    job.cancel(&db.client).await.unwrap(); // It may have ended before the answer: each one is legal.
    assert_eq!(end_of(&db.client, &job).await, Outcome::Cancelled);
    assert_eq!(probe.running(), 0);
    worker.shutdown().await.unwrap();
}

on_one_shard!(retry_that_meets_the_request_ends_the_job);
async fn retry_that_meets_the_request_ends_the_job(db: TestDb) {
    let probe = Probe::new();
    let worker = inattentive_worker(&db).await;
    let job = keep_failing::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    db.run("insert into pgjobq.cancels (shard, job, created_at, asked_by, reason) select shard, id, created_at, 'ada', 'enough' from pgjobq.jobs").await;
    probe.gate.add_permits(9);
    assert_eq!(end_of(&db.client, &job).await, Outcome::Cancelled);
    worker.shutdown().await.unwrap();
    assert_eq!(probe.runs().len(), 1);
    assert_eq!(
        db.number("select failures from pgjobq.finished where jsonb_array_length(errors) = 1").await,
        1
    );
    assert_eq!(db.number("select count(*) from pgjobq.failures").await, 0);
}

on_one_and_eight_shards!(sql_cancels_with_its_transaction);
async fn sql_cancels_with_its_transaction(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let jobs = [(); 3].map(|()| obey::job(probe.number).delay(Duration::from_secs(3600)));
    let [kept, gone, running] = jobs;
    let (kept, gone) = (kept.enqueue(&db.client).await.unwrap(), gone.enqueue(&db.client).await.unwrap());
    let running = running.delay(Duration::ZERO).enqueue(&db.client).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    let cancel = |id: JobId| format!("select pgjobq.cancel('{id}', 'by hand')");
    db.run(&format!("begin; {}; rollback", cancel(kept.id()))).await;
    db.run(&format!(
        "begin isolation level serializable; {}; {}; commit",
        cancel(gone.id()),
        cancel(running.id())
    ))
    .await;
    assert_eq!(end_of(&db.client, &gone).await, Outcome::Cancelled);
    assert_eq!(end_of(&db.client, &running).await, Outcome::Cancelled);
    assert_eq!(kept.status(&db.client).await.unwrap().unwrap().state, JobState::Scheduled);
    assert_eq!(db.text("pgjobq.cancel(gen_random_uuid())").await, "false");
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(request_does_not_cancel_the_next_job_with_its_id);
async fn request_does_not_cancel_the_next_job_with_its_id(db: TestDb) {
    let probe = Probe::new();
    probe.gate.add_permits(9);
    let job = || obey::job(probe.number).id(JobId::from(uuid::Uuid::from_u128(7)));
    let first = job().delay(Duration::from_secs(3600)).enqueue(&db.client).await.unwrap();
    let mut asking = db.pool.begin().await.unwrap();
    sqlx::raw_sql("select pgjobq.cancel('00000000-0000-0000-0000-000000000007')")
        .execute(&mut *asking)
        .await
        .unwrap();
    // Before the cancellation commits, the job ends otherwise, and another job takes its id.
    assert_eq!(first.cancel(&db.client).by("ada").await.unwrap(), CancelOutcome::Cancelled);
    let second = job().enqueue(&db.client).await.unwrap();
    asking.commit().await.unwrap();
    db.run("do $$ begin perform pgjobq.act_on_cancels(shard, null, '00000000-0000-0000-0000-000000000000', 9) from pgjobq.lanes; end $$").await;
    assert_eq!(db.number("select count(*) from pgjobq.cancels").await, 0);
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &second).await, Outcome::Completed(()));
    worker.shutdown().await.unwrap();
}

on_one_shard!(reaped_job_that_was_cancelled_does_not_run_again);
async fn reaped_job_that_was_cancelled_does_not_run_again(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let job = obey::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // Request, silence and reap in one transaction, so that no notification precedes the reap.
    db.run(
        "do $$ begin
            insert into pgjobq.cancels (shard, job, created_at, asked_by) select shard, id, created_at, 'ada' from pgjobq.jobs;
            delete from pgjobq.workers;
            perform pgjobq.reap(shard, '{}') from pgjobq.lanes;
        end $$",
    ).await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Cancelled);
    worker.shutdown().await.unwrap();
    assert_eq!(probe.runs().len(), 1);
    assert_eq!(db.number("select crashes from pgjobq.finished").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_with_the_nil_id_is_cancelled_by_a_worker() {
    let db = TestDb::new(1).await;
    let later = obey::job(0).id(JobId::from(uuid::Uuid::nil())).delay(Duration::from_secs(3600));
    let job = later.enqueue(&db.client).await.unwrap();
    db.run(&format!("select pgjobq.cancel('{}')", job.id())).await;
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Cancelled);
    worker.shutdown().await.unwrap();
}
