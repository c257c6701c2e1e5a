//! A thousand waits at once share a client with few connections.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use pgjobq::prelude::*;
use pgjobq::{WaitError, sqlx};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::error_text::check_says;
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::probe::Probe;
use crate::proxy::Proxy;

#[job]
async fn pass_and_double(number: i64, probe: u64) -> Result<i64> {
    Probe::of(probe).pass().await;
    Ok(number * 2)
}

/// Returns a client that only waits, with two connections, whose calls the server counts.
async fn waiting_client(db: &TestDb) -> (Client, PgPool) {
    let options = db.options.clone().application_name("waiting").options([("track_functions", "all")]);
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    (Client::new(pool.clone()), pool)
}

/// Closes the client, and returns the number of its status queries, which the server counts when a connection closes.
async fn looks_of(db: &TestDb, client: Client, pool: PgPool) -> i64 {
    client.close().await;
    pool.close().await;
    let theirs = "from pg_stat_activity where datname = current_database() and application_name = 'waiting'";
    db.until(&format!("not exists (select {theirs})")).await;
    let looks = "select coalesce((select calls from pg_stat_user_functions where funcname = 'lookup'), 0)";
    db.until(&format!("({looks}) > 0")).await;
    db.number(looks).await
}

on_one_and_eight_shards!(thousand_waiters_share_few_statements);
async fn thousand_waiters_share_few_statements(db: TestDb) {
    let probe = Probe::new();
    let worker = db.worker().build().await.unwrap().start();
    // Some jobs have ended already, some are enqueued with SQL, and most by another client.
    let mut ids = Vec::new();
    probe.gate.add_permits(50);
    for n in 0..50 {
        ids.push(pass_and_double::enqueue(&db.client, n, probe.number).await.unwrap().id());
    }
    db.until("(select count(*) from pgjobq.finished) = 50").await;
    let with_sql =
        "select (pgjobq.enqueue('pass_and_double', jsonb_build_object('number', n, 'probe', $1))).job
                      from generate_series(50, 149) n";
    ids.extend(
        sqlx::query_scalar(with_sql)
            .bind(probe.number as i64)
            .fetch_all(&db.pool)
            .await
            .unwrap()
            .into_iter()
            .map(|id: uuid::Uuid| JobId::from(id)),
    );
    let jobs: Vec<_> = (150..1000).map(|n| pass_and_double::job(n, probe.number)).collect();
    ids.extend(jobs.iter().map(NewJob::job_id));
    db.client.enqueue_all(jobs).await.unwrap();

    let (client, pool) = waiting_client(&db).await;
    let waits = ids.iter().enumerate().map(|(n, id)| {
        let (client, handle) = (&client, pass_and_double::handle(*id));
        async move {
            assert_eq!(handle.wait(client).await.unwrap(), Outcome::Completed(n as i64 * 2));
            (*id, SystemTime::now())
        }
    });
    let running = async {
        db.until("exists (select from pgjobq.waiters)").await;
        probe.gate.add_permits(1000);
    };
    let (answered, ()) = tokio::join!(join_all(waits), running);
    let ended = "select id, (extract(epoch from finished_at) * 1000000)::bigint from pgjobq.finished";
    let ended: HashMap<uuid::Uuid, i64> =
        sqlx::query_as(ended).fetch_all(&db.pool).await.unwrap().into_iter().collect();
    let late = answered[50..].iter().map(|(id, at)| {
        let ended = SystemTime::UNIX_EPOCH + Duration::from_micros(ended[&id.as_uuid()].unsigned_abs());
        at.duration_since(ended).unwrap_or_default()
    });
    let latest = late.max().unwrap();
    assert!(latest < Duration::from_secs(30), "the latest had its answer after {latest:?}");
    let looks = looks_of(&db, client, pool).await;
    assert!(looks < 100, "{looks} statements");
    worker.shutdown().await.unwrap();
}

on_one_shard!(waits_that_are_dropped_leave_nothing_behind);
async fn waits_that_are_dropped_leave_nothing_behind(db: TestDb) {
    let probe = Probe::new();
    let jobs: Vec<_> = (0..1000).map(|n| pass_and_double::job(n, probe.number)).collect();
    let handles: Vec<_> = jobs.iter().map(|job| pass_and_double::handle(job.job_id())).collect();
    db.client.enqueue_all(jobs).await.unwrap();
    let (client, pool) = waiting_client(&db).await;
    let waits = join_all(handles.iter().map(|handle| handle.wait(&client)));
    let asked = db.until("exists (select from pgjobq.waiters)");
    tokio::select! {
        _ = waits => unreachable!("nothing runs"),
        () = asked => {}
    }
    // The client polls every few seconds while a caller waits.
    db.until(
        "not exists (select from pg_stat_activity where datname = current_database() and application_name = 'waiting'
        and query_start > clock_timestamp() - interval '5 s')",
    )
    .await;
    let early = handles[0].wait_timeout(&client, Duration::from_millis(50)).await;
    assert!(matches!(early, Err(WaitError::TimedOut { .. })), "{early:?}");
    let looks = looks_of(&db, client, pool).await;
    assert!(looks < 20, "{looks} statements");
}

