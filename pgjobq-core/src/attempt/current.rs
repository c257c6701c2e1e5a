//! The attempt whose job function the current task runs.

use std::sync::Arc;

use crate::JobId;

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

/// An attempt, as the waits of its job function see it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Current {
    pub job: JobId,
    pub kind: &'static str,
    pub queue: Arc<str>,
    pub slots: Arc<dyn QueueSlots>,
}

/// The slots of the queue in which an attempt runs.
#[doc(hidden)]
pub trait QueueSlots: std::fmt::Debug + Send + Sync {
    /// Returns the number of slots if all of them are taken.
    fn all_taken(&self) -> Option<usize>;
}

/// Runs the future of a job function, as the current attempt of its task.
pub async fn as_current<F: Future>(attempt: Current, job_function: F) -> F::Output {
    CURRENT.scope(Arc::new(attempt), job_function).await
}

/// The attempt whose job function the current task runs, if any.
pub(crate) fn current() -> Option<Arc<Current>> {
    CURRENT.try_with(Arc::clone).ok()
}

/// Returns the job whose job function the current task runs, if any.
#[cfg(feature = "testing")]
pub fn current_job() -> Option<JobId> {
    current().map(|current| current.job)
}
