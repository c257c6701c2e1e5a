//! A worker starts on a backlog and ends it.

use anyhow::Result;

use crate::drained::wait_for;
use crate::handled;
use crate::job::Job;
use crate::peers::Setup;
use crate::sample::Sample;
use crate::stage::Stage;

/// Measures from the start of the worker, with all that it does at its start, until the database holds no job that has not
/// ended.
pub(super) async fn run(stage: &Stage, setup: Setup, usual: u64, make: fn(u64) -> Job) -> Result<Sample> {
    let jobs = stage.jobs(usual);
    stage.prepare(&setup, jobs, make).await?;
    let peer = stage.open(&setup).await?;
    let begun = stage.begin(0).await?;
    let worker = peer.start().await?;
    let seconds = wait_for(jobs, handled::count).await?;
    stage.meter.database.wait_until_not(stage.peer.unfinished).await?;
    let ended = begun.end(stage).await?;
    worker.stop().await?;
    peer.close().await;
    drop(peer);
    Ok(Sample { seconds, ..ended.sample(stage, jobs).await? })
}
