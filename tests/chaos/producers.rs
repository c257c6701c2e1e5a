//! Enqueues through a network that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use pgjobq::sqlx::{self, postgres::PgPoolOptions};
use pgjobq::{CancelOutcome, Client, JobHandle, JobId, NewJob};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::account::{Ends, Expected};
use crate::jobs;
use crate::stage::Stage;

/// The number of jobs that producers keep waiting.
const BACKLOG: i64 = 200;
/// The timeout of a producer's enqueue, as an application would set one.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(4);
/// A producer awaits the end of one in this many of its single jobs.
const AWAIT_ONE_IN: u32 = 8;
/// A producer requests a cancel of one in this many of its single jobs.
const CANCEL_ONE_IN: u32 = 8;
/// In one in this many of its batches, a producer lets all jobs wait for the first one.
const CHAIN_ONE_IN: u32 = 3;
/// About as long as the backlog takes.
const EXPIRY: Duration = Duration::from_secs(2);

/// A producer's connection through the network, and its random numbers.
struct Producer {
    stage: Arc<Stage>,
    client: Client,
    dice: Rng,
    waits: JoinSet<Awaited>,
}

/// A job that a producer has awaited, and the run whose result it got.
pub(crate) type Awaited = (JobId, Option<Uuid>);

/// Enqueues until it is stopped. Returns the tasks that still wait for jobs to end.
pub(crate) async fn produce(stage: Arc<Stage>, seed: u64, goes_on: Arc<AtomicBool>) -> JoinSet<Awaited> {
    let client = connect(&stage);
    let mut producer = Producer { client, dice: Rng::with_seed(seed), waits: JoinSet::new(), stage };
    while goes_on.load(Ordering::SeqCst) {
        if producer.stage.account.live.load(Ordering::SeqCst) > BACKLOG {
            sleep(Duration::from_millis(10)).await;
            continue;
        }
        producer.step().await;
    }
    producer.waits
}

/// A client that reaches the server through the network of the producers.
pub(crate) fn connect(stage: &Stage) -> Client {
    let url = stage.networks[stage.workers].url();
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(3));
    Client::new(pool.connect_lazy(&url).unwrap())
}

impl Producer {
    /// One enqueue: of one job or of many, alone or in a transaction.
    async fn step(&mut self) {
        let way = self.dice.u32(..10);
        let count = if way < 5 { 1 } else { self.dice.usize(1..=30) };
        let pays = self.dice.u32(..5) == 0;
        let expires = self.dice.u32(..20) == 0;
        let job = |millis| if pays { jobs::pay::job(millis) } else { jobs::work::job(millis) };
        let mut jobs: Vec<NewJob<Uuid>> = (0..count).map(|_| job(self.millis())).collect();
        if expires {
            jobs = jobs.into_iter().map(|job| job.expires_in(EXPIRY)).collect();
        }
        let ids: Vec<JobId> = jobs.iter().map(NewJob::job_id).collect();
        let awaits = way < 5 && self.dice.u32(..AWAIT_ONE_IN) == 0;
        let cancels = self.dice.u32(..CANCEL_ONE_IN) == 0;
        let chains = self.dice.u32(..CHAIN_ONE_IN) == 0 && way >= 5 && count > 1 && !expires;
        let (in_transaction, rolls_back) = (way >= 8, way == 9);
        let begun = Instant::now();
        if !rolls_back {
            // A payment enqueues another job.
            self.stage.account.attempt(if pays { 2 * count as i64 } else { count as i64 });
        }
        let answered = timeout(ANSWER_WITHIN, async {
            match way {
                0..5 => one(&self.client, jobs).await.map(Some),
                5..8 => many(&self.client, jobs, chains).await.map(|()| None),
                _ => in_a_transaction(&self.client, jobs, chains, rolls_back).await.map(|()| None),
            }
        });
        let answered = answered.await;
        if answered.is_err() {
            // Its connections may stay silent. An application would be restarted.
            self.client = connect(&self.stage);
        }
        match answered {
            _ if rolls_back => self.stage.account.note_rolled_back(&ids),
            Ok(Ok(handle)) => {
                let ends = if expires { Ends::CompletedOrExpired } else { Ends::Completed };
                self.stage.account.note_answer(begun);
                self.stage.account.acknowledge(&ids, Expected { ends, in_transaction });
                if chains {
                    self.note_chain(&ids).await;
                }
                match handle {
                    Some(handle) if awaits => self.wait_for(handle),
                    Some(handle) if cancels && !expires => self.cancel(&handle).await,
                    _ => {}
                }
            }
            Ok(Err(_)) | Err(_) => self.stage.account.note_unknown(&ids),
        }
    }

