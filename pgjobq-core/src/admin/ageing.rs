//! The ageing of a queue: waiting jobs move up one priority at a time.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::DatabaseError;
use crate::client::Client;
use crate::db::ids::QueueId;
use crate::db::literal::Literal;

/// The shortest and the longest time after which a job moves up. The schema has the same limits.
const TIMES: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(366 * 86_400);

impl Client {
    pub(super) async fn save_ageing(&self, queue: QueueId, ageing: Duration) -> Result<(), DatabaseError> {
        let shared = self.shared();
        let micros = i64::try_from(ageing.as_micros()).unwrap_or(i64::MAX);
        let values: [&dyn Literal; 2] = [&queue, &micros];
        shared.write(&shared.sql.save_ageing, &values).await.map(drop)
    }
}

/// Returns whether a queue can have this time; zero turns ageing off.
pub(super) fn is_possible(ageing: Duration) -> bool {
    ageing.is_zero() || TIMES.contains(&ageing)
}
