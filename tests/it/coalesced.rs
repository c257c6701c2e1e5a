//! Concurrent enqueues share a statement and a commit, and nothing else: each caller receives its own answer or error,
//! and waits only for its own job.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use pgjobq::EnqueueError;
use pgjobq::prelude::*;
use serde_json::value::RawValue;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use tokio::task::{JoinHandle, JoinSet};

use crate::error_text::whole;
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::proxy::Proxy;

#[job]
async fn take_json(json: Box<RawValue>) {
    let _ = json;
}

/// Blocks every commit of an enqueue, so that later enqueues share the next statement.
pub(crate) struct Held {
    db: PgConnectOptions,
    lock: PgConnection,
}

impl Held {
    pub(crate) async fn commits(db: &TestDb) -> Self {
        db.run(
            "create function stop_here() returns trigger language plpgsql set lock_timeout = 0 as
                    'begin perform pg_advisory_xact_lock_shared(1); return null; end';
                create constraint trigger held after insert on pgjobq.jobs deferrable initially deferred
                    for each row execute function stop_here()",
        )
        .await;
        Self { db: db.options.clone(), lock: Self::locked(&db.options).await }
    }

    async fn locked(db: &PgConnectOptions) -> PgConnection {
        let mut lock = PgConnection::connect_with(db).await.unwrap();
        sqlx::query("select pg_advisory_lock(1)").execute(&mut lock).await.unwrap();
        lock
    }

    /// Lets the blocked transaction commit, and blocks the next one.
    pub(crate) async fn let_one_through(&mut self) {
        let db = self.db.clone();
        let next = tokio::spawn(async move { Self::locked(&db).await });
        let mut watch = PgConnection::connect_with(&self.db).await.unwrap();
        let queued = "select count(*) > 0 from pg_locks
            where locktype = 'advisory' and mode = 'ExclusiveLock' and not granted
              and database = (select oid from pg_database where datname = current_database())";
        while !sqlx::query_scalar::<_, bool>(queued).fetch_one(&mut watch).await.unwrap() {}
        let before = std::mem::replace(&mut self.lock, watch);
        before.close().await.unwrap();
        self.lock = next.await.unwrap();
    }

    pub(crate) async fn let_go(self) {
        self.lock.close().await.unwrap();
    }
}

/// Counts the blocked enqueues.
pub(crate) const HELD: &str = "select count(*) from pg_locks
    where locktype = 'advisory' and mode = 'ShareLock' and not granted
      and database = (select oid from pg_database where datname = current_database())";

/// Counts the transactions that inserted the jobs.
const COMMITS: &str = "select count(distinct xmin::text) from pgjobq.jobs";

/// Enqueues one job, and returns when its commit is blocked.
pub(crate) async fn one_in_flight(
    db: &TestDb,
    client: &Client,
) -> JoinHandle<std::result::Result<JobHandle<i64>, EnqueueError>> {
    let client = client.clone();
    let one = tokio::spawn(async move { double::job(0).enqueue(&client).await });
    db.until(&format!("({HELD}) = 1")).await;
    one
}

/// Enqueues all these jobs while an earlier enqueue is in flight, so that they share a statement.
async fn together<T>(
    db: &TestDb,
    jobs: Vec<NewJob<T>>,
) -> Vec<std::result::Result<JobHandle<T>, EnqueueError>> {
    let held = Held::commits(db).await;
    let before = one_in_flight(db, &db.client).await;
    let all = join_all(jobs.into_iter().map(|job| job.enqueue(&db.client)));
    let (answers, ()) = tokio::join!(all, held.let_go());
    before.await.unwrap().unwrap();
    answers
}

on_one_and_eight_shards!(thousand_concurrent_enqueues_share_few_commits);
async fn thousand_concurrent_enqueues_share_few_commits(db: TestDb) {
    let mut callers = JoinSet::new();
    for n in 0..1000 {
        let client = db.client.clone();
        callers.spawn(async move { double::enqueue(&client, n).await.unwrap() });
    }
    let handles = callers.join_all().await;
    assert!(handles.iter().all(JobHandle::is_new));
    assert_eq!(handles.iter().map(JobHandle::id).collect::<HashSet<_>>().len(), 1000);
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1000);
    let commits = db.number(COMMITS).await;
    assert!(commits < 200, "{commits} commits");
}

