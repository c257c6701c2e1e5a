//! sqlxmq, on its own version of sqlx.
//!
//! It has no bulk enqueue: a batch is a transaction of single spawns. A job that runs holds no connection, but its completion
//! takes one, so more than 100 at a time do not help. (Tried: 20, 50 and 100.)

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ::sqlxmq::{CurrentJob, JobBuilder, JobRunnerHandle, JobRunnerOptions};
use anyhow::{Context, Result};
use async_trait::async_trait;
use sqlx_0_8::PgPool;
use sqlx_0_8::postgres::PgPoolOptions;

use super::{CONNECTIONS, Entry, Goal, Need, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job, Kind};

pub(super) const ENTRY: Entry = Entry {
    name: "sqlxmq",
    version: "0.6.0",
    settings: "concurrency: the slots, at most 100 (refilled at half); latency: 20; bulk: 1,000 spawns in one transaction",
    can: &[Need::Delay, Need::Retries],
    most_jobs: 10_000,
    // A row with the nil id is always there.
    unfinished: "select exists (select from mq_msgs where id <> uuid_nil())",
    open: |setup| {
        Box::pin(async {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&setup.url).await?;
            Ok(Box::new(Sqlxmq { setup, pool }) as Box<dyn Peer>)
        })
    },
};

const MOST_SLOTS: usize = 100;
const SLOTS_FOR_LATENCY: usize = 20;
const STOP: Duration = Duration::from_secs(10);

struct Sqlxmq {
    setup: Setup,
    pool: PgPool,
}

/// Its migrations, in order. They are files of its package, which has no function that runs them.
fn migrations() -> Result<Vec<PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--features=sqlxmq", "--manifest-path", manifest])
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout)?;
    let packages = metadata["packages"].as_array().context("cargo knows no packages")?;
    let package = packages
        .iter()
        .find(|package| package["name"] == "sqlxmq")
        .context("sqlxmq is not in the lock file")?;
    let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    let mut files = Vec::new();
    for file in std::fs::read_dir(manifest.with_file_name("migrations"))? {
        files.push(file?.path());
    }
    files.retain(|file| file.to_string_lossy().ends_with(".up.sql"));
    files.sort();
    Ok(files)
}

async fn spawn(job: &Job, executor: impl sqlx_0_8::PgExecutor<'_>) -> Result<()> {
    let name = if job.kind == Kind::Flaky { "flaky" } else { "plain" };
    let mut builder = JobBuilder::new(name);
    builder.set_json(&job.args)?;
    if let Some(delay) = job.delay {
        builder.set_delay(delay);
    }
    builder.spawn(executor).await?;
    Ok(())
}

async fn run(mut job: CurrentJob) -> Result<()> {
    if let Some(args) = job.json::<Args>()? {
        if job.name() == "flaky" && handled::fails(args.number) {
            return Ok(()); // Dropped without being completed, it is tried again after a second.
        }
        handled::handle(args.sent);
    }
    Ok(job.complete().await?)
}

#[async_trait]
impl Peer for Sqlxmq {
    async fn set_up(&self) -> Result<()> {
        for migration in migrations()? {
            let script = std::fs::read_to_string(migration)?;
            sqlx_0_8::raw_sql(&script).execute(&self.pool).await?;
        }
        Ok(())
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        spawn(&job, &self.pool).await
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        for job in &jobs {
            spawn(job, &mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let slots = match self.setup.goal {
            Goal::Latency => SLOTS_FOR_LATENCY,
            Goal::Throughput => self.setup.slots.min(MOST_SLOTS),
        };
        let mut runner = JobRunnerOptions::new(&self.pool, |job| {
            tokio::spawn(async move {
                if let Err(error) = run(job).await {
                    eprintln!("sqlxmq cannot complete a job: {error}");
                }
            });
        });
        runner.set_concurrency(slots / 2, slots);
        Ok(Box::new(Started(runner.run().await?)))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

struct Started(JobRunnerHandle);

#[async_trait]
impl Running for Started {
    async fn stop(mut self: Box<Self>) -> Result<()> {
        self.0.stop().await;
        self.0.wait_jobs_finish(STOP).await;
        Ok(())
    }
}
