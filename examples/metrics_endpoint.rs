//! Metrics for Prometheus: `cargo run --example metrics_endpoint [ADDRESS]`, and then `curl localhost:9464/metrics`

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use pgjobq::measure::METRICS;
use pgjobq::prelude::*;
use sqlx::PgPool;

/// Fails for every third user, at first.
#[job(queue = "mail", retries = 1, backoff = "1s")]
async fn send(user: u32, ctx: JobContext) -> Result<()> {
    if user.is_multiple_of(3) && ctx.attempt() == 1 { Err("the provider is busy".into()) } else { Ok(()) }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9464".into());
    let listener = tokio::net::TcpListener::bind(&address).await;
    let listener = listener.map_err(|error| format!("cannot listen at {address}: {error}"))?;

    // The recorder first: values that come before it are lost. The names end as Prometheus likes it (`_seconds`, `_total`).
    let mut prometheus = PrometheusBuilder::new().with_recommended_naming(true);
    for metric in METRICS.iter().filter(|metric| !metric.buckets.is_empty()) {
        prometheus = prometheus.set_buckets_for_metric(Matcher::Full(metric.name.into()), metric.buckets)?;
    }
    let metrics = prometheus.install_recorder()?;

    let database = pgjobq::dev::database().await?; // DATABASE_URL, or a throwaway PostgreSQL.
    // The pool connects when the client needs it: the client's errors say which address does not answer, and why.
    let client = Client::builder(PgPool::connect_lazy(database.url())?).metrics().build()?;
    client.migrate().await?;
    let worker = Worker::builder(&client).queue("mail", 10).build().await?.start();
    client.enqueue_all((1..=9).map(send::job)).await?;

    let app = Router::new().route("/metrics", get(async move || metrics.render()));
    println!("listening on http://{}/metrics", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(shutdown_signal()).await?;
    worker.shutdown().await?;
    println!("the server and its worker have stopped");
    Ok(())
}
