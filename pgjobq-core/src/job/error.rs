//! The error that a job function returns.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The error that a job function returns.
///
/// Any error turns into one with `?`, and then counts as a failure: the job is tried again, after its backoff, until
/// its retries are used up. The functions below have other consequences. The error and its causes are stored as text,
/// so that a person can read them later; put no secrets into them.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use std::time::Duration;
/// use pgjobq::JobError;
/// # fn bank_is_closed() -> bool { false }
///
/// async fn charge(iban: &str, cents: u32) -> Result<u32, JobError> {
///     if !iban.is_ascii() {
///         return Err(JobError::fatal("that is no IBAN")); // Trying again cannot help.
///     }
///     if bank_is_closed() {
///         return Err(JobError::snooze(Duration::from_secs(3600))); // Nothing has failed.
///     }
///     let fee = std::fs::read_to_string("fee.txt")?; // May be there the next time: try again.
///     Ok(cents + fee.trim().parse::<u32>()?)
/// }
/// ```
///
/// `JobError` is not an [`Error`] itself, because then not every error could turn into one.
#[derive(Debug)]
pub struct JobError {
    kind: ErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The consequence of an error for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum ErrorKind {
    /// Try again.
    Failure,
    /// Try again after this delay, instead of the backoff.
    RetryIn(Duration),
    /// Run again after this delay; nothing has failed.
    Snooze(Duration),
    /// Cancel the job.
    Cancel,
    /// Trying again cannot help.
    Fatal,
    /// The stored arguments do not fit the job function. A rolling deploy may heal this, so the job is tried again,
    /// but not for long.
    Decode,
}

impl JobError {
    /// The job is dead now, even if it has retries left: another attempt cannot help.
    #[must_use]
    pub fn fatal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::Fatal, source: Some(source.into()) }
    }

    /// Returns a failure after which the job is tried again after this delay, to the microsecond, instead of its
    /// backoff. It uses up a retry.
    #[must_use]
    pub fn retry_in(delay: Duration) -> Self {
        Self { kind: ErrorKind::RetryIn(delay), source: None }
    }

    /// Makes the job run again after this delay. This is not a failure and uses up no retry, however often it
    /// happens.
    #[must_use]
    pub fn snooze(delay: Duration) -> Self {
        Self { kind: ErrorKind::Snooze(delay), source: None }
    }

    /// Cancels the job, because it is no longer needed.
    #[must_use]
    pub fn cancel() -> Self {
        Self { kind: ErrorKind::Cancel, source: None }
    }

    /// Sets the reason: an error, or a sentence.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// Returns the message.
    #[doc(hidden)]
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        self.source.as_ref().map(|source| crate::chain::chain(&**source))
    }

    #[doc(hidden)]
    #[must_use]
    pub fn decode(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::Decode, source: Some(source.into()) }
    }

    /// Returns the same error for another job, with its message alone.
    pub(crate) fn repeated(&self) -> Self {
        Self { kind: self.kind, source: self.reason().map(Into::into) }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for JobError {
    fn from(source: E) -> Self {
        Self { kind: ErrorKind::Failure, source: Some(source.into()) }
    }
}

/// Returns the error and its causes, outermost first.
impl fmt::Display for JobError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.source, self.kind) {
            (Some(source), _) => out.write_str(&crate::chain::chain(&**source)),
            (None, ErrorKind::RetryIn(delay)) => write!(out, "asked to be tried again in {delay:?}"),
            (None, ErrorKind::Snooze(delay)) => write!(out, "asked to be run again in {delay:?}"),
            (None, ErrorKind::Cancel) => out.write_str("cancelled itself"),
            (None, _) => out.write_str("failed"),
        }
    }
}
