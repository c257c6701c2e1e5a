//! A worker stops gracefully: running jobs may finish, the rest is released at once without a failure, and no job is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pgjobq::prelude::*;
use pgjobq::sqlx;
use pgjobq::{FailureReason, JobState, RunningWorker, Status};

use crate::harness::{PATIENCE, TestDb};
use crate::lifecycle::double;
use crate::probe::{Probe, end_of};

#[job]
async fn finish_when_let(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

#[job]
async fn stop_on_request(ctx: JobContext, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    tokio::select! {
        () = probe.pass() => Ok(()),
        why = ctx.stop_requested() => {
            assert_eq!(why, pgjobq::StopReason::Shutdown);
            probe.reached.fetch_add(1, Ordering::SeqCst);
            Err("interrupted".into())
        }
    }
}

#[job]
async fn go_on_after_request(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    tokio::select! {
        () = probe.pass() => {}
        _ = ctx.stop_requested() => {
            probe.reached.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
    }
}

#[job]
async fn block(ctx: JobContext, probe: u64) {
    block_the_thread(&ctx, probe);
}

#[job(max_crashes = 0)]
async fn block_once(ctx: JobContext, probe: u64) {
    block_the_thread(&ctx, probe);
}

/// Blocks without awaiting until the test lets it go, for at most a minute.
fn block_the_thread(ctx: &JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(ctx);
    // Moves this runtime's other tasks, such as the test, to other threads. Plain blocking may stop the whole runtime if
    // the thread drives the timers; the worker's own threads survive that (see `fleet`).
    tokio::task::block_in_place(|| {
        let since = Instant::now();
        while probe.gate.try_acquire().is_err() && since.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}

/// Begins the shutdown, so that the worker claims nothing more, and returns the task that completes it.
async fn begin_shutdown(worker: RunningWorker) -> tokio::task::JoinHandle<()> {
    let mut shutdown = Box::pin(worker.shutdown());
    tokio::select! {
        biased;
        _ = &mut shutdown => panic!("nothing was running"),
        () = std::future::ready(()) => {}
    }
    tokio::spawn(async move { shutdown.await.unwrap() })
}

async fn status<T>(db: &TestDb, job: &JobHandle<T>) -> Status {
    job.status(&db.client).await.unwrap().unwrap()
}

/// Checks that a job waits with this number of attempts, and has neither a failure nor a crash.
#[track_caller]
fn check_waits(status: &Status, attempts: u32) {
    let Status { state, attempts: ended, failures, crashes, .. } = status;
    assert_eq!((*state, *ended, *failures, *crashes), (JobState::Ready, attempts, 0, 0));
}

async fn check_nothing_is_held(db: &TestDb) {
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 0, "leases");
    assert_eq!(db.number("select count(*) from pgjobq.workers").await, 0, "workers");
}

on_one_and_eight_shards!(running_jobs_finish_within_the_grace_and_none_starts);
async fn running_jobs_finish_within_the_grace_and_none_starts(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().grace(PATIENCE).build().await.unwrap().start();
    for _ in 0..3 {
        finish_when_let::enqueue(&db.client, probe.number).await.unwrap();
    }
    probe.until(|probe| probe.running() == 3).await;
    let shutdown = begin_shutdown(worker).await;
    let late = finish_when_let::enqueue(&db.client, probe.number).await.unwrap();
    probe.gate.add_permits(10);
    shutdown.await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'completed'").await, 3);
    check_waits(&status(&db, &late).await, 0);
    check_nothing_is_held(&db).await;
}

on_one_shard!(run_until_stops_gracefully_when_its_future_is_ready);
async fn run_until_stops_gracefully_when_its_future_is_ready(db: TestDb) {
    let probe = Probe::new();
    finish_when_let::enqueue(&db.client, probe.number).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = db.worker().build().await.unwrap();
    let running = tokio::spawn(worker.run_until(async { drop(stopped.await) }));
    probe.until(|probe| probe.running() == 1).await;
    stop.send(()).unwrap();
    probe.gate.add_permits(1);
    running.await.unwrap().unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'completed'").await, 1);
    check_nothing_is_held(&db).await;
}

on_one_shard!(error_after_a_request_to_stop_is_no_failure);
async fn error_after_a_request_to_stop_is_no_failure(db: TestDb) {
    let probe = Probe::new();
    let job = stop_on_request::enqueue(&db.client, probe.number).await.unwrap();
    let worker = db.worker().grace(Duration::from_millis(20)).build().await.unwrap().start();
    probe.until(|probe| probe.running() == 1).await;
    worker.shutdown().await.unwrap();
    assert_eq!(probe.reached(), 1);
    check_waits(&status(&db, &job).await, 1);
    check_nothing_is_held(&db).await;
}

on_one_shard!(job_that_outlives_the_grace_runs_again_elsewhere);
async fn job_that_outlives_the_grace_runs_again_elsewhere(db: TestDb) {
    let probe = Probe::new();
    let job = go_on_after_request::enqueue(&db.client, probe.number).await.unwrap();
    let worker = db.worker().grace(Duration::from_millis(20)).build().await.unwrap().start();
    probe.until(|probe| probe.running() == 1).await;
    worker.shutdown().await.unwrap();
    assert_eq!((probe.reached(), probe.running()), (1, 0), "the attempt was asked to stop, and has ended");
    check_waits(&status(&db, &job).await, 1);
    check_nothing_is_held(&db).await;

    probe.gate.add_permits(1);
    let other = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    assert_eq!(probe.runs(), [(job.id(), 1), (job.id(), 2)], "no attempt number is used twice");
    other.shutdown().await.unwrap();
}

on_one_and_eight_shards!(jobs_claimed_but_not_started_are_returned_unchanged);
async fn jobs_claimed_but_not_started_are_returned_unchanged(db: TestDb) {
    let probe = Probe::new();
    // Another session locks every lane, so that the worker's claim waits.
    let mut others = db.pool.begin().await.unwrap();
    sqlx::query("select from pgjobq.lanes for update").execute(&mut *others).await.unwrap();
    let job = finish_when_let::enqueue(&db.client, probe.number).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    db.until(
        "exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
        and application_name = 'pgjobq worker' and query like '%pgjobq.claim(%')",
    )
    .await;
    let shutdown = begin_shutdown(worker).await;
    others.commit().await.unwrap();
    shutdown.await.unwrap();
    assert_eq!(probe.runs(), []);
    check_waits(&status(&db, &job).await, 0);
    check_nothing_is_held(&db).await;
}

on_one_shard!(handler_that_blocks_its_thread_delays_a_shutdown_briefly);
async fn handler_that_blocks_its_thread_delays_a_shutdown_briefly(db: TestDb) {
    let probe = Probe::new();
    let job = block::enqueue(&db.client, probe.number).await.unwrap();
    let worker = db.worker().grace(Duration::from_millis(20)).build().await.unwrap().start();
    probe.until(|probe| probe.running() == 1).await;
    worker.shutdown().await.unwrap();
    assert_eq!(probe.running(), 1, "the attempt still blocks");
    check_waits(&status(&db, &job).await, 1);
    check_nothing_is_held(&db).await;
    probe.gate.add_permits(1);
    probe.until(|probe| probe.running() == 0).await;
    check_waits(&status(&db, &job).await, 1);
}

on_one_shard!(shutdown_buries_a_job_that_must_not_run_twice);
async fn shutdown_buries_a_job_that_must_not_run_twice(db: TestDb) {
    let probe = Probe::new();
    let awaiting = go_on_after_request::job(probe.number).max_crashes(0).enqueue(&db.client).await.unwrap();
    let blocking = block_once::enqueue(&db.client, probe.number).await.unwrap();
    let alerts = Arc::new(AtomicUsize::new(0));
    let alerted = Arc::clone(&alerts);
    let worker = db.worker().grace(Duration::from_millis(20)).on_dead(move |_| {
        alerted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(())
    });
    let worker = worker.build().await.unwrap().start();
    probe.until(|probe| probe.running() == 2).await;
    worker.shutdown().await.unwrap();
    assert_eq!(alerts.load(Ordering::SeqCst), 2);
    for job in [awaiting, blocking] {
        let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!() };
        assert_eq!(failure.message(), "a shutdown ended it, and it must not run twice");
        assert_eq!(failure.errors.last().unwrap().reason, FailureReason::Release);
    }
    // It is dead without a failure or a crash.
    let counts = "select string_agg(distinct format('%s %s %s', attempt, failures, crashes), ', ') from pgjobq.finished";
    assert_eq!(db.text(counts).await, "1 0 0");
    check_nothing_is_held(&db).await;
    probe.gate.add_permits(1);
    probe.until(|probe| probe.running() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_runs_while_a_claim_is_in_flight() {
    let db = TestDb::new(1).await;
    let probe = Probe::new();
    let worker = db.worker().grace(Duration::ZERO).claim_timeout(Duration::from_secs(60));
    let worker = worker.build().await.unwrap().start();
    stop_on_request::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    db.run(
        "create table hold as select 1;
         create function wait_for_test() returns trigger language plpgsql as $$ begin
             while exists (select from public.hold) loop perform pg_sleep(0.01); end loop;
             return new;
         end $$;
         create trigger wait_for_test before insert on pgjobq.leases for each row execute function wait_for_test()",
    )
    .await;
    finish_when_let::enqueue(&db.client, probe.number).await.unwrap();
    let claiming =
        "select count(*) from pg_stat_activity where datname = current_database() and query like '%pgjobq.claim(%'
                       and state = 'active' and pid <> pg_backend_pid()";
    db.until(&format!("({claiming}) = 1")).await;
    let shutdown = begin_shutdown(worker).await;
    probe.until(|probe| probe.reached() == 1).await;
    assert_eq!(db.number(claiming).await, 1, "the claim is still in flight");
    db.run("delete from hold").await;
    shutdown.await.unwrap();
    assert_eq!(probe.runs().len(), 1, "the job of the late claim is returned");
    check_nothing_is_held(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_in_flight_does_not_delay_the_end() {
    let db = TestDb::new(1).await;
    db.run(
        "create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(100); return new; end $$;
         create trigger dawdle before insert on pgjobq.leases for each row execute function dawdle()",
    )
    .await;
    double::enqueue(&db.client, 1).await.unwrap();
    let worker = db.worker().claim_timeout(Duration::from_secs(90)).build().await.unwrap().start();
    db.until(
        "exists (select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep')",
    )
    .await;
    // Without help, PostgreSQL would cancel the claim only after the statement timeout of 30 s.
    let began = Instant::now();
    worker.shutdown().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
