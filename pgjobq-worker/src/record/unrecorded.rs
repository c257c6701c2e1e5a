//! An ended attempt that has not been recorded.

use std::sync::Arc;

use pgjobq_core::JobId;
use pgjobq_core::worker_api::{Decision, Ended, Hold, ObservedAttempt, Plan};
use tokio::sync::mpsc;

use crate::claim::quarantine::QuarantinePlace;
use crate::leases::Lease;

/// The results that a recorder receives.
pub(crate) type Inbox = mpsc::UnboundedReceiver<Unrecorded>;

/// The largest number of results in one statement.
pub(crate) const BATCH_ROWS: usize = 500;

/// An ended attempt that has not been recorded.
#[derive(Debug)]
pub(crate) struct Unrecorded {
    pub(crate) lease: Arc<Lease>,
    pub(crate) ended: Ended,
    /// The largest size of its next batch: half the size of the last one that failed.
    pub(crate) most: usize,
    /// The approximate size of the result on the wire when the attempt ended, in bytes.
    pub(crate) bytes: usize,
    /// True if a transaction of the job's own may have completed it.
    pub(crate) in_doubt: bool,
    /// The steps that the attempt adds to its workflow. They are recorded with its completion, and with nothing else.
    pub(crate) growth: Option<Box<Plan>>,
    /// The place of a quarantined job. It becomes free when the result is recorded.
    pub(crate) quarantined: Option<QuarantinePlace>,
    /// The attempt, if somebody observes it.
    pub(crate) observed: Option<Box<ObservedAttempt>>,
}

impl Unrecorded {
    pub(crate) fn new(hold: Hold, lease: Arc<Lease>, decision: Decision) -> Self {
        let bytes = decision.bytes();
        let ended = Ended { hold, decision };
        Self {
            lease,
            ended,
            most: BATCH_ROWS,
            bytes,
            in_doubt: false,
            growth: None,
            quarantined: None,
            observed: None,
        }
    }

    pub(crate) fn job(&self) -> JobId {
        self.ended.hold.job
    }

    /// Returns the largest number of results in a statement with this one.
    pub(crate) fn most_beside(&self) -> usize {
        if self.growth.is_some() { 1 } else { self.most }
    }

    /// Returns whether an earlier statement with this result failed. It may have recorded the result all the same, if only its answer
    /// was lost.
    pub(crate) fn was_sent(&self) -> bool {
        self.most < BATCH_ROWS
    }

    /// Returns whether the job completed in a transaction of its own, so that nothing is left to record.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.ended.decision, Decision::Settled)
    }
}
