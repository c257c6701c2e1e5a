//! Scheduled jobs that come due at one moment, beside a worker that runs. The latency counts from that moment.

use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use crate::drained::wait_for;
use crate::handled;
use crate::job::Job;
use crate::peers::Setup;
use crate::sample::Sample;
use crate::stage::{BATCH, Stage};

/// The time between the last enqueue and the moment, at least.
const REST: Duration = Duration::from_secs(3);

pub(super) async fn run(stage: &Stage, usual: u64) -> Result<Sample> {
    let (setup, jobs) = (Setup::slots(2000), stage.jobs(usual));
    stage.prepare(&setup, 0, Job::new).await?;
    let peer = stage.open(&setup).await?;
    let worker = peer.start().await?;
    // Some jobs that are due at once show how long all of them will take.
    let started = Instant::now();
    peer.enqueue_many((0..BATCH).map(Job::new).collect()).await?;
    let ahead = whole_second(started.elapsed() * (2 * jobs / BATCH) as u32 + REST)?;
    let (due, due_nanos) = (Instant::now() + ahead, handled::now() + ahead.as_nanos() as u64);
    for first in (0..jobs).step_by(BATCH as usize) {
        let delay = Some(due - Instant::now());
        let make = |number| {
            let mut job = Job { delay, ..Job::new(number) };
            job.args.sent = due_nanos;
            job
        };
        peer.enqueue_many((first..jobs.min(first + BATCH)).map(make).collect()).await?;
    }
    wait_for(BATCH, handled::count).await?;
    tokio::time::sleep_until(due.into()).await;
    let begun = stage.begin(0).await?;
    wait_for(BATCH + jobs, handled::count).await?;
    stage.meter.database.wait_until_not(stage.peer.unfinished).await?;
    let ended = begun.end(stage).await?;
    worker.stop().await?;
    peer.close().await;
    drop(peer);
    ended.sample(stage, jobs).await
}

/// Lengthens the time so that it ends with a second of the clock, because some peers store whole seconds.
fn whole_second(ahead: Duration) -> Result<Duration> {
    let end = (SystemTime::now() + ahead).duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(ahead + Duration::from_secs(1) - Duration::from_nanos(end.subsec_nanos().into()))
}