on_one_shard!(closed_client_ends_a_thousand_waits);
async fn closed_client_ends_a_thousand_waits(db: TestDb) {
    let probe = Probe::new();
    let jobs: Vec<_> = (0..1000).map(|n| pass_and_double::job(n, probe.number)).collect();
    let handles: Vec<_> = jobs.iter().map(|job| pass_and_double::handle(job.job_id())).collect();
    db.client.enqueue_all(jobs).await.unwrap();
    let (client, _pool) = waiting_client(&db).await;
    let closing = async {
        db.until("exists (select from pgjobq.waiters)").await;
        client.close().await;
    };
    let waits = join_all(handles.iter().map(|handle| handle.wait(&client)));
    let (ends, ()) = tokio::join!(waits, closing);
    ends.into_iter().for_each(|end| {
        check_says(end, "the client was closed: wait before `client.close()`, or with another client")
    });
}

on_one_shard!(wait_continues_when_another_runtime_ends);
async fn wait_continues_when_another_runtime_ends(db: TestDb) {
    let probe = Probe::new();
    let handle = pass_and_double::enqueue(&db.client, 21, probe.number).await.unwrap();
    // The first wait starts the polling, on its own runtime.
    let elsewhere =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // In a pool of its own: it keeps connections of that runtime, of which one may still look alive.
    let (client, _pool) = waiting_client(&db).await;
    let (theirs, rebuilt) = (client.clone(), pass_and_double::handle(handle.id()));
    elsewhere.spawn(async move { rebuilt.wait(&theirs).await });
    db.until("exists (select from pgjobq.waiters)").await;
    let ending = async {
        tokio::task::spawn_blocking(move || drop(elsewhere)).await.unwrap();
        let worker = db.worker().build().await.unwrap().start();
        probe.gate.add_permits(1);
        worker
    };
    let (end, worker) = tokio::join!(crate::probe::end_of(&client, &handle), ending);
    assert_eq!(end, Outcome::Completed(42));
    worker.shutdown().await.unwrap();
    client.close().await;
}

#[job]
async fn return_text(bytes: usize) -> Result<String> {
    Ok("a".repeat(bytes))
}

#[job(retries = 0)]
async fn fail_saying(text: String) -> Result<String> {
    Err(JobError::from(text))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_results_arrive_over_a_slow_network() {
    let db = TestDb::new(1).await;
    let worker = db.worker().build().await.unwrap().start();
    let mut large = Vec::new();
    for _ in 0..20 {
        large.push(return_text::enqueue(&db.client, 1_000_000).await.unwrap());
    }
    let small = double::enqueue(&db.client, 4).await.unwrap();
    db.until("(select count(*) from pgjobq.finished) = 21").await;
    // One answer with all of them would exceed the time limit of an answer.
    let proxy = Proxy::slow_to(&db.options, 1_500_000).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let all = join_all(large.iter().map(|handle| handle.wait(&client)));
    let (all, small) =
        tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(all, small.wait(&client)) })
            .await
            .expect("all waits end within tens of seconds");
    assert_eq!(small.unwrap(), Outcome::Completed(8));
    for result in all {
        assert_eq!(result.unwrap().completed().unwrap().len(), 1_000_000);
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_row_fails_only_waits_for_its_job() {
    let db = TestDb::new(1).await;
    let worker = db.worker().build().await.unwrap().start();
    let poison = fail_saying::enqueue(&db.client, "poison".to_owned()).await.unwrap();
    let dead = fail_saying::enqueue(&db.client, "no".to_owned()).await.unwrap();
    let mut others = Vec::new();
    for n in 0..10 {
        others.push(double::enqueue(&db.client, n).await.unwrap());
    }
    db.until("(select count(*) from pgjobq.finished) = 12").await;
    db.run(
        "create or replace function pgjobq.readable(p_errors jsonb) returns text language plpgsql stable as $$ begin
            if p_errors::text like '%poison%' then
                raise exception 'it is too large to print' using errcode = 'program_limit_exceeded';
            end if;
            return null;
         end $$",
    )
    .await;
    let client = Client::new(db.pool.clone());
    let waits = async {
        tokio::join!(
            poison.wait(&client),
            dead.wait(&client),
            join_all(others.iter().map(|handle| handle.wait(&client))),
        )
    };
    let (poison, dead, others) =
        tokio::time::timeout(Duration::from_secs(30), waits).await.expect("all are answered");
    let said = crate::error_text::whole(&poison.unwrap_err());
    assert!(said.contains("it is too large to print"), "{said}");
    assert!(matches!(dead.unwrap(), Outcome::Dead(_)));
    for (n, other) in (0..).zip(others) {
        assert_eq!(other.unwrap(), Outcome::Completed(2 * n));
    }
    worker.shutdown().await.unwrap();
}
