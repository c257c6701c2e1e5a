//! The workloads: one file for each shape, one line for each workload.

mod drain;
mod due;
mod enqueue;
mod fair;
mod idle;
mod latency;
mod processes;
mod steady;
mod waiters;

use std::pin::Pin;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::job::{Job, Kind, MANY};
use crate::peers::{Need, Setup};
use crate::sample::Sample;
use crate::stage::Stage;

/// One thing to measure.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) group: Group,
    /// The figures that peers are compared by.
    pub(crate) figures: &'static [Figure],
    /// Peers without these are left out.
    pub(crate) needs: &'static [Need],
    /// The round trip that a proxy adds.
    pub(crate) round_trip: Option<Duration>,
    pub(crate) run: fn(&Stage) -> Run<'_>,
}

pub(crate) type Run<'a> = Pin<Box<dyn Future<Output = Result<Sample>> + Send + 'a>>;

/// The set to which a workload belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Run if none is named.
    Main,
    /// Run with `more`, or by name.
    More,
    /// Run by name alone, because it takes minutes and gigabytes.
    Long,
}

/// A figure of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    JobsPerSecond,
    P50,
    P99,
    WalPerJob,
    TransactionsPerJob,
    /// CPU of the server for each job, in microseconds.
    ServerCpuPerJob,
    /// The rate of the last ten seconds, divided by that of the first ten.
    LastToFirst,
    StatementsPerMinute,
    WalPerMinute,
}

const RATE: &[Figure] = &[Figure::JobsPerSecond];
const LATENCY: &[Figure] = &[Figure::P50, Figure::P99, Figure::TransactionsPerJob, Figure::WalPerJob];
/// The rate would be that of the longest backoff.
const RETRIES: &[Figure] = &[Figure::ServerCpuPerJob, Figure::WalPerJob];
const STEADY: &[Figure] = &[Figure::JobsPerSecond, Figure::WalPerJob];
const PINNED: &[Figure] = &[Figure::JobsPerSecond, Figure::LastToFirst];
const IDLE: &[Figure] = &[Figure::StatementsPerMinute, Figure::WalPerMinute];
const DUE: &[Figure] = &[Figure::JobsPerSecond, Figure::P50, Figure::P99];

const fn workload(
    name: &'static str,
    about: &'static str,
    figures: &'static [Figure],
    run: fn(&Stage) -> Run<'_>,
) -> Workload {
    Workload { name, about, group: Group::Main, figures, needs: &[], round_trip: None, run }
}

impl Workload {
    const fn needs(mut self, needs: &'static [Need]) -> Self {
        self.needs = needs;
        self
    }

    const fn more(mut self) -> Self {
        self.group = Group::More;
        self
    }

    const fn long(mut self) -> Self {
        self.group = Group::Long;
        self
    }

    /// A proxy between client and server delays what passes, so that a round trip takes this much longer.
    const fn round_trip(mut self, milliseconds: u64) -> Self {
        self.round_trip = Some(Duration::from_millis(milliseconds));
        self
    }
}

