//! Inline mode: an enqueue runs what it has enqueued.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::MutexGuard;

use super::caller::is_test;
use super::drain::Runner;
use super::error::DrainError;
use super::queue::{Inner, TestQueue};

impl TestQueue {
    /// Runs jobs inline from now on: an enqueue through [`client`](Self::client) returns when the job has run, and everything that
    /// it has enqueued. It is enqueued, claimed and finished as always.
    ///
    /// Jobs that are not due wait for [`drain`](Self::drain). So do jobs that are enqueued in a transaction of yours, through another
    /// client, or through a pool, until the next enqueue through this client. A job that enqueues does not wait, because its jobs run
    /// after it. An enqueue panics with the [`DrainError`] if jobs cannot run.
    ///
    /// In a task that was spawned, an enqueue returns at once if jobs run just now: the task may be one for which a job function
    /// waits. The drain or the enqueue that runs those jobs runs this one, too, before it returns. [`run_one`](Self::run_one) does not,
    /// and leaves it to the next of them.
    pub fn inline(&self) {
        let queue = Arc::downgrade(&self.inner);
        self.inner.client.after_each_enqueue(move || {
            let queue = queue.clone();
            Box::pin(async move {
                if let Some(inner) = queue.upgrade()
                    && let Err(error) = (Self { inner }).run_enqueued().await
                {
                    panic!("a job that was enqueued cannot run inline: {error}");
                }
            })
        });
    }

    /// Runs what was enqueued. A task that is not the test's never waits for a drain, which may wait for a job that waits for the
    /// task: it leaves its job to that drain.
    async fn run_enqueued(&self) -> Result<(), DrainError> {
        let free = if is_test() { Some(self.inner.runner.lock().await) } else { self.free_runner() };
        match free {
            Some(runner) => self.run_with(runner, None).await.map(drop),
            None => Ok(()),
        }
    }

    /// Returns the runner if nobody has it. Otherwise the drain that has it looks once more for jobs when it has ended, or the next
    /// drain after a call that runs one job only.
    pub(super) fn free_runner(&self) -> Option<MutexGuard<'_, Runner>> {
        let Inner { runner, is_more_enqueued, .. } = &*self.inner;
        runner.try_lock().ok().or_else(|| {
            is_more_enqueued.store(true, Ordering::SeqCst);
            runner.try_lock().ok() // It may have ended before it could see that.
        })
    }
}
