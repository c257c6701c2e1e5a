//! Dead workers, and the reaping of their jobs. (Processes that really die: `tests/kills`.)

use std::sync::atomic::Ordering;

use pgjobq::prelude::*;
use pgjobq::{FailedAttempt, FailureReason, JobState, StopReason};

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};

#[job]
async fn pass(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

/// The first attempt detects that its lease is lost, and ends when the test lets it. The database must reject its result.
#[job]
async fn notice_the_loss(ctx: JobContext, probe: u64) -> Result<u32> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    if ctx.attempt() == 1 {
        assert_eq!(ctx.stop_requested().await, StopReason::LeaseLost);
        probe.reached.fetch_add(1, Ordering::SeqCst);
        probe.pass().await;
    }
    Ok(ctx.attempt())
}

#[job]
async fn plain() {}

/// Must not run twice.
#[job(retries = 0, max_crashes = 0)]
async fn pay(ctx: JobContext, probe: u64) {
    let _run = Probe::of(probe).begin(&ctx);
    std::future::pending::<()>().await;
}

/// Holds a value that panics when the worker drops the attempt.
#[job(retries = 0, timeout = "50ms")]
async fn drop_badly() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            panic!("dropped badly");
        }
    }
    let _bad = Bad;
    std::future::pending::<()>().await;
}

/// Claims all jobs for a worker that does not run, reaps that worker, and returns the number of its jobs.
async fn crash_a_worker(db: &TestDb) -> i64 {
    const GHOST: &str = "do $$ declare l record; begin
        for l in select * from pgjobq.lanes loop
            begin
                perform pgjobq.register_worker(l.shard, 42, 'ghost');
            exception when unique_violation then null;
            end;
            perform pgjobq.claim(l.shard, l.queue_id, 42, 7, true, array['pass'], 100, '{0,0,0,0}', null, null);
            perform pgjobq.claim_quarantined(l.shard, l.queue_id, 42, 8, array['pass'], 100, true, '{0,0,0,0}');
        end loop;
        delete from pgjobq.workers where id = 42;
    end $$";
    db.run(GHOST).await;
    let running = db.number("select count(*) from pgjobq.job_states where state = 'running'").await;
    db.run(
        "do $$ begin
        perform pgjobq.reap(shard, '{}') from pgjobq.leases;
        assert (select count(*) from pgjobq.leases) = 0;
    end $$",
    )
    .await;
    running
}

