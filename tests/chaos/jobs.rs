//! The jobs that the workers run. All of them write to the ledger; some of them misbehave.

use std::thread;
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{Tx, sqlx};
use uuid::Uuid;

use crate::LEASE;
use crate::ledger::Ledger;
use crate::process::THREADS;

/// Runs for some milliseconds, and returns the number of its run. No number of faults buries it.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn work(ctx: JobContext, millis: u64, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    ledger.end(run).await?;
    Ok(run)
}

/// The same, in the queue of an operator.
#[job(queue = "side", retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn errand(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    ledger.end(run).await?;
    Ok(run)
}

/// The same as `work`, with an effect and another job in the transaction that completes it.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s", timeout = "8s")]
pub(crate) async fn pay(ctx: JobContext, tx: &mut Tx, millis: u64, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    let effect = sqlx::query("insert into effects (job, run) values ($1, $2)");
    effect.bind(ctx.id().as_uuid()).bind(run).execute(&mut **tx).await?;
    receipt::enqueue(&mut *tx, ctx.id().as_uuid()).await?;
    tokio::time::sleep(Duration::from_millis(millis)).await;
    ledger.end(run).await?;
    Ok(run)
}

/// The job that a payment enqueues: each completed payment has exactly one.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn receipt(ctx: JobContext, payment: Uuid, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = payment;
    let run = ledger.begin(&ctx).await?;
    ledger.end(run).await?;
    Ok(run)
}

/// Panics in its first attempt. In its second, returns an error that panics when it is formatted.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn panics(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    assert!(ctx.failures() > 0, "as it should");
    if ctx.failures() == 1 {
        return Err(ShownBadly.into());
    }
    ledger.end(run).await?;
    Ok(run)
}

#[derive(Debug)]
struct ShownBadly;

impl std::fmt::Display for ShownBadly {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("shown badly, as it should be")
    }
}

impl std::error::Error for ShownBadly {}

/// Has a large argument, and returns a result as large: the number of its run, and the argument.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn carry(ctx: JobContext, load: String, ledger: State<Ledger>) -> Result<String> {
    let run = ledger.begin(&ctx).await?;
    ledger.end(run).await?;
    Ok(format!("{run} {load}"))
}

/// Aborts its process, each time.
#[job(retries = 30000, max_crashes = 1, backoff = "100ms..1s")]
pub(crate) async fn aborts(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    ledger.begin(&ctx).await?;
    std::process::abort()
}

/// Overflows its stack, each time, which ends the process.
#[job(retries = 30000, max_crashes = 1, backoff = "100ms..1s")]
pub(crate) async fn overflows(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    std::hint::black_box(deeper(1));
    Ok(run)
}

fn deeper(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 512]);
    if depth == u64::MAX { 0 } else { deeper(depth + 1) + std::hint::black_box(here)[0] }
}

/// Blocks every thread of its worker's runtime for two leases.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn blocks(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    for _ in 1..THREADS {
        tokio::spawn(async { thread::sleep(LEASE * 2) });
    }
    thread::sleep(LEASE * 2);
    ledger.end(run).await?;
    Ok(run)
}

/// Ignores, in its first attempt, a lost lease, its timeout and a shutdown.
#[job(retries = 30000, max_crashes = 30000, backoff = "100ms..1s", timeout = "500ms")]
pub(crate) async fn ignores(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    if ctx.failures() == 0 {
        thread::sleep(LEASE);
    }
    ledger.end(run).await?;
    Ok(run)
}
