//! Jobs of one queue beside a thousand others: what a claim costs, and how often a worker claims that serves them all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx::{self, ConnectOptions, Connection, PgConnection, postgres::PgPoolOptions};

use crate::limits::at_most;
use crate::pauses::cheapest_claim;
use crate::server::{Db, run};
use crate::session::Session;
use crate::tables::{KIND, QUIET};

const QUEUES: usize = 1000;
const JOBS: usize = 400;
/// The number of jobs that are enqueued together. If they woke all queues, each time would cost a thousand claims.
const BATCH: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_costs_the_same_beside_a_thousand_queues() {
    let db = Db::new("queues_beside").await;
    let mut session = Session::new(&db).await;
    session.fill(1_000, KIND).await;
    let alone = cheapest_claim(&mut session).await;
    let alone_on_the_server = QUIET.write().await;
    session.run(&format!("select pgjobq.create_queue('q' || n) from generate_series(1, {QUEUES}) n")).await;
    drop(alone_on_the_server);
    let beside = cheapest_claim(&mut session).await;
    // The indexes of queues and lanes have a level more.
    at_most("buffers of a claim beside a thousand queues", beside.buffers, alone.buffers + 4.0);
}

/// The number of jobs that have run.
static RUN: AtomicUsize = AtomicUsize::new(0);

#[job(retain = "0s", queue = "q500")]
async fn count_among_queues() {
    RUN.fetch_add(1, Ordering::Relaxed);
}

/// Runs jobs of one queue with a worker that serves all of them, and returns how often it has claimed.
async fn claims(db: &Db) -> i64 {
    let pool = PgPoolOptions::new().connect_with(db.options.clone()).await.unwrap();
    let client = Client::new(pool.clone());
    let builder = (1..=QUEUES).fold(Worker::builder(&client), |worker, n| worker.queue(format!("q{n}"), 4));
    let worker = builder.build().await.unwrap().start();
    for batch in 1..=JOBS / BATCH {
        client.enqueue_all((0..BATCH).map(|_| count_among_queues::job())).await.unwrap();
        while RUN.load(Ordering::Relaxed) < batch * BATCH {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    worker.shutdown().await.unwrap();
    client.close().await;
    pool.close().await;
    // Each session reports its calls at its end.
    let name = db.options.get_database().unwrap();
    let mut other: PgConnection = db.options.clone().database("postgres").connect().await.unwrap();
    let sessions = "select count(*) from pg_stat_activity where datname = $1";
    while sqlx::query_scalar::<_, i64>(sessions).bind(name).fetch_one(&mut other).await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut own = db.options.connect().await.unwrap();
    let calls = "select sum(calls)::bigint from pg_stat_user_functions where funcname = 'claim'";
    sqlx::query_scalar(calls).fetch_one(&mut own).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_of_a_thousand_queues_claims_in_the_busy_one() {
    let db = Db::new("queues_served").await;
    let _alone = QUIET.write().await;
    let mut admin = db.options.clone().database("postgres").connect().await.unwrap();
    run(&mut admin, "alter database queues_served set track_functions = 'pl'").await;
    let mut stage = db.options.connect().await.unwrap();
    run(&mut stage, &format!("select pgjobq.create_queue('q' || n) from generate_series(1, {QUEUES}) n"))
        .await;
    stage.close().await.unwrap();
    // When it has connected, it looks at all queues: an enqueue before may have notified nobody.
    let limit = (JOBS / 4) as f64; // A queue has four slots.
    let claims = tokio::time::timeout(Duration::from_secs(100), claims(&db)).await.expect("all jobs run");
    at_most("claims for 400 jobs, by a worker of a thousand queues", claims as f64, limit);
}
