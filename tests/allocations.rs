//! The allocations of a job in the process of its worker: a count, which no other program on the machine changes. With
//! `--nocapture` it prints the figures.
#![allow(clippy::unwrap_used)]

use std::alloc::System;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use pgjobq::prelude::*;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::sync::Semaphore;

use crate::harness::TestDb;

#[path = "it/harness.rs"]
#[allow(dead_code)]
mod harness;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The jobs that run before the count begins, while pools and buffers grow, and those that are counted.
const WARM_UP: usize = 10_000;
const COUNTED: usize = 20_000;

static STARTED: AtomicUsize = AtomicUsize::new(0);
static MILESTONES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(0));

#[job(queue = "allocating", retain = "0s")]
async fn count_me(_number: usize) -> Result<()> {
    let started = STARTED.fetch_add(1, Ordering::Relaxed) + 1;
    if started == WARM_UP || started == WARM_UP + COUNTED {
        MILESTONES.add_permits(1);
    }
    Ok(())
}

/// The worker's loop allocates for each job: its arguments as they came, its task, its result, and its part of the statements. What
/// it allocates for each batch is divided by the jobs of the batch.
#[tokio::test]
async fn job_costs_few_allocations() {
    let db = TestDb::new(1).await;
    db.client.queue("allocating").save().await.unwrap();
    let jobs = (0..WARM_UP + COUNTED).map(count_me::job);
    db.client.enqueue_all(jobs).await.unwrap();

    let worker = Worker::builder(&db.client).queue("allocating", 500).build().await.unwrap().start();
    MILESTONES.acquire().await.unwrap().forget();
    let counted = Region::new(ALLOCATOR);
    MILESTONES.acquire().await.unwrap().forget();
    let change = counted.change();
    worker.shutdown().await.unwrap();

    let each = |amount: usize| amount as f64 / COUNTED as f64;
    let (count, bytes) = (each(change.allocations + change.reallocations), each(change.bytes_allocated));
    println!("{count:.1} allocations and {bytes:.0} bytes a job");
    assert!(count < 20.0, "{count:.1} allocations a job");
    assert!(bytes < 7_000.0, "{bytes:.0} bytes a job");
}
