//! The cost of workflows by their shape: chains, fans, layers, and large outputs.
//!
//! `cargo bench --bench workflows [SHAPE…]`: without arguments all of them. The server is durable, and shares the machine. One
//! worker runs steps that do nothing, so what is measured is the time in the database and on the way to it.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use pgjobq::dev::{Server, ServerOptions};
use pgjobq::prelude::*;
use sqlx::postgres::PgPoolOptions;

#[job(queue = "steps")]
async fn first() -> Result<u64> {
    Ok(1)
}

#[job(queue = "steps")]
async fn next(before: u64) -> Result<u64> {
    Ok(before + 1)
}

#[job(queue = "steps")]
async fn all(before: Vec<u64>) -> Result<u64> {
    Ok(before.iter().sum())
}

#[job(queue = "steps", retain = "0s")]
async fn nothing() {}

#[job(queue = "steps")]
async fn large(bytes: usize) -> Result<String> {
    Ok("x".repeat(bytes))
}

#[job(queue = "steps")]
async fn read(text: String) -> Result<usize> {
    Ok(text.len())
}

/// A shape: its name, the number of its edges, and its workflow.
type Shape = (&'static str, usize, fn() -> Workflow);

const SHAPES: &[Shape] = &[
    ("chain-1000", 999, || chain(1000)),
    ("chain-10000", 9_999, || chain(10_000)),
    ("1-to-10000", 10_000, || fan_out(10_000)),
    ("10000-to-1", 10_000, || fan_in(10_000)),
    ("layers-100x100", 99 * 100 * 100, layers),
    ("parents-10", 10, || parents(10)),
    ("parents-1000", 1_000, || parents(1_000)),
    ("parents-100000", 100_000, || parents(100_000)),
    ("1MB-to-1000", 1_000, large_output),
];

/// Each step takes the output of the one before.
fn chain(steps: usize) -> Workflow {
    let mut flow = Workflow::new("chain");
    let mut last = flow.add(first::step());
    for _ in 1..steps {
        last = flow.add(next::step(last.output()));
    }
    flow
}

fn fan_out(children: usize) -> Workflow {
    let mut flow = Workflow::new("fan out");
    let parent = flow.add(first::step());
    for _ in 0..children {
        flow.add(next::step(parent.output()));
    }
    flow
}

fn fan_in(parents: usize) -> Workflow {
    let mut flow = Workflow::new("fan in");
    let parents: Vec<_> = (0..parents).map(|_| flow.add(first::step())).collect();
    flow.add(all::step(gather(parents.iter().map(Step::output))));
    flow
}

/// A hundred layers of a hundred steps, each of which waits for the whole layer before.
fn layers() -> Workflow {
    let mut flow = Workflow::new("layers");
    let mut layer: Vec<Step<()>> = Vec::new();
    for _ in 0..100 {
        layer = (0..100).map(|_| flow.add(nothing::step().after(&layer))).collect();
    }
    flow
}

/// One step that waits for this many, and takes nothing from them.
fn parents(parents: usize) -> Workflow {
    let mut flow = Workflow::new("parents");
    let parents: Vec<_> = (0..parents).map(|_| flow.add(nothing::step())).collect();
    flow.add(nothing::step().after(&parents));
    flow
}

fn large_output() -> Workflow {
    let mut flow = Workflow::new("large output");
    let parent = flow.add(large::step(1_000_000));
    for _ in 0..1000 {
        flow.add(read::step(parent.output()));
    }
    flow
}

#[tokio::main]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let options = ServerOptions::durable().set("shared_buffers", "512MB").set("max_wal_size", "4GB");
    let server = Server::start(options).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(10).connect(&server.url("postgres")).await.unwrap();
    let client = Client::new(pool.clone());
    client.migrate().await.unwrap();
    println!("shape             steps    edges  enqueue s     run s   steps/s  us/edge");
    for (name, edges, flow) in SHAPES {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let flow = flow();
        let began = Instant::now();
        let run = flow.enqueue(&client).await.unwrap();
        let enqueued = began.elapsed();
        // The worker starts afterwards, so that a run has nothing of the enqueue in it.
        let worker = Worker::builder(&client).queue("steps", 500).build().await.unwrap().start();
        let began = Instant::now();
        run.wait(&client).await.unwrap().into_result().unwrap();
        let ran = began.elapsed();
        let steps = run.status(&client).await.unwrap().unwrap().total();
        println!(
            "{name:<15} {steps:>7} {edges:>8} {:>10.2} {:>9.2} {:>9.0} {:>8.1}",
            enqueued.as_secs_f64(),
            ran.as_secs_f64(),
            steps as f64 / ran.as_secs_f64(),
            Duration::as_secs_f64(&ran) * 1e6 / *edges as f64,
        );
        worker.shutdown().await.unwrap();
    }
}
