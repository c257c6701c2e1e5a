//! pgjobq itself, with the defaults of client and worker.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
#[cfg(feature = "observed")]
use pgjobq::ClientBuilder;
use pgjobq::prelude::*;
use pgjobq::{AnyJob, RunningWorker};

use super::{Entry, Need, OURS, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job, Kind, MANY, WITHIN};

pub(super) const CAN: &[Need] = &[
    Need::Kept,
    Need::Queues,
    Need::Priorities,
    Need::Delay,
    Need::Retries,
    Need::Call,
    Need::Keys,
    Need::Bound,
    Need::Batches,
];
/// A query that returns true while a job has not ended.
pub(super) const UNFINISHED: &str = "select exists (select from pgjobq.jobs)";

pub(super) const ENTRY: Entry = Entry {
    name: OURS,
    version: env!("CARGO_PKG_VERSION"),
    settings: "defaults of client and worker; slots as the workload says; retain = \"0s\", or the default of a day where jobs are kept",
    can: CAN,
    most_jobs: u64::MAX,
    unfinished: UNFINISHED,
    open: |setup| Box::pin(async { Ok(Box::new(Pgjobq::open(setup).await?) as Box<dyn Peer>) }),
};

#[job(queue = "bench0", retain = "0s")]
async fn plain(number: u64, sent: u64, template: String, to: String, subject: String) -> pgjobq::Result<()> {
    let _ = (number, template, to, subject);
    handled::handle(sent);
    Ok(())
}

#[job(queue = "bench0")]
async fn kept(number: u64, sent: u64, template: String, to: String, subject: String) -> pgjobq::Result<u64> {
    let _ = (template, to, subject);
    handled::handle(sent);
    Ok(number)
}

#[job(queue = "bench0", retain = "0s", backoff = "1s")]
async fn flaky(number: u64, sent: u64, template: String, to: String, subject: String) -> pgjobq::Result<()> {
    let _ = (template, to, subject);
    if handled::fails(number) {
        return Err("the first attempt of every tenth job fails".into());
    }
    handled::handle(sent);
    Ok(())
}

#[job(queue = "bench0", retain = "0s", key = number % 10_000, concurrency = 1)]
async fn keyed(number: u64, sent: u64, template: String, to: String, subject: String) -> pgjobq::Result<()> {
    let _ = (number, template, to, subject);
    handled::handle(sent);
    Ok(())
}

#[job(queue = "bench0", retain = "0s", key = (number + 1).saturating_sub(MANY), concurrency = 10)]
async fn of_tenant(
    number: u64,
    sent: u64,
    template: String,
    to: String,
    subject: String,
) -> pgjobq::Result<()> {
    let _ = (template, to, subject);
    handled::handle(sent);
    if number < MANY {
        tokio::time::sleep(WORK).await;
    }
    Ok(())
}

#[job(queue = "bench0", retain = "0s", batch = 500, within = "5ms")]
async fn batched(jobs: Batch<Args>) {
    jobs.iter().for_each(|job| handled::handle(job.sent));
}

#[job(queue = "bench0", retain = "0s")]
async fn asking(ctx: JobContext, job: Args) -> pgjobq::Result<()> {
    ask(ctx.client()).await?;
    handled::handle(job.sent);
    Ok(())
}

#[job(queue = "bench0", retain = "0s", batch = 500, within = "5ms")]
async fn asking_batched(jobs: Batch<Args>) -> BatchResult {
    if let Some(job) = jobs.iter().next() {
        ask(job.context().client()).await?;
    }
    jobs.iter().for_each(|job| handled::handle(job.sent));
    Ok(())
}

async fn ask(client: &Client) -> pgjobq::Result<()> {
    pgjobq::sqlx::query("select 1").execute(client.pool()).await?;
    Ok(())
}

#[job(queue = "bench0", retain = "0s", batch = 500, within = "100ms")]
async fn waiting(jobs: Batch<Args>) {
    let within = WITHIN.as_nanos() as u64;
    jobs.iter().for_each(|job| handled::handle(if job.sent == 0 { 0 } else { job.sent + within }));
}

/// The time that a job of the tenant with many takes.
const WORK: Duration = Duration::from_millis(5);

pub(super) struct Pgjobq {
    setup: Setup,
    client: Client,
}

fn queue(number: usize) -> String {
    format!("bench{number}")
}

