//! A worker: from its start to the end of its shutdown.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::health::Health;
use crate::lifecycle::{WorkerError, run};
use crate::record::unrecorded::Inbox;
use crate::runtime::Runtime;

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

impl Worker {
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
