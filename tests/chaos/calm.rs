//! Troubles that must cost no job an attempt if nothing else goes wrong: clock steps, and workers with different leases.

use std::time::Duration;

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use pgjobq::sqlx::{self, PgPool};

use crate::clock::Clock;
use crate::ledger::Ledger;

const JOBS: i64 = 20;
/// The shortest lease: longer than a busy machine lets a heartbeat be late.
const LEASE: Duration = Duration::from_secs(6);
const HOUR: i64 = 3600;

/// Runs until the test ends it. It must not run twice.
#[job(queue = "calm", retries = 0, max_crashes = 0)]
async fn stay(ledger: State<Ledger>) -> Result<()> {
    while !sqlx::query_scalar("select exists (select from let_go)").fetch_one(ledger.pool()).await? {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// The server's clock steps by an hour, forth and back, while jobs run that must not run twice; those of a worker whose
/// heartbeat is longer than the lease of another among them. Panics if one of them is charged with a crash.
pub(crate) async fn no_attempt_is_lost_to_clocks_or_leases() {
    let clock = Clock::new();
    let server = Server::start(clock.of(ServerOptions::fast())).await.unwrap();
    let pool = PgPool::connect(&server.url("postgres")).await.unwrap();
    sqlx::raw_sql("create table let_go (now bool)").execute(&pool).await.unwrap();
    let client = Client::new(pool.clone());
    client.migrate().await.unwrap();
    let mut workers = Vec::new();
    for lease in [LEASE, LEASE * 4] {
        let worker = Worker::builder(&client).queue("calm", JOBS as usize / 2).state(Ledger::new(
            &server.url("postgres"),
            0,
            "calm",
        ));
        workers.push(worker.heartbeat(lease / 3).lease(lease).build().await.unwrap().start());
    }
    client.enqueue_all((0..JOBS).map(|_| stay::job())).await.unwrap();
    let number = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap();
    while number("select count(*) from pgjobq.job_states where state = 'running'").await < JOBS {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for seconds in [HOUR, -HOUR, 0] {
        let true_time = number("select extract(epoch from clock_timestamp())::bigint").await;
        clock.step_to(seconds);
        let stepped = number("select extract(epoch from clock_timestamp())::bigint").await;
        assert!(seconds == 0 || stepped.abs_diff(true_time) > 1800, "the clock of the server does not step");
        // A fixed pause, not a wait: long enough for every worker to take the others for dead.
        tokio::time::sleep(LEASE + LEASE / 3).await;
    }
    assert_eq!(number("select count(*) from pgjobq.finished").await, 0, "jobs were ended by a clock");
    sqlx::raw_sql("insert into let_go values (true)").execute(&pool).await.unwrap();
    while number("select count(*) from pgjobq.jobs").await > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let untouched =
        "select count(*) from pgjobq.finished where outcome = 'completed' and attempt = 1 and crashes = 0";
    assert_eq!(number(untouched).await, JOBS);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
    client.close().await;
    println!(
        "clocks that step by an hour, and a heartbeat longer than another's lease: {JOBS} of {JOBS} jobs ran once"
    );
}
