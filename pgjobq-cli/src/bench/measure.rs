//! The measurement: enqueue, drain, and single jobs one after the other.

use std::fmt::Display;
use std::time::{Duration, Instant};

use pgjobq::sqlx::{self, PgPool};
use pgjobq::{Client, RunningWorker, Worker};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::figures::{Figures, Starting, Wal};
use super::job::{QUEUE, Starts, noop};
use super::schema::SCHEMA;
use crate::failure::Failure;

/// The single jobs that are measured, and those before them that are not: the first ones open connections.
const SAMPLES: usize = 300;
const WARM_UPS: usize = 20;
/// The time after which no more single jobs are enqueued.
const SAMPLING_TIME: Duration = Duration::from_secs(10);
/// A job that has not started by then never will.
const STUCK: Duration = Duration::from_secs(60);
/// The time between two looks if all jobs have ended.
const POLL: Duration = Duration::from_millis(5);
/// The SQLSTATE of a right that is missing.
const NO_PERMISSION: &str = "42501";
/// The jobs do nothing, so a shutdown waits for none.
const GRACE: Duration = Duration::from_secs(1);

/// A measurement in the schema that was made for it.
pub(super) struct Measurement {
    jobs: u64,
    slots: u32,
    /// The client that enqueues. It is another one than the worker's, so that jobs start as if another process had enqueued them.
    producer: Client,
    consumer: Client,
    worker: Option<RunningWorker>,
    starts: UnboundedSender<Instant>,
    started: UnboundedReceiver<Instant>,
}

impl Measurement {
    pub(super) fn new(pool: &PgPool, jobs: u64, slots: u32) -> Result<Self, Failure> {
        let client = || Client::builder(pool.clone()).schema(SCHEMA).build().map_err(refused);
        let (starts, started) = unbounded_channel();
        Ok(Self { jobs, slots, producer: client()?, consumer: client()?, worker: None, starts, started })
    }

    /// Brings the schema up to date. It records the job of the measurement there, and nowhere else.
    pub(super) async fn migrate(&self) -> Result<(), Failure> {
        Ok(self.consumer.migrate().await?)
    }

    /// Measures. If it is interrupted, the worker goes on until [`end`](Self::end).
    pub(super) async fn run(&mut self) -> Result<Figures, Failure> {
        let (jobs, pool) = (self.jobs as f64, self.producer.pool().clone());
        let before = wal_position(&pool).await?;
        let enqueued = self.enqueue().await?;
        let between = wal_position(&pool).await?;
        let drained = self.drain().await?;
        let after = wal_position(&pool).await?;
        let wal = |from: i64, to: i64| (to - from) as f64 / jobs;
        let wal = before.zip(between).zip(after).map(|((before, between), after)| Wal {
            enqueue: wal(before, between),
            drain: wal(between, after),
        });
        Ok(Figures {
            jobs: self.jobs,
            slots: self.slots,
            enqueued_per_second: jobs / enqueued.as_secs_f64(),
            drained_per_second: jobs / drained.as_secs_f64(),
            start: Starting::of(self.start_single_jobs().await?),
            wal_bytes_per_job: wal,
        })
    }

    /// Stops the worker and closes the clients.
    pub(super) async fn end(mut self) {
        if let Some(worker) = self.worker.take() {
            let _ = worker.shutdown().await; // What it could not record goes with the schema.
        }
        self.producer.close().await;
        self.consumer.close().await;
    }

    async fn enqueue(&self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        self.producer.enqueue_all((0..self.jobs).map(noop::job)).await.map_err(refused)?;
        Ok(begun.elapsed())
    }

    /// Drains the queue, and returns the time from the start of the worker until all jobs have ended.
    async fn drain(&mut self) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let worker = Worker::builder(&self.consumer).queue(QUEUE, self.slots as usize).grace(GRACE);
        let worker = worker.state(Starts(self.starts.clone())).build().await.map_err(refused)?;
        self.worker = Some(worker.start());
        for _ in 0..self.jobs {
            self.next_start().await?;
        }
        let drained = timeout(STUCK, until_drained(self.consumer.pool()));
        drained.await.map_err(|_| refused("jobs that have run did not end: are other programs busy?"))??;
        Ok(begun.elapsed())
    }

    /// Enqueues single jobs, each when the one before has started, and returns how long each has waited for its start.
    async fn start_single_jobs(&mut self) -> Result<Vec<Duration>, Failure> {
        let (mut times, until) = (Vec::new(), Instant::now() + SAMPLING_TIME);
        for sample in 0..WARM_UPS + SAMPLES {
            let begun = Instant::now();
            noop::enqueue(&self.producer, 0).await.map_err(refused)?;
            let waited = self.next_start().await?.duration_since(begun);
            if sample >= WARM_UPS {
                times.push(waited);
            }
            if Instant::now() >= until && !times.is_empty() {
                break;
            }
        }
        Ok(times)
    }

    async fn next_start(&mut self) -> Result<Instant, Failure> {
        let start = timeout(STUCK, self.started.recv()).await.ok().flatten();
        start.ok_or_else(|| {
            Failure::Refused(format!("no job has started for {STUCK:?}: `pgjobq doctor` may know why"))
        })
    }
}

async fn until_drained(pool: &PgPool) -> Result<(), Failure> {
    let is_drained = include_str!("../../queries/bench_is_drained.sql");
    while !sqlx::query_scalar::<_, bool>(is_drained).fetch_one(pool).await.map_err(refused)? {
        sleep(POLL).await;
    }
    Ok(())
}

/// Returns the position in the write-ahead log; none if the role may not see it.
async fn wal_position(pool: &PgPool) -> Result<Option<i64>, Failure> {
    let position = sqlx::query_scalar(include_str!("../../queries/bench_wal.sql")).fetch_one(pool).await;
    match position {
        Ok(position) => Ok(Some(position)),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NO_PERMISSION) => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

fn refused(error: impl Display) -> Failure {
    Failure::Refused(error.to_string())
}