on_one_shard!(flight_carries_a_thousand_jobs_and_four_megabytes);
async fn flight_carries_a_thousand_jobs_and_four_megabytes(db: TestDb) {
    together(&db, (0..1500).map(double::job).collect())
        .await
        .into_iter()
        .for_each(|one| assert!(one.unwrap().is_new()));
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 1501);
    assert_eq!(db.number(COMMITS).await, 3, "one alone, a thousand, and the rest");

    db.run("truncate pgjobq.jobs; drop function stop_here cascade").await;
    let large = |_| take_json::job(RawValue::from_string(format!("\"{}\"", "a".repeat(500_000))).unwrap());
    together(&db, (0..20).map(large).collect())
        .await
        .into_iter()
        .for_each(|one| assert!(one.unwrap().is_new()));
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 21);
    assert_eq!(db.number(COMMITS).await, 4, "one alone, nine, nine, and two");
}

on_one_and_eight_shards!(each_caller_gets_its_own_answer_or_error);
async fn each_caller_gets_its_own_answer_or_error(db: TestDb) {
    let (live, twice) = (double::enqueue(&db.client, 1).await.unwrap().id(), JobId::new());
    let of_another_kind = take_json::job(RawValue::from_string("1".to_owned()).unwrap()).id(JobId::new());
    let id_of_another_kind = of_another_kind.job_id();
    of_another_kind.enqueue(&db.client).await.unwrap();
    let jobs = vec![
        double::job(2),
        double::job(3).id(live),
        double::job(4).queue("nowhere"),
        double::job(5).id(twice),
        double::job(6).id(twice),
        double::job(7).id(id_of_another_kind),
        double::job(8).queue("elsewhere"),
        double::job(9),
    ];
    let ids: Vec<JobId> = jobs.iter().map(NewJob::job_id).collect();
    let answers = together(&db, jobs).await;
    let new: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(JobHandle::is_new).ok()).collect();
    assert_eq!(new, [Some(true), Some(false), None, Some(true), Some(false), None, None, Some(true)]);
    for (id, answer) in ids.iter().zip(&answers) {
        assert!(
            answer.as_ref().ok().is_none_or(|handle| handle.id() == *id),
            "each caller receives its own handle"
        );
    }
    let said: Vec<String> =
        answers.into_iter().filter_map(|answer| Some(answer.err()?.to_string())).collect();
    assert!(said[0].starts_with("there is no queue `nowhere`: "), "{said:?}");
    assert_eq!(
        said[1],
        format!("job {id_of_another_kind} is live already, and of another kind than `double`")
    );
    assert!(said[2].starts_with("there is no queue `elsewhere`: "), "{said:?}");
    let theirs = format!("{COMMITS} where id in ('{}', '{twice}', '{}')", ids[0], ids[7]);
    assert_eq!(db.number(&theirs).await, 1, "the valid jobs still shared a statement");
    assert_eq!(
        db.text(&format!("select args ->> 'number' from pgjobq.jobs where id = '{twice}'")).await,
        "5",
        "the first of two jobs with one id is stored"
    );
}

