//! Transactions of a whole program: for a job that is enqueued alone, until its end, and for a worker without jobs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx::{self, ConnectOptions, PgConnection, postgres::PgPoolOptions};
use tokio::sync::Mutex;

use crate::limits::at_most;
use crate::server::Db;

/// The number of jobs that have run, in one test at a time.
static RUN: AtomicUsize = AtomicUsize::new(0);
static ALONE: Mutex<()> = Mutex::const_new(());

#[job(retain = "0s", queue = "lone")]
async fn count_one() {
    RUN.fetch_add(1, Ordering::Relaxed);
}

/// The transactions and the written rows of one database, apart from those of this connection, which is in another one.
struct Meter {
    connection: PgConnection,
    name: String,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    transactions: i64,
    rows: i64,
}

impl Meter {
    async fn of(db: &Db) -> Self {
        let name = db.options.get_database().unwrap().to_owned();
        Self { connection: db.options.clone().database("postgres").connect().await.unwrap(), name }
    }

    /// Reads the meter when no session is left: each reports at its end.
    async fn read(&mut self) -> Reading {
        let sessions = "select count(*) from pg_stat_activity where datname = $1";
        while sqlx::query_scalar::<_, i64>(sessions)
            .bind(&self.name)
            .fetch_one(&mut self.connection)
            .await
            .unwrap()
            > 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let read = "select xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted
            from pg_stat_database where datname = $1";
        let (transactions, rows) =
            sqlx::query_as(read).bind(&self.name).fetch_one(&mut self.connection).await.unwrap();
        Reading { transactions, rows }
    }
}

/// Enqueues jobs one after the other, each when the one before has ended and its end is recorded.
async fn run_one_by_one(db: &Db, jobs: usize, same_process: bool) {
    let pool = PgPoolOptions::new().connect_with(db.options.clone()).await.unwrap();
    let (client, elsewhere) = (Client::new(pool.clone()), Client::new(pool.clone()));
    let worker = Worker::builder(&client).queue("lone", 100).build().await.unwrap().start();
    for _ in 0..jobs {
        let before = RUN.load(Ordering::Relaxed);
        let job = count_one::job();
        job.enqueue(if same_process { &client } else { &elsewhere }).await.unwrap();
        while RUN.load(Ordering::Relaxed) == before || worker.health().unrecorded > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    worker.shutdown().await.unwrap();
    client.close().await;
    elsewhere.close().await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lone_job_takes_few_transactions() {
    let _alone = ALONE.lock().await;
    // A notification is a transaction, and so is its arrival at a session that listens.
    for (name, same_process, limit) in [("lone_here", true, 3.2), ("lone_there", false, 5.2)] {
        let db = Db::new(name).await;
        let mut meter = Meter::of(&db).await;
        let (few, many) = (20, 320);
        run_one_by_one(&db, 1, same_process).await;
        let start = meter.read().await.transactions;
        run_one_by_one(&db, few, same_process).await;
        let between = meter.read().await.transactions;
        run_one_by_one(&db, many, same_process).await;
        let end = meter.read().await.transactions;
        let each = ((end - between) - (between - start)) as f64 / (many - few) as f64;
        at_most(&format!("transactions of a job, enqueued alone, {name}"), each, limit);
    }
}

/// Runs a worker without jobs for this time, once it is ready. Its intervals are a tenth of the defaults.
async fn idle(db: &Db, queues: usize, time: Duration) {
    let pool = PgPoolOptions::new().connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    let mut worker = Worker::builder(&client)
        .heartbeat(Duration::from_millis(500))
        .poll_interval(Duration::from_millis(500))
        .lease(Duration::from_secs(30));
    for queue in 0..queues {
        let name = format!("idle_{queue}");
        client.queue(&name).save().await.unwrap();
        worker = worker.queue(name, 10);
    }
    let worker = worker.build().await.unwrap().start();
    while !worker.health().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(time).await;
    worker.shutdown().await.unwrap();
    client.close().await;
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_worker_sends_few_statements_and_writes_its_heartbeat() {
    for (name, queues) in [("idle_one", 1), ("idle_twenty", 20)] {
        let db = Db::new(name).await;
        let mut meter = Meter::of(&db).await;
        idle(&db, queues, Duration::ZERO).await;
        let start = meter.read().await;
        // In the first seconds an idle queue is looked at more often.
        idle(&db, queues, Duration::from_secs(5)).await;
        let between = meter.read().await;
        idle(&db, queues, Duration::from_secs(11)).await;
        let end = meter.read().await;
        let minute = |figure: fn(Reading) -> i64| {
            ((figure(end) - figure(between)) - (figure(between) - figure(start))) as f64
        };
        at_most(&format!("statements of an idle minute, {name}"), minute(|read| read.transactions), 120.0);
        at_most(&format!("rows written in an idle minute, {name}"), minute(|read| read.rows), 15.0);
    }
}
