//! Tenants with one job each, beside one that has many: from before the enqueue to the start of the handler.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::handled;
use crate::job::{Job, Kind, MANY};
use crate::peers::{Peer, Setup};
use crate::sample::Sample;
use crate::stage::Stage;

/// The tenants that are measured, and those before them that are not: a new worker polls until it listens.
const TENANTS: u64 = 300;
const WARMED: u64 = 20;
const START: Duration = Duration::from_millis(500);
const POLL: Duration = Duration::from_micros(500);
/// A job that has not started by then never will.
const STUCK: Duration = Duration::from_secs(60);

/// The worker has work for the other tenant all the time, if `many` is not zero.
pub(super) async fn run(stage: &Stage, many: u64) -> Result<Sample> {
    let setup = Setup::quick();
    stage.prepare(&setup, many, of_tenant).await?;
    let peer = stage.open(&setup).await?;
    let worker = peer.start().await?;
    tokio::time::sleep(START).await;
    for tenant in 0..WARMED {
        one(&*peer, MANY + tenant, tenant + 1).await?;
    }
    let begun = stage.begin(WARMED).await?;
    for tenant in 0..TENANTS {
        one(&*peer, MANY + WARMED + tenant, tenant + 1).await?;
    }
    let ended = begun.end(stage).await?;
    ensure!(many == 0 || handled::count() < many, "the other tenant ran out of jobs");
    worker.stop().await?;
    peer.close().await;
    drop(peer);
    ended.sample(stage, TENANTS).await
}

fn of_tenant(number: u64) -> Job {
    Job::new(number).kind(Kind::OfTenant)
}

/// Enqueues a job, and returns when this many have recorded their latency.
async fn one(peer: &dyn Peer, number: u64, recorded: u64) -> Result<()> {
    // Not in step with any timer of a peer.
    tokio::time::sleep(Duration::from_millis(5 + number % 10)).await;
    peer.enqueue(of_tenant(number).timed()).await?;
    let since = Instant::now();
    while handled::recorded() < recorded {
        ensure!(since.elapsed() < STUCK, "the job of a tenant has not started after {STUCK:?}");
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}