on_one_and_eight_shards!(row_that_postgres_refuses_fails_its_caller_alone);
async fn row_that_postgres_refuses_fails_its_caller_alone(db: TestDb) {
    let json = |text: &str| take_json::job(RawValue::from_string(text.to_owned()).unwrap());
    let mut answers =
        together(&db, vec![json("1"), json(r#""\ud800""#), json("2"), json(r#"{"a":"\udc00"}"#), json("3")])
            .await;
    let [another, surrogate] = [3, 1].map(|place| whole(&answers.remove(place).unwrap_err()));
    assert!(
        another.starts_with("the database refused a statement: ") && another.contains("json"),
        "{another}"
    );
    assert!(
        surrogate.starts_with("the database refused a statement: ") && surrogate.contains("json"),
        "{surrogate}"
    );
    for answer in answers {
        assert!(answer.unwrap().is_new());
    }
    assert_eq!(
        whole(&json(r#""\ud800""#).enqueue(&db.client).await.unwrap_err()),
        surrogate,
        "the error is the same for a job sent alone"
    );
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 4);
}

on_one_shard!(only_the_caller_of_an_uncommitted_id_waits);
async fn only_the_caller_of_an_uncommitted_id_waits(db: TestDb) {
    let (committed, rolled_back) = (JobId::new(), JobId::new());
    let mut commits = db.pool.begin().await.unwrap();
    double::job(1).id(committed).enqueue(&mut *commits).await.unwrap();
    let mut rolls_back = db.pool.begin().await.unwrap();
    double::job(1).id(rolled_back).enqueue(&mut *rolls_back).await.unwrap();
    let [duplicate, new] = [committed, rolled_back].map(|id| {
        let client = db.client.clone();
        tokio::spawn(async move { double::job(2).id(id).enqueue(&client).await.unwrap() })
    });
    let others = join_all((0..100).map(|n| double::enqueue(&db.client, n)));
    for one in tokio::time::timeout(Duration::from_secs(20), others).await.expect("no other enqueue waits") {
        assert!(one.unwrap().is_new());
    }
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
        and wait_event_type = 'Lock' and query like '%from pgjobq.enqueue_%'";
    db.until(&format!("({waiting}) = 2")).await;
    assert!(!duplicate.is_finished() && !new.is_finished());
    commits.commit().await.unwrap();
    rolls_back.rollback().await.unwrap();
    assert!(!duplicate.await.unwrap().is_new());
    assert!(new.await.unwrap().is_new());
}

on_one_shard!(dropped_enqueues_affect_no_other_caller);
async fn dropped_enqueues_affect_no_other_caller(db: TestDb) {
    // The caller in flight and some waiting callers leave. The job in flight is committed all the same.
    let held = Held::commits(&db).await;
    one_in_flight(&db, &db.client).await.abort();
    let mut leavers: Vec<_> = (0..3).map(|n| Box::pin(double::enqueue(&db.client, n))).collect();
    let stayers = join_all((0..3).map(|n| double::enqueue(&db.client, n)));
    let leaving = async {
        join_all(leavers.iter_mut().map(|one| tokio::time::timeout(Duration::ZERO, one))).await;
        drop(leavers);
        held.let_go().await;
    };
    let ((), stayed) = tokio::join!(leaving, stayers);
    assert_eq!(stayed.len(), stayed.iter().flatten().filter(|one| one.is_new()).count());
    db.until("(select count(*) from pgjobq.jobs) = 4").await;

    // The same at random moments.
    let mut callers = JoinSet::new();
    for n in 0..500 {
        let client = db.client.clone();
        callers.spawn(async move {
            let one = double::enqueue(&client, n);
            if n % 2 == 0 {
                return one.await.is_ok_and(|handle| handle.is_new());
            }
            let _ = tokio::time::timeout(Duration::from_micros(fastrand::u64(0..30_000)), one).await;
            true
        });
    }
    let started = Instant::now();
    assert!(callers.join_all().await.iter().all(|fine| *fine));
    assert!(started.elapsed() < Duration::from_secs(9), "no enqueue was late: {:?}", started.elapsed());
}

on_one_and_eight_shards!(caller_finds_the_answer_that_was_lost);
async fn caller_finds_the_answer_that_was_lost(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let mut held = Held::commits(&db).await;
    let first = one_in_flight(&db, &client).await;
    let others = join_all((0..10).map(|n| double::enqueue(&client, n)));
    let cutting = async {
        held.let_one_through().await;
        db.until(&format!("({HELD}) = 1")).await; // All ten jobs, in one transaction.
        proxy.cut();
        held.let_go().await;
        db.until("(select count(*) from pgjobq.jobs) = 11").await;
        proxy.mend();
    };
    let (others, ()) = tokio::join!(others, cutting);
    assert!(first.await.unwrap().unwrap().is_new());
    assert!(others.into_iter().all(|one| one.unwrap().is_new()));
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 11, "no job is stored twice");
    assert_eq!(db.number(COMMITS).await, 2);
    client.close().await;
}

on_one_shard!(enqueue_waits_for_an_uncommitted_id_and_retries);
async fn enqueue_waits_for_an_uncommitted_id_and_retries(db: TestDb) {
    let id = JobId::new();
    let mut open = db.pool.begin().await.unwrap();
    double::job(1).id(id).enqueue(&mut *open).await.unwrap();
    let client = db.client.clone();
    let one = tokio::spawn(async move { double::job(2).id(id).enqueue(&client).await });
    let waiting = "select count(*) = 1 from pg_stat_activity where datname = current_database() and wait_event = 'transactionid'";
    let for_long = format!("({waiting} and xact_start < clock_timestamp() - interval '1 second')");
    db.until(&for_long).await;
    db.until(&format!("({waiting} and xact_start > clock_timestamp() - interval '1 second')")).await;
    open.rollback().await.unwrap();
    assert!(one.await.unwrap().unwrap().is_new());
}