    /// Returns a job's duration. Most jobs are short. Some are as long as a lease, so that the results of a lost worker arrive
    /// while the jobs run elsewhere.
    fn millis(&mut self) -> u64 {
        if self.dice.u32(..100) < 4 { self.dice.u64(1_000..4_000) } else { self.dice.u64(20..150) }
    }

    /// Requests a cancel of the job. The answer determines the end that the job must have.
    async fn cancel(&self, handle: &JobHandle<Uuid>) {
        let ends = match timeout(ANSWER_WITHIN, handle.cancel(&self.client)).await {
            Ok(Ok(CancelOutcome::Cancelled)) => Ends::Cancelled,
            // The job is not live: it had completed before, or a worker acted on the request before its answer arrived.
            Ok(Ok(CancelOutcome::StopRequested | CancelOutcome::NotLive) | Err(_)) | Err(_) => {
                Ends::CompletedOrCancelled
            }
        };
        let mut books = self.stage.account.books();
        let expected = books.acknowledged.get_mut(&handle.id().as_uuid());
        expected.expect("only an acknowledged job is cancelled").ends = ends;
    }

    /// Records in the ledger that all jobs wait for the first one.
    async fn note_chain(&self, ids: &[JobId]) {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        let chain = sqlx::query("insert into chains (parent, child) select $1, unnest($2::uuid[])");
        let noted = chain.bind(ids[0]).bind(&ids[1..]).execute(&self.stage.pool).await;
        drop(noted); // The server may be down just now. Then nobody checks this chain.
    }

    fn wait_for(&mut self, handle: JobHandle<Uuid>) {
        let client = self.client.clone();
        self.waits.spawn(async move {
            let outcome = handle.wait(&client).await;
            (handle.id(), outcome.ok().and_then(|outcome| outcome.completed()))
        });
    }
}

pub(crate) type Refused = Box<dyn std::error::Error + Send + Sync>;

pub(crate) async fn one(client: &Client, jobs: Vec<NewJob<Uuid>>) -> Result<JobHandle<Uuid>, Refused> {
    let job = jobs.into_iter().next().expect("one job is drawn");
    Ok(job.enqueue(client).await?)
}

pub(crate) async fn many(client: &Client, mut jobs: Vec<NewJob<Uuid>>, chains: bool) -> Result<(), Refused> {
    if chains {
        let first = jobs.remove(0).enqueue(client).await?;
        jobs = jobs.into_iter().map(|job| job.after(&first)).collect();
    }
    let count = jobs.len() as u64;
    let enqueued = client.enqueue_all(jobs).await?;
    assert_eq!(enqueued.new + enqueued.duplicates, count, "each job is answered for");
    Ok(())
}

pub(crate) async fn in_a_transaction(
    client: &Client,
    mut jobs: Vec<NewJob<Uuid>>,
    chains: bool,
    rolls_back: bool,
) -> Result<(), Refused> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.job_id().as_uuid()).collect();
    let mut tx = client.pool().begin().await?;
    let orders = sqlx::query("insert into orders (job) select unnest($1::uuid[])").bind(ids);
    orders.execute(&mut *tx).await?;
    if chains {
        let first = jobs.remove(0).enqueue(&mut *tx).await?;
        jobs = jobs.into_iter().map(|job| job.after(&first)).collect();
    }
    pgjobq::enqueue_all(&mut *tx, jobs).await?;
    if rolls_back {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
    }
    Ok(())
}
