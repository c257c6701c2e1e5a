//! One job at a time: from before its enqueue to the start of its handler, in one process.

use std::time::Duration;

use anyhow::Result;

use crate::drained::wait_for;
use crate::handled;
use crate::job::{Job, Kind};
use crate::peers::{Peer, Setup};
use crate::sample::Sample;
use crate::stage::Stage;

/// Jobs that are not measured: a new worker polls until it listens.
const WARMED: u64 = 20;
const START: Duration = Duration::from_millis(500);

/// The whole costs of these jobs, from the enqueue to the end, are those of lone jobs.
pub(super) async fn run(stage: &Stage, usual: u64, kind: Kind) -> Result<Sample> {
    let (setup, jobs) = (Setup::quick(), stage.jobs(usual).min(usual));
    stage.prepare(&setup, 0, Job::new).await?;
    let peer = stage.open(&setup).await?;
    let worker = peer.start().await?;
    tokio::time::sleep(START).await;
    singly(&*peer, kind, 0, WARMED).await?;
    let begun = stage.begin(WARMED).await?;
    singly(&*peer, kind, WARMED, WARMED + jobs).await?;
    stage.meter.database.wait_until_not(stage.peer.unfinished).await?;
    let ended = begun.end(stage).await?;
    worker.stop().await?;
    peer.close().await;
    drop(peer);
    ended.sample(stage, jobs).await
}

async fn singly(peer: &dyn Peer, kind: Kind, from: u64, to: u64) -> Result<()> {
    for number in from..to {
        // Not in step with any timer of a peer.
        tokio::time::sleep(Duration::from_millis(5 + number % 10)).await;
        peer.enqueue(Job::new(number).kind(kind).timed()).await?;
        wait_for(number + 1, handled::count).await?;
    }
    Ok(())
}
