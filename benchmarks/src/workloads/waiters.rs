//! Many callers at once, each of which waits for the result of its job, several times. The latency is that of a call.

use std::sync::Arc;

use anyhow::Result;

use crate::handled;
use crate::job::{Job, Kind};
use crate::peers::{Peer, Setup};
use crate::sample::Sample;
use crate::stage::Stage;

const CALLS: u64 = 20;

pub(super) async fn run(stage: &Stage, waiters: u64) -> Result<Sample> {
    let setup = Setup { kept: true, ..Setup::slots(2000) };
    stage.prepare(&setup, 0, Job::new).await?;
    let peer: Arc<dyn Peer> = stage.open(&setup).await?.into();
    let worker = peer.start().await?;
    peer.call(Job::new(0)).await?;
    let begun = stage.begin(1).await?;
    let callers: Vec<_> = (0..waiters).map(|number| tokio::spawn(call(Arc::clone(&peer), number))).collect();
    for caller in callers {
        caller.await??;
    }
    let ended = begun.end(stage).await?;
    worker.stop().await?;
    peer.close().await;
    drop(peer);
    ended.sample(stage, waiters * CALLS).await
}

async fn call(peer: Arc<dyn Peer>, number: u64) -> Result<()> {
    for _ in 0..CALLS {
        let begun = handled::now();
        peer.call(Job::new(number).kind(Kind::Kept)).await?;
        handled::record(handled::now() - begun);
    }
    Ok(())
}
