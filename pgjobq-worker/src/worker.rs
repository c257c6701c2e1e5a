//! A worker: from its start to the end of its shutdown.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgjobq_core::__private::{Ended, LeaseUse, Store};
use pgjobq_core::Client;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::builder::WorkerBuilder;
use crate::decide::stopped;
use crate::finisher::{FINISHERS, Inbox, record_for_ever};
use crate::health::Health;
use crate::leases::{HeldJob, Lease};
use crate::runtime::Runtime;
use crate::{cancels, claim_loop, expire, heartbeat, tidy, upkeep};

/// How long attempts may take to stop by themselves once they were told to.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// How long attempts may take to be dropped: one that never awaits cannot be.
const DROP_WITHIN: Duration = Duration::from_secs(1);
/// How long the last results may take to be recorded.
const RECORD_WITHIN: Duration = Duration::from_secs(10);
/// How long the application may take to be told of the last dead jobs.
const ALERT_WITHIN: Duration = Duration::from_secs(5);
/// How long a worker may take to sign off.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// Runs the jobs of this program, inside it. Make one with [`Worker::builder`].
///
/// Several workers, in one process or in many, share queues safely.
///
/// ```no_run
/// # mod pgjobq { pub use {pgjobq_core::Client, pgjobq_worker::{Worker, shutdown_signal}}; }
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::{Worker, shutdown_signal};
///
/// let worker = Worker::builder(&client).build().await?; // Takes the queues of all jobs in this program.
/// worker.run_until(shutdown_signal()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a worker does nothing until it is run"]
pub struct Worker {
    runtime: Arc<Runtime>,
    inboxes: [Inbox; FINISHERS],
}

/// A worker that runs in the background, from [`Worker::start`].
#[derive(Debug)]
#[must_use = "keep it, and call `shutdown().await` at the end"]
pub struct RunningWorker {
    runtime: Arc<Runtime>,
    main: JoinHandle<Result<(), WorkerError>>,
}

/// What was left undone when a worker ended: from [`Worker::run_until`] and [`RunningWorker::shutdown`].
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The database could not be reached for the last results. Their jobs run again.
    #[error("{0} results could not be recorded before the worker ended; their jobs run again")]
    Unrecorded(usize),
    /// The worker's own thread could not be started.
    #[error("the worker's thread for heartbeats could not be started")]
    Thread(#[source] std::io::Error),
    /// A part of the worker panicked: a bug of pgjobq's.
    #[error("a part of the worker panicked, which is a bug of pgjobq's")]
    Panicked,
}

impl Worker {
    /// Begins to build a worker on a client's database.
    pub fn builder(client: &Client) -> WorkerBuilder {
        WorkerBuilder::new(client)
    }

    pub(crate) fn new((runtime, inboxes): (Arc<Runtime>, [Inbox; FINISHERS])) -> Self {
        Self { runtime, inboxes }
    }

    /// Runs until `shutdown` is ready, and then stops gracefully: claims nothing more, lets running jobs finish for the
    /// grace, tells the rest to stop, and hands back what has not, at once and at no cost to its retries.
    ///
    /// Do not drop the future half-way: the worker would go on in the background, with nobody to stop it, until its runtime
    /// ends; then others take its jobs when the lease is over. A program that also looks at the worker's
    /// [`health`](RunningWorker::health) calls [`start`](Self::start) instead.
    ///
    /// # Errors
    ///
    /// When something was left undone at the end.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        let running = self.start();
        shutdown.await;
        running.shutdown().await
    }

    /// Starts in the background, for a program that does something else as well.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(self) -> RunningWorker {
        let runtime = Arc::clone(&self.runtime);
        RunningWorker { runtime, main: tokio::spawn(run(self.runtime, self.inboxes)) }
    }
}

impl RunningWorker {
    /// How the worker does just now, from its memory: for a readiness probe.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::of(&self.runtime)
    }

    /// Stops gracefully: see [`Worker::run_until`].
    ///
    /// # Errors
    ///
    /// When something was left undone at the end.
    pub async fn shutdown(self) -> Result<(), WorkerError> {
        self.runtime.stages.drain.cancel();
        self.main.await.unwrap_or(Err(WorkerError::Panicked))
    }
}

