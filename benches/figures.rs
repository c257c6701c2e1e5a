//! The first figures: enqueue, drain, and latency, on a durable PostgreSQL of their own.
//!
//! `cargo bench --bench figures [JOBS]`. Each figure is the median of three runs. The server shares the machine.
#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

/// Jobs that have run in this process, and when the last one started.
static RUN: AtomicUsize = AtomicUsize::new(0);
static STARTED: Mutex<Option<Instant>> = Mutex::new(None);

/// A hundred bytes of arguments, as in the other frameworks' figures.
#[job(queue = "noop", retain = "0s")]
async fn noop(user_id: i64, template: String, to: String, subject: String) -> Result<()> {
    let _ = (user_id, template, to, subject);
    RUN.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// The same job, with its result kept for a day.
#[job(queue = "noop")]
async fn kept(user_id: i64, template: String, to: String, subject: String) -> Result<()> {
    let _ = (user_id, template, to, subject);
    RUN.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[job(queue = "noop", retain = "0s")]
async fn timed() -> Result<()> {
    *STARTED.lock().unwrap() = Some(Instant::now());
    RUN.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() {
    let jobs: i64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(200_000);
    let options = ServerOptions::durable()
        .set("shared_buffers", "1GB")
        .set("max_wal_size", "8GB")
        .set("checkpoint_timeout", "15min");
    let server = Server::start(options).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(10).connect(&server.url("postgres")).await.unwrap();
    let client = Client::new(pool.clone());
    client.migrate().await.unwrap();

    let (mut enqueue, mut drain, mut drain_kept) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..3 {
        let args = |n| {
            (n, "welcome".to_owned(), "alice@example.com".to_owned(), "hello there, and welcome".to_owned())
        };
        let started = Instant::now();
        client
            .enqueue_all((0..jobs).map(|n| {
                let (a, b, c, d) = args(n);
                noop::job(a, b, c, d)
            }))
            .await
            .unwrap();
        enqueue.push(jobs as f64 / started.elapsed().as_secs_f64());
        drain.push(drained(&client, jobs).await);
        client
            .enqueue_all((0..jobs).map(|n| {
                let (a, b, c, d) = args(n);
                kept::job(a, b, c, d)
            }))
            .await
            .unwrap();
        drain_kept.push(drained(&client, jobs).await);
    }
    println!("bulk enqueue:          {}", per_second(enqueue));
    println!("drain, nothing kept:   {}", per_second(drain));
    println!("drain, results kept:   {}", per_second(drain_kept));
    singles(&client).await;
    latency(&client).await;
    client.close().await;
    pool.close().await;
}

/// Jobs per second of one worker, from its start until the table of jobs is empty.
async fn drained(client: &Client, jobs: i64) -> f64 {
    let worker = Worker::builder(client).queue("noop", 2000).build().await.unwrap();
    RUN.store(0, Ordering::Relaxed);
    let started = Instant::now();
    let worker = worker.start();
    while (RUN.load(Ordering::Relaxed) as i64) < jobs {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    while sqlx::query_scalar("select exists (select 1 from pgjobq.jobs)")
        .fetch_one(client.pool())
        .await
        .unwrap()
    {}
    let elapsed = started.elapsed();
    worker.shutdown().await.unwrap();
    jobs as f64 / elapsed.as_secs_f64()
}

/// Jobs enqueued one by one: by one caller, and by 64 at once that share the client.
async fn singles(client: &Client) {
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for n in 0..1000 {
            let before = Instant::now();
            one(client, n).await;
            alone.push(before.elapsed());
        }
        let started = Instant::now();
        let callers = (0..64).map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for n in 0..300 {
                    one(&client, n).await;
                }
            })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
        together.push(64.0 * 300.0 / started.elapsed().as_secs_f64());
        sqlx::query("truncate pgjobq.jobs").execute(client.pool()).await.unwrap();
    }
    println!("a single enqueue:      {}", percentiles(alone));
    println!("singles, 64 at once:   {}", per_second(together));
}

async fn one(client: &Client, n: i64) {
    let (template, to) = ("welcome".to_owned(), "alice@example.com".to_owned());
    noop::enqueue(client, n, template, to, "hello there, and welcome".to_owned()).await.unwrap();
}

/// The time from before the enqueue to the start of the handler, one job at a time. The first samples are dropped: a new
/// worker receives no notification until it listens, and polls until then.
async fn latency(client: &Client) {
    let worker = Worker::builder(client).queue("noop", 100).build().await.unwrap().start();
    let mut samples = Vec::new();
    for n in 0..420 {
        tokio::time::sleep(Duration::from_millis(5 + n % 10)).await;
        let (before, run) = (Instant::now(), RUN.load(Ordering::Relaxed));
        timed::enqueue(client).await.unwrap();
        while RUN.load(Ordering::Relaxed) == run {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        samples.push(STARTED.lock().unwrap().unwrap() - before);
    }
    worker.shutdown().await.unwrap();
    samples.drain(..20);
    println!("latency to the start:  {}", percentiles(samples));
}

fn percentiles(mut samples: Vec<Duration>) -> String {
    samples.sort();
    let at = |part: f64| samples[(samples.len() as f64 * part) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms", at(0.5), at(0.95), at(0.99))
}

fn per_second(mut runs: Vec<f64>) -> String {
    runs.sort_by(f64::total_cmp);
    format!(
        "{:>9.0} jobs/s (median of {}; {:.0} to {:.0})",
        runs[runs.len() / 2],
        runs.len(),
        runs[0],
        runs[runs.len() - 1]
    )
}
