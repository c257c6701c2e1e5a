//! The jobs whose code says what becomes of them beside others: unique while they wait or for a time, replaced, debounced, dropped
//! at a limit or by a bound, and weighed by rates.

use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{NewJob, WhenFull};
use uuid::Uuid;

use crate::ledger::Ledger;

/// The queue of most of them.
pub(crate) const QUEUE: &str = "chosen";
/// A queue with a rate of its own.
pub(crate) const TOLLED: &str = "tolled";
/// A bounded queue that drops new jobs.
pub(crate) const NEW: &str = "drop_new";
/// A bounded queue that drops the oldest jobs.
pub(crate) const OLD: &str = "drop_oldest";
/// The bound of both.
const BOUND: usize = 8;

/// All of them, by kind; those of the bounded queues by queue.
pub(crate) const KINDS: [&str; 10] =
    ["synced", "replaced", "debounced", "spaced", "dropped", "newest", "latest", TOLLED, NEW, OLD];

/// Unique while it waits: it reads what its name has been set to.
#[job(queue = "chosen", unique = name, unique_while = "waiting", retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
async fn synced(ctx: JobContext, name: String, ledger: State<Ledger>) -> Result<Uuid> {
    let run = ledger.begin(&ctx).await?;
    ledger.note_document(run, &name).await?;
    end(&ledger, run).await
}

/// Unique while it waits: the last arguments count.
#[job(
    queue = "chosen",
    unique = name,
    unique_while = "waiting",
    on_duplicate = "replace",
    retries = 30000,
    max_crashes = 30000,
    backoff = "100ms..1s"
)]
async fn replaced(ctx: JobContext, name: String, version: i32, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = name;
    work(&ctx, &ledger, version).await
}

/// Starts when no other with its name has come for a while: see [`chosen_verdict`](crate::chosen_verdict).
#[job(
    queue = "chosen",
    unique = name,
    unique_while = "waiting",
    on_duplicate = "debounce 300ms",
    retries = 30000,
    max_crashes = 30000,
    backoff = "100ms..1s"
)]
async fn debounced(ctx: JobContext, name: String, version: i32, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = name;
    work(&ctx, &ledger, version).await
}

/// The only new one of its name in two seconds.
#[job(queue = "chosen", unique = name, unique_while = "2s", retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
async fn spaced(ctx: JobContext, name: String, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = name;
    work(&ctx, &ledger, 0).await
}

/// Two at a time of each name. Others are dropped.
#[job(
    queue = "chosen",
    key = name,
    concurrency = 2,
    on_conflict = "drop",
    retries = 30000,
    max_crashes = 30000,
    backoff = "100ms..1s"
)]
async fn dropped(ctx: JobContext, name: String, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = name;
    work(&ctx, &ledger, 0).await
}

/// One at a time of each name, and one that waits: the newest.
#[job(
    queue = "chosen",
    key = name,
    concurrency = 1,
    on_conflict = "cancel_waiting",
    retries = 30000,
    max_crashes = 30000,
    backoff = "100ms..1s"
)]
async fn newest(ctx: JobContext, name: String, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = name;
    work(&ctx, &ledger, 0).await
}

/// One at a time of each name, which stops when a newer one comes.
#[job(
    queue = "chosen",
    key = name,
    concurrency = 1,
    on_conflict = "cancel_running",
    retries = 30000,
    max_crashes = 30000,
    backoff = "100ms..1s"
)]
async fn latest(ctx: JobContext, name: String, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = name;
    work(&ctx, &ledger, 0).await
}

/// Counts as much as it carries, under a rate of its name and the rate of its queue.
#[job(
    queue = "tolled",
    key = name,
    weight = load,
    rate = "8 per second",
    retries = 30000,
    max_crashes = 30000,
    backoff = "100ms..1s"
)]
async fn tolled(ctx: JobContext, name: String, load: u32, ledger: State<Ledger>) -> Result<Uuid> {
    let _ = (name, load);
    work(&ctx, &ledger, 0).await
}

/// A job of a bounded queue that drops jobs.
#[job(queue = "drop_new", retries = 30000, max_crashes = 30000, backoff = "100ms..1s")]
async fn sifted(ctx: JobContext, ledger: State<Ledger>) -> Result<Uuid> {
    work(&ctx, &ledger, 0).await
}

async fn work(ctx: &JobContext, ledger: &Ledger, version: i32) -> Result<Uuid> {
    let run = ledger.begin(ctx).await?;
    ledger.note_version(run, version).await?;
    end(ledger, run).await
}

async fn end(ledger: &Ledger, run: Uuid) -> Result<Uuid> {
    tokio::time::sleep(Duration::from_millis(30)).await;
    ledger.end(run).await?;
    Ok(run)
}

/// A job of one of the kinds.
pub(crate) fn job(kind: &str, name: String, version: i32) -> NewJob<Uuid> {
    match kind {
        "synced" => synced::job(name),
        "replaced" => replaced::job(name, version),
        "debounced" => debounced::job(name, version),
        "spaced" => spaced::job(name),
        "dropped" => dropped::job(name),
        "newest" => newest::job(name),
        "latest" => latest::job(name),
        TOLLED => tolled::job(name, version.unsigned_abs() % 4 + 1),
        queue => sifted::job().queue(queue.to_owned()),
    }
}

/// Makes the queues.
pub(crate) async fn set_up(client: &Client) {
    client.queue(QUEUE).save().await.unwrap();
    client.queue(TOLLED).rate("20 per second").save().await.unwrap();
    for (queue, when_full) in [(NEW, WhenFull::DropNew), (OLD, WhenFull::DropOldest)] {
        client.queue(queue).bounded(BOUND).when_full(when_full).save().await.unwrap();
    }
}
