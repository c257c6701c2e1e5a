//! A producer and a worker at once, for a number of seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use sqlx::Connection;

use crate::drained::Seconds;
use crate::handled;
use crate::job::{Job, Kind};
use crate::peers::{Peer, Setup};
use crate::sample::Sample;
use crate::stage::{BATCH, Stage};

/// The producer waits while more jobs than this are unhandled.
const AHEAD: u64 = 20_000;
/// The latency of one job in this many is measured.
const TIMED: u64 = 50;
const POLL: Duration = Duration::from_millis(1);

/// The oldest snapshot in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Snapshot {
    Moves,
    /// A transaction holds one open, so that vacuum and pruning remove nothing.
    Pinned,
}

pub(super) async fn run(
    stage: &Stage,
    setup: Setup,
    usual: f64,
    snapshot: Snapshot,
    kind: Kind,
) -> Result<Sample> {
    stage.prepare(&setup, 0, Job::new).await?;
    let mut holder = stage.meter.database.session().await?;
    if snapshot == Snapshot::Pinned {
        sqlx::query("begin isolation level repeatable read").execute(&mut holder).await?;
        sqlx::query("select count(*) from pg_class").execute(&mut holder).await?;
    }
    let peer: Arc<dyn Peer> = stage.open(&setup).await?.into();
    let begun = stage.begin(0).await?;
    let worker = peer.start().await?;
    let until = Instant::now() + stage.seconds(usual);
    let producer = tokio::spawn(produce(Arc::clone(&peer), until, kind));
    let mut seconds = Seconds::start();
    while Instant::now() < until {
        tokio::time::sleep(POLL).await;
        seconds.look(handled::count());
    }
    let jobs = handled::count();
    let ended = begun.end(stage).await?;
    producer.await??;
    worker.stop().await?;
    peer.close().await;
    holder.close().await?;
    drop(peer);
    Ok(Sample { seconds: seconds.counts, ..ended.sample(stage, jobs).await? })
}

async fn produce(peer: Arc<dyn Peer>, until: Instant, kind: Kind) -> Result<()> {
    let mut next = 0;
    while Instant::now() < until {
        if next > handled::count() + AHEAD {
            tokio::time::sleep(POLL).await;
            continue;
        }
        let make = |number: u64| {
            let job = Job::new(number).kind(kind);
            if number.is_multiple_of(TIMED) { job.timed() } else { job }
        };
        peer.enqueue_many((next..next + BATCH).map(make).collect()).await?;
        next += BATCH;
    }
    Ok(())
}
