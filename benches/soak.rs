//! Many jobs through one worker: measures whether its memory stays flat, and the cost of a claim.
//!
//! `cargo bench --bench soak [JOBS]`, by default ten million. A producer enqueues them while the worker runs them, at most
//! one part ahead. The server is durable, and shares the machine.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

const PARTS: u64 = 10;

static RUN: AtomicU64 = AtomicU64::new(0);

#[job(queue = "noop", retain = "0s")]
async fn noop(user_id: u64, template: String) -> Result<()> {
    let _ = (user_id, template);
    RUN.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() {
    let jobs: u64 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(10_000_000);
    let options = ServerOptions::durable()
        .set("shared_buffers", "1GB")
        .set("max_wal_size", "8GB")
        .set("track_functions", "pl");
    let server = Server::start(options).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(10).connect(&server.url("postgres")).await.unwrap();
    let client = Client::new(pool.clone());
    client.migrate().await.unwrap();
    let worker = Worker::builder(&client).queue("noop", 2000).build().await.unwrap().start();

    let producer = {
        let client = client.clone();
        tokio::spawn(async move {
            for part in 0..PARTS {
                let from = part * jobs / PARTS;
                let to = (part + 1) * jobs / PARTS;
                client.enqueue_all((from..to).map(|n| noop::job(n, "welcome".to_owned()))).await.unwrap();
                // At most one part ahead of the worker.
                while RUN.load(Ordering::Relaxed) < from {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        })
    };
    println!("jobs        jobs/s   memory   a claim   its jobs   table");
    let (mut calls, mut millis, mut started) = (0, 0.0, Instant::now());
    for part in 1..=PARTS {
        while RUN.load(Ordering::Relaxed) < part * jobs / PARTS {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let took = started.elapsed().as_secs_f64();
        let (all_calls, all_millis): (i64, f64) = sqlx::query_as(
            "select coalesce(sum(calls), 0)::bigint, coalesce(sum(total_time), 0)::float8
               from pg_stat_user_functions where schemaname = 'pgjobq' and funcname = 'claim'",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        let table: String =
            sqlx::query_scalar("select pg_size_pretty(pg_total_relation_size('pgjobq.jobs'))")
                .fetch_one(&pool)
                .await
                .unwrap();
        let claims = (all_calls - calls).max(1) as f64;
        println!(
            "{:>10} {:>7.0} {:>5} MB {:>6.2} ms {:>10.0}   {table}",
            part * jobs / PARTS,
            (jobs / PARTS) as f64 / took,
            resident_megabytes(),
            (all_millis - millis) / claims,
            (jobs / PARTS) as f64 / claims,
        );
        (calls, millis, started) = (all_calls, all_millis, Instant::now());
    }
    producer.await.unwrap();
    worker.shutdown().await.unwrap();
    client.close().await;
    pool.close().await;
}

/// The memory of this process; zero on systems that do not report it.
fn resident_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1024
}
