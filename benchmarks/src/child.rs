//! The child processes: one for each run, so that memory and CPU are those of the run; and workers of their own.

use std::io::Read;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::peers::{self, Setup};
use crate::stage::{Spec, Stage};
use crate::{handled, workloads};

/// The interval at which a worker process reports its count.
const REPORT: Duration = Duration::from_millis(5);

/// A worker in a process of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WorkSpec {
    pub(crate) peer: String,
    pub(crate) setup: Setup,
}

/// Runs one workload with one peer, and prints the sample as one line of JSON.
pub(crate) async fn run(spec: Spec) -> Result<()> {
    let workload = workloads::find(&spec.workload)?;
    let stage = Stage::new(spec).await?;
    let sample = (workload.run)(&stage).await?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// Works until the standard input ends, and prints the number of its jobs whenever it has grown.
pub(crate) async fn work(spec: WorkSpec) -> Result<()> {
    let peer = (peers::find(&spec.peer)?.open)(spec.setup).await?;
    let worker = peer.start().await?;
    let end = std::thread::spawn(|| std::io::stdin().read(&mut [0]));
    let mut last = 0;
    while !end.is_finished() {
        tokio::time::sleep(REPORT).await;
        let count = handled::count();
        if count != last {
            println!("{count}");
            last = count;
        }
    }
    worker.stop().await?;
    peer.close().await;
    Ok(())
}
