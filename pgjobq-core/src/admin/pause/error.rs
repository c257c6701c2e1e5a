//! The error of pausing and resuming.

use super::scope::PauseScope;
use crate::enqueue::row::{MAX_KEY, is_key};
use crate::job::name;
use crate::{DatabaseError, InvalidName};

/// The error of pausing or resuming: from a [`Queue`](crate::Queue), a [`JobKind`](crate::JobKind) or a
/// [`JobKey`](crate::JobKey). Nothing was changed, unless the connection broke.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum PauseError {
    /// There is no such queue.
    #[error(
        "queue `{0}` does not exist, so it cannot be paused or resumed; `client.queue(\"{0}\").save()` creates it"
    )]
    UnknownQueue(String),
    /// No queue or kind can have this name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// No job can have this key.
    #[error("a key has 1 to {MAX_KEY} characters without NUL, but this one has {0}")]
    Key(usize),
    /// The pause would be over at once: from `pause`.
    #[error(
        "the {scope} `{name}` cannot be paused until a time that has passed; write a time to come, or none"
    )]
    Over {
        /// The jobs that it would have stopped.
        scope: PauseScope,
        /// The name of the queue or the kind, or the key.
        name: String,
    },
    /// The pause would last for more than a hundred years: from `pause`.
    #[error(
        "the {scope} `{name}` cannot be paused for more than a hundred years; leave the time out, and it is paused until it is resumed"
    )]
    TooLong {
        /// The jobs that it would have stopped.
        scope: PauseScope,
        /// The name of the queue or the kind, or the key.
        name: String,
    },
    /// The database could not be reached, or refused.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

crate::debug_as_message!(PauseError);

/// Rejects a name that no queue, kind or key has.
pub(super) fn check_name(scope: PauseScope, name: &str) -> Result<(), PauseError> {
    match scope {
        PauseScope::Queue => name::check("queue", name)?,
        PauseScope::Kind => name::check("kind", name)?,
        PauseScope::Key if !is_key(name) => return Err(PauseError::Key(name.chars().count())),
        PauseScope::Key | PauseScope::Other => {}
    }
    Ok(())
}
