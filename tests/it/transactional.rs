//! Transactional jobs: their completion and their writes commit together, or not at all.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx::postgres::PgPoolOptions;
use pgjobq::sqlx::{self, Connection};
use pgjobq::{JobState, RequeueOutcome};

use crate::harness::{PATIENCE, TestDb};
use crate::probe::{Probe, end_of};
use crate::proxy::Proxy;

async fn write(connection: &mut sqlx::PgConnection, what: &str) -> sqlx::Result<()> {
    sqlx::query("insert into effects (what) values ($1)").bind(what).execute(connection).await.map(drop)
}

#[job]
async fn child() {}

/// Writes, enqueues a child, and ends as its argument requests.
#[job(retries = 1)]
async fn settle(ctx: JobContext, tx: &mut Tx, how: String) -> Result<String> {
    write(tx, &format!("{how} {}", ctx.attempt())).await?;
    child::enqueue(&mut *tx).await?;
    match how.as_str() {
        "fail" if ctx.attempt() == 1 => Err("no".into()),
        "panic" if ctx.attempt() == 1 => panic!("no"),
        _ => Ok(how),
    }
}

/// Returns the idle timeout of its transaction.
#[job(timeout = "7s")]
async fn look(tx: &mut Tx) -> Result<String> {
    Ok(sqlx::query_scalar("select current_setting('idle_in_transaction_session_timeout')")
        .fetch_one(&mut **tx)
        .await?)
}

/// Uses a savepoint, as any code with a connection may.
#[job]
async fn save(tx: &mut Tx) -> Result<()> {
    write(tx, "kept").await?;
    let mut inner = tx.begin().await?;
    write(&mut inner, "taken back").await?;
    inner.rollback().await?;
    Ok(())
}

/// Holds its transaction until the test lets it.
#[job(retain = "0s")]
async fn hold(ctx: JobContext, tx: &mut Tx, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    write(tx, &format!("hold {}", ctx.attempt())).await?;
    if ctx.attempt() == 1 {
        probe.pass().await;
    }
    Ok(())
}

/// Completes in its own transaction, and holds that open until the test lets it commit or roll back.
#[job]
async fn complete_by_hand(ctx: JobContext, probe: u64, commits: bool) -> Result<u32> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    let mut tx = probe.pool.get().unwrap().begin().await?;
    write(&mut tx, &format!("by hand {}", ctx.attempt())).await?;
    ctx.complete_in(&mut tx, &ctx.attempt()).await?;
    probe.reached.fetch_add(1, Ordering::SeqCst);
    probe.pass().await;
    if commits || ctx.attempt() > 1 {
        tx.commit().await?
    } else {
        tx.rollback().await?
    }
    Ok(ctx.attempt())
}

/// Succeeds, and keeps the transaction that completes it open until the test lets it commit.
#[job]
async fn complete_later(ctx: JobContext, probe: u64) -> Result<()> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    let mut tx = probe.pool.get().unwrap().begin().await?;
    ctx.complete_in(&mut tx, &()).await?;
    probe.reached.fetch_add(1, Ordering::SeqCst);
    tokio::spawn(async move {
        probe.pass().await;
        tx.commit().await.unwrap();
    });
    Ok(())
}

async fn stage(db: &TestDb) -> pgjobq::WorkerBuilder {
    db.run("create table effects (what text)").await;
    db.worker()
}

async fn effects(db: &TestDb) -> Vec<String> {
    sqlx::query_scalar("select what from effects order by what").fetch_all(&db.pool).await.unwrap()
}

on_one_and_eight_shards!(writes_children_and_completion_commit_together);
async fn writes_children_and_completion_commit_together(db: TestDb) {
    let worker = stage(&db).await.build().await.unwrap().start();
    let job = settle::enqueue(&db.client, "succeed".to_owned()).await.unwrap();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed("succeed".to_owned()));
    db.run("update pgjobq.jobs set run_at = now() where run_at is not null").await;
    db.until("not exists (select from pgjobq.jobs) and not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
    assert_eq!(effects(&db).await, ["succeed 1"]);
    let of_parent = format!(
        "select count(*) from pgjobq.finished where kind = 'child' and meta->>'parent' = '{}'",
        job.id()
    );
    assert_eq!(db.number(&of_parent).await, 1);
}

