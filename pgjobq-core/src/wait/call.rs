//! Enqueuing a job and waiting for its result in one call.

use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::wait::outcome::NotCompleted;
use crate::{EnqueueError, NewJob, WaitError};

impl<T: DeserializeOwned> NewJob<T> {
    /// Enqueues the job, waits for its end, and returns its result.
    ///
    /// # Errors
    ///
    /// The errors of [`NewJob::enqueue`] and of [`JobHandle::wait`](crate::JobHandle::wait), and
    /// [`CallError::NotCompleted`] if the job ends without a result.
    pub async fn call(self, client: &Client) -> Result<T, CallError> {
        Ok(self.enqueue(client).await?.wait(client).await?.into_result()?)
    }
}

/// The error of a call: from [`NewJob::call`], and `my_job::call(…)`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The job was not enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The wait for the job failed.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// The job ended without a result: dead, cancelled or expired.
    #[error(transparent)]
    NotCompleted(#[from] NotCompleted),
}

crate::debug_as_message!(CallError);
