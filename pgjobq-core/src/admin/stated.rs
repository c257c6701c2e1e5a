//! What the code says of a queue, recorded with one statement: nobody enqueues into a queue whose bound is not there yet.

use std::time::Duration;

use sqlx::Row;

use crate::admin::bounding::Bounding;
use crate::admin::queue_limit::CheckedLimit;
use crate::client::Client;
use crate::db::ids::QueueId;
use crate::db::literal::Literal;
use crate::{DatabaseError, WhenFull};

/// What the code says of a queue. What is absent stays as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stated<'q> {
    /// How long ended jobs are kept, by [`EndedState`](crate::EndedState).
    pub(super) kept: [Option<Duration>; 4],
    /// How many of its jobs run at a time in each worker.
    pub(super) slots: Option<i32>,
    pub(super) limit: Option<&'q CheckedLimit>,
    pub(super) bounding: Bounding,
    pub(super) ageing: Option<Duration>,
}

impl Client {
    /// Creates a queue if it does not exist, and records what the code says of it. Returns its id.
    pub(super) async fn record_queue(
        &self,
        name: &str,
        stated: Stated<'_>,
    ) -> Result<QueueId, DatabaseError> {
        let shared = self.shared();
        let [completed, dead, cancelled, expired] = stated.kept.map(|time| time.map(micros));
        let limit = stated.limit.map(CheckedLimit::as_json);
        let when_full = stated.bounding.when_full.map(WhenFull::word);
        let (bound, ageing) = (stated.bounding.stored(), stated.ageing.map(micros));
        let values: [&dyn Literal; 10] = [
            &name,
            &completed,
            &dead,
            &cancelled,
            &expired,
            &stated.slots,
            &limit,
            &bound,
            &when_full,
            &ageing,
        ];
        let saved = shared.write(&shared.sql.save_queue, &values).await?;
        saved.try_get("id").map_err(DatabaseError::Refused)
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
