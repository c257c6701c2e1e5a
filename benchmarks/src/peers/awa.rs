//! awa, on its own version of sqlx, with its queue storage.
//!
//! Without a deadline it takes its compact path. (Tried: 100, 1,024, 2,048 and 4,096 workers; batches of 512 and 2,048; two
//! claimers; with and without a deadline.) Its exact count of unfinished jobs takes seconds, so the end of a run is that of its
//! last handler, which favours it.

use std::time::Duration;

use ::awa::{
    Client, InsertOpts, InsertParams, JobArgs, JobResult, QueueConfig, QueueStorage, QueueStorageConfig,
    insert_with, migrations,
};
use anyhow::Result;
use async_trait::async_trait;
use sqlx_0_8::PgPool;
use sqlx_0_8::postgres::PgPoolOptions;

use super::{CONNECTIONS, Entry, Goal, Need, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job};

pub(super) const ENTRY: Entry = Entry {
    name: "awa",
    version: "0.6.9",
    settings: "max_workers: the slots, at most 1,024; claim_batch_size 512; no deadline; queue storage; bulk: enqueue_params_copy; completed jobs are always kept",
    can: &[Need::Kept, Need::Priorities],
    most_jobs: 60_000,
    unfinished: "select false",
    open: |setup| {
        Box::pin(async {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&setup.url).await?;
            let storage = QueueStorage::new(QueueStorageConfig::default())?;
            Ok(Box::new(Awa { setup, pool, storage }) as Box<dyn Peer>)
        })
    },
};

const QUEUE: &str = "bench";
const MOST_SLOTS: usize = 1024;
const CLAIM: usize = 512;
const SLOTS_FOR_LATENCY: usize = 100;
const STOP: Duration = Duration::from_secs(10);

impl JobArgs for Args {
    fn kind() -> &'static str {
        "plain"
    }
}

struct Awa {
    setup: Setup,
    pool: PgPool,
    storage: QueueStorage,
}

/// Priority 1 runs first.
fn options(job: &Job) -> InsertOpts {
    InsertOpts { queue: QUEUE.to_owned(), priority: 4 - i16::from(job.priority), ..InsertOpts::default() }
}

#[async_trait]
impl Peer for Awa {
    async fn set_up(&self) -> Result<()> {
        // The compiler cannot prove that the future of its migrations is `Send`.
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                migrations::run(&self.pool).await?;
                Ok(self.storage.install(&self.pool).await?)
            })
        })
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        insert_with(&self.pool, &job.args, options(&job)).await?;
        Ok(())
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        let params = |job: &Job| -> Result<InsertParams> {
            Ok(InsertParams { kind: Args::kind().to_owned(), args: job.args.to_args()?, opts: options(job) })
        };
        let jobs = jobs.iter().map(params).collect::<Result<Vec<_>>>()?;
        self.storage.enqueue_params_copy(&self.pool, &jobs).await?;
        Ok(())
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let slots = match self.setup.goal {
            Goal::Latency => SLOTS_FOR_LATENCY,
            Goal::Throughput => self.setup.slots.min(MOST_SLOTS),
        };
        let queue = QueueConfig {
            max_workers: u32::try_from(slots)?,
            claim_batch_size: CLAIM,
            deadline_duration: Duration::ZERO,
            ..QueueConfig::default()
        };
        let client = Client::builder(self.pool.clone())
            .queue(QUEUE, queue)
            .register::<Args, _, _>(|args, _| async move {
                handled::handle(args.sent);
                Ok(JobResult::Completed)
            })
            .build()?;
        client.start().await?;
        Ok(Box::new(Started(client)))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

struct Started(Client);

#[async_trait]
impl Running for Started {
    async fn stop(self: Box<Self>) -> Result<()> {
        self.0.shutdown(STOP).await;
        Ok(())
    }
}
