//! A readiness probe: `GET /ready` says if the worker can take jobs: `cargo run --example readiness`

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, serve};
use pgjobq::RunningWorker;
use pgjobq::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[job]
async fn ping() {}

/// Answers from the memory of the worker, so a probe costs the database nothing.
async fn ready(Shared(worker): Shared<Arc<RunningWorker>>) -> (StatusCode, String) {
    let health = worker.health();
    let status = if health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // `problems` are in words: for example, queues that were deleted.
    (status, format!("{} of {} slots; {:?}", health.running, health.slots, health.problems))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    let client = Client::connect(database.url()).await?;
    client.migrate().await?;
    let worker = Arc::new(Worker::builder(&client).queue("default", 8).build().await?.start());

    let app = Router::new().route("/ready", get(ready)).with_state(Arc::clone(&worker));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move { serve(listener, app).await });

    ping::call(&client).await?; // A job has run, so the first heartbeat was answered.
    println!("{}", probe(address).await?);

    // Stop asking before the worker stops: a load balancer needs a moment to hear of it.
    server.abort();
    let _ = server.await;
    let worker = Arc::into_inner(worker).ok_or("the server still holds the worker")?;
    worker.shutdown().await?;
    Ok(())
}

/// Returns the first line and the body of the answer, as `curl -i` shows them.
async fn probe(address: std::net::SocketAddr) -> std::io::Result<String> {
    let mut server = TcpStream::connect(address).await?;
    server.write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    server.read_to_string(&mut answer).await?;
    let first = answer.lines().next().unwrap_or_default();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    Ok(format!("{first}\n{body}"))
}
