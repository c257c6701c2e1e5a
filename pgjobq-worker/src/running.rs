//! The attempts that run in this worker, so that one can be told of a cancellation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgjobq_core::JobId;
use tokio_util::sync::CancellationToken;

/// The attempts that run in this worker.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<JobId, Told>>);

/// How an attempt is told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Whether somebody has asked to cancel its job.
    pub(crate) cancelled: CancellationToken,
    /// Whether it should stop.
    pub(crate) stop: CancellationToken,
}

/// One entry, taken out when it is dropped.
pub(crate) struct Entry {
    running: Arc<Running>,
    job: JobId,
}

impl Running {
    pub(crate) fn enter(self: &Arc<Self>, job: JobId, told: Told) -> Entry {
        self.lock().insert(job, told);
        Entry { running: Arc::clone(self), job }
    }

    /// Tells the attempt of this job that somebody has asked to cancel it, if it runs here.
    pub(crate) fn cancel(&self, job: JobId) {
        let told = self.lock().get(&job).cloned();
        if let Some(told) = told {
            told.cancelled.cancel(); // First: who hears that it should stop can ask why.
            told.stop.cancel();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().remove(&self.job);
    }
}