/// The life of a worker.
async fn run(runtime: Arc<Runtime>, inboxes: [Inbox; FINISHERS]) -> Result<(), WorkerError> {
    // Should this task be dropped, with its tokio runtime, every part ends with it.
    let _end = runtime.stages.end.clone().drop_guard();
    // Without it the first claim would be refused. Should it fail, a heartbeat makes up for it.
    let sent = std::time::Instant::now();
    match runtime.register(&runtime.store, runtime.worker()).await {
        Ok(()) => runtime.heard.answered(sent),
        Err(error) => {
            tracing::warn!(
                error = crate::setup::chain(&error),
                "the worker could not register yet; it claims nothing until it has"
            );
        }
    }
    let heartbeats = heartbeat::start(&runtime).map_err(WorkerError::Thread)?;
    let parts = TaskTracker::new();
    let finishers = inboxes.map(|inbox| parts.spawn(record_for_ever(Arc::clone(&runtime), inbox)));
    let until_the_end = || runtime.stages.end.clone();
    parts.spawn(until_the_end().run_until_cancelled_owned(upkeep::reap_for_ever(Arc::clone(&runtime))));
    parts.spawn(until_the_end().run_until_cancelled_owned(upkeep::promote_for_ever(Arc::clone(&runtime))));
    parts.spawn(until_the_end().run_until_cancelled_owned(cancels::cancel_for_ever(Arc::clone(&runtime))));
    parts.spawn(until_the_end().run_until_cancelled_owned(tidy::tidy_for_ever(Arc::clone(&runtime))));
    parts.spawn(until_the_end().run_until_cancelled_owned(expire::expire_for_ever(Arc::clone(&runtime))));
    tracing::info!(worker = runtime.config.name, kinds = runtime.kinds.len(), "the worker runs");

    claim_loop::claim_for_ever(Arc::clone(&runtime)).await; // Until it drains.

    runtime.stages.drain.cancelled().await;
    end_attempts(&runtime).await;
    let _ = timeout(RECORD_WITHIN, runtime.all_recorded()).await;
    runtime.stages.end.cancel();
    parts.close();
    for finisher in finishers {
        finisher.await.map_err(|_| WorkerError::Panicked)?;
    }
    let unrecorded = runtime.unrecorded.load(Ordering::Acquire);
    parts.wait().await;
    runtime.alerts.close();
    if timeout(ALERT_WITHIN, runtime.alerts.wait()).await.is_err() {
        tracing::warn!("`on_dead` did not end in time");
    }
    match timeout(LEAVE_WITHIN, leave(&runtime)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            error = crate::setup::chain(&error),
            "the worker could not sign off; others will notice"
        ),
        Err(_) => tracing::warn!("the worker could not sign off in time; others will notice"),
    }
    let joined = tokio::task::spawn_blocking(move || heartbeats.join()).await;
    runtime.store.close().await;
    tracing::info!(worker = runtime.config.name, "the worker has ended");
    match joined {
        Ok(Ok(())) if unrecorded == 0 => Ok(()),
        Ok(Ok(())) => Err(WorkerError::Unrecorded(unrecorded)),
        _ => Err(WorkerError::Panicked),
    }
}

/// Lets attempts finish for the grace, then tells them to stop, then drops them.
async fn end_attempts(runtime: &Runtime) {
    runtime.attempts.close();
    if timeout(runtime.config.grace, runtime.attempts.wait()).await.is_ok() {
        return;
    }
    runtime.stages.stop_attempts.cancel();
    if timeout(STOP_WITHIN, runtime.attempts.wait()).await.is_ok() {
        return;
    }
    runtime.stages.drop_attempts.cancel();
    if timeout(DROP_WITHIN, runtime.attempts.wait()).await.is_err() {
        tracing::warn!(
            attempts = runtime.attempts.len(),
            "attempts that never await cannot be stopped; their jobs are handed back"
        );
    }
}

/// Hands back what is still held, by attempts that could not be stopped, and signs off.
async fn leave(runtime: &Runtime) -> Result<(), pgjobq_core::StoreError> {
    for lease in runtime.leases.all() {
        hand_back(runtime, &runtime.store, &lease).await?;
    }
    runtime.store.leave(runtime.worker()).await
}

/// Hands back the jobs of a lease whose attempts were told to stop, or are dropped. One that must not run twice is dead.
pub(crate) async fn hand_back(
    runtime: &Runtime,
    store: &Store,
    lease: &Lease,
) -> Result<(), pgjobq_core::StoreError> {
    let key = lease.key;
    let stop = |job: &HeldJob| {
        let decision = stopped(job.at_most_once);
        Ended { lease: 0, id: job.id, ticket: job.ticket, decision }
    };
    let mut ended: Vec<_> = lease.jobs.iter().map(stop).collect();
    ended.sort_unstable_by_key(|end| end.id); // The order in which jobs are locked.
    let leases = [LeaseUse { key, close: true }];
    store.finish(key.lane.shard, lease.worker, &runtime.config.name, &leases, &ended).await.map(drop)
}
