//! The request that an attempt stop, and its reason.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

/// The reason why an attempt should stop: from [`JobContext::stop_reason`](crate::JobContext::stop_reason).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The job was cancelled. The worker drops the attempt five seconds later, and the job ends as cancelled unless the attempt
    /// completes before.
    Cancelled,
    /// The worker shuts down, and its grace is over. The worker drops the attempt two seconds later. The job runs again on
    /// another worker, with all its retries.
    Shutdown,
    /// The worker was silent for longer than its lease, so that another worker may run the job now. The worker drops the attempt
    /// five seconds later. A result of the attempt changes nothing.
    LeaseLost,
    /// The attempt ran for longer than the job's `timeout`, and the worker has dropped it. Only tasks and threads that the job
    /// function has started see this reason.
    TimedOut,
}

/// The state of the request.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Stop {
    requested: CancellationToken,
    lease_lost: CancellationToken,
    cancelled: CancellationToken,
    timed_out: AtomicBool,
}

impl Stop {
    /// `requested` is set after `lease_lost`, and when a shutdown's grace is over.
    #[must_use]
    pub fn new(requested: CancellationToken, lease_lost: CancellationToken) -> Self {
        Self { requested, lease_lost, ..Self::default() }
    }

    /// Requests it because the job was cancelled.
    pub fn cancel(&self) {
        self.cancelled.cancel(); // First, so that a task that sees the request finds its reason.
        self.requested.cancel();
    }

    /// Requests it because the attempt has timed out.
    pub fn time_out(&self) {
        self.timed_out.store(true, Ordering::Release);
        self.requested.cancel();
    }

    /// Returns the reason, if it was requested. A lost lease outweighs the others, because it voids the attempt's result.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        if self.lease_lost.is_cancelled() {
            Some(StopReason::LeaseLost)
        } else if self.is_cancelled() {
            Some(StopReason::Cancelled)
        } else if self.timed_out.load(Ordering::Acquire) {
            Some(StopReason::TimedOut)
        } else {
            self.requested.is_cancelled().then_some(StopReason::Shutdown)
        }
    }

    /// Returns the reason when it is requested.
    pub(crate) async fn requested(&self) -> StopReason {
        self.requested.cancelled().await;
        self.reason().unwrap_or(StopReason::Shutdown)
    }

    /// Reports whether the job was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Returns when the job is cancelled.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_lease_outweighs_every_other_reason() {
        let (requested, lease_lost) = (CancellationToken::new(), CancellationToken::new());
        let stop = Stop::new(requested.clone(), lease_lost.clone());
        assert_eq!(stop.reason(), None);
        requested.cancel();
        assert_eq!(stop.reason(), Some(StopReason::Shutdown));
        stop.cancel();
        assert_eq!(stop.reason(), Some(StopReason::Cancelled), "it does not run again");
        lease_lost.cancel();
        assert_eq!(stop.reason(), Some(StopReason::LeaseLost));
    }
}
