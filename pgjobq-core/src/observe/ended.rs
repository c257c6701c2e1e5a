//! Notifies observers of jobs that have ended without an attempt. Whoever ended them knows only their ids, so that somebody has to look
//! them up; nobody does if nobody listens.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::event::{Ended, Event, ObservedJob, Outcome};
use crate::JobId;
use crate::chain::chain;
use crate::db::shared::Shared;

/// The largest number of jobs to look up at a time.
const LOOKUP_SIZE: usize = 500;
/// The time for one look-up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

impl Shared {
    /// Notifies observers that these jobs have ended without an attempt.
    pub(crate) fn observe_ended(self: &Arc<Self>, jobs: &[Uuid]) {
        if jobs.is_empty() || !self.observers().listen() {
            return;
        }
        let (shared, jobs) = (Arc::clone(self), jobs.to_vec());
        self.ends.spawn(async move {
            for jobs in jobs.chunks(LOOKUP_SIZE) {
                if let Err(error) = shared.emit_ended(jobs).await {
                    let error = chain(&error);
                    tracing::warn!(
                        error,
                        jobs = jobs.len(),
                        "observers were not notified of jobs that have ended"
                    );
                }
            }
        });
    }

    async fn emit_ended(&self, jobs: &[Uuid]) -> Result<(), crate::DatabaseError> {
        let shards = self.about().await?.shards;
        let query = sqlx::query(self.sql.ended_as.clone())
            .bind(jobs.iter().map(|job| JobId::from(*job).shard(shards)).collect::<Vec<_>>())
            .bind(jobs);
        let rows = self.rows_within(LOOKUP_TIMEOUT, query).await?;
        let ended: Vec<Ended> =
            rows.iter().map(read).collect::<Result<_, _>>().map_err(crate::DatabaseError::Refused)?;
        self.observers().emit(|events| events.extend(ended.into_iter().map(Event::Ended)));
        Ok(())
    }
}

fn read(row: &PgRow) -> Result<Ended, sqlx::Error> {
    let outcome: &str = row.try_get("outcome")?;
    let outcome = Outcome::ALL.into_iter().find(|known| known.as_str() == outcome);
    let attempt: i32 = row.try_get("attempt")?;
    let job = ObservedJob {
        id: row.try_get::<Uuid, _>("id")?.into(),
        kind: row.try_get::<String, _>("kind")?.into(),
        queue: row.try_get::<String, _>("queue")?.into(),
        attempt: attempt.unsigned_abs(),
    };
    let outcome = outcome.ok_or_else(|| sqlx::Error::Decode("the outcome is unknown".into()))?;
    Ok(Ended { job, outcome, reason: None, wait: None, run: None })
}
