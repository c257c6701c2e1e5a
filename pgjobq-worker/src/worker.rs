//! A worker: from its start to the end of its shutdown.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pgjobq_core::Client;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::builder::WorkerBuilder;
use crate::claim::claim_loop;
use crate::health::Health;
use crate::parts::{EndedPart, Parts};
use crate::record::finisher::{self, FINISHERS, Inbox};
use crate::record::hand_back::hand_back;
use crate::record::laggards;
use crate::runtime::Runtime;
use crate::setup::chain;
use crate::signal;
use crate::upkeep::{cancels, drift, expire, heartbeat, housekeeping, promote};

/// Two parts with a part to play in others.
const CLAIM_LOOP: &str = "claim loop";
const HEARTBEAT: &str = "heartbeat";

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
    inboxes: Vec<Inbox>,
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
    /// A part of the worker panicked, or ended before the worker did: a bug of pgjobq's.
    #[error("a part of the worker panicked ({part}), which is a bug of pgjobq's")]
    Panicked {
        /// The part.
        part: &'static str,
    },
}

impl Worker {
    /// Begins to build a worker on a client's database.
    pub fn builder(client: &Client) -> WorkerBuilder {
        WorkerBuilder::new(client)
    }

    pub(crate) fn new((runtime, inboxes): (Arc<Runtime>, Vec<Inbox>)) -> Self {
        Self { runtime, inboxes }
    }

    /// Runs until `shutdown` is ready, and then stops gracefully: claims nothing more, lets running jobs finish for the
    /// grace, tells the rest to stop, and hands back what has not, at once and at no cost to its retries. After
    /// [`shutdown_signal`](crate::shutdown_signal), another signal ends the grace.
    ///
    /// Do not drop the future half-way: the worker would go on in the background, with nobody to stop it, until its runtime
    /// ends; then others take its jobs when the lease is over. A program that also looks at the worker's
    /// [`health`](RunningWorker::health) calls [`start`](Self::start) instead.
    ///
    /// # Errors
    ///
    /// When something was left undone at the end; or a part of the worker has failed, without waiting for `shutdown`.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        let mut running = self.start();
        tokio::select! {
            biased;
            ended = &mut running.main => return ended.unwrap_or(MAIN_PANICKED),
            () = shutdown => {}
        }
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
    /// How the worker does just now, from its memory: for a readiness probe. A worker that has ended, because a part of it
    /// failed, is not ready; [`shutdown`](Self::shutdown) says why.
    #[must_use]
    pub fn health(&self) -> Health {
        let health = Health::of(&self.runtime);
        Health { accepting_jobs: health.accepting_jobs && !self.main.is_finished(), ..health }
    }

    /// Stops gracefully: see [`Worker::run_until`].
    ///
    /// # Errors
    ///
    /// When something was left undone at the end.
    pub async fn shutdown(self) -> Result<(), WorkerError> {
        self.runtime.stages.drain.cancel();
        self.main.await.unwrap_or(MAIN_PANICKED)
    }
}

const MAIN_PANICKED: Result<(), WorkerError> = Err(WorkerError::Panicked { part: "main" });

/// The life of a worker.
async fn run(runtime: Arc<Runtime>, inboxes: Vec<Inbox>) -> Result<(), WorkerError> {
    // Should this task be dropped, with its tokio runtime, every part ends with it.
    let _end = runtime.stages.end.clone().drop_guard();
    runtime.home.get_or_init(Handle::current);
    // Without it the first claim would be refused. Should it fail, a heartbeat makes up for it.
    let sent = std::time::Instant::now();
    match runtime.register(&runtime.store, runtime.worker()).await {
        Ok(()) => runtime.liveness.answered(sent),
        Err(error) => {
            tracing::warn!(
                error = chain(&error),
                "the worker could not register yet; it claims nothing until it has"
            );
        }
    }
    let heartbeat = heartbeat::start(&runtime).await.map_err(WorkerError::Thread)?;
    let mut parts = parts(&runtime, inboxes);
    parts.spawn(HEARTBEAT, heartbeat);
    parts.spawn(CLAIM_LOOP, claim_loop::claim_for_ever(Arc::clone(&runtime)));
    tracing::info!(worker = runtime.config.name, kinds = runtime.kinds.all.len(), "the worker runs");

    let failed = until_drained(&runtime, &mut parts).await;
    end_attempts(&runtime).await;
    runtime.returns.close();
    runtime.returns.wait().await; // They end by themselves, soon after the drain.
    let _ = timeout(RECORD_WITHIN, runtime.all_recorded()).await;
    let unrecorded = runtime.recorders.count();
    runtime.stages.end.cancel();
    let failed = failed.or(parts.end().await);
    leave(&runtime).await;
    runtime.alerts.close();
    if timeout(ALERT_WITHIN, runtime.alerts.wait()).await.is_err() {
        tracing::warn!("`on_dead` did not end in time");
    }
    runtime.store.close().await;
    tracing::info!(worker = runtime.config.name, "the worker has ended");
    match failed {
        Some(part) => Err(WorkerError::Panicked { part }),
        None if unrecorded > 0 => Err(WorkerError::Unrecorded(unrecorded)),
        None => Ok(()),
    }
}

