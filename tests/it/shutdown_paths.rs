//! Every background task runs until its shutdown, and then ends, in any state of the database.

use std::time::Duration;

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use pgjobq::{WorkerBuilder, WorkerError};
use sqlx::postgres::PgPoolOptions;

use crate::gate::{Gate, result};
use crate::harness::{TestDb, in_time};
use crate::lifecycle::double;
use crate::proxy::Proxy;

/// The time limit of a shutdown without a grace: 3 s for attempts, 10 s for results, and a margin for a busy machine.
const PROMPTLY: Duration = Duration::from_secs(60);

on_one_and_eight_shards!(invariant_7_worker_survives_the_loss_of_all_connections);
async fn invariant_7_worker_survives_the_loss_of_all_connections(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    for n in 0..4 {
        let jobs: Vec<_> = (0..20).map(double::job).collect();
        let ids: Vec<_> = jobs.iter().map(NewJob::job_id).collect();
        db.client.enqueue_all(jobs).await.unwrap();
        db.until(&format!("(select count(*) from pgjobq.finished) > {}", 20 * n)).await;
        db.run(
            "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and application_name like 'pgjobq%'",
        )
        .await;
        for id in ids {
            let _ = double::handle(id).wait(&db.client).await.unwrap();
        }
    }
    worker.shutdown().await.unwrap();
}

on_one_shard!(invariant_7_nothing_runs_after_shutdown_and_close);
async fn invariant_7_nothing_runs_after_shutdown_and_close(db: TestDb) {
    let worker = db.worker().build().await.unwrap().start();
    assert_eq!(double::call(&db.client, 1).await.unwrap(), 2);
    let ours = "select count(*) from pg_stat_activity
                 where datname = current_database() and application_name like 'pgjobq%'";
    db.until(&format!("exists ({ours} and application_name = 'pgjobq listener')")).await;
    worker.shutdown().await.unwrap();
    db.client.close().await;
    db.until(&format!("({ours}) = 0")).await;
    assert_eq!(db.number("select count(*) from pgjobq.workers").await, 0);
}

/// Returns a builder with short timeouts.
fn worker(client: &Client) -> WorkerBuilder {
    Worker::builder(client)
        .queue("default", 20)
        .heartbeat(Duration::from_millis(200))
        .lease(Duration::from_secs(2))
        .claim_timeout(Duration::from_secs(1))
        .poll_interval(Duration::from_millis(200))
        .grace(Duration::ZERO)
}

async fn client(server: &Server) -> Client {
    let client = Client::connect(&server.url("postgres")).await.unwrap();
    client.migrate().await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_7_worker_survives_a_restart_of_the_server() {
    let server = Server::start(ServerOptions::fast()).await.unwrap();
    let client = client(&server).await;
    let worker = worker(&client).build().await.unwrap().start();
    for _ in 0..3 {
        assert_eq!(double::call(&client, 1).await.unwrap(), 2);
        server.restart().await.unwrap();
    }
    assert_eq!(double::call(&client, 1).await.unwrap(), 2);
    worker.shutdown().await.unwrap();
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_7_shutdown_is_prompt_without_the_server() {
    in_time(shuts_down_without(ServerOptions::durable())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_7_shutdown_is_prompt_without_a_tcp_server() {
    in_time(shuts_down_without(ServerOptions::durable().over_tcp())).await;
}

/// Stops the server: attempts end, the worker's shutdown reports the unrecorded results. After a restart the jobs run again.
async fn shuts_down_without(options: ServerOptions) {
    let server = Server::start(options).await.unwrap();
    let client = client(&server).await;
    let gate = Gate::new();
    let ended = worker(&client).build().await.unwrap().start();
    let mut jobs = Vec::new();
    for _ in 0..20 {
        jobs.push(gate.job().enqueue(&client).await.unwrap());
    }
    gate.until(|count| count.inside == 20).await;
    server.stop_immediately().await.unwrap();
    gate.open();
    gate.until(|count| count.inside == 0).await;
    let shutdown = tokio::time::timeout(PROMPTLY, ended.shutdown()).await.expect("the shutdown returns");
    assert!(matches!(shutdown, Err(WorkerError::Unrecorded(20))), "{shutdown:?}");
    tokio::time::timeout(PROMPTLY, client.close()).await.expect("the client closes");

    server.start_again().await.unwrap();
    let client = self::client(&server).await;
    let heir = worker(&client).build().await.unwrap().start();
    for job in jobs {
        assert!(matches!(job.wait(&client).await.unwrap(), Outcome::Completed(1..=2)));
    }
    heir.shutdown().await.unwrap();
    client.close().await;
}

on_one_shard!(invariant_7_shutdown_is_prompt_on_a_silent_network);
async fn invariant_7_shutdown_is_prompt_on_a_silent_network(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let gate = Gate::new();
    let worker = worker(&client).build().await.unwrap().start();
    for _ in 0..20 {
        gate.job().enqueue(&db.client).await.unwrap();
    }
    gate.until(|count| count.inside == 20).await;
    proxy.silence();
    gate.open();
    gate.until(|count| count.inside == 0).await;
    let shutdown = tokio::time::timeout(PROMPTLY, worker.shutdown()).await.expect("the shutdown returns");
    assert!(matches!(shutdown, Err(WorkerError::Unrecorded(20))), "{shutdown:?}");
    tokio::time::timeout(PROMPTLY, client.close()).await.expect("the client closes");
}

on_one_shard!(invariant_7_worker_survives_connections_that_fell_silent);
async fn invariant_7_worker_survives_connections_that_fell_silent(db: TestDb) {
    let proxy = Proxy::to(&db.options).await;
    let client = Client::new(PgPoolOptions::new().connect_with(proxy.options()).await.unwrap());
    let gate = Gate::new();
    let worker = worker(&client).build().await.unwrap().start();
    let before = gate.job().enqueue(&db.client).await.unwrap();
    gate.until(|count| count.inside == 1).await;
    proxy.silence();
    gate.open();
    gate.until(|count| count.inside == 0).await;
    proxy.mend(); // For new connections only; the silent ones stay silent.
    result(&db, &before).await;
    let after = gate.job().enqueue(&db.client).await.unwrap();
    result(&db, &after).await;
    worker.shutdown().await.unwrap();
}
