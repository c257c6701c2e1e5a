//! The failed attempts of a job, and why a job is dead.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde::Deserialize;

use crate::db::time::time;

/// The failure of a dead job: from [`Outcome::Dead`](crate::Outcome::Dead). `Display` prints the last error and the
/// number of attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The number of attempts, including those that a shutdown ended.
    pub attempts: u32,
    /// The time of death, by the database's clock.
    pub at: SystemTime,
    /// The attempts that failed or crashed, oldest first: the first ten and the last hundred. The last one killed the job.
    pub errors: Vec<FailedAttempt>,
}

impl Failure {
    /// The message of the last error.
    #[must_use]
    pub fn message(&self) -> &str {
        self.errors.last().map_or("unknown", |error| &error.message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (attempt {})", self.message(), self.attempts)
    }
}

/// An attempt that failed or crashed: from [`Failure::errors`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// The number of the attempt: 1 for the first.
    pub attempt: u32,
    /// The time of the failure, by the database's clock. `None` if a person has edited the row.
    #[serde(default, deserialize_with = "micros")]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
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

fn micros<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<SystemTime>, D::Error> {
    Ok(Option::<i64>::deserialize(from)?.map(time))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reason_has_one_spelling() {
        for reason in FailureReason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(serde_json::from_value::<FailureReason>(reason.as_str().into()).unwrap(), reason);
        }
    }

    #[test]
    fn unknown_reason_keeps_its_attempt() {
        let newer = r#"{"attempt": 3, "reason": "evicted", "message": "no room", "worker": null}"#;
        let attempt: FailedAttempt = serde_json::from_str(newer).unwrap();
        assert_eq!((attempt.reason, &*attempt.message), (FailureReason::Unknown, "no room"));
    }
}
