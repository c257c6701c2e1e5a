//! A worker with nothing to do.

use std::time::Duration;

use anyhow::Result;

use crate::job::Job;
use crate::peers::Setup;
use crate::sample::Sample;
use crate::stage::Stage;

/// The time after which a worker has ended its work of the start.
const START: Duration = Duration::from_secs(5);

pub(super) async fn run(stage: &Stage, usual: f64) -> Result<Sample> {
    let setup = Setup::quick();
    stage.prepare(&setup, 0, Job::new).await?;
    let peer = stage.open(&setup).await?;
    let worker = peer.start().await?;
    tokio::time::sleep(START).await;
    let begun = stage.begin(0).await?;
    tokio::time::sleep(stage.seconds(usual)).await;
    let ended = begun.end(stage).await?;
    worker.stop().await?;
    peer.close().await;
    drop(peer);
    ended.sample(stage, 0).await
}
