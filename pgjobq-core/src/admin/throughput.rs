//! The attempts that ended during the last minutes.

use std::time::Duration;

use sqlx::Row;

use crate::DatabaseError;
use crate::client::Client;

/// The length of a span, in seconds.
const SPAN_SECONDS: i32 = 30;
/// The number of spans: ten minutes, which is how long the database keeps the counts.
const SPANS: usize = 20;

/// The attempts of all queues that ended in one span of half a minute: from [`Client::throughput`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Throughput {
    /// The attempts that completed their job.
    pub completed: u64,
    /// The attempts that failed.
    pub failed: u64,
}

impl Throughput {
    /// The length of a span.
    pub const SPAN: Duration = Duration::from_secs(SPAN_SECONDS.unsigned_abs() as u64);
}

impl Client {
    /// Returns the attempts that ended during the last ten minutes, in spans of [`Throughput::SPAN`], the oldest first. Workers
    /// report theirs with each heartbeat, so the last span lacks those of the last seconds.
    ///
    /// # Errors
    ///
    /// If the database cannot be reached, or refuses the statement.
    pub async fn throughput(&self) -> Result<Vec<Throughput>, DatabaseError> {
        let shared = self.shared();
        let rows = shared.read(&shared.sql.throughput, &[&SPAN_SECONDS]).await?;
        let mut spans = vec![Throughput::default(); SPANS];
        for row in rows {
            let refused = DatabaseError::Refused;
            let count = |name| row.try_get::<i64, _>(name).map(i64::unsigned_abs).map_err(refused);
            let span: i32 = row.try_get("span").map_err(refused)?;
            let place = SPANS.checked_sub(1 + span.unsigned_abs() as usize);
            if let Some(span) = place.and_then(|place| spans.get_mut(place)) {
                *span = Throughput { completed: count("completed")?, failed: count("failed")? };
            }
        }
        Ok(spans)
    }
}
