//! The reasons for which an action leaves a job as it was.

use std::fmt;

/// The reason for which an action has left a job as it was: in [`ActionReport::left`](crate::ActionReport::left).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LeftOut {
    /// It is running. Actions on waiting jobs leave it alone.
    Running,
    /// Another transaction held its row, twice.
    Locked,
    /// It was so already.
    Same,
    /// It would expire before the new time.
    TooLate,
    /// It is a step of a workflow, which [`retry_failed`](crate::WorkflowHandle::retry_failed) puts back.
    Step,
    /// A job with its id is live.
    Live,
    /// Its queue was deleted.
    QueueDeleted,
    /// The queue that it was to come to is full.
    QueueFull,
    /// Even alone, it made the action fail: see [`ActionReport::problem`](crate::ActionReport::problem).
    Refused,
    /// When its turn came, it had ended, started or changed, and no longer matched.
    Gone,
    /// A reason that this version does not know: a newer worker wrote it.
    Other,
}

impl LeftOut {
    const ALL: [(&str, Self); 10] = [
        ("running", Self::Running),
        ("locked", Self::Locked),
        ("same", Self::Same),
        ("late", Self::TooLate),
        ("step", Self::Step),
        ("live", Self::Live),
        ("queue_deleted", Self::QueueDeleted),
        ("full", Self::QueueFull),
        ("refused", Self::Refused),
        ("gone", Self::Gone),
    ];

    /// Returns the reason of this name in the table of actions.
    pub(super) fn named(name: &str) -> Self {
        Self::ALL.iter().find(|(known, _)| *known == name).map_or(Self::Other, |(_, reason)| *reason)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Running => "running",
            Self::Locked => "locked by other transactions",
            Self::Same => "so already",
            Self::TooLate => "expiring before that time",
            Self::Step => "steps of workflows",
            Self::Live => "live again",
            Self::QueueDeleted => "of deleted queues",
            Self::QueueFull => "without room in a full queue",
            Self::Refused => "refused by the database",
            Self::Gone => "changed meanwhile",
            Self::Other => "left for a reason of a newer version",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_of_a_newer_version_is_not_gone() {
        assert_eq!(LeftOut::named("locked_by_the_moon"), LeftOut::Other);
        assert_eq!(LeftOut::named("gone"), LeftOut::Gone);
    }
}
