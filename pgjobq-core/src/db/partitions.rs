//! The partitions of `finished`, made ahead of the days on which ended jobs are dropped.
//!
//! A missing partition does not matter at first, because its rows go to `finished_rest`. So most callers only log why
//! there is none.

use std::time::Duration;

use sqlx::Row;

use crate::DatabaseError;
use crate::chain::chain;
use crate::client::Client;

/// The longest retention, in days. The schema has the same limit.
const MAX_DAYS: u64 = 3660;

/// The message if `finished_rest` is so large that attaching a partition would lock it for long.
const REST_IS_LARGE: &str = "cannot make partitions for ended jobs, because the table `finished_rest` is large, and each partition \
    would lock it for as long as it takes to read it: in a quiet hour, run `make_partitions(0, p_most => 1, p_rest_bytes => null)` \
    until it returns 0";

impl Client {
    /// Makes the missing partitions of `finished` for kinds that are kept for at most `longest`, each in a transaction of its
    /// own. Returns how many it made, and `None` if `finished_rest` is too large to attach others.
    ///
    /// # Errors
    ///
    /// With a lock timeout if other sessions hold a lock for some seconds, or if the database refuses. The partitions
    /// made before stay.
    #[doc(hidden)]
    pub async fn make_partitions(&self, longest: Duration) -> Result<Option<i32>, DatabaseError> {
        let days = longest.as_secs().div_ceil(24 * 60 * 60).min(MAX_DAYS) as i32;
        let shared = self.shared();
        let mut count = 0;
        loop {
            // Each try waits only briefly for a lock.
            let row = shared.write(&shared.sql.make_partitions, &[&days]).await?;
            match row.try_get::<Option<i32>, _>("made").map_err(DatabaseError::Refused)? {
                Some(0) => return Ok(Some(count)),
                Some(made) => count += made,
                None => return Ok(None),
            }
        }
    }

    /// Makes the missing partitions, or logs that another session is in the way.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses: [`Self::try_to_make_partitions`] tolerates a refusal.
    pub(crate) async fn make_partitions_unless_locked(
        &self,
        longest: Duration,
    ) -> Result<Partitions, DatabaseError> {
        match self.make_partitions(longest).await {
            Err(error) if is_locked(&error) => {
                tracing::warn!(
                    error = chain(&error),
                    "cannot make partitions for ended jobs now: another session locks them, or the database is too slow; a worker \
                     tries again each minute"
                );
                Ok(Partitions::Locked)
            }
            Ok(None) => Ok(Partitions::Blocked(REST_IS_LARGE.to_owned())),
            made => made.map(|_| Partitions::Made),
        }
    }

    /// Makes the missing partitions, or returns why the database refuses them.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or the schema is not that of this program.
    #[doc(hidden)]
    pub async fn try_to_make_partitions(&self, longest: Duration) -> Result<Partitions, DatabaseError> {
        match self.make_partitions_unless_locked(longest).await {
            Err(error @ (DatabaseError::Refused(_) | DatabaseError::NoPermission { .. }))
                if !error.is_transient() =>
            {
                Ok(Partitions::Blocked(format!(
                    "cannot make partitions for ended jobs, so these collect in the table `finished_rest` and are deleted row by \
                     row: grant `create` on the schema to the owner of its functions ({})",
                    chain(&error)
                )))
            }
            made => made,
        }
    }
}

/// The result of making the missing partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub enum Partitions {
    /// None is missing.
    Made,
    /// Another session was in the way, so that another try soon is worthwhile.
    Locked,
    /// A person has to act; the text explains how.
    Blocked(String),
}

impl Partitions {
    /// Logs what a person has to do, if anything.
    pub fn warn(&self) {
        if let Self::Blocked(why) = self {
            tracing::warn!("{why}");
        }
    }
}

/// Returns whether another session was in the way: a lock timeout, a deadlock, or a statement that took too long.
fn is_locked(error: &DatabaseError) -> bool {
    matches!(error.code().as_deref(), Some("55P03" | "40P01" | "57014"))
}
