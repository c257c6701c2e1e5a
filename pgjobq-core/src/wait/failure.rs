//! The failed attempts of a job, and why a job is dead.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::JobState;
use crate::db::time::{of_maybe_micros, of_micros, to_maybe_micros, to_micros};

/// The failure of a job: from [`Outcome::Dead`](crate::Outcome::Dead), and in a workflow the `Err` of a step's
/// [`result()`](crate::Step::result). `Display` prints the last error and the number of attempts, or why the job never ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// The state in which the job ended: dead, cancelled or expired. In an [`Outcome::Dead`](crate::Outcome::Dead) it is dead.
    #[serde(rename = "outcome")]
    pub state: JobState,
    /// The number of attempts, including those that a shutdown ended.
    pub attempts: u32,
    /// The time of the end, by the database's clock.
    #[serde(serialize_with = "to_micros", deserialize_with = "of_micros")]
    pub at: SystemTime,
    /// The reason of a cancellation, if one was given.
    #[serde(default)]
    pub reason: Option<String>,
    /// The attempts that failed or crashed, oldest first: the first ten and the last hundred. The last one killed a dead job.
    #[serde(default)]
    pub errors: Vec<FailedAttempt>,
}

impl Failure {
    /// The message of the last error; of a job that was cancelled or has expired, the reason.
    #[must_use]
    pub fn message(&self) -> &str {
        let unknown = match self.state {
            JobState::Cancelled => "it was cancelled",
            JobState::Expired => "it expired before a worker started it",
            _ => "unknown",
        };
        let last = self.errors.last().filter(|_| self.state == JobState::Dead);
        last.map(|error| &*error.message).or(self.reason.as_deref()).unwrap_or(unknown)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, &self.reason) {
            (JobState::Cancelled, Some(reason)) => write!(out, "cancelled: {reason}"),
            (JobState::Cancelled | JobState::Expired, _) => out.write_str(self.message()),
            _ => write!(out, "{} (attempt {})", self.message(), self.attempts),
        }
    }
}

/// An attempt that failed or crashed: from [`Failure::errors`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// The number of the attempt: 1 for the first.
    pub attempt: u32,
    /// The time of the failure, by the database's clock. `None` if a person has edited the row.
    #[serde(default, serialize_with = "to_maybe_micros", deserialize_with = "of_maybe_micros")]
    pub at: Option<SystemTime>,
    /// The kind of failure.
    pub reason: FailureReason,
    /// The error and its causes, or the panic's message.
    pub message: String,
    /// The worker that ran the attempt.
    pub worker: Option<String>,
    /// The number of failed attempts before this one that are left out, because there were too many.
    #[serde(default)]
    pub left_out: u32,
}

/// The kind of a failure: from [`FailedAttempt::reason`]. In SQL it is the column `reason` of `pgjobq.failures`, in the same
/// words.
///
/// ```
/// use pgjobq_core::FailureReason;
///
/// assert_eq!(FailureReason::Timeout.as_str(), "timeout");
/// assert_eq!("timeout".parse(), Ok(FailureReason::Timeout));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureReason {
    /// The job function returned an error.
    Error,
    /// The job function returned [`JobError::fatal`](crate::JobError::fatal), or a result that cannot be stored.
    Fatal,
    /// The stored arguments do not fit the job function.
    Decode,
    /// The job function panicked.
    Panic,
    /// The attempt ran for longer than the job's `timeout`.
    Timeout,
    /// The worker died, or was silent for longer than its lease.
    Crash,
    /// A worker stopped the attempt of a job that had crashed before, or, at a shutdown, of a job with `max_crashes = 0`. It
    /// counts neither as a failure nor as a crash.
    Release,
    /// A reason that this version does not know: a newer one recorded it.
    #[serde(other)]
    Unknown,
}

impl FailureReason {
    const ALL: [Self; 7] =
        [Self::Error, Self::Fatal, Self::Decode, Self::Panic, Self::Timeout, Self::Crash, Self::Release];

    /// The word for the reason, in SQL and in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Decode => "decode",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Crash => "crash",
            Self::Release => "release",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}

impl FromStr for FailureReason {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == word)
            .ok_or_else(|| format!("`{word}` is no reason of a failure"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::db::time::time;

    #[test]
    fn reason_has_one_spelling() {
        for reason in FailureReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(serde_json::from_value::<FailureReason>(reason.as_str().into()).unwrap(), reason);
        }
    }

    #[test]
    fn failure_survives_as_an_argument() {
        let failure = Failure {
            state: JobState::Dead,
            attempts: 2,
            at: time(1_764_204_746_000_001),
            reason: None,
            errors: vec![FailedAttempt {
                attempt: 2,
                at: Some(time(1_764_204_746_000_000)),
                reason: FailureReason::Panic,
                message: "no".to_owned(),
                worker: None,
                left_out: 0,
            }],
        };
        let json = serde_json::to_string(&Err::<(), _>(&failure)).unwrap();
        let read: Result<(), Failure> = serde_json::from_str(&json).unwrap();
        assert_eq!(read, Err(failure));
    }

    #[test]
    fn failure_of_a_job_that_never_ran_says_why() {
        let ended = |state, reason: Option<&str>| Failure {
            state,
            attempts: 0,
            at: time(0),
            reason: reason.map(str::to_owned),
            errors: Vec::new(),
        };
        assert_eq!(ended(JobState::Cancelled, Some("a test")).to_string(), "cancelled: a test");
        assert_eq!(ended(JobState::Cancelled, None).to_string(), "it was cancelled");
        assert_eq!(ended(JobState::Expired, None).to_string(), "it expired before a worker started it");
    }

    #[test]
    fn unknown_reason_keeps_its_attempt() {
        let newer = r#"{"attempt": 3, "reason": "evicted", "message": "no room", "worker": null}"#;
        let attempt: FailedAttempt = serde_json::from_str(newer).unwrap();
        assert_eq!((attempt.reason, &*attempt.message), (FailureReason::Unknown, "no room"));
    }
}
