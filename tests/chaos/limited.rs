//! The jobs under limits: of a key, a kind, a queue, a rate.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::sqlx;
use uuid::Uuid;

use crate::ledger::Ledger;

/// The queue of most jobs under limits.
pub(crate) const QUEUE: &str = "limited";
/// A queue with a limit of its own.
pub(crate) const NARROW: &str = "narrow";
/// A bounded queue.
pub(crate) const PACKED: &str = "packed";
/// The most live jobs of that queue, as the code says.
const PACKED_MOST: usize = 20;
/// The rates, and the weight that may start under each of them, or under each key of its kind, in a second.
pub(crate) const RATES: [(&str, i64); 3] = [("kind paced", 5), ("kind tolled", 8), ("queue tolled", 20)];
/// At most this many jobs of that queue run at a time.
const NARROW_MOST: u16 = 3;

/// One at a time of each key, in the order of their numbers. One in ten fails once, and holds its place.
#[job(queue = "limited", key = key, concurrency = 1, retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn lined(
    ctx: JobContext,
    key: String,
    number: u64,
    millis: u64,
    ledger: State<Ledger>,
) -> Result<Uuid> {
    let _ = key;
    work(&ctx, &ledger, millis, number.is_multiple_of(10)).await
}

/// A few at a time of each key. A person changes how many.
#[job(queue = "limited", key = key, concurrency = 3, retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn crowded(
    ctx: JobContext,
    key: String,
    millis: u64,
    ledger: State<Ledger>,
) -> Result<Uuid> {
    let _ = key;
    work(&ctx, &ledger, millis, millis.is_multiple_of(10)).await
}

/// Two at a time in the whole fleet. Its queue has a limit as well, which it shares with jobs of `crowded`.
#[job(queue = "narrow", concurrency = 2, retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn scarce(ctx: JobContext, millis: u64, ledger: State<Ledger>) -> Result<Uuid> {
    work(&ctx, &ledger, millis, false).await
}

/// A few a second of each key.
#[job(
    queue = "limited",
    key = key,
    rate = "5 per second",
    retries = 30000,
    max_crashes = 30000,
    backoff = "100ms..1s"
)]
pub(crate) async fn paced(ctx: JobContext, key: String, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = key;
    work(&ctx, &ledger, 1, false).await
}

/// The only one of its name, while it is live.
#[job(queue = "limited", unique = name, retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn only(ctx: JobContext, name: String, millis: u64, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = name;
    work(&ctx, &ledger, millis, millis.is_multiple_of(5)).await
}

/// A job of a bounded queue.
#[job(queue = "packed", retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
pub(crate) async fn packed(ctx: JobContext, millis: u64, ledger: State<Ledger>) -> Result<Uuid> {
    work(&ctx, &ledger, millis, false).await
}

async fn work(ctx: &JobContext, ledger: &Ledger, millis: u64, fails: bool) -> Result<Uuid> {
    let run = ledger.begin(ctx).await?;
    if fails && ctx.failures() == 0 {
        return Err("its first attempt fails".into());
    }
    tokio::time::sleep(Duration::from_millis(millis)).await;
    ledger.end(run).await?;
    Ok(run)
}

/// Makes the queues, and records the limits.
pub(crate) async fn set_up(client: &Client) {
    client.queue(QUEUE).save().await.unwrap();
    client.queue(NARROW).concurrency(NARROW_MOST).save().await.unwrap();
    client.queue(PACKED).bounded(PACKED_MOST).save().await.unwrap();
    let note = "insert into limits_set (scope, name, per_key, most)
        select scope, name, per_key, concurrency from pgjobq.limits where concurrency is not null";
    sqlx::query(note).execute(client.pool()).await.unwrap();
}
