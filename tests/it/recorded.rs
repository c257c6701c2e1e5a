//! Results that cannot be recorded: each is kept, and tried again; none holds up another, and no job runs twice because of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgjobq::Client;
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

use crate::gate::Gate;
use crate::harness::{TestDb, in_time};
use crate::probe::{Probe, end_of};

/// Runs at most once, and ends when the test lets it.
#[job(retries = 0, crashes = 0)]
async fn once(ctx: JobContext, probe: u64, code: String) -> Result<String> {
    let probe = Probe::of(probe);
    let _run = probe.begin(&ctx);
    probe.pass().await;
    Ok(code)
}

/// Fails for good, with this text.
#[job]
async fn die_of(text: String) -> Result<()> {
    Err(JobError::fatal(text))
}

/// Refuses to let a job end that has a `code` among its arguments, with that SQLSTATE, and counts how often.
const REFUSE: &str = "create sequence refusals;
    create function refuse() returns trigger language plpgsql as $$ begin
        if new.args->>'code' <> '' then
            perform nextval('refusals');
            raise exception 'refused' using errcode = new.args->>'code';
        end if;
        return new;
    end $$;
    create trigger refuse before insert on pgjobq.finished for each row execute function refuse()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_result_is_kept_and_its_job_runs_once() {
    let db = TestDb::new(1).await;
    db.run(REFUSE).await;
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    let codes = ["P0001", "23505", "42501", "XX000"];
    let mut jobs = Vec::new();
    for code in codes {
        jobs.push(once::enqueue(&db.client, probe.number, code.to_owned()).await.unwrap());
    }
    let other = once::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    probe.until(|probe| probe.running() == 5).await;
    probe.gate.add_permits(100);
    assert_eq!(end_of(&db.client, &other).await, Outcome::Completed(String::new()), "it is not held up");
    // Longer than a claim may take, after which a lease that nobody knows is returned.
    db.until(
        "(select last_value from refusals) >= 20 and exists (select from pgjobq.leases)
              and (select bool_and(claimed_at < now() - interval '3 s') from pgjobq.leases)",
    )
    .await;
    assert_eq!(probe.runs().len(), 5, "none runs twice: {:?}", probe.runs());

    db.run("drop trigger refuse on pgjobq.finished").await;
    for (job, code) in jobs.iter().zip(codes) {
        match end_of(&db.client, job).await {
            Outcome::Completed(returned) => assert_eq!(returned, code),
            // A violated constraint is the fault of what was to be recorded.
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
    // Until then its lease would have been returned as one that nobody knows, had it been forgotten.
    db.until("(select bool_and(claimed_at < now() - interval '3 s') from pgjobq.leases)").await;
    db.run(&format!("alter role {role} login")).await;
    assert_eq!(end_of(&db.client, &job).await, Outcome::Completed("done".to_owned()));
    db.until("not exists (select from pgjobq.leases)").await;
    assert_eq!(probe.runs().len(), 1);
    worker.shutdown().await.unwrap();
    client.close().await;
    pool.close().await;
    db.run(&format!("drop role {role}")).await;
}

/// Refuses to let more than three jobs end in one statement, as if it had taken too long.
const REFUSE_MANY: &str = "create sequence refusals;
    create function refuse_many() returns trigger language plpgsql as $$ begin
        if (select count(*) from ended) > 3 then
            perform nextval('refusals');
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
    // Nothing can be recorded for a moment, so that all of them come together.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.jobs").execute(&mut *locked).await.unwrap();
    gate.open();
    gate.until(|count| count.inside == 0).await;
    locked.rollback().await.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 20").await;
    assert!(db.number("select last_value from refusals").await > 1, "they came one by one");
    db.until("not exists (select from pgjobq.leases)").await;
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_text_beyond_the_database_encoding_is_recorded() {
    for encoding in ["LATIN1", "SQL_ASCII", "EUC_JP"] {
        in_time(async {
            let db = TestDb::encoded(encoding).await;
            let worker = db.worker().name(format!("wörker {encoding}")).build().await.unwrap().start();
            let ascii = die_of::enqueue(&db.client, "a".repeat(10_000)).await.unwrap();
            let Outcome::Dead(failure) = end_of(&db.client, &ascii).await else { panic!() };
            assert!(failure.message().ends_with("aaa..."), "{failure}");
            let beyond = die_of::job("no".to_owned()).enqueue(&db.client).await.unwrap();
            let Outcome::Dead(failure) = end_of(&db.client, &beyond).await else { panic!() };
            assert_eq!(failure.message(), "no");
            let beyond = fail_marked::enqueue(&db.client).await.unwrap();
            let Outcome::Dead(failure) = end_of(&db.client, &beyond).await else { panic!() };
            let stored = if encoding == "SQL_ASCII" { "no ✗" } else { "no \\u{2717}" };
            assert_eq!((failure.message(), failure.attempts), (stored, 2), "it was tried again");
            worker.shutdown().await.unwrap();
        })
        .await;
    }
}

/// Fails twice, with a character that few encodings have.
#[job(retries = 1, backoff = "1ms")]
async fn fail_marked() -> Result<()> {
    Err("no ✗".into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn job_buried_while_its_lease_is_lost_is_alerted_once() {
    let db = TestDb::new(1).await;
    let alerts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&alerts);
    let worker = db.worker().on_dead(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready(())
    });
    let worker = worker.build().await.unwrap().start();
    let probe = Probe::new();
    let job = once::enqueue(&db.client, probe.number, String::new()).await.unwrap();
    probe.until(|probe| probe.running() == 1).await;
    // No heartbeat is answered for longer than the lease.
    let mut locked = db.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table pgjobq.workers").execute(&mut *locked).await.unwrap();
    probe.until(|probe| probe.running() == 0).await;
    locked.rollback().await.unwrap();
    assert!(matches!(end_of(&db.client, &job).await, Outcome::Dead(_)));
    worker.shutdown().await.unwrap();
    assert_eq!(alerts.load(Ordering::SeqCst), 1);
}
