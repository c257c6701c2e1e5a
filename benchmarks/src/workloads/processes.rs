//! Several worker processes on one backlog. Each reports its count of jobs on its standard output.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::child::WorkSpec;
use crate::drained::wait_for;
use crate::job::Job;
use crate::peers::Setup;
use crate::sample::Sample;
use crate::stage::Stage;

pub(super) async fn run(stage: &Stage, processes: usize) -> Result<Sample> {
    let (setup, jobs) = (Setup { url: stage.spec.url.clone(), ..Setup::slots(2000) }, stage.jobs(300_000));
    stage.prepare(&setup, jobs, Job::new).await?;
    let counts: Vec<_> = (0..processes).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let spec = WorkSpec { peer: stage.spec.peer.clone(), setup };
    let begun = stage.begin(0).await?;
    let mut workers = Vec::new();
    for count in &counts {
        let worker = spawn(&spec, Arc::clone(count))?;
        stage.meter.add_client(worker.id().context("a worker process has ended")?);
        workers.push(worker);
    }
    let seconds = wait_for(jobs, || counts.iter().map(|count| count.load(Ordering::Relaxed)).sum()).await?;
    stage.meter.database.wait_until_not(stage.peer.unfinished).await?;
    let ended = begun.end(stage).await?;
    for mut worker in workers {
        drop(worker.stdin.take()); // The signal to stop.
        worker.wait().await?;
    }
    Ok(Sample { seconds, ..ended.sample(stage, jobs).await? })
}

fn spawn(spec: &WorkSpec, count: Arc<AtomicU64>) -> Result<Child> {
    let mut worker = Command::new(std::env::current_exe()?)
        .arg("--work")
        .arg(serde_json::to_string(spec)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = worker.stdout.take().context("the output is piped")?;
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            count.store(line.parse().unwrap_or_default(), Ordering::Relaxed);
        }
    });
    Ok(worker)
}
