//! What a job function returns when it does not complete.

use std::error::Error;
use std::fmt;

/// What a job function returns when it does not complete.
///
/// Any error turns into one with `?`, and then counts as a failure: the job is tried again, after its backoff, until its
/// retries are used up. [`JobError::fatal`] ends the job at once. The error and its causes are kept as text, so that a
/// person can read them later; put no secrets into them.
///
/// ```
/// # use pgjobq_core as pgjobq;
/// use pgjobq::JobError;
///
/// async fn charge(iban: &str, cents: u32) -> Result<u32, JobError> {
///     if !iban.is_ascii() {
///         return Err(JobError::fatal("that is no IBAN")); // Trying again cannot help.
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
    source: Box<dyn Error + Send + Sync>,
}

/// What an error means for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum ErrorKind {
    /// Try again.
    Failure,
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
        Self { kind: ErrorKind::Fatal, source: source.into() }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn decode(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::Decode, source: source.into() }
    }

    #[doc(hidden)]
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for JobError {
    fn from(source: E) -> Self {
        Self { kind: ErrorKind::Failure, source: source.into() }
    }
}

/// The error and its causes, outermost first.
impl fmt::Display for JobError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&crate::error::chain(&*self.source))
    }
}
