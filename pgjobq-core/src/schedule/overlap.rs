//! The policies of a tick that comes before the job of the last one has ended.

use std::fmt;

/// The policy of a schedule for a tick that comes while the job of the last one has not ended: it waits, runs, or waits to be
/// retried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overlap {
    /// Both jobs run. The default.
    #[default]
    Allow,
    /// The tick has no job.
    Skip,
    /// The job of the last tick is cancelled, as by [`Job::cancel`](crate::Job::cancel), and the new one is enqueued at once. A running
    /// job is asked to stop, and may still run for a moment beside the new one. A job that is unique while it lives cannot be replaced
    /// so, because the new one would be a duplicate.
    CancelRunning,
}

impl Overlap {
    /// Its name in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::CancelRunning => "cancel_running",
        }
    }

    /// Returns the policy of this name; of one that a later version has stored, the default.
    pub(crate) fn named(name: &str) -> Self {
        [Self::Skip, Self::CancelRunning]
            .into_iter()
            .find(|overlap| overlap.as_str() == name)
            .unwrap_or_default()
    }
}

/// Writes it as `#[job]` has it: `allow`, `skip`, `cancel_running`.
impl fmt::Display for Overlap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.as_str())
    }
}