fn configured<T>(new: NewJob<T>, job: &Job) -> NewJob<T> {
    let priority =
        [Priority::Low, Priority::Normal, Priority::High, Priority::Critical][usize::from(job.priority)];
    let new = if job.queue == 0 { new } else { new.queue(queue(job.queue)) };
    let new = new.priority(priority);
    match job.delay {
        Some(delay) => new.delay(delay),
        None => new,
    }
}

fn any(job: Job) -> AnyJob {
    let Args { number, sent, template, to, subject } = job.args.clone();
    match job.kind {
        Kind::Plain => configured(plain::job(number, sent, template, to, subject), &job).any(),
        Kind::Kept => configured(kept::job(number, sent, template, to, subject), &job).any(),
        Kind::Flaky => configured(flaky::job(number, sent, template, to, subject), &job).any(),
        Kind::Keyed => configured(keyed::job(number, sent, template, to, subject), &job).any(),
        Kind::OfTenant => configured(of_tenant::job(number, sent, template, to, subject), &job).any(),
        Kind::Batched => configured(batched::job(job.args.clone()), &job).any(),
        Kind::Asking => configured(asking::job(job.args.clone()), &job).any(),
        Kind::AskingBatched => configured(asking_batched::job(job.args.clone()), &job).any(),
        Kind::Waiting => configured(waiting::job(job.args.clone()), &job).any(),
    }
}

impl Pgjobq {
    async fn open(setup: Setup) -> Result<Self> {
        let client = Client::new(super::pool(&setup.url).await?);
        Ok(Self { setup, client })
    }

    /// The same with another client.
    #[cfg(feature = "observed")]
    pub(super) async fn observed(
        setup: Setup,
        observe: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> Result<Self> {
        let client = observe(Client::builder(super::pool(&setup.url).await?)).build()?;
        Ok(Self { setup, client })
    }
}

#[async_trait]
impl Peer for Pgjobq {
    async fn set_up(&self) -> Result<()> {
        self.client.migrate().await?;
        for number in 0..self.setup.queues {
            let queue = self.client.queue(queue(number));
            match self.setup.bound {
                Some(bound) => queue.bounded(bound).save().await?,
                None => queue.save().await?,
            }
        }
        // A worker records the kinds of a program; the enqueues of a run start where a program stands that has run before.
        self.start().await?.stop().await
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        let Args { number, sent, template, to, subject } = job.args.clone();
        match job.kind {
            Kind::Plain => {
                configured(plain::job(number, sent, template, to, subject), &job)
                    .enqueue(&self.client)
                    .await?;
            }
            Kind::Kept => {
                configured(kept::job(number, sent, template, to, subject), &job)
                    .enqueue(&self.client)
                    .await?;
            }
            Kind::Flaky => {
                configured(flaky::job(number, sent, template, to, subject), &job)
                    .enqueue(&self.client)
                    .await?;
            }
            Kind::Keyed => {
                configured(keyed::job(number, sent, template, to, subject), &job)
                    .enqueue(&self.client)
                    .await?;
            }
            Kind::OfTenant => {
                configured(of_tenant::job(number, sent, template, to, subject), &job)
                    .enqueue(&self.client)
                    .await?;
            }
            Kind::Waiting => {
                configured(waiting::job(job.args.clone()), &job).enqueue(&self.client).await?;
            }
            Kind::Batched | Kind::Asking | Kind::AskingBatched => {
                self.client.enqueue_all([any(job)]).await?;
            }
        }
        Ok(())
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        self.client.enqueue_all(jobs.into_iter().map(any)).await?;
        Ok(())
    }

    async fn call(&self, job: Job) -> Result<()> {
        let Args { number, sent, template, to, subject } = job.args;
        kept::call(&self.client, number, sent, template, to, subject).await?;
        Ok(())
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let mut worker = Worker::builder(&self.client);
        for number in 0..self.setup.queues {
            worker = worker.queue(queue(number), self.setup.slots);
        }
        Ok(Box::new(Started(worker.build().await?.start())))
    }

    async fn close(&self) {
        self.client.close().await;
        self.client.pool().close().await;
    }
}

struct Started(RunningWorker);

#[async_trait]
impl Running for Started {
    async fn stop(self: Box<Self>) -> Result<()> {
        Ok(self.0.shutdown().await?)
    }
}
