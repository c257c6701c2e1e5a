//! A killed process loses no job, because the database holds all state.

use std::process::{Child, Command};
use std::time::Duration;

use pgjobq::prelude::*;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::gate::{Gate, result};
use crate::harness::TestDb;
use crate::lifecycle::double;
use crate::slots::LEASED;

const SERVER: &str = "PGJOBQ_TEST_VICTIM_SERVER";
const DATABASE: &str = "PGJOBQ_TEST_VICTIM_DATABASE";

/// A process that is killed when the test ends.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Victim {
    /// Starts a worker in a separate process.
    fn start(db: &TestDb) -> Self {
        let (server, database) = db.address();
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new(this);
        command
            .args(["--exact", "killed_process::works_until_it_is_killed"])
            .env(SERVER, server)
            .env(DATABASE, database);
        Self(command.spawn().unwrap())
    }
}

/// The program of the victim, which the other test starts. Run alone, it does nothing.
#[tokio::test]
async fn works_until_it_is_killed() {
    let (Ok(server), Ok(database)) = (std::env::var(SERVER), std::env::var(DATABASE)) else { return };
    let options = server.parse::<PgConnectOptions>().unwrap().database(&database);
    let client = Client::new(PgPoolOptions::new().connect_with(options).await.unwrap());
    let worker = Worker::builder(&client).queue("default", 10).build().await.unwrap();
    worker.run_until(std::future::pending()).await.unwrap();
}

on_one_shard!(invariant_1_process_that_is_killed_loses_no_job);
async fn invariant_1_process_that_is_killed_loses_no_job(db: TestDb) {
    let gate = Gate::new(); // It stays closed for the victim, whose process has another gate of that name.
    gate.open();
    let mut jobs = Vec::new();
    for _ in 0..25 {
        jobs.push(gate.job().enqueue(&db.client).await.unwrap());
    }
    let victim = Victim::start(&db);
    db.until(&format!("({LEASED}) = 10")).await;
    drop(victim);

    // The victim's running jobs run again, as a second attempt, once its lease has expired.
    db.run("update pgjobq.workers set lease = interval '1 second'").await;
    let heir = db.worker().heartbeat(Duration::from_millis(50)).build().await.unwrap().start();
    let mut attempts = Vec::new();
    for job in &jobs {
        attempts.push(result(&db, job).await);
    }
    attempts.sort_unstable();
    assert_eq!(attempts, [vec![1; 15], vec![2; 10]].concat());
    assert_eq!(db.number("select count(*) from pgjobq.jobs").await, 0);
    assert_eq!(db.number("select count(*) from pgjobq.finished where crashes = attempt - 1").await, 25);
    heir.shutdown().await.unwrap();
}

on_one_shard!(process_that_is_killed_while_it_prefetches_loses_no_job);
async fn process_that_is_killed_while_it_prefetches_loses_no_job(db: TestDb) {
    db.client.enqueue_all((0..3000).map(double::job)).await.unwrap();
    let victim = Victim::start(&db);
    db.until(&format!("({LEASED}) > 10 and (select count(*) from pgjobq.finished) > 100")).await;
    drop(victim);
    db.run("update pgjobq.workers set lease = interval '1 second'").await;
    let heir = db.worker().heartbeat(Duration::from_millis(50)).build().await.unwrap().start();
    db.until("not exists (select from pgjobq.jobs)").await;
    assert_eq!(db.number("select count(*) from pgjobq.finished where outcome = 'completed'").await, 3000);
    let crashed = db.number("select count(*) from pgjobq.finished where crashes = 1 and attempt = 2").await;
    assert_eq!(db.number("select count(*) from pgjobq.finished where attempt > 1").await, crashed);
    heir.shutdown().await.unwrap();
}
