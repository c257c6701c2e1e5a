//! apalis, on PostgreSQL.
//!
//! Notifications and a poll every 100 ms; tasks are not locked one by one, which its example turns off, too. (Tried: batches of
//! 500 and 1,000; concurrency 100 and 1,000; with and without a tokio task for each job. Without recorded results, jobs are
//! never done.) It always keeps completed jobs. Single tasks are pushed by one statement, which is faster than its `push`.

use std::time::Duration;

use ::apalis::prelude::*;
use ::apalis_postgres::{Config, PgTask, PostgresStorage, queries};
use anyhow::{Result, anyhow};
use async_trait::async_trait;
use sqlx::PgPool;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Entry, Goal, Need, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job};

pub(super) const ENTRY: Entry = Entry {
    name: "apalis",
    version: "1.0.0",
    settings: "batch_size and concurrency: the slots, at most 1,000; pubsub and a poll every 100 ms; no lock for each task; completed jobs are always kept",
    can: &[Need::Kept, Need::Priorities],
    most_jobs: 50_000,
    unfinished: "select exists (select from apalis.jobs where status in ('Pending', 'Queued', 'Running'))",
    open: |setup| {
        Box::pin(async {
            let pool = super::pool(&setup.url).await?;
            Ok(Box::new(Apalis { setup, pool }) as Box<dyn Peer>)
        })
    },
};

const QUEUE: &str = "bench";
const MOST_SLOTS: usize = 1000;
const POLL: Duration = Duration::from_millis(100);
const SLOTS_FOR_LATENCY: usize = 100;

struct Apalis {
    setup: Setup,
    pool: PgPool,
}

async fn plain(args: Args) -> Result<u64, BoxDynError> {
    handled::handle(args.sent);
    Ok(args.number)
}

fn task(job: &Job) -> Result<PgTask> {
    Ok(TaskBuilder::new(serde_json::to_vec(&job.args)?).priority(usize::from(job.priority)).build())
}

#[async_trait]
impl Peer for Apalis {
    async fn set_up(&self) -> Result<()> {
        Ok(PostgresStorage::setup(&self.pool).await?)
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        Ok(queries::push_tasks(&mut *connection, QUEUE, vec![task(&job)?]).await?)
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        let mut connection = self.pool.acquire().await?;
        let tasks = jobs.iter().map(task).collect::<Result<Vec<_>>>()?;
        Ok(queries::push_tasks(&mut *connection, QUEUE, tasks).await?)
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let slots = match self.setup.goal {
            Goal::Latency => SLOTS_FOR_LATENCY,
            Goal::Throughput => self.setup.slots.min(MOST_SLOTS),
        };
        let config = Config::default().queue(QUEUE).batch_size(slots).lock_tasks(false);
        let backend = PostgresStorage::<Args>::new(&self.pool)
            .with_config(config)
            .with_pubsub()
            .poll_with_interval(POLL);
        let worker = WorkerBuilder::new(format!("bench-{}", std::process::id()))
            .backend(backend)
            .concurrency(slots)
            .build(plain);
        let (stop, stopped) = oneshot::channel::<()>();
        let signal = async {
            let _ = stopped.await;
            Ok::<(), std::io::Error>(())
        };
        let task = tokio::spawn(async { worker.run_until(signal).await.map_err(|error| anyhow!("{error}")) });
        Ok(Box::new(Started { stop, task }))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

struct Started {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<()>>,
}

#[async_trait]
impl Running for Started {
    async fn stop(self: Box<Self>) -> Result<()> {
        let _ = self.stop.send(());
        self.task.await?
    }
}