on_one_shard!(failure_or_panic_rolls_everything_back);
async fn failure_or_panic_rolls_everything_back(db: TestDb) {
    let worker = stage(&db).await.build().await.unwrap().start();
    for how in ["fail", "panic"] {
        let job = settle::enqueue(&db.client, how.to_owned()).await.unwrap();
        db.until("exists (select from pgjobq.jobs where failures = 1)").await;
        assert_eq!(db.number("select count(*) from effects").await, i64::from(how == "panic"));
        db.run("update pgjobq.jobs set run_at = now(); select pg_notify(pgjobq.channel(), 'anything')").await;
        assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(how.to_owned()));
    }
    db.until("not exists (select from pgjobq.jobs)").await; // The children, too.
    worker.shutdown().await.unwrap();
    assert_eq!(effects(&db).await, ["fail 2", "panic 2"]);
    assert_eq!(db.number("select count(*) from pgjobq.finished where kind = 'child'").await, 2);
}

on_one_shard!(transaction_may_idle_until_the_timeout_of_its_job);
async fn transaction_may_idle_until_the_timeout_of_its_job(db: TestDb) {
    let worker = stage(&db).await.build().await.unwrap().start();
    assert_eq!(look::call(&db.client).await.unwrap(), "7s");
    worker.shutdown().await.unwrap();
}

on_one_shard!(nested_transaction_is_a_savepoint);
async fn nested_transaction_is_a_savepoint(db: TestDb) {
    let worker = stage(&db).await.build().await.unwrap().start();
    save::call(&db.client).await.unwrap();
    worker.shutdown().await.unwrap();
    assert_eq!(effects(&db).await, ["kept"]);
}

on_one_and_eight_shards!(stale_attempt_rolls_back_its_transaction);
async fn stale_attempt_rolls_back_its_transaction(db: TestDb) {
    let probe = Probe::new();
    let worker = stage(&db).await.build().await.unwrap().start();
    let job = hold::enqueue(&db.client, probe.number).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // The job is reaped and runs again, while its first attempt is about to complete.
    db.run_beside_a_worker(
        "do $$ begin delete from pgjobq.workers; perform pgjobq.reap(shard, '{}') from pgjobq.lanes; end $$",
    )
    .await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(()));
    probe.gate.add_permits(1);
    probe.until(|probe| probe.running() == 0).await;
    worker.shutdown().await.unwrap();
    assert_eq!(effects(&db).await, ["hold 2"]);
    assert_eq!(probe.runs().len(), 2);
}

on_one_shard!(job_completes_by_hand_in_an_open_transaction);
async fn job_completes_by_hand_in_an_open_transaction(db: TestDb) {
    let probe = Probe::new();
    probe.pool.set(db.pool.clone()).unwrap();
    let worker = stage(&db).await.build().await.unwrap().start();
    let job = complete_by_hand::enqueue(&db.client, probe.number, true).await.unwrap();
    probe.until(|probe| probe.reached() == 1).await;
    // The open transaction delays nothing else: other jobs are claimed and finish, its worker can be reaped, and its
    // cancellation requested.
    child::call(&db.client).await.unwrap();
    db.run("do $$ declare r record; begin
        delete from pgjobq.workers;
        for r in select s.shard, p.skipped from pgjobq.lanes s, lateral pgjobq.reap(s.shard, '{}') p where p.queue is not null loop
            assert r.skipped is not null, 'the lease was taken, though its job is about to be completed';
        end loop;
    end $$").await;
    let asked =
        tokio::time::timeout(Duration::from_secs(60), job.cancel(&db.client).into_future()).await.unwrap();
    assert_eq!(asked.unwrap(), pgjobq::CancelOutcome::StopRequested);
    probe.gate.add_permits(1);
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(1));
    child::call(&db.client).await.unwrap();
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
    assert_eq!(effects(&db).await, ["by hand 1"]);
}

on_one_shard!(transactional_job_that_cannot_commit_has_failed);
async fn transactional_job_that_cannot_commit_has_failed(db: TestDb) {
    let probe = Probe::new();
    probe.gate.add_permits(9);
    probe.pool.set(db.pool.clone()).unwrap();
    let worker = stage(&db).await.build().await.unwrap().start();
    let job = complete_by_hand::enqueue(&db.client, probe.number, false).await.unwrap();
    db.until("exists (select from pgjobq.failures where message = 'it completed in a transaction that was not committed')").await;
    db.run("update pgjobq.jobs set run_at = now(); select pg_notify(pgjobq.channel(), 'anything')").await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(2));
    // One attempt failed, and the other completed.
    db.until("(select (sum(completed), sum(failed)) = (1, 1) from pgjobq.rates)").await;
    worker.shutdown().await.unwrap();
    assert_eq!(effects(&db).await, ["by hand 2"]);
}

