//! The partitions of `finished`, made ahead of the days on which ended jobs are dropped.
//!
//! A missing partition stops nothing: its rows go to `finished_rest`. So most callers only log why there is none.

use std::time::Duration;

use sqlx::Row;

use crate::StoreError;
use crate::client::Client;
use crate::error::chain;

/// The longest retention, in days. The schema has the same limit.
const MAX_DAYS: u64 = 3660;

impl Client {
    /// Makes the missing partitions of `finished` for kinds that are kept for at most `longest`. Returns how many it made.
    ///
    /// # Errors
    ///
    /// With a lock timeout when other sessions hold a lock for some seconds; or when the database refuses.
    #[doc(hidden)]
    pub async fn make_partitions(&self, longest: Duration) -> Result<i32, StoreError> {
        let days = longest.as_secs().div_ceil(24 * 60 * 60).min(MAX_DAYS) as i32;
        let shared = self.shared();
        // Each try waits only briefly for a lock.
        let made = shared.alone(&shared.sql.make_partitions, &[&days]).await?;
        made.try_get("made").map_err(StoreError::Database)
    }

    /// Makes the missing partitions, unless other sessions hold a lock: then it logs that, and workers try again.
    pub(crate) async fn make_partitions_unless_locked(&self, longest: Duration) -> Result<(), StoreError> {
        match self.make_partitions(longest).await {
            Err(error) if is_locked(&error) => {
                tracing::warn!(
                    error = chain(&error),
                    "cannot make partitions for ended jobs now: another session locks them; a worker tries again each minute"
                );
                Ok(())
            }
            made => made.map(drop),
        }
    }

    /// Makes the missing partitions, or logs why the database refuses.
    ///
    /// # Errors
    ///
    /// When the database cannot be reached.
    #[doc(hidden)]
    pub async fn try_to_make_partitions(&self, longest: Duration) -> Result<(), StoreError> {
        match self.make_partitions_unless_locked(longest).await {
            Err(error) if error.code().is_some() && !error.is_transient() => {
                tracing::warn!(
                    error = chain(&error),
                    "cannot make partitions for ended jobs, so these collect in the table `finished_rest` and are deleted row by \
                     row: grant `create` on the schema to the owner of its functions; workers try again"
                );
                Ok(())
            }
            made => made,
        }
    }
}

/// Whether another session's lock was in the way: a lock timeout, or a deadlock.
fn is_locked(error: &StoreError) -> bool {
    matches!(error.code().as_deref(), Some("55P03" | "40P01"))
}
