//! The error of an action on many jobs.

use super::report::ActionId;
use crate::DatabaseError;
use crate::filter::FilterError;
use crate::job::rate::InvalidRate;

/// The error of counting, listing or changing all jobs that match a filter: from [`Jobs`](crate::Jobs) and
/// [`Action`](crate::Action).
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// The filter is invalid. Nothing was changed.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The filter admits only jobs in states in which the action changes none. Nothing was changed.
    #[error("`{action}` changes jobs that {concerned}, and the filter admits none of them: {instead}")]
    WrongState {
        /// The word for the action, as in [`ActionReport::action`](crate::ActionReport::action).
        action: &'static str,
        /// The jobs that it changes.
        concerned: &'static str,
        /// The call to write instead.
        instead: &'static str,
    },
    /// The rate is invalid. Nothing was changed.
    #[error(transparent)]
    Rate(#[from] InvalidRate),
    /// The queue to which the jobs should be moved does not exist. Nothing was changed.
    #[error(
        "queue `{queue}` does not exist, so no job was moved; create it with `client.queue(\"{queue}\").save()`"
    )]
    UnknownQueue {
        /// The name of the queue.
        queue: String,
    },
    /// The time to which the jobs should be moved is more than a hundred years ahead. Nothing was changed.
    #[error("a job cannot run in more than a hundred years: check the time of `run_at`")]
    TooLate,
    /// No action has this id, or it ended more than 90 days ago.
    #[error("there is no action {0}: it never was, or it ended more than 90 days ago")]
    UnknownAction(ActionId),
    /// The database could not be reached, or refused. An action that has been started goes on in any running worker.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(ActionError);