on_one_shard!(unit_test_calls_a_transactional_function);
async fn unit_test_calls_a_transactional_function(db: TestDb) {
    db.run("create table effects (what text)").await;
    let mut tx = Tx::begin(&db.client).await.unwrap();
    let settled = settle(JobContext::for_test(), &mut tx, "tested".to_owned()).await;
    assert_eq!(settled.ok().as_deref(), Some("tested"));
    tx.rollback().await.unwrap();
    assert_eq!(
        db.number("select count(*) from effects").await + db.number("select count(*) from pgjobq.jobs").await,
        0
    );
}

on_one_shard!(dead_transactional_job_is_put_back_in_line);
async fn dead_transactional_job_is_put_back_in_line(db: TestDb) {
    let worker = stage(&db).await.build().await.unwrap().start();
    let job = settle::job("fail".to_owned()).retries(0).enqueue(&db.client).await.unwrap();
    assert!(matches!(end_of(&db.client, &job).await, Outcome::Dead(_)));
    assert_eq!(job.requeue(&db.client).await.unwrap(), RequeueOutcome::Requeued);
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed("fail".to_owned()));
    assert_eq!(
        job.requeue(&db.client).await.unwrap(),
        RequeueOutcome::NothingToRequeue,
        "one that completed is not run again"
    );
    assert_eq!(job.status(&db.client).await.unwrap().unwrap().state, JobState::Completed);
    worker.shutdown().await.unwrap();
}

/// The first attempt hangs until its timeout.
#[job(timeout = "10s", backoff = "10ms")]
async fn linger(ctx: JobContext, tx: &mut Tx) -> Result<u32> {
    sqlx::query("select 'lingers'").execute(&mut **tx).await?;
    if ctx.attempt() == 1 {
        std::future::pending::<()>().await;
    }
    Ok(ctx.attempt())
}

on_one_shard!(silent_transaction_returns_its_place_to_the_pool);
async fn silent_transaction_returns_its_place_to_the_pool(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let one = PgPoolOptions::new().max_connections(1).connect_with(proxy.options()).await.unwrap();
    let worker = Worker::builder(&Client::new(one)).queue("default", 1).lease(Duration::from_secs(2));
    let worker = worker.heartbeat(Duration::from_millis(200)).claim_timeout(Duration::from_secs(2));
    let worker = worker.build().await.unwrap().start();
    let job = linger::enqueue(&db.client).await.unwrap();
    db.until(
        "exists (select from pg_stat_activity where datname = current_database()
                      and state = 'idle in transaction' and query like '%lingers%')",
    )
    .await;
    proxy.silence();
    db.until("(select min(seen_at) from pgjobq.workers) < clock_timestamp() - interval '500 ms'").await;
    proxy.mend(); // For new connections only; the silent ones stay silent.
    let outcome = job.wait_timeout(&db.client, PATIENCE).await.unwrap();
    assert!(matches!(outcome, Outcome::Completed(2..)), "{outcome:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_doubt_commits_leave_connections_to_other_jobs() {
    const JOBS: u32 = 5;
    let db = TestDb::new(1).await;
    let probe = Probe::new();
    let pool = PgPoolOptions::new().max_connections(JOBS).connect_with(db.options.clone()).await.unwrap();
    probe.pool.set(pool).unwrap();
    let worker = stage(&db).await.connections(4).build().await.unwrap().start();
    let jobs: Vec<_> = (0..JOBS).map(|_| complete_later::job(probe.number)).collect();
    db.client.enqueue_all(jobs).await.unwrap();
    probe.until(|probe| probe.reached() == JOBS as usize && probe.running() == 0).await;
    let waiting = "select count(*) from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock' and state = 'active'";
    db.until(&format!("({waiting}) > 0")).await;
    for _ in 0..3 {
        child::call(&db.client).await.unwrap();
        assert!(db.number(waiting).await <= 1, "one of them waits at a time");
    }
    probe.gate.add_permits(JOBS as usize);
    db.until("not exists (select from pgjobq.jobs) and not exists (select from pgjobq.leases)").await;
    assert_eq!(probe.runs().len(), JOBS as usize);
    worker.shutdown().await.unwrap();
}