on_one_shard!(at_most_once_job_runs_once_despite_an_outage);
async fn at_most_once_job_runs_once_despite_an_outage(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().lease(std::time::Duration::from_secs(2)).build().await.unwrap().start();
    let job = pay::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // No heartbeat is answered for longer than the lease, and no worker is reaped.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.workers").execute(&mut *locked).await.unwrap();
    probe.until(|probe| probe.running() == 0).await; // It detected that its lease is lost; the worker dropped it later.
    locked.rollback().await.unwrap();
    assert!(matches!(end_of(&db.client, &job).await, Outcome::Dead(_)));
    assert_eq!(probe.runs().len(), 1);
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(panic_in_a_drop_ends_the_attempt);
async fn panic_in_a_drop_ends_the_attempt(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    let job = drop_badly::enqueue(&db.client).await.unwrap();
    let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!("the job is not dead") };
    assert_eq!(failure.message(), "it panicked: dropped badly");
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(fourth_crash_buries_a_job_with_its_errors);
async fn fourth_crash_buries_a_job_with_its_errors(db: TestDb) {
    let job = pass::enqueue(&db.client, 0).await.unwrap();
    for crashes in 1..=3 {
        assert_eq!(crash_a_worker(&db).await, 1);
        let status = job.status(&db.client).await.unwrap().unwrap();
        assert_eq!(
            (status.state, status.attempts, status.crashes, status.failures),
            (JobState::Ready, crashes, crashes, 0)
        );
    }
    assert_eq!(crash_a_worker(&db).await, 1);
    let Outcome::Dead(failure) = end_of(&db.client, &job).await else {
        panic!("three crashes are survived, not four")
    };
    assert_eq!(failure.attempts, 4);
    for (error, attempt) in failure.errors.iter().zip(1..) {
        let FailedAttempt { attempt: number, reason, message, .. } = error;
        let message_ = "the worker died, or was silent for too long, while it ran the job";
        assert_eq!((*number, *reason, message.as_str()), (attempt, FailureReason::Crash, message_));
    }
    assert_eq!(failure.errors.len(), 4);
    assert_eq!(db.number("select count(*) from pgjobq.failures").await, 0);
}

on_one_shard!(job_without_crash_budget_is_dead_after_one_crash);
async fn job_without_crash_budget_is_dead_after_one_crash(db: TestDb) {
    let job = pass::job(0).max_crashes(0).enqueue(&db.client).await.unwrap();
    assert_eq!(crash_a_worker(&db).await, 1);
    assert!(matches!(end_of(&db.client, &job).await, Outcome::Dead(failure) if failure.attempts == 1));
}

on_one_and_eight_shards!(quarantined_jobs_run_together_beside_others);
async fn quarantined_jobs_run_together_beside_others(db: TestDb) {
    let (crowd, others) = (Probe::new(), Probe::new());
    for _ in 0..4 {
        pass::enqueue(&db.client, crowd.number).await.unwrap();
    }
    assert_eq!(crash_a_worker(&db).await, 4);
    for _ in 0..6 {
        pass::enqueue(&db.client, others.number).await.unwrap();
    }
    let worker = db.worker().build().await.unwrap().start();
    others.until(|others| others.running() == 6).await;
    crowd.until(|crowd| crowd.running() == 4).await;
    crowd.gate.add_permits(4);
    others.gate.add_permits(6);
    db.until("not exists (select from pgjobq.jobs)").await;
    assert!(crowd.runs().iter().all(|(_, attempt)| *attempt == 2));
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(jobs_that_cannot_afford_a_crash_run_alone);
async fn jobs_that_cannot_afford_a_crash_run_alone(db: TestDb) {
    let probe = Probe::new();
    for _ in 0..3 {
        pass::enqueue(&db.client, probe.number).await.unwrap();
    }
    pass::job(probe.number).max_crashes(1).enqueue(&db.client).await.unwrap();
    // Three jobs have crashed twice; the next crash of the fourth is its last.
    db.run("update pgjobq.jobs set crashes = case max_crashes when 1 then 1 else 2 end").await;
    let worker = db.worker().build().await.unwrap().start();
    for ran in 1..=4 {
        probe.until(|probe| probe.runs().len() == ran && probe.running() == 1).await;
        probe.gate.add_permits(1);
    }
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(probe.most(), 1);
    worker.shutdown().await.unwrap();
}

/// Fails at once, until its fifteenth attempt.
#[job(retries = 30, backoff = "1ms")]
async fn fail_for_long(ctx: JobContext) -> Result<()> {
    if ctx.attempt() < 15 { Err("not yet".into()) } else { Ok(()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_attempts_without_a_crash_restore_trust() {
    let db = TestDb::new(1).await;
    let job = fail_for_long::enqueue(&db.client).await.unwrap();
    db.run("update pgjobq.jobs set crashes = 2, attempt = 2").await;
    db.run(
        "insert into pgjobq.failures (shard, job, attempt, reason, message)
            select shard, id, n, 'crash', 'it died' from pgjobq.jobs, generate_series(1, 2) n",
    )
    .await;
    let worker = db.worker().build().await.unwrap().start();
    let restored = "(select min(attempt) from pgjobq.jobs where crashes = 0) >= 12 or exists (select from pgjobq.finished)";
    db.until(restored).await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    assert_eq!(db.number("select crashes from pgjobq.finished").await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn released_attempts_restore_no_trust() {
    let db = TestDb::new(1).await;
    pass::enqueue(&db.client, 0).await.unwrap();
    // Two of fourteen attempts fail. The worker was shut down during all others.
    db.run(
        "update pgjobq.jobs set crashes = 2, attempt = 2;
         insert into pgjobq.failures (shard, job, attempt, reason, message)
            select shard, id, n, 'crash', 'it died' from pgjobq.jobs, generate_series(1, 2) n;
         do $$ declare j record; v_ends text; begin
             perform pgjobq.register_worker(0::smallint, 42, 'ghost');
             for n in 1..14 loop
                 v_ends := case when n in (7, 14) then 'retry' else 'release' end;
                 select * into strict j from pgjobq.jobs;
                 perform pgjobq.claim_quarantined(0::smallint, j.queue_id, 42, n, array['pass'], 1, true, '{0,0,0,0}');
                 perform pgjobq.finish(0::smallint, 42, 'ghost', array[j.queue_id], array[j.priority::int]::smallint[], array[j.ticket],
                     array[n::bigint], array[true], array[1], array[j.id], array[j.ticket], array[v_ends], array[null::bigint],
                     array[null::bigint], array[null::text], array[case v_ends when 'retry' then 'error' end],
                     array[case v_ends when 'retry' then 'no' end]);
             end loop;
         end $$",
    )
    .await;
    assert_eq!(db.number("select attempt from pgjobq.jobs").await, 16);
    assert_eq!(db.number("select crashes from pgjobq.jobs").await, 2);
    let after_many = "select pgjobq.crashes_left(0::smallint, gen_random_uuid(), 2147483647, 1::smallint)";
    assert_eq!(db.number(after_many).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quarantine_hides_no_job_behind_unknown_kinds() {
    let db = TestDb::new(1).await;
    let probe = Probe::new();
    let strangers = "insert into pgjobq.jobs (shard, id, created_at, ticket, queue_id, priority, crashes, retries, max_crashes, kind, args)
        select 0, gen_random_uuid(), now(), nextval('pgjobq.ticket'), q.id, 2, 1, 0, 3, 'known_to_nobody', '{}'
          from pgjobq.queues q, generate_series(1, 12000) where q.name = 'default'";
    db.run(strangers).await;
    pass::job(probe.number).priority(pgjobq::Priority::High).enqueue(&db.client).await.unwrap();
    db.run("update pgjobq.jobs set crashes = 1 where kind = 'pass'").await;
    let worker = db.worker().build().await.unwrap().start();
    probe.until(|probe| probe.running() == 1).await;
    probe.gate.add_permits(1);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(completed_quarantined_job_keeps_its_crash_as_an_error);
async fn completed_quarantined_job_keeps_its_crash_as_an_error(db: TestDb) {
    let probe = Probe::new();
    let job = pass::enqueue(&db.client, probe.number).await.unwrap();
    crash_a_worker(&db).await;
    probe.gate.add_permits(1);
    let worker = db.worker().build().await.unwrap().start();
    let _ = end_of(&db.client, &job).await;
    assert_eq!(db.number("select count(*) from pgjobq.failures").await, 0);
    assert_eq!(db.number("select jsonb_array_length(errors) from pgjobq.finished").await, 1);
    worker.shutdown().await.unwrap();
}

on_one_and_eight_shards!(lost_lease_stops_the_handler_and_rejects_its_result);
async fn lost_lease_stops_the_handler_and_rejects_its_result(db: TestDb) {
    let probe = Probe::new();
    let job = notice_the_loss::enqueue(&db.client, probe.number).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    probe.until(|probe| probe.running() == 1).await;
    db.run_beside_a_worker("delete from pgjobq.workers").await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(2), "the result of the second attempt");
    probe.until(|probe| probe.reached() == 1).await;
    probe.gate.add_permits(1);
    probe.until(|probe| probe.running() == 0).await;
    worker.shutdown().await.unwrap(); // The late result has been sent as well.
    let status = job.status(&db.client).await.unwrap().unwrap();
    assert_eq!(
        (status.state, status.attempts, status.crashes, status.failures),
        (JobState::Completed, 2, 1, 0)
    );
    assert_eq!(db.number("select count(*) from pgjobq.finished").await, 1);
    assert_eq!(probe.runs(), [(job.id(), 1), (job.id(), 2)]);
}

on_one_and_eight_shards!(reaped_worker_continues_under_a_new_identity);
async fn reaped_worker_continues_under_a_new_identity(db: TestDb) {
    let worker = db.worker().poll_interval(std::time::Duration::from_secs(60)).build().await.unwrap().start();
    plain::call(&db.client).await.unwrap();
    let before = db.number("select max(id) from pgjobq.workers").await;
    db.run_beside_a_worker("delete from pgjobq.workers").await;
    let shards = db.number("select shards from pgjobq.settings").await;
    // It has registered again, and asks for notifications as before.
    db.until(&format!(
        "(select count(*) from pgjobq.workers where id <> {before} and idle <> '{{}}') = {shards}"
    ))
    .await;
    plain::call(&db.client).await.unwrap();
    worker.shutdown().await.unwrap();
    assert_eq!(db.number("select count(*) from pgjobq.workers").await, 0);
}

on_one_and_eight_shards!(new_worker_announces_that_it_is_idle);
async fn new_worker_announces_that_it_is_idle(db: TestDb) {
    let worker = db.worker().poll_interval(std::time::Duration::from_secs(60)).build().await.unwrap().start();
    let shards = db.number("select shards from pgjobq.settings").await;
    db.until(&format!("(select count(*) from pgjobq.workers where idle <> '{{}}') = {shards}")).await;
    worker.shutdown().await.unwrap();
}
