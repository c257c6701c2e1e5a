//! Job functions that take several jobs in one call.

mod beside; // Calls beside other jobs, keys, limits and queues.
mod ends; // Each item ends by itself.
mod gathering; // When a call begins, and with which jobs.
mod stops; // Cancellations, timeouts, shutdowns and lost leases.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use pgjobq::prelude::*;
use pgjobq::{RunningWorker, WorkerBuilder};
use serde::{Deserialize, Serialize};

use crate::harness::TestDb;
use crate::probe::Probe;

/// The argument of a job of these tests.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Item {
    probe: u64,
    number: u32,
}

/// The numbers of the items of each call, by probe.
static CALLS: LazyLock<Mutex<HashMap<u64, Vec<Vec<u32>>>>> = LazyLock::new(Mutex::default);

/// Notes a call, and returns its probe.
fn note(batch: &Batch<Item>) -> std::sync::Arc<Probe> {
    let first = batch.iter().next().expect("a batch is never empty");
    let numbers = batch.iter().map(|item| item.number).collect();
    CALLS.lock().unwrap().entry(first.probe).or_default().push(numbers);
    Probe::of(first.probe)
}

/// Returns the numbers of the items of each call, in the order in which the calls began.
fn calls(probe: &Probe) -> Vec<Vec<u32>> {
    CALLS.lock().unwrap().get(&probe.number).cloned().unwrap_or_default()
}

/// Completes, four jobs in a call. It waits for others for so long that a test which needs no more than four of them fails if it
/// has to wait.
#[job(kind = "batches_four", batch = 4, within = "5s", retries = 0)]
async fn four(items: Batch<Item>) {
    let probe = note(&items);
    let _runs: Vec<_> = items.iter().map(|item| probe.begin(item.context())).collect();
    tokio::task::yield_now().await;
}

/// Completes, with any number of jobs in a call.
#[job(kind = "batches_many", batch = 100, within = "50ms", retries = 0)]
async fn many(items: Batch<Item>) {
    let probe = note(&items);
    let _runs: Vec<_> = items.iter().map(|item| probe.begin(item.context())).collect();
    tokio::task::yield_now().await;
}

/// Waits in its call until the test lets it pass, and completes.
#[job(kind = "batches_hold", batch = 3, within = "5s", retries = 0)]
async fn hold(items: Batch<Item>) {
    let probe = note(&items);
    let _run = probe.begin(items.iter().next().expect("a batch is never empty").context());
    probe.pass().await;
}

fn items(probe: &Probe, numbers: std::ops::Range<u32>) -> Vec<Item> {
    numbers.map(|number| Item { probe: probe.number, number }).collect()
}

/// Enqueues a job for each of these numbers.
async fn enqueue(
    db: &TestDb,
    job: fn(Item) -> NewJob<()>,
    probe: &Probe,
    numbers: std::ops::Range<u32>,
) -> Vec<JobHandle<()>> {
    db.client.enqueue_each(items(probe, numbers).into_iter().map(job)).await.unwrap()
}

/// A worker with this many slots in the queue `default`.
fn worker(db: &TestDb, slots: usize) -> WorkerBuilder {
    let worker = Worker::builder(&db.client).queue("default", slots).heartbeat(Duration::from_millis(200));
    worker
        .lease(Duration::from_secs(30))
        .poll_interval(Duration::from_millis(200))
        .grace(Duration::from_secs(5))
}

async fn start(db: &TestDb, slots: usize) -> RunningWorker {
    worker(db, slots).build().await.unwrap().start()
}

const ALL_ENDED: &str = "not exists (select from pgjobq.jobs)";
