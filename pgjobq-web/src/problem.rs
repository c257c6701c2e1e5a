//! What can go wrong with a request.

use std::sync::Arc;

use axum::http::StatusCode;
use pgjobq::{ActionError, DatabaseError, HandleError, PauseError, ResumeError, RetryError, ScheduleError};

use crate::user::Permission;

/// What can go wrong with a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Invalid(String),
    /// What was asked for cannot be done as things stand.
    #[error("{0}")]
    Conflict(String),
    #[error("this needs the permission `{0}`, which you do not have")]
    NotAllowed(Permission),
    #[error("the dashboard is read-only: it answers GET and HEAD alone")]
    ReadOnly,
    #[error(
        "the request does not come from a page of this dashboard: a browser says so in `Sec-Fetch-Site` or `Origin`"
    )]
    OtherOrigin,
    #[error(
        "the dashboard does not answer at the host `{0}`, which another site may have pointed here: open it at `localhost` or at an address, or add `.hosts([\"{0}\"])` to its router"
    )]
    OtherHost(String),
    #[error("the form is too old, or of another session: go back, load the page anew, and send it again")]
    Forged,
    #[error("the database was too slow: narrow the filter, or try again")]
    TooSlow,
    #[error("too many others use the dashboard just now: try again")]
    Busy,
    #[error("another page of yours is still loading, and is slow: try again when it is there")]
    OwnTurn,
    #[error(
        "{0}: check that the server runs, that this program reaches it, and that the address of its pool is right"
    )]
    Unreachable(Arc<DatabaseError>),
    #[error("{0}")]
    Database(Arc<DatabaseError>),
}

/// The SQLSTATE of a statement that met its timeout.
const CANCELED: &str = "57014";

impl Problem {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::NotAllowed(_) | Self::OtherOrigin | Self::OtherHost(_) | Self::Forged => {
                StatusCode::FORBIDDEN
            }
            Self::Database(error) if matches!(**error, DatabaseError::NoPermission { .. }) => {
                StatusCode::FORBIDDEN
            }
            Self::ReadOnly => StatusCode::METHOD_NOT_ALLOWED,
            Self::OwnTurn => StatusCode::TOO_MANY_REQUESTS,
            Self::TooSlow | Self::Busy | Self::Unreachable(_) | Self::Database(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Returns the sentence for somebody who may only look. An error of the database names its host, its roles and its tables, which are no
    /// concern of theirs: it is in the log.
    pub(crate) fn without_details(&self) -> String {
        match self {
            Self::Unreachable(_) => {
                "the database cannot be reached: the log of the program has its address and the reason"
                    .to_owned()
            }
            Self::Database(_) => {
                "the database refused this, or the program has no connection for it: the log of the program has the details".to_owned()
            }
            other => other.to_string(),
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<DatabaseError>> for Problem {
    fn from(error: Arc<DatabaseError>) -> Self {
        match &*error {
            DatabaseError::Unavailable { .. } | DatabaseError::Unanswered { .. } => Self::Unreachable(error),
            _ if error.code().as_deref() == Some(CANCELED) => Self::TooSlow,
            _ => Self::Database(error),
        }
    }
}

impl From<ActionError> for Problem {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::Database(error) => error.into(),
            ActionError::UnknownAction(_) => Self::NotFound(error.to_string()),
            wrong => Self::Invalid(wrong.to_string()),
        }
    }
}

impl From<HandleError> for Problem {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::Database(error) => error.into(),
            wrong => Self::Invalid(wrong.to_string()),
        }
    }
}

impl From<PauseError> for Problem {
    fn from(error: PauseError) -> Self {
        match error {
            PauseError::Database(error) => error.into(),
            PauseError::UnknownQueue(_) => Self::NotFound(error.to_string()),
            wrong => Self::Invalid(wrong.to_string()),
        }
    }
}

impl From<ResumeError> for Problem {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Database(error) => error.into(),
            wrong => Self::Conflict(wrong.to_string()),
        }
    }
}

impl From<RetryError> for Problem {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Database(error) => error.into(),
            wrong => Self::Invalid(wrong.to_string()),
        }
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::Database(error) | ScheduleError::NotEnqueued { error, .. } => error.into(),
            ScheduleError::Unknown(name) => {
                Self::NotFound(format!("there is no schedule `{name}`, or none any more"))
            }
            wrong => Self::Invalid(wrong.to_string()),
        }
    }
}
