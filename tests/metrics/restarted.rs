//! The server restarts, and crashes, while two workers have metrics and Prometheus scrapes one of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgjobq::RunningWorker;
use pgjobq::dev::{Server, ServerOptions};
use pgjobq::observe::Event;
use pgjobq::prelude::*;
use sqlx::PgPool;

use crate::harness::{self, PATIENCE};
use crate::recorded::Recorded;
use crate::scraped::{Example, sum};

const INTERVAL: Duration = Duration::from_secs(1);

/// A client with metrics, and its worker.
struct Process {
    client: Client,
    worker: RunningWorker,
    recorded: Recorded,
    /// The changes of its connection: true for a loss.
    seen: Arc<Mutex<Vec<bool>>>,
}

impl Process {
    async fn start(server: &Server) -> Self {
        let (recorded, seen) = (Recorded::default(), Arc::new(Mutex::new(Vec::new())));
        let changes = Arc::clone(&seen);
        let observer = move |event: &Event| match event {
            Event::ConnectionLost(_) => changes.lock().unwrap().push(true),
            Event::ConnectionRegained(_) => changes.lock().unwrap().push(false),
            _ => {}
        };
        let pool = PgPool::connect(&server.url("postgres")).await.unwrap();
        let client = Client::builder(pool).observer(observer).measured_by(recorded.clone());
        let client = client.fleet_interval(INTERVAL).build().unwrap();
        let worker = Worker::builder(&client).queue("default", 2).build().await.unwrap().start();
        Self { client, worker, recorded, seen }
    }

    /// Waits until the connection has changed as expected.
    async fn changes(&self, expected: &[bool]) {
        let reached = async {
            while self.seen.lock().unwrap().len() < expected.len() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        reached.unwrap_or_else(|_| panic!("{:?} is not {expected:?}", self.seen.lock().unwrap()));
        assert_eq!(*self.seen.lock().unwrap(), expected);
    }
}

/// Waits until the fleet was measured this often since the table was made, or emptied by a crash.
async fn measured(pool: &PgPool, times: i32) {
    let query = "select coalesce((select cardinality(mark_times) from pgjobq.fleet), 0)";
    let reached = async {
        while sqlx::query_scalar::<_, i32>(query).fetch_one(pool).await.unwrap_or(0) < times {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.expect("the fleet is measured");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restart_is_told_once_and_gauges_return() {
    harness::in_time(async {
        let server = Server::start(ServerOptions::fast()).await.unwrap();
        let pool = PgPool::connect(&server.url("postgres")).await.unwrap();
        Client::new(pool.clone()).migrate().await.unwrap();
        let one = Process::start(&server).await;
        let two = Process::start(&server).await;
        // The third worker is in the process that Prometheus scrapes.
        let example = Example::start(&server.url("postgres")).await;
        example.reads("pgjobq_fleet_workers", 3.0).await;

        server.restart().await.unwrap();
        one.changes(&[true, false]).await;
        two.changes(&[true, false]).await;
        let told = "pgjobq_connections_lost_total";
        example.reads(told, 1.0).await;

        server.stop_immediately().await.unwrap();
        one.changes(&[true, false, true]).await;
        // The process answers without its database, and the gauges stand still.
        let during = example.scrape().await;
        assert_eq!(sum(&during, "pgjobq_fleet_workers", &[]), 3.0);
        server.start_again().await.unwrap();
        two.changes(&[true, false, true, false]).await;
        let old = sum(&during, "pgjobq_fleet_measured_seconds", &[]);
        example.until(|samples| sum(samples, "pgjobq_fleet_measured_seconds", &[]) > old + 1.0).await;
        example.reads("pgjobq_fleet_workers", 3.0).await;
        example.reads(told, 2.0).await;
        // The table was empty after the crash. Each of its marks is a measurement, whoever made it.
        measured(&pool, 4).await;
        let shortest = "select min(at - before) >= interval '990 ms' from (
            select at, lag(at) over (order by at) as before from pgjobq.fleet, unnest(mark_times) at) m";
        assert!(sqlx::query_scalar::<_, bool>(shortest).fetch_one(&pool).await.unwrap());
        one.recorded.until("pgjobq.fleet.workers{}", 3.0).await;
        example.end().await;
        for process in [one, two] {
            process.worker.shutdown().await.unwrap();
            process.client.close().await;
            assert_eq!(*process.seen.lock().unwrap(), [true, false, true, false], "each once");
        }
    })
    .await;
}
