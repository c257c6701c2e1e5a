//! Results that cannot be recorded: the worker keeps and retries each. None delays another, and no job runs twice because of it.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{CancelOutcome, Client, FailureReason, WorkerError};
use sqlx::postgres::PgPoolOptions;

use crate::gate::Gate;
use crate::harness::{TestDb, in_time};
use crate::probe::{Probe, end_of};

/// Runs at most once, and ends when the test lets it.
#[job(retries = 0, max_crashes = 0)]
pub(crate) async fn once(ctx: JobContext, probe: u64, code: String) -> Result<String> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
    Ok(code)
}

/// Fails with this text as a fatal error.
#[job]
async fn die_of(text: String) -> Result<()> {
    Err(JobError::fatal(text))
}

/// Rejects the end of each job that has a `code` among its arguments, with that SQLSTATE, and counts the rejections.
pub(crate) const REFUSE: &str = "create sequence public.refusals;
    create function refuse() returns trigger language plpgsql as $$ begin
        if new.args->>'code' <> '' then
            perform nextval('public.refusals');
            raise exception 'refused' using errcode = new.args->>'code';
        end if;
        return new;
    end $$;
    create trigger refuse before insert on pgjobq.finished for each row execute function refuse()";

/// Lets the trigger refuse nothing any more. To drop it would lock the partitions one after another, beside workers that lock some.
pub(crate) const ACCEPT: &str =
    "create or replace function refuse() returns trigger language plpgsql as $$ begin return new; end $$";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_result_is_kept_and_its_job_runs_once() {
    let db = TestDb::new(1).await;
    db.run(REFUSE).await;
    let probe = Probe::new();
    let worker = db.worker().claim_timeout(Duration::from_secs(2)).build().await.unwrap().start();
    let codes = ["P0001", "23505", "42501", "XX000"];
    let mut jobs = Vec::new();
    for code in codes {
        jobs.push(once::enqueue(&db.client, probe.number, code.to_owned()).await.unwrap());
    }
    let other = once::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    probe.until(|probe| probe.running() == 5).await;
    probe.gate.add_permits(100);
    assert_eq!(
        end_of(&db.client, &other).await,
        Outcome::Completed(String::new()),
        "the other result is not delayed"
    );
    // Longer than the claim timeout, after which the heartbeat returns leases that the worker does not know.
    db.until(
        "(select last_value from refusals) >= 10 and exists (select from pgjobq.leases)
              and (select bool_and(claimed_at < now() - interval '3 s') from pgjobq.leases)",
    )
    .await;
    assert_eq!(probe.runs().len(), 5, "no job runs twice: {:?}", probe.runs());

    db.run(ACCEPT).await;
    for (job, code) in jobs.iter().zip(codes) {
        match end_of(&db.client, job).await {
            Outcome::Completed(returned) => assert_eq!(returned, code),
            // A violated constraint is caused by the result itself.
            Outcome::Dead(failure) if code == "23505" => {
                assert!(failure.message().contains("could not be recorded"), "{failure}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
    assert_eq!(probe.runs().len(), 5);
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_that_ends_while_logins_are_refused_runs_once() {
    let db = TestDb::new(1).await;
    let role = format!("pgjobq_test_{}", uuid::Uuid::new_v4().simple());
    db.run(&format!("create role {role} login superuser")).await;
    let pool = PgPoolOptions::new().connect_with(db.options.clone().username(&role)).await.unwrap();
    let client = Client::new(pool.clone());
    let worker = Worker::builder(&client)
        .queue("default", 20)
        .heartbeat(Duration::from_secs(1))
        .claim_timeout(Duration::from_secs(1))
        .build()
        .await
        .unwrap()
        .start();
    let probe = Probe::new();
    let job = once::enqueue(&db.client, probe.number, "done".to_owned()).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    let end_all = format!("select pg_terminate_backend(pid) from pg_stat_activity where usename = '{role}'");
    db.run(&format!("alter role {role} nologin")).await;
    db.run(&end_all).await;
    probe.gate.add_permits(100);
    probe.until(|probe| probe.running() == 0).await;
    // By then the heartbeat would have returned the lease if the worker had forgotten it.
    db.until("(select bool_and(claimed_at < now() - interval '3 s') from pgjobq.leases)").await;
    db.run(&format!("alter role {role} login")).await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed("done".to_owned()));
    db.until("not exists (select from pgjobq.leases)").await;
    assert_eq!(probe.runs().len(), 1);
    worker.shutdown().await.unwrap();
    client.close().await;
    pool.close().await;
    db.drop_role(&role).await;
}

/// Rejects statements in which more than three jobs end, as a `statement_timeout` would.
const REFUSE_MANY: &str = "create sequence public.refusals;
    create function refuse_many() returns trigger language plpgsql as $$ begin
        if (select count(*) from ended) > 3 then
            perform nextval('public.refusals');
            raise exception 'too many' using errcode = '57014';
        end if;
        return null;
    end $$;
    create trigger refuse_many after insert on pgjobq.finished referencing new table as ended
        for each statement execute function refuse_many()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_that_times_out_is_cut() {
    let db = TestDb::new(1).await;
    db.run(REFUSE_MANY).await;
    let gate = Gate::new();
    let worker = db.worker().build().await.unwrap().start();
    let jobs: Vec<_> = (0..20).map(|_| gate.job()).collect();
    db.client.enqueue_all(jobs).await.unwrap();
    gate.until(|count| count.inside == 20).await;
    // The lock delays all results, so that they arrive in one batch.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.jobs").execute(&mut *locked).await.unwrap();
    gate.open();
    gate.until(|count| count.inside == 0).await;
    locked.rollback().await.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 20").await;
    assert!(db.number("select last_value from refusals").await > 1, "a batch was rejected");
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_text_beyond_the_database_encoding_is_recorded() {
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        in_time(async {
            let db = TestDb::encoded(encoding).await;
            let worker = db.worker().name(format!("wörker ✗ {encoding}")).build().await.unwrap().start();
            let ascii = die_of::enqueue(&db.client, "a".repeat(10_000)).await.unwrap();
            let Outcome::Dead(failure) = end_of(&db.client, &ascii).await else { panic!() };
            assert!(failure.message().ends_with("aaa..."), "{failure}");
            let beyond = die_of::job("no".to_owned()).enqueue(&db.client).await.unwrap();
            let Outcome::Dead(failure) = end_of(&db.client, &beyond).await else { panic!() };
            assert_eq!(failure.message(), "no");
            let beyond = fail_marked::enqueue(&db.client).await.unwrap();
            let Outcome::Dead(failure) = end_of(&db.client, &beyond).await else { panic!() };
            let stored = if encoding == "SQL_ASCII" { "no ✗" } else { "no \\u{2717}" };
            assert_eq!((failure.message(), failure.attempts), (stored, 2), "the job was retried");
            let saying = say_marked::enqueue(&db.client).await.unwrap();
            db.until("exists (select from pgjobq.progress where message <> '')").await;
            let status = saying.status(&db.client).await.unwrap().unwrap();
            assert_eq!(status.progress.map(|progress| progress.message).as_deref(), Some(stored));
            let answer = saying.cancel(&db.client).by("✗").because("no ✗").await.unwrap();
            assert_ne!(answer, CancelOutcome::NotLive);
            assert_eq!(end_of(&db.client, &saying).await, Outcome::Cancelled);
            let status = saying.status(&db.client).await.unwrap().unwrap();
            assert_eq!(status.cancelled.unwrap().reason.as_deref(), Some(stored));
            worker.shutdown().await.unwrap();
        })
        .await;
    }
}

/// Fails twice, with a character that few encodings contain.
#[job(retries = 1, backoff = "1ms")]
async fn fail_marked() -> Result<()> {
    Err("no ✗".into())
}

/// Reports its progress with such a character, and waits until it is cancelled.
#[job]
async fn say_marked(ctx: JobContext) -> Result<()> {
    ctx.progress(1, "no ✗");
    ctx.stop_requested().await;
    Err("cancelled".into())
}

#[job]
async fn return_large(bytes: usize) -> Result<String> {
    Ok("x".repeat(bytes))
}

#[job]
async fn return_large_in(_tx: &mut Tx, bytes: usize) -> Result<String> {
    Ok("x".repeat(bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn result_over_the_limit_buries_its_job() {
    let db = TestDb::new(1).await;
    let worker = db.worker().max_result(1000).build().await.unwrap().start();
    assert_eq!(return_large::call(&db.client, 998).await.unwrap().len(), 998);
    assert_eq!(return_large_in::call(&db.client, 998).await.unwrap().len(), 998);
    for job in [return_large::job(999), return_large_in::job(999)] {
        let job = job.enqueue(&db.client).await.unwrap();
        let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!("the job is not dead") };
        assert!(
            failure.message().contains("is 1001 bytes, more than the limit of 1000: store it"),
            "{failure}"
        );
        assert_eq!(failure.attempts, 1);
    }
    worker.shutdown().await.unwrap();
}

/// Its commit fails the first time.
#[job(backoff = "1ms")]
async fn commit_in_vain(ctx: JobContext, tx: &mut Tx) -> Result<u32> {
    sqlx::query("insert into effects values ($1)").bind(ctx.attempt() as i32).execute(&mut **tx).await?;
    Ok(ctx.attempt())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_a_failed_commit_is_promoted_in_time() {
    let db = TestDb::new(1).await;
    db.run(
        "create table effects (attempt int);
         create function refuse_first() returns trigger language plpgsql as $$ begin
             if new.attempt = 1 then raise exception 'not at first'; end if;
             return null;
         end $$;
         create constraint trigger refuse_first after insert on effects deferrable initially deferred
             for each row execute function refuse_first()",
    )
    .await;
    // A poll would come long after the test's timeout.
    let worker = db.worker().poll_interval(Duration::from_secs(600)).build().await.unwrap().start();
    let job = commit_in_vain::enqueue(&db.client).await.unwrap();
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed(2));
    worker.shutdown().await.unwrap();
}

/// Fails until the given attempt, which fails with a fatal error.
#[job(retries = 1000, backoff = "1ms")]
async fn die_at(ctx: JobContext, attempt: u32) -> Result<()> {
    match ctx.attempt() == attempt {
        true => Err(JobError::fatal("at last")),
        false => Err("not yet".into()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_keeps_its_first_and_last_failures() {
    let db = TestDb::new(1).await;
    let later = Duration::from_secs(3600);
    let job = die_at::job(202).delay(later).enqueue(&db.client).await.unwrap();
    db.run(
        "update pgjobq.jobs set attempt = 200, failures = 200;
            insert into pgjobq.failures (shard, job, attempt, reason, message)
            select 0, id, n, 'error', 'long ago' from pgjobq.jobs, generate_series(1, 200) n",
    )
    .await;
    let worker = db.worker().build().await.unwrap().start();
    db.run("update pgjobq.jobs set run_at = now()").await;
    let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!("the job is not dead") };
    let kept = |failure: &pgjobq::Failure| -> Vec<u32> { failure.errors.iter().map(|e| e.attempt).collect() };
    let first_and_last = |last: std::ops::RangeInclusive<u32>| (1..=10).chain(last).collect::<Vec<_>>();
    assert_eq!(kept(&failure), first_and_last(102..=202));
    let left_out = |failure: &pgjobq::Failure| failure.errors.iter().map(|e| e.left_out).sum::<u32>();
    assert_eq!((left_out(&failure), failure.errors[10].left_out), (91, 91));

    // A requeued job continues its count of attempts, and no more failures are kept while it runs.
    db.run("update pgjobq.finished set args = '{\"attempt\": 204}'").await;
    assert!(job.requeue(&db.client).await.unwrap() == pgjobq::RequeueOutcome::Requeued);
    db.until("exists (select from pgjobq.finished where attempt = 204)").await;
    let Outcome::Dead(failure) = end_of(&db.client, &job).await else { panic!("the job is not dead") };
    assert_eq!(kept(&failure), first_and_last(104..=204));
    assert_eq!(left_out(&failure), 93);
    worker.shutdown().await.unwrap();
}

/// Ends when the test lets it, with a result that is rejected if it has a `code`. It may run again.
#[job]
pub(crate) async fn again(ctx: JobContext, probe: u64, code: String) -> Result<u32> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
    let _ = code;
    Ok(ctx.attempt())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_results_are_released_at_shutdown() {
    let db = TestDb::new(1).await;
    db.run(REFUSE).await;
    let (probe, other) = (Probe::new(), Probe::new());
    let code = "P0001".to_owned();
    let again = again::enqueue(&db.client, probe.number, code.clone()).await.unwrap();
    let once = once::enqueue(&db.client, other.number, code).await.unwrap();
    let worker = db.worker().build().await.unwrap().start();
    probe.until(|probe| probe.running() + other.running() == 2).await;
    probe.gate.add_permits(2);
    other.gate.add_permits(2);
    let unready = async {
        while worker.health().is_ready() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), unready)
        .await
        .expect("health reports that the worker is not ready");
    assert!(!worker.health().recording);
    probe.until(|_| worker.health().unrecorded == 2).await;
    let ended = worker.shutdown().await;
    assert!(matches!(ended, Err(WorkerError::Unrecorded(2))), "{ended:?}");
    let waits = "select count(*) from pgjobq.job_states where state = 'ready' and attempt = 1";
    assert_eq!(db.number(waits).await, 1, "the job that may run twice was released");
    assert_eq!(
        db.number("select count(*) from pgjobq.leases").await,
        1,
        "the lease of the job that may not run twice remains"
    );

    db.run(ACCEPT).await;
    let heir = db.worker().build().await.unwrap().start();
    assert_eq!(end_of(&db.client, &again).await, Outcome::Completed(2));
    let Outcome::Dead(failure) = end_of(&db.client, &once).await else { panic!("the job is not dead") };
    assert_eq!((failure.errors[0].reason, other.runs().len()), (FailureReason::Crash, 1));
    heir.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrecorded_result_keeps_its_place_in_quarantine() {
    let db = TestDb::new(1).await;
    db.run(REFUSE).await;
    let probe = Probe::new();
    let first = again::enqueue(&db.client, probe.number, "P0001".to_owned()).await.unwrap();
    let second = again::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    // Another crash would be the last for each, so each must run alone.
    db.run("update pgjobq.jobs set crashes = max_crashes").await;
    // Both have a `code`, so the first result is rejected in either order.
    db.run("update pgjobq.jobs set args = jsonb_set(args, '{code}', '\"P0001\"')").await;
    let worker = db.worker().build().await.unwrap().start();
    probe.until(|probe| probe.running() == 1).await;
    probe.gate.add_permits(2);
    db.until("(select last_value from refusals) >= 6").await;
    assert_eq!(probe.runs().len(), 1, "a crash would still count for the first job");
    db.run(ACCEPT).await;
    for job in [first, second] {
        assert!(matches!(end_of(&db.client, &job).await, Outcome::Completed(_)));
    }
    worker.shutdown().await.unwrap();
}
