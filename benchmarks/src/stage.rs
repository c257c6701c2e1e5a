//! The stage of a run: its peer, its database, and the measurement.

use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::handled;
use crate::job::Job;
use crate::meter::{Database, Mark, Meter, Pids, Usage};
use crate::peers::{self, Entry, Peer, Setup};
use crate::sample::{Latency, Sample};

/// Jobs of one bulk enqueue.
pub(crate) const BATCH: u64 = 1000;

/// One run, as the conductor describes it to the child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) workload: String,
    pub(crate) peer: String,
    pub(crate) round: usize,
    pub(crate) database: String,
    /// Leads to another database of the server.
    pub(crate) outside: String,
    /// Leads to the measured database.
    pub(crate) direct: String,
    /// Leads there through the delay proxy, if the workload has one.
    pub(crate) url: String,
    pub(crate) pids: Pids,
    pub(crate) jobs: Option<u64>,
    pub(crate) seconds: Option<f64>,
}

pub(crate) struct Stage {
    pub(crate) spec: Spec,
    pub(crate) peer: &'static Entry,
    pub(crate) meter: Meter,
}

impl Stage {
    pub(crate) async fn new(spec: Spec) -> Result<Self> {
        let database = Database::connect(&spec.outside, &spec.direct, &spec.database).await?;
        Ok(Self { peer: peers::find(&spec.peer)?, meter: Meter::new(spec.pids, database), spec })
    }

    /// The number of jobs: the workload's, or the caller's, and at most what the peer ends within seconds.
    pub(crate) fn jobs(&self, usual: u64) -> u64 {
        self.spec.jobs.unwrap_or(usual).min(self.peer.most_jobs)
    }

    pub(crate) fn seconds(&self, usual: f64) -> Duration {
        Duration::from_secs_f64(self.spec.seconds.unwrap_or(usual))
    }

    /// Sets the peer up and enqueues a backlog, then closes all connections. What follows starts from rest.
    pub(crate) async fn prepare(&self, setup: &Setup, jobs: u64, make: impl Fn(u64) -> Job) -> Result<()> {
        let peer = (self.peer.open)(Setup { url: self.spec.direct.clone(), ..setup.clone() }).await?;
        peer.set_up().await.context("cannot set up")?;
        for first in (0..jobs).step_by(BATCH as usize) {
            let batch = (first..jobs.min(first + BATCH)).map(&make).collect();
            peer.enqueue_many(batch).await.context("cannot enqueue the backlog")?;
        }
        peer.close().await;
        drop(peer);
        self.meter.database.settle().await?;
        self.meter.database.rest().await
    }

    /// Connects the peer that is measured.
    pub(crate) async fn open(&self, setup: &Setup) -> Result<Box<dyn Peer>> {
        (self.peer.open)(Setup { url: self.spec.url.clone(), ..setup.clone() }).await
    }

    /// Starts the measurement. `warmed` jobs ran before it in sessions that have not reported them yet.
    pub(crate) async fn begin(&self, warmed: u64) -> Result<Begun> {
        drop(handled::take_latencies());
        self.meter.reset_memory();
        let transactions = self.meter.database.transactions().await?;
        let statements = self.meter.database.statements().await;
        Ok(Begun { warmed, transactions, statements, start: self.meter.mark().await? })
    }
}

/// A measurement that runs.
pub(crate) struct Begun {
    warmed: u64,
    transactions: f64,
    statements: Option<f64>,
    start: Mark,
}

/// A measurement that has ended, before the peer is closed.
pub(crate) struct Ended {
    begun: Begun,
    usage: Usage,
    statements: Option<f64>,
    memory_megabytes: f64,
    latency: Option<Latency>,
}

impl Begun {
    pub(crate) async fn end(self, stage: &Stage) -> Result<Ended> {
        let usage = self.start.until(&stage.meter.mark().await?);
        Ok(Ended {
            usage,
            statements: stage.meter.database.statements().await,
            memory_megabytes: stage.meter.memory(),
            latency: Latency::of(&handled::take_latencies()),
            begun: self,
        })
    }
}

impl Ended {
    /// Returns the figures of `jobs` jobs. The peer is closed by now, because sessions report their transactions when they end.
    pub(crate) async fn sample(self, stage: &Stage, jobs: u64) -> Result<Sample> {
        let database = &stage.meter.database;
        database.settle().await?;
        let transactions = database.transactions().await? - self.begun.transactions;
        let share = jobs.max(1) as f64 / (jobs + self.begun.warmed).max(1) as f64;
        Ok(Sample {
            workload: stage.spec.workload.clone(),
            peer: stage.spec.peer.clone(),
            round: stage.spec.round,
            jobs,
            usage: self.usage,
            latency: self.latency,
            transactions: transactions * share,
            statements: self.statements.zip(self.begun.statements).map(|(end, start)| end - start),
            memory_megabytes: self.memory_megabytes,
            dead_rows: database.dead_rows().await?,
            seconds: Vec::new(),
        })
    }
}
