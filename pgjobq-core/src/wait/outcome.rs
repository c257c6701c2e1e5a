//! The end of a job, as a wait returns it.

use crate::wait::failure::Failure;

/// The outcome of a job: from [`JobHandle::wait`](crate::JobHandle::wait).
///
/// Match on it, or use `?` on [`into_result`](Self::into_result) if only a result is of use.
///
/// ```
/// use pgjobq_core::Outcome;
///
/// fn describe(outcome: Outcome<u64>) -> String {
///     match outcome {
///         Outcome::Completed(bytes) => format!("{bytes} bytes were written"),
///         Outcome::Dead(failure) => format!("it failed for good: {failure}"),
///         Outcome::Cancelled => "it was cancelled".to_owned(),
///         Outcome::Expired => "it expired before it started".to_owned(),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a job can end without a result: match on the outcome, or use `?` on `into_result()`"]
pub enum Outcome<T> {
    /// The job function returned this.
    Completed(T),
    /// The job failed or crashed too often, or failed with a fatal error.
    Dead(Failure),
    /// The job was cancelled.
    Cancelled,
    /// The job expired before it started.
    Expired,
}

impl<T> Outcome<T> {
    /// Returns the result of a completed job, and `None` for any other end.
    #[must_use]
    pub fn completed(self) -> Option<T> {
        self.into_result().ok()
    }

    /// Returns the result of a completed job, and any other end as an error.
    ///
    /// ```
    /// use pgjobq_core::{NotCompleted, Outcome};
    ///
    /// assert_eq!(Outcome::Completed(7).into_result(), Ok(7));
    /// assert_eq!(Outcome::<u32>::Cancelled.into_result(), Err(NotCompleted::Cancelled));
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotCompleted`], if the job is dead, cancelled or expired.
    pub fn into_result(self) -> Result<T, NotCompleted> {
        match self {
            Self::Completed(value) => Ok(value),
            Self::Dead(failure) => Err(NotCompleted::Dead(failure)),
            Self::Cancelled => Err(NotCompleted::Cancelled),
            Self::Expired => Err(NotCompleted::Expired),
        }
    }
}

/// The end of a job without a result: from [`Outcome::into_result`], and in a [`CallError`](crate::CallError).
#[derive(Clone, PartialEq, thiserror::Error)]
pub enum NotCompleted {
    /// The job failed or crashed too often, or failed with a fatal error.
    #[error("the job is dead: {0}")]
    Dead(Failure),
    /// The job was cancelled.
    #[error("the job was cancelled before it completed")]
    Cancelled,
    /// The job expired before it started.
    #[error("the job expired before a worker started it")]
    Expired,
}

crate::debug_as_message!(NotCompleted);
