//! The attempts that run in this worker, so that one can be told of a cancellation.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgjobq_core::{JobContext, JobId};

/// The attempts that run in this worker.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<JobId, JobContext>>);

/// One entry, taken out when it is dropped.
pub(crate) struct Entry {
    running: Arc<Running>,
    job: JobId,
}

impl Running {
    pub(crate) fn enter(self: &Arc<Self>, context: JobContext) -> Entry {
        let job = context.id();
        self.lock().insert(job, context);
        Entry { running: Arc::clone(self), job }
    }

    /// Tells the attempt of this job that somebody has asked to cancel it, if it runs here.
    pub(crate) fn cancel(&self, job: JobId) {
        let context = self.lock().get(&job).cloned();
        if let Some(context) = context {
            context.cancel();
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, JobContext>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().remove(&self.job);
    }
}
