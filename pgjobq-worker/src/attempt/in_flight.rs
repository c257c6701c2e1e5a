//! The attempts that run in this worker, by job, so that a request to cancel reaches them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgjobq_core::worker_api::Completion;
use pgjobq_core::{JobContext, JobId};

/// The time after its timeout at which an attempt counts as blocked.
const OVERDUE_AFTER: Duration = Duration::from_secs(1);

/// The attempts that run in this worker.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<JobId, Running>>);

#[derive(Debug)]
struct Running {
    context: JobContext,
    began: Instant,
    timeout: Duration,
    /// True if it has a slot of its own, and not the one of a call.
    has_slot: bool,
    /// True once a warning was logged that it goes on after its timeout.
    warned: bool,
}

impl Running {
    /// Returns whether the job function goes on after its timeout. The commit of a transaction may take longer.
    fn is_overdue(&self) -> bool {
        let over = self.began.elapsed() > self.timeout.saturating_add(OVERDUE_AFTER);
        over && matches!(self.context.completion(), Completion::NotBegun)
    }

    fn describe(&self) -> String {
        format!(
            "job {} (`{}`) still runs after its timeout of {:?}, because it, or another job on this \
             runtime, does not await: move blocking work into `tokio::task::spawn_blocking`",
            self.context.id(),
            self.context.kind(),
            self.timeout
        )
    }
}

/// The entry of one attempt, removed when it is dropped.
pub(crate) struct Entry {
    in_flight: Arc<InFlight>,
    context: JobContext,
}

impl InFlight {
    pub(crate) fn enter(self: &Arc<Self>, context: JobContext, timeout: Duration, has_slot: bool) -> Entry {
        let began = Instant::now();
        let running = Running { context: context.clone(), began, timeout, has_slot, warned: false };
        self.lock().insert(context.id(), running);
        Entry { in_flight: Arc::clone(self), context }
    }

    /// Asks the attempt of this job to stop because its job is cancelled, if it runs here.
    pub(crate) fn cancel(&self, job: JobId) {
        let context = self.lock().get(&job).map(|running| running.context.clone());
        if let Some(context) = context {
            context.stop().cancel();
        }
    }

    /// Describes the attempts that go on after their timeout.
    pub(crate) fn overdue(&self) -> Vec<String> {
        self.lock().values().filter(|running| running.is_overdue()).map(Running::describe).collect()
    }

    /// Logs a warning, once per attempt, about those that go on after their timeout.
    pub(crate) fn warn_of_overdue(&self) {
        let mut in_flight = self.lock();
        let overdue = in_flight.values_mut().filter(|running| !running.warned && running.is_overdue());
        let warnings: Vec<String> = overdue
            .map(|running| {
                running.warned = true;
                running.describe()
            })
            .collect();
        drop(in_flight); // A subscriber may be slow.
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    }

    /// Returns the number of attempts that run in slots of their own, by queue.
    pub(crate) fn by_queue(&self) -> HashMap<String, usize> {
        let mut running = HashMap::new();
        for attempt in self.lock().values().filter(|attempt| attempt.has_slot) {
            *running.entry(attempt.context.queue().to_owned()).or_default() += 1;
        }
        running
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.lock();
        // An attempt that has lost its lease may end after the next attempt of its job has begun here.
        if in_flight.get(&self.context.id()).is_some_and(|running| running.context.is(&self.context)) {
            in_flight.remove(&self.context.id());
        }
    }
}
