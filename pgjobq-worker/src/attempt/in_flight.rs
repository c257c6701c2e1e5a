//! The attempts that run in this worker, by job, so that a request to cancel reaches them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgjobq_core::{JobContext, JobId};

/// The attempts that run in this worker.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<JobId, JobContext>>);

/// The entry of one attempt, removed when it is dropped.
pub(crate) struct Entry {
    in_flight: Arc<InFlight>,
    context: JobContext,
}

impl InFlight {
    pub(crate) fn enter(self: &Arc<Self>, context: JobContext) -> Entry {
        self.lock().insert(context.id(), context.clone());
        Entry { in_flight: Arc::clone(self), context }
    }

    /// Asks the attempt of this job to stop because its job is cancelled, if it runs here.
    pub(crate) fn cancel(&self, job: JobId) {
        let context = self.lock().get(&job).cloned();
        if let Some(context) = context {
            context.stop().cancel();
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
        let mut in_flight = self.in_flight.lock();
        // An attempt that has lost its lease may end after the next attempt of its job has begun here.
        if in_flight.get(&self.context.id()).is_some_and(|context| context.is(&self.context)) {
            in_flight.remove(&self.context.id());
        }
    }
}
