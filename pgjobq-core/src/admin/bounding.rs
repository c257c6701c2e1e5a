//! Checks and records the bound of a queue.

use sqlx::postgres::PgDatabaseError;

use crate::{DatabaseError, QueueError, WhenFull};

/// The highest bound. The schema has the same.
pub(crate) const HIGHEST_BOUND: usize = 1_000_000;
/// The SQLSTATE of a bound below the number of jobs that are there.
const TOO_SMALL: &str = "PJ004";
/// The SQLSTATE of a bound in a database of several shards.
const UNSUPPORTED: &str = "0A000";

/// The bound of a queue as the code says it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounding {
    /// The bound, or none.
    pub(crate) bound: Option<Option<usize>>,
    pub(crate) when_full: Option<WhenFull>,
}

impl Bounding {
    /// Rejects a bound that no queue can have.
    pub(crate) fn check(self, queue: &str) -> Result<(), QueueError> {
        self.bound.flatten().map_or(Ok(()), |bound| check_bound(queue, bound))
    }

    /// Returns the bound as the database stores it: 0 if there is none, and `None` if it stays as it was.
    pub(crate) fn stored(self) -> Option<i32> {
        self.bound.map(|bound| bound.map_or(0, |bound| i32::try_from(bound).unwrap_or(i32::MAX)))
    }

    /// The error of what the database refused.
    pub(crate) fn refused(self, error: DatabaseError, queue: &str) -> QueueError {
        refused(error, queue, self.bound.flatten().unwrap_or_default())
    }
}

/// Rejects a bound that no queue can have.
pub(crate) fn check_bound(queue: &str, bound: usize) -> Result<(), QueueError> {
    if (1..=HIGHEST_BOUND).contains(&bound) {
        Ok(())
    } else {
        Err(QueueError::Bound { queue: queue.to_owned(), bound })
    }
}

/// The error of a bound that the database refused.
pub(crate) fn refused(error: DatabaseError, queue: &str, bound: usize) -> QueueError {
    let queue = queue.to_owned();
    match error.code().as_deref() {
        Some(TOO_SMALL) => {
            QueueError::BoundTooSmall { queue, bound, jobs: jobs_of(&error).unwrap_or_default() }
        }
        Some(UNSUPPORTED) => QueueError::BoundOnShards(queue),
        _ => error.into(),
    }
}

/// Reads the number of jobs that the error names.
fn jobs_of(error: &DatabaseError) -> Option<u64> {
    let DatabaseError::Refused(error) = error else { return None };
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.detail()?.parse().ok()
}
