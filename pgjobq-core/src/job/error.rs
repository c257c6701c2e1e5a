//! What a job function returns when it does not complete.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What a job function returns when it does not complete.
///
/// Any error turns into one with `?`, and then counts as a failure: the job is tried again, after its backoff, until its
/// retries are used up. A job that wants to say more says it with one of the functions below. The error and its causes are kept as text, so that a
/// person can read them later; put no secrets into them.
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
/// `JobError` is not an [`Error`] itself, for otherwise not every error could turn into one.
#[derive(Debug)]
pub struct JobError {
    kind: ErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What an error means for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum ErrorKind {
    /// Try again.
    Failure,
    /// Try again after this delay, instead of the backoff.
    RetryIn(Duration),
    /// Run again after this delay; nothing has failed.
    Snooze(Duration),
    /// Never mind.
    Cancel,
    /// Trying again cannot help.
    Fatal,
    /// The stored arguments are not what the job function takes. A rolling deploy can heal that, so it is tried again,
    /// but not for long.
    Decode,
}

impl JobError {
    /// The job is dead now, whatever retries it has left: trying again cannot help.
    #[must_use]
    pub fn fatal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::Fatal, source: Some(source.into()) }
    }

    /// The attempt failed, and the job is tried again after this delay, to the microsecond, instead of its backoff. It
    /// uses up a retry.
    #[must_use]
    pub fn retry_in(delay: Duration) -> Self {
        Self { kind: ErrorKind::RetryIn(delay), source: None }
    }

    /// Not now: the job runs again after this delay. Nothing has failed, and no retry is used up, however often.
    #[must_use]
    pub fn snooze(delay: Duration) -> Self {
        Self { kind: ErrorKind::Snooze(delay), source: None }
    }

    /// The job need not be done any more: it ends as cancelled.
    #[must_use]
    pub fn cancel() -> Self {
        Self { kind: ErrorKind::Cancel, source: None }
    }

    /// Says why: an error, or a sentence.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What was said of why.
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

/// The error and its causes, outermost first.
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