/// All workloads, in the order in which they run.
#[rustfmt::skip] // One line each.
pub(crate) const ALL: &[Workload] = &[
    workload("enqueue-1", "enqueue one at a time, 1 task", RATE, |stage| Box::pin(enqueue::singly(stage, Setup::slots(100), 1))),
    workload("enqueue-16", "enqueue one at a time, 16 tasks", RATE, |stage| Box::pin(enqueue::singly(stage, Setup::slots(100), 16))),
    workload("enqueue-256", "enqueue one at a time, 256 tasks", RATE, |stage| Box::pin(enqueue::singly(stage, Setup::slots(100), 256))),
    workload("bulk", "bulk enqueue, batches of 1,000", RATE, |stage| Box::pin(enqueue::in_bulk(stage, Setup::slots(100), 0))),
    workload("drain", "drain, 2,000 slots, nothing kept", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 300_000, Job::new))),
    workload("drain-100", "drain, 100 slots", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(100), 200_000, Job::new))),
    workload("drain-10", "drain, 10 slots", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(10), 100_000, Job::new))),
    workload("drain-kept", "drain, 2,000 slots, ended jobs kept", RATE, |stage| Box::pin(drain::run(stage, Setup { kept: true, ..Setup::slots(2000) }, 200_000, kept)))
        .needs(&[Need::Kept]),
    workload("queues", "drain, 20 queues, 100 slots each", RATE, |stage| Box::pin(drain::run(stage, Setup { queues: 20, ..Setup::slots(100) }, 200_000, queued)))
        .needs(&[Need::Queues]),
    workload("processes", "drain, 4 worker processes", RATE, |stage| Box::pin(processes::run(stage, 4))),
    workload("latency", "latency when idle", LATENCY, |stage| Box::pin(latency::run(stage, 400, Kind::Plain))),
    workload("steady", "steady: a producer and a worker", STEADY, |stage| Box::pin(steady::run(stage, Setup::slots(2000), 15.0, steady::Snapshot::Moves, Kind::Plain))),
    workload("pinned", "steady, beside a snapshot held open", PINNED, |stage| Box::pin(steady::run(stage, Setup::slots(2000), 40.0, steady::Snapshot::Pinned, Kind::Plain))),

    workload("steady-kept", "steady, ended jobs kept", STEADY, |stage| Box::pin(steady::run(stage, Setup { kept: true, ..Setup::slots(2000) }, 15.0, steady::Snapshot::Moves, Kind::Kept)))
        .needs(&[Need::Kept]).more(),
    workload("retries", "drain, one in ten fails once", RETRIES, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 100_000, flaky)))
        .needs(&[Need::Retries]).more(),
    workload("priorities", "drain, four priorities", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 200_000, ranked)))
        .needs(&[Need::Priorities]).more(),
    workload("bulk-1k", "bulk enqueue, 1 KB of arguments", RATE, |stage| Box::pin(enqueue::in_bulk(stage, Setup::slots(100), 1000))).more(),
    workload("bulk-10k", "bulk enqueue, 10 KB of arguments", RATE, |stage| Box::pin(enqueue::in_bulk(stage, Setup::slots(100), 10_000))).more(),
    workload("drain-1k", "drain, 1 KB of arguments", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 100_000, |n| Job::new(n).padded(1000)))).more(),
    workload("drain-10k", "drain, 10 KB of arguments", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 20_000, |n| Job::new(n).padded(10_000)))).more(),
    workload("due", "100,000 scheduled jobs come due at once", DUE, |stage| Box::pin(due::run(stage, 100_000)))
        .needs(&[Need::Delay]).more(),
    workload("waiters", "1,000 callers wait for their results", DUE, |stage| Box::pin(waiters::run(stage, 1000)))
        .needs(&[Need::Call]).more(),
    workload("drain-1ms", "drain, 1 ms round trip", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 200_000, Job::new)))
        .round_trip(1).more(),
    workload("drain-20ms", "drain, 20 ms round trip", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 100_000, Job::new)))
        .round_trip(20).more(),
    workload("latency-1ms", "latency when idle, 1 ms round trip", LATENCY, |stage| Box::pin(latency::run(stage, 300, Kind::Plain)))
        .round_trip(1).more(),
    workload("latency-20ms", "latency when idle, 20 ms round trip", LATENCY, |stage| Box::pin(latency::run(stage, 100, Kind::Plain)))
        .round_trip(20).more(),
    workload("keyed", "drain, 10,000 keys, one job of each at a time", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 300_000, keyed)))
        .needs(&[Need::Keys]).more(),
    workload("tenant-alone", "latency of tenants with one job", LATENCY, |stage| Box::pin(fair::run(stage, 0)))
        .needs(&[Need::Keys]).more(),
    workload("tenant-beside", "the same, beside one with 100,000 jobs", LATENCY, |stage| Box::pin(fair::run(stage, MANY)))
        .needs(&[Need::Keys]).more(),
    workload("bounded-1", "enqueue one at a time into a bounded queue, 1 task", RATE, |stage| Box::pin(enqueue::singly(stage, bounded(), 1)))
        .needs(&[Need::Bound]).more(),
    workload("bounded-16", "the same, 16 tasks", RATE, |stage| Box::pin(enqueue::singly(stage, bounded(), 16)))
        .needs(&[Need::Bound]).more(),
    workload("bounded-bulk", "bulk enqueue into a bounded queue, batches of 1,000", RATE, |stage| Box::pin(enqueue::in_bulk(stage, bounded(), 0)))
        .needs(&[Need::Bound]).more(),
    workload("bounded-drain", "drain of a bounded queue, 2,000 slots", RATE, |stage| Box::pin(drain::run(stage, Setup { slots: 2000, ..bounded() }, 300_000, Job::new)))
        .needs(&[Need::Bound]).more(),
    workload("drain-batch", "drain, 100 slots, 500 jobs in a call", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(100), 200_000, batched)))
        .needs(&[Need::Batches]).more(),
    workload("asking", "drain, 10 slots, each job asks the database", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(10), 100_000, asking)))
        .needs(&[Need::Batches]).more(),
    workload("asking-batch", "the same, each call of 500 jobs asks once", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(10), 100_000, asking_batched)))
        .needs(&[Need::Batches]).more(),
    workload("within", "a call for one job: how late after its 100 ms", LATENCY, |stage| Box::pin(latency::run(stage, 300, Kind::Waiting)))
        .needs(&[Need::Batches]).more(),
    workload("idle", "an idle worker", IDLE, |stage| Box::pin(idle::run(stage, 30.0))).more(),
    workload("backlog", "drain a backlog of 10,000,000", RATE, |stage| Box::pin(drain::run(stage, Setup::slots(2000), 10_000_000, Job::new))).long(),
];

/// A bound that no run reaches.
fn bounded() -> Setup {
    Setup { bound: Some(1_000_000), ..Setup::slots(100) }
}

fn keyed(number: u64) -> Job {
    Job::new(number).kind(Kind::Keyed)
}

fn batched(number: u64) -> Job {
    Job::new(number).kind(Kind::Batched)
}

fn asking(number: u64) -> Job {
    Job::new(number).kind(Kind::Asking)
}

fn asking_batched(number: u64) -> Job {
    Job::new(number).kind(Kind::AskingBatched)
}

fn kept(number: u64) -> Job {
    Job::new(number).kind(Kind::Kept)
}

fn flaky(number: u64) -> Job {
    Job::new(number).kind(Kind::Flaky)
}

fn queued(number: u64) -> Job {
    Job { queue: (number % 20) as usize, ..Job::new(number) }
}

fn ranked(number: u64) -> Job {
    Job { priority: (number % 4) as u8, ..Job::new(number) }
}

pub(crate) fn find(name: &str) -> Result<&'static Workload> {
    ALL.iter()
        .find(|workload| workload.name == name)
        .ok_or_else(|| anyhow!("no workload `{name}`; see `--list`"))
}
