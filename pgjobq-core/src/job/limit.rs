//! The answers of a limit that has no permit for a job.

/// The answer of a limit to a new job whose key, or kind, is at its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnConflict {
    /// The job waits for its turn.
    #[default]
    Wait,
    /// The job is cancelled at once, and its handle says that it was [dropped](crate::EnqueueOutcome::Dropped).
    Drop,
    /// The other waiting jobs are cancelled: the newest one waits alone.
    CancelWaiting,
    /// The other waiting jobs are cancelled, and the job that has run the longest is asked to stop.
    CancelRunning,
}

/// The permit of a job that waits to be retried: the job holds it, or gives it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnRetry {
    /// It holds its permit, so that no later job passes it. The default of a limit of one.
    Hold,
    /// It gives the permit back, and others pass. The default of a limit of more than one.
    LetPass,
}

impl OnConflict {
    /// Its name in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Drop => "drop",
            Self::CancelWaiting => "cancel_waiting",
            Self::CancelRunning => "cancel_running",
        }
    }
}