/// Starts everything but the heartbeat and the claims.
fn parts(runtime: &Arc<Runtime>, inboxes: Vec<Inbox>) -> Parts {
    let mut parts = Parts::default();
    for (place, inbox) in inboxes.into_iter().enumerate() {
        match place {
            FINISHERS => parts.spawn("laggards", laggards::record_for_ever(Arc::clone(runtime), inbox)),
            place => parts.spawn("finisher", finisher::record_for_ever(Arc::clone(runtime), place, inbox)),
        }
    }
    let mut beside = |name, part: BoxFuture<'static, ()>| {
        let until_the_end = runtime.stages.end.clone().run_until_cancelled_owned(part);
        parts.spawn(name, until_the_end.map(drop));
    };
    beside("reaper", promote::reap_for_ever(Arc::clone(runtime)).boxed());
    beside("promoter", promote::promote_for_ever(Arc::clone(runtime)).boxed());
    beside("cancels", cancels::cancel_for_ever(Arc::clone(runtime)).boxed());
    beside("tidy", housekeeping::tidy_for_ever(Arc::clone(runtime)).boxed());
    beside("drift", drift::look_for_ever(Arc::clone(runtime)).boxed());
    beside("expire", expire::expire_for_ever(Arc::clone(runtime)).boxed());
    beside("grace", stop_after_the_grace(Arc::clone(runtime), signal::another()).boxed());
    parts
}

/// Returns when nothing more is claimed: the worker was told to drain, or a part of it has ended, which is returned, and which
/// makes it drain.
async fn until_drained(runtime: &Runtime, parts: &mut Parts) -> Option<&'static str> {
    let mut failed = None;
    while let Some(EndedPart { name, panicked }) = parts.next_end().await {
        if panicked || !runtime.stages.drain.is_cancelled() {
            tracing::error!(part = name, panicked, "a part of the worker has ended, and so the worker ends");
            failed = failed.or(Some(name));
            runtime.stages.drain.cancel();
        }
        if name == CLAIM_LOOP {
            break;
        }
    }
    failed
}

/// Tells attempts to stop when the grace is over, and drops them a while later. The grace begins with the drain, whatever the
/// worker still waits for.
async fn stop_after_the_grace(runtime: Arc<Runtime>, another_signal: impl Future<Output = ()>) {
    let stages = &runtime.stages;
    stages.drain.cancelled().await;
    tokio::select! {
        () = tokio::time::sleep(runtime.config.grace) => {}
        () = another_signal => tracing::info!("another signal came: the grace is over"),
    }
    stages.stop_attempts.cancel();
    tokio::time::sleep(STOP_WITHIN).await;
    stages.drop_attempts.cancel();
}

/// Returns when every attempt has ended, or cannot be stopped.
async fn end_attempts(runtime: &Runtime) {
    runtime.attempts.close();
    tokio::select! {
        () = runtime.attempts.wait() => return,
        () = runtime.stages.drop_attempts.cancelled() => {}
    }
    if timeout(DROP_WITHIN, runtime.attempts.wait()).await.is_err() {
        tracing::warn!(
            attempts = runtime.attempts.len(),
            "attempts that never await cannot be stopped; their jobs are handed back"
        );
    }
}

/// Hands back what is still held, by attempts that could not be stopped or whose results were refused, and signs off. Leases that
/// cannot be handed back are left to the workers that go on: they take them back as those of a crashed one.
async fn leave(runtime: &Arc<Runtime>) {
    let leave = async {
        for lease in runtime.leases.begun() {
            if let Err(error) = hand_back(runtime, &runtime.store, &lease, &lease.jobs).await {
                tracing::warn!(
                    error = chain(&error),
                    jobs = lease.jobs.len(),
                    "a lease could not be handed back: other workers take its jobs back as crashed"
                );
                if !error.is_refusal() {
                    return Err(error);
                }
            }
        }
        runtime.store.leave(runtime.worker()).await
    };
    match timeout(LEAVE_WITHIN, leave).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = chain(&error), "the worker could not sign off; others will notice")
        }
        Err(_) => tracing::warn!("the worker could not sign off in time; others will notice"),
    }
}
