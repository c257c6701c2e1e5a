//! Enqueuing a job and waiting for its result in one call.

use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::wait::outcome::{Failure, Outcome};
use crate::{EnqueueError, NewJob, WaitError};

impl<T: DeserializeOwned> NewJob<T> {
    /// Enqueues the job, waits for its end, and gives the result.
    ///
    /// # Errors
    ///
    /// When the job cannot be enqueued or awaited, and when it ends otherwise than completed.
    pub async fn call(self, client: &Client) -> Result<T, CallError> {
        match self.enqueue(client).await?.wait(client).await? {
            Outcome::Completed(value) => Ok(value),
            Outcome::Dead(failure) => Err(CallError::Dead(failure)),
            Outcome::Cancelled => Err(CallError::Cancelled),
            Outcome::Expired => Err(CallError::Expired),
        }
    }
}

/// Why a call gave no result: from [`NewJob::call`], and `my_job::call(…)`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The job was not enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// Waiting for it came to no end.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// It is dead.
    #[error("the job is dead: {0}")]
    Dead(Failure),
    /// Somebody cancelled it.
    #[error("the job was cancelled")]
    Cancelled,
    /// It had not started by the time it was to.
    #[error("the job expired before it started")]
    Expired,
}

crate::debug_as_message!(CallError);
