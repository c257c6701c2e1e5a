//! Short jobs are claimed before a slot is free for them, and wait in the worker for a moment.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{Priority, Tx, Worker};

use crate::harness::TestDb;
use crate::probe::{Probe, end_of};
use crate::slots::LEASED;

/// Ends as soon as it has run.
#[job(retries = 0, max_crashes = 9)]
async fn tick(ctx: JobContext, probe: u64) -> Result<u32> {
    let _run = Probe::of(probe).begin(&ctx);
    tokio::task::yield_now().await;
    Ok(ctx.attempt())
}

/// Waits until the test lets it pass.
#[job(retries = 0)]
async fn stay_in_slot(ctx: JobContext, probe: u64) {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
}

/// Runs for longer than the longest moment.
#[job(retries = 0)]
async fn take_long() {
    tokio::time::sleep(Duration::from_millis(60)).await;
}

/// Must not run twice.
#[job(retries = 0, max_crashes = 0)]
async fn tick_once(ctx: JobContext, probe: u64) {
    let _run = Probe::of(probe).begin(&ctx);
}

#[job(retries = 0)]
async fn tick_in_a_transaction(tx: &mut Tx) -> Result<()> {
    sqlx::query("select 1").execute(&mut **tx).await?;
    Ok(())
}

/// Enqueues an urgent job in the middle of many.
#[job(retries = 0)]
async fn call_for_help(ctx: JobContext, probe: u64) -> Result<()> {
    ctx.enqueue(tick::job(probe).priority(Priority::Critical)).await?;
    Ok(())
}

/// Notes the number of jobs of each lease in the table `public.seen`.
const SEE_LEASES: &str = "create table public.seen (jobs bigint not null);
    create function public.see() returns trigger language plpgsql as $$ begin
        insert into public.seen select sum(upper(range) - lower(range)) from unnest(new.tickets) range;
        return new;
    end $$;
    create trigger see after insert on pgjobq.leases for each row execute function public.see()";

async fn enqueue<T>(db: &TestDb, jobs: impl IntoIterator<Item = NewJob<T>, IntoIter: Send>) {
    db.client.enqueue_all(jobs).await.unwrap();
}

async fn start(db: &TestDb, slots: usize) -> pgjobq::RunningWorker {
    // Its own queue: jobs of other kinds than those of the test are not in it.
    let worker = Worker::builder(&db.client).queue("default", slots).heartbeat(Duration::from_millis(200));
    worker
        .lease(Duration::from_secs(60))
        .poll_interval(Duration::from_millis(200))
        .build()
        .await
        .unwrap()
        .start()
}

const ALL_ENDED: &str = "not exists (select from pgjobq.jobs)";

on_one_shard!(short_jobs_are_claimed_beyond_the_free_slots);
async fn short_jobs_are_claimed_beyond_the_free_slots(db: TestDb) {
    db.run(SEE_LEASES).await;
    let probe = Probe::new();
    enqueue(&db, (0..2000).map(|_| tick::job(probe.number))).await;
    let worker = start(&db, 2).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let claims = db.number("select count(*) from public.seen").await;
    assert!(claims < 1000, "{claims} claims, as many as without a prefetch");
    assert!((3..=500).contains(&db.number("select max(jobs) from public.seen").await));
    assert_eq!(probe.most(), 2);
}

on_one_and_eight_shards!(prefetched_jobs_run_once_each_and_within_the_slots);
async fn prefetched_jobs_run_once_each_and_within_the_slots(db: TestDb) {
    let probe = Probe::new();
    let worker = start(&db, 3).await;
    for _ in 0..3 {
        enqueue(&db, (0..300).map(|_| tick::job(probe.number))).await;
    }
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert_eq!(probe.most(), 3);
    let mut runs = probe.runs();
    runs.sort_unstable();
    runs.dedup_by_key(|run| run.0);
    assert_eq!((runs.len(), probe.runs().len()), (900, 900));
    assert!(runs.iter().all(|(_, attempt)| *attempt == 1));
}

on_one_shard!(slow_jobs_are_not_prefetched);
async fn slow_jobs_are_not_prefetched(db: TestDb) {
    db.run(SEE_LEASES).await;
    enqueue(&db, (0..30).map(|_| take_long::job())).await;
    let worker = start(&db, 3).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert!(db.number("select max(jobs) from public.seen").await <= 3);
}

on_one_shard!(prefetched_jobs_begin_in_the_order_of_their_tickets);
async fn prefetched_jobs_begin_in_the_order_of_their_tickets(db: TestDb) {
    // A job that did not begin in time, because the machine is busy, is returned and goes to the end of the line.
    db.run(
        "create table public.line (id uuid, ticket bigint);
        create function public.leave() returns trigger language plpgsql as $$ begin
            delete from public.line where id = new.id;
            return new;
        end $$;
        create trigger leave after update on pgjobq.jobs for each row execute function public.leave()",
    )
    .await;
    let probe = Probe::new();
    enqueue(&db, (0..600).map(|_| tick::job(probe.number))).await;
    db.run("insert into public.line select id, ticket from pgjobq.jobs").await;
    let worker = start(&db, 1).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let line: Vec<uuid::Uuid> =
        sqlx::query_scalar("select id from public.line order by ticket").fetch_all(&db.pool).await.unwrap();
    let runs = probe.runs().into_iter().map(|(id, _)| id.as_uuid());
    let runs: Vec<_> = runs.filter(|id| line.contains(id)).collect();
    assert!(line == runs && line.len() > 100, "{} of them began in another order", line.len());
}

