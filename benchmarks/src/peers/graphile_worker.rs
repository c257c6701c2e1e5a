//! graphile_worker, with its local queue and batched completion.
//!
//! Without a local queue a worker takes one job for each slot and poll (10 slots and a poll of 1 s: 10 jobs/s). Tried: local
//! queues of 100, 500, 2,000 and 5,000; one and two of them; completions batched for 2 and 5 ms; best is what stands here. At
//! a steady load, the smaller queue is better. For latency, jobs are neither fetched ahead nor completed in batches.

use std::sync::Arc;
use std::time::Duration;

use ::graphile_worker::{
    IntoTaskHandlerResult, JobSpec, JobSpecBuilder, LocalQueueConfig, RawJobSpec, TaskHandler, Worker,
    WorkerContext, WorkerOptions, WorkerUtils,
};
use anyhow::{Result, anyhow};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::task::JoinHandle;

use super::{Entry, Goal, Need, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job, Kind};

pub(super) const ENTRY: Entry = Entry {
    name: "graphile_worker",
    version: "0.14.1",
    settings: "concurrency: the slots, at most 100; local queue of 5,000; completions batched for 5 ms; latency: concurrency 10, no local queue, LISTEN",
    can: &[Need::Priorities, Need::Retries],
    most_jobs: u64::MAX,
    unfinished: "select exists (select from graphile_worker._private_jobs)",
    open: |setup| {
        Box::pin(async {
            let pool = super::pool(&setup.url).await?;
            let utils = WorkerUtils::new(pool.clone(), SCHEMA);
            Ok(Box::new(Graphile { setup, pool, utils }) as Box<dyn Peer>)
        })
    },
};

const SCHEMA: &str = "graphile_worker";
const MOST_SLOTS: usize = 100;
const AHEAD: usize = 5000;
const COMPLETION_DELAY: Duration = Duration::from_millis(5);
const SLOTS_FOR_LATENCY: usize = 10;

impl TaskHandler for Args {
    const IDENTIFIER: &'static str = "plain";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        handled::handle(self.sent);
        Ok::<(), String>(())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Flaky(Args);

impl TaskHandler for Flaky {
    const IDENTIFIER: &'static str = "flaky";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        if handled::fails(self.0.number) {
            return Err("the first attempt of every tenth job fails".to_owned());
        }
        handled::handle(self.0.sent);
        Ok(())
    }
}

struct Graphile {
    setup: Setup,
    pool: PgPool,
    utils: WorkerUtils,
}

/// A lower number runs first.
fn spec(job: &Job) -> JobSpec {
    match job.priority {
        1 => JobSpec::default(),
        priority => JobSpecBuilder::new().priority(1 - i16::from(priority)).build(),
    }
}

fn identifier(job: &Job) -> &'static str {
    if job.kind == Kind::Flaky { Flaky::IDENTIFIER } else { Args::IDENTIFIER }
}

impl Graphile {
    /// Connects a worker, which also migrates.
    async fn worker(&self) -> Result<Worker> {
        let options = WorkerOptions::default()
            .schema(SCHEMA)
            .pg_pool(self.pool.clone())
            .define_job::<Args>()
            .define_job::<Flaky>()
            .listen_os_shutdown_signals(false);
        let options = match self.setup.goal {
            Goal::Latency => options.concurrency(SLOTS_FOR_LATENCY),
            Goal::Throughput => options
                .concurrency(self.setup.slots.min(MOST_SLOTS))
                .local_queue(LocalQueueConfig::builder().size(AHEAD).build())
                .complete_job_batch_delay(COMPLETION_DELAY),
        };
        Ok(options.init().await?)
    }
}

#[async_trait]
impl Peer for Graphile {
    async fn set_up(&self) -> Result<()> {
        self.worker().await?;
        Ok(())
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        self.utils.add_raw_job(identifier(&job), &job.args, spec(&job)).await?;
        Ok(())
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        let raw = |job: &Job| -> Result<RawJobSpec> {
            let payload = serde_json::to_value(&job.args)?;
            Ok(RawJobSpec { identifier: identifier(job).into(), payload, spec: spec(job) })
        };
        let jobs = jobs.iter().map(raw).collect::<Result<Vec<_>>>()?;
        self.utils.add_raw_jobs(&jobs).await?;
        Ok(())
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let worker = Arc::new(self.worker().await?);
        let task = tokio::spawn({
            let worker = Arc::clone(&worker);
            async move { worker.run().await.map_err(|error| anyhow!("{error}")) }
        });
        Ok(Box::new(Started { worker, task }))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

struct Started {
    worker: Arc<Worker>,
    task: JoinHandle<Result<()>>,
}

#[async_trait]
impl Running for Started {
    async fn stop(self: Box<Self>) -> Result<()> {
        self.worker.request_shutdown();
        self.task.await?
    }
}
