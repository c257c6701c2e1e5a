//! The outcome of an attempt, as far as this worker knows, and its log.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pgjobq_core::FailureReason;
use pgjobq_core::worker_api::Decision;
use tracing::Span;

use super::panic::panic_text;
use super::span;
use crate::served_queue::ServedQueue;

/// The outcome of an attempt, as far as this worker knows.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The job completed in a transaction of its own.
    Completed,
    Decided(Decision),
    /// The attempt was stopped after the loss of its lease. The fence voids the decision if another worker has the job.
    Lost(Decision),
    /// The worker ended before an in-doubt commit was resolved.
    Unknown,
}

impl Outcome {
    /// Returns the decision to record.
    pub(super) fn into_decision(self) -> Decision {
        match self {
            Self::Decided(decision) | Self::Lost(decision) => decision,
            Self::Completed | Self::Unknown => Decision::Settled,
        }
    }

    /// Logs the outcome and counts it for the queue's rates. A panic of a tracing subscriber is contained.
    pub(super) fn log(&self, queue: &ServedQueue, cancelled: bool, span: &Span) {
        let log = || {
            span::ended(span, self.word(cancelled), self.error());
            if let Some(failed) = self.has_failed() {
                queue.count_ended(failed);
            }
            self.log_failure();
        };
        if let Err(panic) = catch_unwind(AssertUnwindSafe(log)) {
            panic_text(panic);
        }
    }

    fn word(&self, cancelled: bool) -> &'static str {
        match self {
            Self::Completed => "complete",
            Self::Decided(Decision::Release) if cancelled => "cancel", // The database ends the job.
            Self::Decided(decision) => decision.word(),
            Self::Lost(_) => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the type of the attempt's error, and its message.
    fn error(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Decided(Decision::Bury { reason, message } | Decision::Retry { reason, message, .. }) => {
                Some((reason.as_str(), message))
            }
            Self::Lost(_) => Some(("lease_lost", "the lease was lost: another worker may run the job")),
            Self::Completed | Self::Decided(_) | Self::Unknown => None,
        }
    }

    /// Returns whether the attempt failed; `None` if it neither failed nor completed.
    fn has_failed(&self) -> Option<bool> {
        match self {
            Self::Completed | Self::Decided(Decision::Complete { .. }) => Some(false),
            Self::Decided(Decision::Bury { .. } | Decision::Retry { .. }) => Some(true),
            Self::Decided(_) | Self::Lost(_) | Self::Unknown => None,
        }
    }

    fn log_failure(&self) {
        match self {
            Self::Decided(Decision::Bury { reason, message }) => {
                tracing::warn!(reason = reason.as_str(), error = message, "a job is dead");
            }
            // A deploy may heal it; until then the job cannot run.
            Self::Decided(Decision::Retry { reason: FailureReason::Decode, message, delay }) => {
                tracing::warn!(
                    error = message,
                    ?delay,
                    "a job does not fit its job function, and is tried again"
                );
            }
            Self::Decided(Decision::Retry { reason, message, delay }) => {
                tracing::info!(reason = reason.as_str(), error = message, ?delay, "an attempt failed");
            }
            _ => {}
        }
    }
}
