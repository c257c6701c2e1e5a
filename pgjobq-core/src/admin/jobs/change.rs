//! The change that an action makes to each job.

use std::fmt;
use std::time::SystemTime;

use super::error::ActionError;
use super::selection::Concerned;
use crate::Priority;

/// The change that an action makes to each job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Cancel,
    Requeue,
    RetryNow,
    Delete,
    SetPriority(Priority),
    MoveTo(String),
    RunAt(SystemTime),
}

impl Change {
    /// The word for it in the table of actions.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Requeue => "requeue",
            Self::RetryNow => "retry_now",
            Self::Delete => "delete",
            Self::SetPriority(_) => "set_priority",
            Self::MoveTo(_) => "move_to",
            Self::RunAt(_) => "run_at",
        }
    }

    /// The jobs that it can change, of all that match.
    pub(super) fn concerns(&self) -> Concerned {
        match self {
            Self::Requeue => Concerned::EndedBadly,
            Self::Delete => Concerned::Ended,
            Self::Cancel | Self::RetryNow | Self::SetPriority(_) | Self::MoveTo(_) | Self::RunAt(_) => {
                Concerned::Live
            }
        }
    }
}

impl Change {
    /// The error of a filter that admits none of the jobs that it can change.
    pub(super) fn wrong_state(&self) -> ActionError {
        let (concerned, instead) = match self {
            Self::Requeue => (
                "are dead, cancelled or expired",
                "`retry_now` lets jobs run at once that wait for their time, and a completed job is enqueued anew",
            ),
            Self::Delete => ("have ended", "`cancel` ends jobs"),
            Self::Cancel => ("have not ended", "`delete` removes jobs that have"),
            Self::RetryNow | Self::SetPriority(_) | Self::MoveTo(_) | Self::RunAt(_) => {
                ("have not ended", "`requeue` puts dead, cancelled and expired jobs back in line")
            }
        };
        ActionError::WrongState { action: self.name(), concerned, instead }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetPriority(priority) => write!(out, "set_priority({priority:?})"),
            Self::MoveTo(queue) => write!(out, "move_to({queue})"),
            change => out.write_str(change.name()),
        }
    }
}
