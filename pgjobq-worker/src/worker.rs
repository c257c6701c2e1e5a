//! A worker: from its start to the end of its shutdown.

use std::sync::Arc;

use crate::lifecycle::{WorkerError, run};
use crate::record::unrecorded::Inbox;
use crate::running_worker::RunningWorker;
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
    /// `None` once it has started.
    made: Option<Made>,
}

/// The state of a worker that has not started, and the ways on which its results arrive.
pub(crate) type Made = (Arc<Runtime>, Vec<Inbox>);

impl Worker {
    pub(crate) fn new(made: Made) -> Self {
        Self { made: Some(made) }
    }

    /// Runs until `shutdown` is ready, and then stops gracefully: claims nothing more, lets running jobs finish for the grace,
    /// asks the rest to stop, and hands back those that have not ended, at once and at no cost to their retries. After
    /// [`shutdown_signal`](crate::shutdown_signal), a second signal ends the grace.
    ///
    /// If the future is dropped, in a `select!` for one, the worker logs a warning and drains in the background, like a
    /// [`RunningWorker`]. A program that also looks at the worker's [`health`](RunningWorker::health) calls
    /// [`start`](Self::start) instead.
    ///
    /// # Errors
    ///
    /// [`WorkerError`], if something was left undone at the end. If a part of the worker fails, it returns without waiting for
    /// `shutdown`.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) -> Result<(), WorkerError> {
        let mut running = self.start();
        tokio::select! {
            biased;
            ended = running.ended() => return ended,
            () = shutdown => {}
        }
        running.shutdown().await
    }

    /// Starts in the background, for a program that does something else as well.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(mut self) -> RunningWorker {
        let (runtime, inboxes) =
            self.made.take().expect("`start` consumes the worker, so it has not started");
        let main = tokio::spawn(run(Arc::clone(&runtime), inboxes));
        RunningWorker::new(runtime, main)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some((runtime, _)) = &self.made {
            tracing::warn!(
                worker = runtime.config.name,
                "a worker was built and never ran: call `run_until(…)` or `start()`"
            );
        }
    }
}
