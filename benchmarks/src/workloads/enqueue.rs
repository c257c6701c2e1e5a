//! Enqueuing, with no worker beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::Result;

use crate::handled;
use crate::job::Job;
use crate::peers::{Peer, Setup};
use crate::sample::Sample;
use crate::stage::{BATCH, Stage};

const SECONDS: f64 = 3.0;

/// Tasks enqueue one job after the other, through one client. The latency is that of the call.
pub(super) async fn singly(stage: &Stage, setup: Setup, tasks: u64) -> Result<Sample> {
    stage.prepare(&setup, 0, Job::new).await?;
    let peer: Arc<dyn Peer> = stage.open(&setup).await?.into();
    // The first statement of a connection is slower.
    at_once(tasks, || one_each(Arc::clone(&peer))).await?;
    let begun = stage.begin(tasks).await?;
    let (until, numbers) = (Instant::now() + stage.seconds(SECONDS), Arc::new(AtomicU64::new(0)));
    at_once(tasks, || until_then(Arc::clone(&peer), until, Arc::clone(&numbers))).await?;
    let ended = begun.end(stage).await?;
    peer.close().await;
    ended.sample(stage, numbers.load(Ordering::Relaxed)).await
}

async fn one_each(peer: Arc<dyn Peer>) -> Result<()> {
    peer.enqueue(Job::new(0)).await
}

async fn until_then(peer: Arc<dyn Peer>, until: Instant, numbers: Arc<AtomicU64>) -> Result<()> {
    while Instant::now() < until {
        let begun = handled::now();
        peer.enqueue(Job::new(numbers.fetch_add(1, Ordering::Relaxed))).await?;
        handled::record(handled::now() - begun);
    }
    Ok(())
}

/// Runs `tasks` tasks at once, to their end.
async fn at_once<F>(tasks: u64, make: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let tasks: Vec<_> = (0..tasks).map(|_| tokio::spawn(make())).collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// One task enqueues batches, one after the other. The latency is that of a batch.
pub(super) async fn in_bulk(stage: &Stage, setup: Setup, pad: usize) -> Result<Sample> {
    stage.prepare(&setup, 0, Job::new).await?;
    let peer = stage.open(&setup).await?;
    let batch = |first: u64| (first..first + BATCH).map(|number| Job::new(number).padded(pad)).collect();
    peer.enqueue_many(batch(0)).await?;
    let begun = stage.begin(BATCH).await?;
    let (until, mut jobs) = (Instant::now() + stage.seconds(SECONDS), 0);
    while Instant::now() < until {
        let started = handled::now();
        peer.enqueue_many(batch(jobs)).await?;
        handled::record(handled::now() - started);
        jobs += BATCH;
    }
    let ended = begun.end(stage).await?;
    peer.close().await;
    ended.sample(stage, jobs).await
}
