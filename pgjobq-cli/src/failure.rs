//! The reasons for which a command fails, and the exit codes that scripts see.

use std::process::ExitCode;

use pgjobq::filter::FilterError;
use pgjobq::{
    ActionError, DatabaseError, EnqueueByKindError, HandleError, MigrateError, PauseError, ResumeError,
    RetryError, ScheduleError,
};

/// The exit codes, for the help of the command.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused by the database, or nothing could be changed
  2  wrong usage: an option, a filter, a URL
  3  no such job, workflow, queue, schedule or action
  4  not confirmed: look at the count, and add --yes
  5  the schema is missing or not up to date
  6  the database could not be reached, or did not answer
  7  the doctor has found a fault
  8  interrupted by a signal";

/// The reason for which a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The database refused, or nothing could be changed.
    #[error("{0}")]
    Refused(String),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// The thing that the command names does not exist.
    #[error("{0}")]
    NotFound(String),
    /// An action on many jobs was not confirmed.
    #[error("{0}")]
    Unconfirmed(String),
    /// The schema is missing or not up to date.
    #[error("{0}")]
    Schema(String),
    /// The database could not be reached, or did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// The doctor has found faults.
    #[error("{0}")]
    Faults(String),
    /// A signal has interrupted the command.
    #[error("{0}")]
    Interrupted(String),
    /// The reader of the output is gone. It needs no message.
    #[error("the output was closed")]
    Closed,
}

impl Failure {
    /// The word for it, in JSON.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Usage(_) => "usage",
            Self::NotFound(_) => "not_found",
            Self::Unconfirmed(_) => "not_confirmed",
            Self::Schema(_) => "schema",
            Self::Unreachable(_) => "unreachable",
            Self::Faults(_) => "faults",
            Self::Interrupted(_) => "interrupted",
            Self::Closed => "closed",
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Closed => 0,
            Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Unconfirmed(_) => 4,
            Self::Schema(_) => 5,
            Self::Unreachable(_) => 6,
            Self::Faults(_) => 7,
            Self::Interrupted(_) => 8,
        })
    }

    /// Returns the end of a command that has printed: its verdict, also if the reader of the output was gone.
    pub(crate) fn verdict(printed: Result<(), Self>, verdict: Result<(), Self>) -> Result<(), Self> {
        match printed {
            Err(Self::Closed) => verdict.and(Err(Self::Closed)),
            printed => printed.and(verdict),
        }
    }

    /// The error of a filter, with a mark below the column at which it is wrong.
    pub(crate) fn filter(text: &str, error: &FilterError) -> Self {
        let message = error.to_string();
        let Some(column) = error.column.filter(|_| !text.contains(['\n', '\t'])) else {
            return Self::Usage(message);
        };
        Self::Usage(format!("{message}\n  {text}\n  {}^", " ".repeat(column.saturating_sub(1))))
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        match &error {
            DatabaseError::NotMigrated { schema, .. } => {
                let instead = "run `pgjobq migrate`, or name another one with --schema";
                Self::Schema(format!(
                    "the schema `{schema}` is missing, or older than this program: {instead}"
                ))
            }
            DatabaseError::TooNew { schema, found, oldest, ours } => Self::Schema(format!(
                "the schema `{schema}` was installed by pgjobq {found} and admits pgjobq {oldest} and newer; this program has \
                 {ours}: install a newer pgjobq-cli"
            )),
            DatabaseError::NoPermission { message, .. } => Self::Refused(format!(
                "the database role may not do this ({message}): `pgjobq grants --role …` prints what each role needs"
            )),
            DatabaseError::Unavailable { .. } | DatabaseError::Unanswered { .. } => {
                Self::Unreachable(error.to_string())
            }
            _ => Self::Refused(error.to_string()),
        }
    }
}

impl From<HandleError> for Failure {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::Database(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<ActionError> for Failure {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Database(error) => error.into(),
            ActionError::UnknownAction(_) => Self::NotFound(error.to_string()),
            // Its advice names calls of the library, which are also the commands, but for this one.
            ActionError::WrongState { .. } => {
                Self::Usage(error.to_string().replace("`retry_now`", "`retry`"))
            }
            ActionError::UnknownQueue { queue } => Self::NotFound(format!("queue `{queue}` does not exist")),
            other => Self::Usage(other.to_string()),
        }
    }
}

impl From<PauseError> for Failure {
    fn from(error: PauseError) -> Self {
        match error {
            PauseError::Database(error) => error.into(),
            PauseError::UnknownQueue(name) => Self::NotFound(format!("queue `{name}` does not exist")),
            other => Self::Usage(other.to_string()),
        }
    }
}

impl From<ScheduleError> for Failure {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Database(error)
            | ScheduleError::NotEnqueued { error: error @ DatabaseError::NoPermission { .. }, .. } => {
                error.into()
            }
            ScheduleError::Unknown(name) => {
                let instead = "`pgjobq schedules` lists all of them; one in code appears when a worker that has it starts";
                Self::NotFound(format!("there is no schedule `{name}`: {instead}"))
            }
            ScheduleError::InCode(name) => Self::Refused(format!(
                "the schedule `{name}` is in the code of running workers: `pgjobq schedules {name} --pause` pauses it, and \
                 it stops when its code is gone"
            )),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Database(error) => error.into(),
            other => Self::Schema(other.to_string()),
        }
    }
}

impl From<ResumeError> for Failure {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Database(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<RetryError> for Failure {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Database(error) => error.into(),
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<EnqueueByKindError> for Failure {
    fn from(error: EnqueueByKindError) -> Self {
        match error {
            EnqueueByKindError::Database(error) => error.into(),
            EnqueueByKindError::UnknownQueue(message) => {
                let instead = "a worker that serves it creates it, or `select pgjobq.create_queue(…)`";
                Self::NotFound(format!("{message}: {instead}"))
            }
            EnqueueByKindError::Invalid(_) => Self::Usage(error.to_string()),
            other => Self::Refused(other.to_string()),
        }
    }
}
