//! River, by its official client for Rust.
//!
//! Its default cooldown of 100 ms caps a queue at its workers in every 100 ms, so it is at its minimum of 1 ms. (Tried: 100,
//! 1,000, 2,000 and 10,000 workers.) River always keeps completed jobs.

use std::time::Duration;

use ::riverqueue::jiff::Timestamp;
use ::riverqueue::migrate::PostgresMigrator;
use ::riverqueue::{
    BoxError, Client, InsertOpts, JobArgs, JobRow, QueueConfig, RetryPolicy, RunHandle, WorkContext,
    WorkError, WorkOutcome, Workers,
};
use anyhow::Result;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{Entry, Need, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job, Kind};

pub(super) const ENTRY: Entry = Entry {
    name: "riverqueue",
    version: "0.5.0",
    settings: "max_workers: the slots; fetch_cooldown 1 ms; completed jobs are always kept",
    can: &[Need::Kept, Need::Queues, Need::Priorities, Need::Delay, Need::Retries],
    most_jobs: 50_000,
    unfinished: "select exists (select from river_job where state not in ('completed', 'cancelled', 'discarded'))",
    open: |setup| {
        Box::pin(async {
            let pool = super::pool(&setup.url).await?;
            let client = client(&setup, pool.clone())?;
            Ok(Box::new(River { setup, pool, client }) as Box<dyn Peer>)
        })
    },
};

const COOLDOWN: Duration = Duration::from_millis(1);

impl JobArgs for Args {
    const KIND: &'static str = "plain";
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Flaky(Args);

impl JobArgs for Flaky {
    const KIND: &'static str = "flaky";
}

async fn plain(_: WorkContext, job: ::riverqueue::Job<Args>) -> Result<WorkOutcome, BoxError> {
    handled::handle(job.args.sent);
    Ok(WorkOutcome::Complete)
}

async fn flaky(_: WorkContext, job: ::riverqueue::Job<Flaky>) -> Result<WorkOutcome, BoxError> {
    if handled::fails(job.args.0.number) {
        return Err("the first attempt of every tenth job fails".into());
    }
    handled::handle(job.args.0.sent);
    Ok(WorkOutcome::Complete)
}

/// The same second that other peers wait.
struct AfterOneSecond;

impl RetryPolicy for AfterOneSecond {
    fn next_retry(&self, _: &JobRow, _: &WorkError, _: Timestamp) -> Duration {
        Duration::from_secs(1)
    }
}

struct River {
    setup: Setup,
    pool: PgPool,
    client: Client,
}

fn queue(number: usize) -> String {
    format!("bench{number}")
}

fn client(setup: &Setup, pool: PgPool) -> Result<Client> {
    let mut workers = Workers::new();
    workers.add_fn(plain)?;
    workers.add_fn(flaky)?;
    let mut builder =
        Client::builder(pool).workers(workers).fetch_cooldown(COOLDOWN).retry_policy(AfterOneSecond);
    for number in 0..setup.queues {
        builder = builder.queue(queue(number), QueueConfig::new(setup.slots));
    }
    Ok(builder.build()?)
}

/// Priority 1 runs first.
fn options(job: &Job) -> Result<InsertOpts> {
    let options =
        InsertOpts::default().with_queue(queue(job.queue)).with_priority(4 - i16::from(job.priority));
    Ok(match job.delay {
        Some(delay) => options.with_scheduled_at(Timestamp::now().checked_add(delay)?),
        None => options,
    })
}

#[async_trait]
impl Peer for River {
    async fn set_up(&self) -> Result<()> {
        PostgresMigrator::new(self.pool.clone()).migrate_up().await?;
        Ok(())
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        let options = options(&job)?;
        match job.kind {
            Kind::Flaky => drop(self.client.insert(Flaky(job.args)).opts(options).await?),
            _ => drop(self.client.insert(job.args).opts(options).await?),
        }
        Ok(())
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        let flaky = jobs.first().is_some_and(|job| job.kind == Kind::Flaky);
        let jobs = jobs
            .into_iter()
            .map(|job| options(&job).map(|options| (job.args, options)))
            .collect::<Result<Vec<_>>>()?;
        if flaky {
            let jobs = jobs.into_iter().map(|(args, options)| (Flaky(args), options));
            self.client.insert_many(jobs).await?;
        } else {
            self.client.insert_many(jobs).await?;
        }
        Ok(())
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let mut run = self.client.start()?;
        run.wait_ready().await?;
        Ok(Box::new(Started(run)))
    }

    async fn close(&self) {
        let _ = &self.setup;
        self.pool.close().await;
    }
}

struct Started(RunHandle);

#[async_trait]
impl Running for Started {
    async fn stop(mut self: Box<Self>) -> Result<()> {
        Ok(self.0.stop().await?)
    }
}
