//! A worker that runs in the background, and what ends it.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::health::Health;
use crate::lifecycle::WorkerError;
use crate::runtime::Runtime;

/// A worker that runs in the background, from [`Worker::start`](crate::Worker::start).
///
/// Keep it, and call [`shutdown`](Self::shutdown) at the end of the program. If it is dropped instead, the worker logs a warning
/// and drains in the background: it claims nothing more, lets running jobs finish for the grace, and hands back the rest. If
/// the process ends before that, other workers run those jobs again after the lease (30 s).
///
/// ```no_run
/// # mod pgjobq { pub use {pgjobq_core::Client, pgjobq_worker::{Worker, shutdown_signal}}; }
/// # async fn serve() {}
/// # async fn example(client: pgjobq::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use pgjobq::Worker;
///
/// let worker = Worker::builder(&client).build().await?.start();
/// serve().await; // The rest of the program, with `worker.health()` behind its readiness probe.
/// worker.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "keep it, and call `shutdown().await` at the end"]
pub struct RunningWorker {
    runtime: Arc<Runtime>,
    main: JoinHandle<Result<(), WorkerError>>,
}

impl RunningWorker {
    pub(crate) fn new(runtime: Arc<Runtime>, main: JoinHandle<Result<(), WorkerError>>) -> Self {
        Self { runtime, main }
    }

    /// The state of the worker, from its memory: for a readiness probe. A worker that has ended because a part of it failed is
    /// not ready; [`shutdown`](Self::shutdown) returns the error.
    #[must_use]
    pub fn health(&self) -> Health {
        let health = Health::of(&self.runtime);
        Health { accepting_jobs: health.accepting_jobs && !self.main.is_finished(), ..health }
    }

    /// Stops gracefully, as [`Worker::run_until`](crate::Worker::run_until) does. If the future is dropped, the worker goes on
    /// to drain in the background.
    ///
    /// # Errors
    ///
    /// [`WorkerError`], if something was left undone at the end.
    pub async fn shutdown(mut self) -> Result<(), WorkerError> {
        self.runtime.stages.drain.cancel();
        self.ended().await
    }

    /// Waits until the worker has ended.
    pub(crate) async fn ended(&mut self) -> Result<(), WorkerError> {
        (&mut self.main).await.unwrap_or(Err(WorkerError::Panicked { part: "main" }))
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        let drain = &self.runtime.stages.drain;
        if drain.is_cancelled() || self.main.is_finished() {
            return;
        }
        drain.cancel();
        tracing::warn!(
            worker = self.runtime.config.name,
            jobs = self.runtime.in_flight.count(),
            "a running worker was dropped: it drains in the background, and if the process ends first its jobs wait for the \
             lease to end; await `shutdown()`, or `run_until(…)` to its end"
        );
    }
}