on_one_shard!(urgent_job_waits_at_most_for_prefetched_ones);
async fn urgent_job_waits_at_most_for_prefetched_ones(db: TestDb) {
    let probe = Probe::new();
    enqueue(&db, (0..300).map(|_| tick::job(probe.number))).await;
    enqueue(&db, [call_for_help::job(probe.number)]).await;
    enqueue(&db, (0..1500).map(|_| tick::job(probe.number))).await;
    let worker = start(&db, 1).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let urgent: uuid::Uuid = sqlx::query_scalar("select id from pgjobq.finished where priority = 3")
        .fetch_one(&db.pool)
        .await
        .unwrap();
    let before = probe.runs().iter().position(|(id, _)| id.as_uuid() == urgent).unwrap();
    // The jobs before it, the ones that had been claimed, and one more claim.
    assert!(before <= 300 + 500 + 500, "{before} began before it");
}

/// Fills the slots of a worker that prefetches. Returns the jobs that wait behind.
async fn stuck(db: &TestDb, slots: usize, probe: &Probe, behind: usize) -> Vec<JobHandle<u32>> {
    enqueue(db, (0..500).map(|_| tick::job(Probe::new().number))).await;
    enqueue(db, (0..slots).map(|_| stay_in_slot::job(probe.number))).await;
    let mut jobs = Vec::new();
    for _ in 0..behind {
        jobs.push(tick::enqueue(&db.client, probe.number).await.unwrap());
    }
    jobs
}

on_one_shard!(job_without_a_slot_in_time_runs_elsewhere);
async fn job_without_a_slot_in_time_runs_elsewhere(db: TestDb) {
    db.run(SEE_LEASES).await;
    let probe = Probe::new();
    let jobs = stuck(&db, 2, &probe, 100).await;
    let busy = start(&db, 2).await;
    probe.until(|probe| probe.running() == 2).await;
    let idle = start(&db, 2).await;
    for job in &jobs {
        assert_eq!(end_of(&db.client, job).await, Outcome::Completed(1), "it is the first attempt");
    }
    assert_eq!(probe.running(), 2, "the slots of the first worker are still taken");
    let blamed = "select count(*) from pgjobq.finished where failures > 0 or crashes > 0 or attempt > 1";
    assert_eq!(db.number(blamed).await, 0);
    probe.gate.add_permits(2);
    idle.shutdown().await.unwrap();
    busy.shutdown().await.unwrap();
}

on_one_shard!(shutdown_returns_jobs_that_have_not_begun);
async fn shutdown_returns_jobs_that_have_not_begun(db: TestDb) {
    let probe = Probe::new();
    let jobs = stuck(&db, 2, &probe, 100).await;
    let worker = start(&db, 2).await;
    probe.until(|probe| probe.running() == 2).await;
    let ending = tokio::spawn(worker.shutdown());
    db.until(&format!("({LEASED}) = 2")).await;
    probe.gate.add_permits(2);
    ending.await.unwrap().unwrap();
    for job in &jobs {
        let status = job.status(&db.client).await.unwrap().unwrap();
        assert_eq!((status.state, status.attempts, status.crashes), (pgjobq::JobState::Ready, 0, 0));
    }
    assert_eq!(db.number("select count(*) from pgjobq.leases").await, 0);
}

on_one_shard!(paused_queue_gets_jobs_back_that_have_not_begun);
async fn paused_queue_gets_jobs_back_that_have_not_begun(db: TestDb) {
    let probe = Probe::new();
    let jobs = stuck(&db, 2, &probe, 100).await;
    let worker = start(&db, 2).await;
    probe.until(|probe| probe.running() == 2).await;
    db.client.queue("default").pause().await.unwrap();
    db.until(&format!("({LEASED}) = 2")).await;
    probe.gate.add_permits(2);
    db.until(&format!("({LEASED}) = 0")).await;
    for job in &jobs {
        let status = job.status(&db.client).await.unwrap().unwrap();
        assert_eq!((status.state, status.attempts, status.crashes), (pgjobq::JobState::Ready, 0, 0));
    }
    db.client.queue("default").resume().await.unwrap();
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
}

on_one_shard!(cancelled_job_that_waits_for_a_slot_never_begins);
async fn cancelled_job_that_waits_for_a_slot_never_begins(db: TestDb) {
    let probe = Probe::new();
    let jobs = stuck(&db, 2, &probe, 100).await;
    let worker = start(&db, 2).await;
    probe.until(|probe| probe.running() == 2).await;
    for job in &jobs[..10] {
        job.cancel(&db.client).await.unwrap();
    }
    for job in &jobs[..10] {
        assert!(matches!(end_of(&db.client, job).await, Outcome::Cancelled));
    }
    probe.gate.add_permits(2);
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    let runs = probe.runs();
    assert!(jobs[..10].iter().all(|job| runs.iter().all(|(id, _)| *id != job.id())));
}

on_one_shard!(jobs_that_must_not_run_twice_are_not_prefetched);
async fn jobs_that_must_not_run_twice_are_not_prefetched(db: TestDb) {
    db.run(SEE_LEASES).await;
    let probe = Probe::new();
    for _ in 0..10 {
        enqueue(&db, (0..15).map(|_| tick::job(probe.number))).await;
        enqueue(&db, (0..15).map(|_| tick_once::job(probe.number))).await;
    }
    let worker = start(&db, 40).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert!(db.number("select max(jobs) from public.seen").await <= 40);
    assert_eq!(probe.runs().len(), 300);
}

on_one_shard!(transactional_jobs_are_not_prefetched);
async fn transactional_jobs_are_not_prefetched(db: TestDb) {
    db.run(SEE_LEASES).await;
    enqueue(&db, (0..200).map(|_| tick_in_a_transaction::job())).await;
    let worker = start(&db, 5).await;
    db.until(ALL_ENDED).await;
    worker.shutdown().await.unwrap();
    assert!(db.number("select max(jobs) from public.seen").await <= 5);
}
