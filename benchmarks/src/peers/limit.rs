//! The limit of the machine: hand-written SQL for the same work, without any guarantee.
//!
//! A job is one row, deleted by the statement that hands it out. A crash loses it; there are no retries, no delays, no
//! results. So nothing that keeps its promises is as fast, and the distance to it is the price of the promises.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Entry, Goal, LIMIT, Peer, Running, Setup};
use crate::handled;
use crate::job::{Args, Job};

pub(super) const ENTRY: Entry = Entry {
    name: LIMIT,
    version: "-",
    settings: "2 loops of `delete … returning` in batches of 1,000; latency: pg_notify in the insert, 1 loop",
    can: &[],
    most_jobs: u64::MAX,
    unfinished: "select exists (select from limit_jobs)",
    open: |setup| {
        Box::pin(async {
            let pool = super::pool(&setup.url).await?;
            Ok(Box::new(Limit { setup, pool }) as Box<dyn Peer>)
        })
    },
};

const TABLE: &str =
    "create table limit_jobs (id bigint generated always as identity primary key, args jsonb not null)";
const INSERT: &str = "insert into limit_jobs (args) values ($1::jsonb)";
const INSERT_AND_NOTIFY: &str =
    "with inserted as (insert into limit_jobs (args) values ($1::jsonb) returning id)
    select pg_notify('limit_jobs', '') from inserted";
const INSERT_MANY: &str = "insert into limit_jobs (args) select args::jsonb from unnest($1::text[]) args";
const TAKE: &str = "delete from limit_jobs where id = any (array(
    select id from limit_jobs order by id limit 1000 for update skip locked)) returning args::text";

/// The pause after a look that found nothing, where nothing notifies.
const POLL: Duration = Duration::from_millis(10);
/// The longest time that a lost notification costs.
const LOST: Duration = Duration::from_secs(1);

struct Limit {
    setup: Setup,
    pool: PgPool,
}

#[async_trait]
impl Peer for Limit {
    async fn set_up(&self) -> Result<()> {
        sqlx::query(TABLE).execute(&self.pool).await?;
        Ok(())
    }

    async fn enqueue(&self, job: Job) -> Result<()> {
        let insert = match self.setup.goal {
            Goal::Throughput => INSERT,
            Goal::Latency => INSERT_AND_NOTIFY,
        };
        sqlx::query(insert).bind(serde_json::to_string(&job.args)?).execute(&self.pool).await?;
        Ok(())
    }

    async fn enqueue_many(&self, jobs: Vec<Job>) -> Result<()> {
        let args = jobs.iter().map(|job| serde_json::to_string(&job.args)).collect::<Result<Vec<_>, _>>()?;
        sqlx::query(INSERT_MANY).bind(args).execute(&self.pool).await?;
        Ok(())
    }

    async fn start(&self) -> Result<Box<dyn Running>> {
        let woken = Arc::new(Notify::new());
        let mut tasks = Vec::new();
        if self.setup.goal == Goal::Latency {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen("limit_jobs").await?;
            let woken = Arc::clone(&woken);
            tasks.push(tokio::spawn(async move {
                loop {
                    listener.recv().await?;
                    woken.notify_one();
                }
            }));
        }
        let (loops, poll) = if self.setup.goal == Goal::Latency { (1, LOST) } else { (2, POLL) };
        tasks.extend((0..loops).map(|_| tokio::spawn(work(self.pool.clone(), poll, Arc::clone(&woken)))));
        Ok(Box::new(Tasks(tasks)))
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

async fn work(pool: PgPool, poll: Duration, woken: Arc<Notify>) -> Result<()> {
    let mut connection = pool.acquire().await?;
    loop {
        let taken: Vec<String> = sqlx::query_scalar(TAKE).fetch_all(&mut *connection).await?;
        for args in &taken {
            handled::handle(serde_json::from_str::<Args>(args)?.sent);
        }
        if taken.is_empty() {
            let _ = tokio::time::timeout(poll, woken.notified()).await;
        }
    }
}

/// Loops that are aborted to stop them.
pub(super) struct Tasks(pub(super) Vec<JoinHandle<Result<()>>>);

#[async_trait]
impl Running for Tasks {
    async fn stop(self: Box<Self>) -> Result<()> {
        for task in self.0 {
            task.abort();
            if let Ok(ended) = task.await {
                ended?;
            }
        }
        Ok(())
    }
}
