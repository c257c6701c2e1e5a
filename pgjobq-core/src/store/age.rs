//! Ageing: raises the priority of jobs that have waited for long.

use std::time::Duration;

use sqlx::Row;

use crate::DatabaseError;
use crate::db::ids::{QueueId, Shard};
use crate::db::time::duration;
use crate::store::access::Store;

/// The largest number of jobs of each priority that one transaction raises.
const BATCH_SIZE: i32 = 500;

impl Store {
    /// Raises jobs of one lane that have waited for long enough. Returns the time until the next call; `None` if the queue does not age.
    pub async fn age_jobs(&self, shard: Shard, queue: QueueId) -> Result<Option<Duration>, DatabaseError> {
        let query = sqlx::query(self.sql.age_jobs.clone()).bind(shard).bind(queue).bind(BATCH_SIZE);
        let wait: Option<i64> = self.row(query).await?.try_get("wait").map_err(DatabaseError::Refused)?;
        Ok(wait.map(duration))
    }
}
